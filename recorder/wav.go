package recorder

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// errNotWAV is wrapped by what is wrong with a file that holds no sound.
var errNotWAV = errors.New("not a WAV file")

// wav is what there is to know of a RIFF WAVE file (Microsoft/IBM Multimedia
// Programming Interface 1.0, chapter 3): chunks of four letters and a
// little-endian length, "fmt " saying how many bytes a second are played and
// "data" holding them.
type wav struct {
	perSec  int64 // bytes
	dataAt  int64 // where the sound begins
	dataLen int64 // its bytes, by what is there and not by what the header says
	end     int64 // of the file, without a torn sample
	torn    bool  // the header does not know how much sound there is
	wrong   bool  // the header is to be mended
}

func (w wav) duration() time.Duration {
	whole := time.Duration(w.dataLen/w.perSec) * time.Second
	return whole + time.Duration(w.dataLen%w.perSec)*time.Second/time.Duration(w.perSec)
}

const (
	riffHead = 12
	maxChunk = 64 // chunks before the data: nobody has so many
)

// readWAV reads the header of a file of that size. A writer that died left
// lengths that were never filled in; they are taken from the file instead.
func readWAV(r io.ReaderAt, size int64) (wav, error) {
	var w wav
	var head [riffHead]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return w, fmt.Errorf("%w: %d bytes", errNotWAV, size)
	}
	if string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return w, fmt.Errorf("%w: begins with %q", errNotWAV, head[:4])
	}
	align := int64(1)
	at := int64(riffHead)
	for range maxChunk {
		id, length, err := chunkAt(r, at)
		if err != nil {
			break
		}
		switch id {
		case "fmt ":
			var f [16]byte
			if _, err := r.ReadAt(f[:], at+8); err != nil {
				return w, fmt.Errorf("%w: no format", errNotWAV)
			}
			w.perSec = int64(binary.LittleEndian.Uint32(f[8:]))
			align = max(1, int64(binary.LittleEndian.Uint16(f[12:])))
		case "data":
			if w.perSec == 0 {
				return w, fmt.Errorf("%w: no format before the sound", errNotWAV)
			}
			w.measure(r, size, at+8, length, align)
			riff := int64(binary.LittleEndian.Uint32(head[4:]))
			w.wrong = w.torn || riff < w.end-9 || riff > w.end-7 // with a pad byte or without
			return w, nil
		}
		at += 8 + length + length%2
	}
	return w, fmt.Errorf("%w: no sound", errNotWAV)
}

func chunkAt(r io.ReaderAt, at int64) (id string, length int64, err error) {
	var c [8]byte
	if _, err := r.ReadAt(c[:], at); err != nil {
		return "", 0, err
	}
	return string(c[:4]), int64(binary.LittleEndian.Uint32(c[4:])), nil
}

// measure finds how much sound there is from dataAt on, when the header says
// so much.
func (w *wav) measure(r io.ReaderAt, size, dataAt, said, align int64) {
	there := size - dataAt
	w.dataAt, w.dataLen, w.end = dataAt, said, size
	if end := said + said%2; said == there || said > 0 && end <= there && wholeChunks(r, dataAt+end, size) {
		return
	}
	w.torn = true
	w.dataLen = there - there%align
	w.end = dataAt + w.dataLen
}

// wholeChunks reports whether nothing but whole chunks follows, so that the
// sound ends where the header says.
func wholeChunks(r io.ReaderAt, at, size int64) bool {
	for range maxChunk {
		if at >= size {
			return true
		}
		id, length, err := chunkAt(r, at)
		if err != nil || !printable(id) || at+8+length > size {
			return false
		}
		at += 8 + length + length%2
	}
	return false
}

func printable(id string) bool {
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// file is what mend needs of one.
type file interface {
	io.WriterAt
	Truncate(size int64) error
}

// mend writes the right lengths into the header and cuts off a torn sample.
func (w wav) mend(f file) error {
	if w.end > math.MaxUint32 {
		return fmt.Errorf("mend header: %d bytes are too long for a WAV file", w.end)
	}
	if err := f.Truncate(w.end); err != nil {
		return fmt.Errorf("mend header: %w", err)
	}
	var n [4]byte
	for _, v := range []struct{ at, value int64 }{{4, w.end - 8}, {w.dataAt - 4, w.dataLen}} {
		binary.LittleEndian.PutUint32(n[:], uint32(v.value))
		if _, err := f.WriteAt(n[:], v.at); err != nil {
			return fmt.Errorf("mend header: %w", err)
		}
	}
	return nil
}
