package prompt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// rate is the sample rate of every sound that is made, in hertz.
const rate = 8000

// wavHeader is the header that we write: RIFF, one fmt and one data chunk
// (Microsoft, "Multimedia Programming Interface and Data Specifications 1.0").
type wavHeader struct {
	RIFF       [4]byte
	Size       uint32
	WAVE       [4]byte
	Fmt        [4]byte
	FmtSize    uint32
	Format     uint16
	Channels   uint16
	Rate       uint32
	ByteRate   uint32
	BlockAlign uint16
	Bits       uint16
	Data       [4]byte
	DataSize   uint32
}

const headerSize = 44

func header(dataSize uint32) wavHeader {
	return wavHeader{
		RIFF: [4]byte([]byte("RIFF")), Size: headerSize - 8 + dataSize, WAVE: [4]byte([]byte("WAVE")),
		Fmt: [4]byte([]byte("fmt ")), FmtSize: 16, Format: 1, Channels: 1,
		Rate: rate, ByteRate: 2 * rate, BlockAlign: 2, Bits: 16,
		Data: [4]byte([]byte("data")), DataSize: dataSize,
	}
}

// encode makes a WAV file of samples between -1 and 1.
func encode(samples []float64) []byte {
	pcm := make([]int16, len(samples))
	for i, s := range samples {
		pcm[i] = int16(max(-1, min(1, s)) * 32767)
	}
	var b bytes.Buffer
	// Writing to a Buffer cannot fail.
	_ = binary.Write(&b, binary.LittleEndian, header(uint32(2*len(pcm))))
	_ = binary.Write(&b, binary.LittleEndian, pcm)
	return b.Bytes()
}

// verify tells what is wrong with a file that should be one of ours: whether
// its header is the one that encode writes, and its length what that says.
func verify(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var got wavHeader
	if err := binary.Read(f, binary.LittleEndian, &got); err != nil {
		return fmt.Errorf("read header of %s: %w", filepath.Base(path), err)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if got != header(got.DataSize) || got.DataSize == 0 || info.Size() != headerSize+int64(got.DataSize) {
		return fmt.Errorf("%s is not a whole WAV file of 8 kHz, mono, 16 bit", filepath.Base(path))
	}
	return nil
}

// sound is what a speech program made: samples between -1 and 1, all channels
// mixed into one.
type sound struct {
	samples []float64
	rate    int
}

// decode reads a WAV file of 8 or 16 bit PCM. Sizes in the header are not
// believed beyond the end of the file, because programs that write to a pipe
// do not know them.
func decode(raw []byte) (sound, error) {
	if len(raw) < 12 || string(raw[:4]) != "RIFF" || string(raw[8:12]) != "WAVE" {
		return sound{}, errors.New("not a WAV file")
	}
	var format []byte
	for rest := raw[12:]; len(rest) >= 8; {
		id, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:8]))
		body := rest[8:]
		if size > int64(len(body)) {
			size = int64(len(body))
		}
		switch id {
		case "fmt ":
			format = body[:size]
		case "data":
			return decodeData(format, body[:size])
		}
		rest = body[min(size+size%2, int64(len(body))):]
	}
	return sound{}, errors.New("the WAV file holds no data")
}

func decodeData(format, data []byte) (sound, error) {
	if len(format) < 16 {
		return sound{}, errors.New("the WAV file tells no format")
	}
	kind := binary.LittleEndian.Uint16(format)
	channels := int(binary.LittleEndian.Uint16(format[2:]))
	s := sound{rate: int(binary.LittleEndian.Uint32(format[4:]))}
	bits := int(binary.LittleEndian.Uint16(format[14:]))
	const pcm, extensible = 1, 0xFFFE
	switch {
	case kind != pcm && kind != extensible || bits != 8 && bits != 16:
		return sound{}, fmt.Errorf("the WAV file is of format %d with %d bits, not PCM of 8 or 16 bits", kind, bits)
	case channels < 1 || channels > 8:
		return sound{}, fmt.Errorf("the WAV file has %d channels", channels)
	case s.rate < rate || s.rate > 192000:
		return sound{}, fmt.Errorf("the WAV file has %d samples a second, fewer than 8000 or more than 192000", s.rate)
	}
	width := bits / 8
	frame := width * channels
	s.samples = make([]float64, len(data)/frame)
	for i := range s.samples {
		for c := range channels {
			at := i*frame + c*width
			if bits == 8 {
				s.samples[i] += (float64(data[at]) - 128) / 128
			} else {
				s.samples[i] += float64(int16(binary.LittleEndian.Uint16(data[at:]))) / 32768
			}
		}
		s.samples[i] /= float64(channels)
	}
	return s, nil
}
