package tone

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// WriteWAV writes so many seconds of t as a WAV file that Asterisk plays:
// 16 bit, mono, 8 kHz.
func WriteWAV(path string, t Tone, seconds float64) error {
	samples := make([]int16, int(seconds*Rate))
	for n := range samples {
		samples[n] = t.Sample(n)
	}
	return WriteSamples(path, samples)
}

// WriteSamples writes a WAV file, 16 bit, mono, 8 kHz.
func WriteSamples(path string, samples []int16) error {
	var b bytes.Buffer
	size := uint32(2 * len(samples))
	header := []any{
		[]byte("RIFF"), 36 + size, []byte("WAVEfmt "), uint32(16),
		uint16(1), uint16(1), uint32(Rate), uint32(2 * Rate), uint16(2), uint16(16),
		[]byte("data"), size, samples,
	}
	for _, field := range header {
		if err := binary.Write(&b, binary.LittleEndian, field); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write sound: %w", err)
	}
	return nil
}
