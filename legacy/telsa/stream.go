package telsa

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Stream is a recorder's file as a WAV file: those who keep recordings know
// this container only. What is in it is not changed: the samples of a WAV file
// pass as they are, the frames of MP3 are put into the container, and those of
// GSM 06.10 are packed as it wants them.
type Stream struct {
	io.Reader
	Size int64
	file *os.File
}

// Close closes the file.
func (s *Stream) Close() error { return s.file.Close() }

// Open opens a file of a recorder's folder. Its name is a path with slashes
// within the folder; no link is followed out of it. The error wraps
// fs.ErrNotExist when it is not there.
func Open(dir, name string) (*Stream, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open recorder's folder: %w", err)
	}
	defer root.Close()
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	s, err := wrap(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open recording %s: %w", name, err)
	}
	return s, nil
}

func wrap(f *os.File) (*Stream, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	format, length, err := Probe(f, size)
	if err != nil {
		return nil, err
	}
	switch format {
	case "gsm":
		pairs := size / 66
		head := waveHead(0x31, 1625, 65, []byte{2, 0, 0x40, 1}, pairs*65) // 320 samples a block
		return &Stream{Reader: io.MultiReader(bytes.NewReader(head), &packer{in: f, left: pairs}), Size: int64(len(head)) + pairs*65, file: f}, nil
	case "mp3":
		// MPEGLAYER3WAVEFORMAT (mmreg.h): 12 bytes more, none of which players need.
		more := append([]byte{12, 0, 1, 0, 2, 0, 0, 0}, make([]byte, 6)...)
		rate := uint32(float64(size) / max(length.Seconds(), 0.001))
		head := waveHead(0x55, rate, 1, more, size)
		return &Stream{Reader: io.MultiReader(bytes.NewReader(head), f), Size: int64(len(head)) + size, file: f}, nil
	}
	return &Stream{Reader: f, Size: size, file: f}, nil
}

// waveHead is the head of a WAV file of 8,000 samples a second up to its data.
// more is what follows the first 16 bytes of the format.
func waveHead(tag uint16, rate uint32, block uint16, more []byte, data int64) []byte {
	var b bytes.Buffer
	format := 16 + len(more)
	b.WriteString("RIFF")
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v) // a buffer takes all
		}
	}
	put(uint32(4 + 8 + int64(format) + 8 + data + data%2))
	b.WriteString("WAVEfmt ")
	put(uint32(format), tag, uint16(1), uint32(8000), rate, block, uint16(0))
	b.Write(more)
	b.WriteString("data")
	put(uint32(data))
	return b.Bytes()
}

// packer reads frames of GSM 06.10 by pairs: 33 bytes each, the parameters one
// after the other from the highest bit behind a mark of four bits, become 65
// bytes together, the parameters from the lowest bit, without marks (tag 0x31
// of mmreg.h; the order of parameters is that of GSM 06.10, table 1.1).
type packer struct {
	in   io.Reader
	left int64 // pairs
	out  []byte
}

func (p *packer) Read(b []byte) (int, error) {
	if len(p.out) == 0 {
		if p.left == 0 {
			return 0, io.EOF
		}
		p.left--
		var pair [66]byte
		if _, err := io.ReadFull(p.in, pair[:]); err != nil {
			return 0, fmt.Errorf("read frames: %w", err)
		}
		p.out = packPair(pair)
	}
	n := copy(b, p.out)
	p.out = p.out[n:]
	return n, nil
}

// gsmWidths are the bits of a frame's parameters.
func gsmWidths() []int {
	widths := []int{6, 6, 5, 5, 4, 4, 3, 3}
	for range 4 {
		widths = append(widths, 7, 2, 2, 6, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3)
	}
	return widths
}

func packPair(pair [66]byte) []byte {
	out := make([]byte, 65)
	to := 0
	for _, start := range []int{4, 33*8 + 4} {
		from := start
		for _, width := range gsmWidths() {
			for i := range width { // the parameter's lowest bit first
				at := from + width - 1 - i
				bit := pair[at/8] >> (7 - at%8) & 1
				out[to/8] |= bit << (to % 8)
				to++
			}
			from += width
		}
	}
	return out
}
