package telsa

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

var errSound = errors.New("is no sound file of a known kind")

// Probe tells by its header what a file of a size holds and how long it is:
// wav-pcm, wav-alaw, wav-ulaw, wav-ms-adpcm, wav-ima-adpcm, wav-gsm, wav-mp3, gsm, mp3.
// A length in the header that was never filled in is counted from the size.
func Probe(f io.ReaderAt, size int64) (format string, length time.Duration, err error) {
	head := make([]byte, min(size, 64))
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return "", 0, fmt.Errorf("read header: %w", err)
	}
	switch {
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WAVE":
		return probeWave(f, size)
	case len(head) >= 10 && (string(head[:3]) == "ID3" || mp3Frame(head).ok):
		return probeMP3(f, size)
	case size >= 33 && rawGSM(f, size):
		return "gsm", time.Duration(size/33) * 20 * time.Millisecond, nil
	}
	return "", 0, errSound
}

// Format tags of RIFF WAVE (Microsoft, mmreg.h).
func waveFormats() map[uint16]string {
	return map[uint16]string{
		1: "wav-pcm", 2: "wav-ms-adpcm", 6: "wav-alaw", 7: "wav-ulaw", 0x11: "wav-ima-adpcm", 0x31: "wav-gsm", 0x55: "wav-mp3",
	}
}

// probeWave walks the chunks up to the data.
func probeWave(f io.ReaderAt, size int64) (string, time.Duration, error) {
	var format string
	var rate uint32 // bytes a second
	head := make([]byte, 24)
	for at := int64(12); at+8 <= size; {
		n, err := f.ReadAt(head, at)
		if n < 8 || err != nil && !errors.Is(err, io.EOF) {
			return "", 0, fmt.Errorf("read chunk: %w", errors.Join(errSound, err))
		}
		id, length := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
		switch {
		case id == "fmt " && n >= 24:
			tag := binary.LittleEndian.Uint16(head[8:])
			rate = binary.LittleEndian.Uint32(head[16:])
			if format = waveFormats()[tag]; format == "" {
				return "", 0, fmt.Errorf("%w: format tag %#x", errSound, tag)
			}
		case id == "data":
			if format == "" || rate == 0 {
				return "", 0, fmt.Errorf("%w: data without format", errSound)
			}
			if rest := size - at - 8; length == 0 || length > rest {
				length = rest // the header was never completed
			}
			return format, time.Duration(float64(length) / float64(rate) * float64(time.Second)), nil
		}
		at += 8 + length + length&1
	}
	return "", 0, fmt.Errorf("%w: no data", errSound)
}

// rawGSM reports whether a file is frames of GSM 06.10, 33 bytes each, that
// begin with the half byte 0xD.
func rawGSM(f io.ReaderAt, size int64) bool {
	if size%33 != 0 {
		return false
	}
	b := make([]byte, 1)
	for i := range min(size/33, 50) {
		if _, err := f.ReadAt(b, i*33); err != nil || b[0]>>4 != 0xd {
			return false
		}
	}
	return true
}

// mp3Header is what a frame of MPEG audio says of itself.
type mp3Header struct {
	ok     bool
	length int64
	dur    time.Duration
}

// mp3Frame reads a frame header (ISO 11172-3, 13818-3), layer III only.
func mp3Frame(b []byte) mp3Header {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe0 != 0xe0 || b[1]>>1&3 != 1 {
		return mp3Header{}
	}
	version := b[1] >> 3 & 3 // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
	index, rateIndex, pad := b[2]>>4, b[2]>>2&3, int64(b[2]>>1&1)
	if version == 1 || index == 0 || index == 15 || rateIndex == 3 {
		return mp3Header{}
	}
	rates := [...]int64{44100, 48000, 32000}
	bits := [...]int64{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160}
	samples, rate := int64(576), rates[rateIndex]/2
	switch version {
	case 3:
		bits = [...]int64{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}
		samples, rate = 1152, rates[rateIndex]
	case 0:
		rate /= 2
	}
	return mp3Header{
		ok: true, length: samples/8*bits[index]*1000/rate + pad,
		dur: time.Duration(samples) * time.Second / time.Duration(rate),
	}
}

// probeMP3 adds up the frames.
func probeMP3(f io.ReaderAt, size int64) (string, time.Duration, error) {
	b := make([]byte, 10)
	if _, err := f.ReadAt(b, 0); err != nil {
		return "", 0, fmt.Errorf("read header: %w", err)
	}
	at := int64(0)
	if string(b[:3]) == "ID3" { // its size is four times seven bits
		at = 10 + int64(b[6]&0x7f)<<21 + int64(b[7]&0x7f)<<14 + int64(b[8]&0x7f)<<7 + int64(b[9]&0x7f)
	}
	var total time.Duration
	for at+4 <= size {
		if _, err := f.ReadAt(b[:4], at); err != nil {
			break
		}
		h := mp3Frame(b[:4])
		if !h.ok || h.length < 4 {
			break
		}
		total += h.dur
		at += h.length
	}
	if total == 0 {
		return "", 0, errSound
	}
	return "mp3", total, nil
}
