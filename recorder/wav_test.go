package recorder

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tone is a WAV file of a 440 Hz tone: 16 bit, one channel.
func tone(rate, seconds int) []byte {
	var b bytes.Buffer
	n := rate * seconds * 2
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+n))
	b.WriteString("WAVEfmt ")
	_ = binary.Write(&b, binary.LittleEndian, struct {
		Size                 uint32
		Format, Channels     uint16
		Rate, PerSec         uint32
		Align, BitsPerSample uint16
	}{16, 1, 1, uint32(rate), uint32(rate * 2), 2, 16})
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(n))
	for i := range rate * seconds {
		_ = binary.Write(&b, binary.LittleEndian, int16(8000*math.Sin(2*math.Pi*440*float64(i)/float64(rate))))
	}
	return b.Bytes()
}

// need requires a program; without it the test is skipped, or fails where
// everything must be there.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("REQUIRE_REAL") == "1" {
			t.Fatal(err)
		}
		t.Skipf("%s is not installed", program)
	}
}

// soxLength is how long sox says that a file is, having read all of it.
func soxLength(t *testing.T, file string) time.Duration {
	t.Helper()
	out, err := exec.Command("soxi", "-D", file).Output()
	if err != nil {
		t.Fatalf("soxi: %v", err)
	}
	seconds, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sox", file, "-n", "stat").CombinedOutput(); err != nil || bytes.Contains(out, []byte("WARN")) {
		t.Fatalf("sox does not play %s: %v\n%s", file, err, out)
	}
	return time.Duration(seconds * float64(time.Second))
}

// TestWAVOfRealFiles reads what sox writes, in the encodings that a PBX uses,
// and agrees with it about the length.
func TestWAVOfRealFiles(t *testing.T) {
	need(t, "sox")
	dir := t.TempDir()
	for name, args := range map[string][]string{
		"16 bit, 8 kHz":   {"-r", "8000", "-b", "16"},
		"16 bit, 16 kHz":  {"-r", "16000", "-b", "16"},
		"stereo, 48 kHz":  {"-r", "48000", "-b", "16", "-c", "2"},
		"8 bit, odd":      {"-r", "8001", "-b", "8"},
		"A law":           {"-r", "8000", "-e", "a-law"},
		"mu law":          {"-r", "8000", "-e", "mu-law"},
		"GSM":             {"-r", "8000", "-e", "gsm-full-rate"},
		"24 bit extended": {"-r", "8000", "-b", "24"},
	} {
		file := filepath.Join(dir, strings.ReplaceAll(name, " ", "")+".wav")
		if out, err := exec.Command("sox", append(append([]string{"-n"}, args...), file, "synth", "2.5", "sine", "440")...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v %s", name, err, out)
		}
		w, err := readFile(t, file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d := w.duration() - soxLength(t, file); d.Abs() > 50*time.Millisecond || w.torn || w.wrong {
			t.Errorf("%s: %s, off by %s, torn %v, wrong %v", name, w.duration(), d, w.torn, w.wrong)
		}
	}
}

func readFile(t *testing.T, file string) (wav, error) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return readWAV(f, info.Size())
}

// TestMend repairs what a PBX leaves that died in the middle.
func TestMend(t *testing.T) {
	need(t, "sox")
	whole := tone(8000, 2)
	put := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	list := append([]byte("LIST\x08\x00\x00\x00"), "INFOtest"...)
	withList := put(append(bytes.Clone(whole), list...), 4, uint32(len(whole)+len(list)-8))
	for name, tt := range map[string]struct {
		data []byte
		want time.Duration
		torn bool
		bad  bool
	}{
		"whole":                    {whole, 2 * time.Second, false, false},
		"chunk after the sound":    {withList, 2 * time.Second, false, false},
		"lengths never written":    {put(put(whole, 4, 0), 40, 0), 2 * time.Second, true, true},
		"lengths of a stream":      {put(put(whole, 4, math.MaxUint32), 40, math.MaxUint32), 2 * time.Second, true, true},
		"lengths of an early sync": {put(put(whole, 4, 36+16000), 40, 16000), 2 * time.Second, true, true},
		"cut short":                {whole[:44+8000], 500 * time.Millisecond, true, true},
		"cut in a sample":          {whole[:44+8001], 500 * time.Millisecond, true, true},
		"only a header":            {whole[:44], 0, true, true},
		"outer length alone":       {put(whole, 4, 99), 2 * time.Second, false, true},
	} {
		file := filepath.Join(t.TempDir(), "x.wav")
		write(t, file, string(tt.data))
		w, err := readFile(t, file)
		if err != nil || w.duration() != tt.want || w.torn != tt.torn || w.wrong != tt.bad {
			t.Errorf("%s: %+v of %s, %v", name, w, w.duration(), err)
			continue
		}
		if !w.wrong {
			continue
		}
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.mend(f), f.Close()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := readFile(t, file)
		if err != nil || again.wrong || again.torn || again.duration() != tt.want {
			t.Errorf("%s mended: %+v, %v", name, again, err)
		}
		if d := soxLength(t, file); d != tt.want {
			t.Errorf("%s: sox plays %s, want %s", name, d, tt.want)
		}
	}
}

func TestNotWAV(t *testing.T) {
	whole := tone(8000, 1)
	for name, data := range map[string][]byte{
		"empty": nil, "short": whole[:10], "page": []byte("<html><body>not found</body></html>"),
		"no format": append(bytes.Clone(whole[:12]), whole[36:]...), "no sound": whole[:36], "torn format": whole[:22],
	} {
		if w, err := readWAV(bytes.NewReader(data), int64(len(data))); !errors.Is(err, errNotWAV) {
			t.Errorf("%s: %+v, %v", name, w, err)
		}
	}
}

// FuzzWAV: no header makes it fail badly, and what it mends it then finds in
// order.
func FuzzWAV(f *testing.F) {
	whole := tone(100, 1)
	f.Add(whole)
	f.Add(whole[:50])
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00"))
	f.Add([]byte(fmt.Sprintf("RIFF%sWAVE%s", "\xff\xff\xff\xff", strings.Repeat("junk\x00\x00\x00\x00", 70))))
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := readWAV(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if w.dataAt < 0 || w.dataLen < 0 || w.dataAt+w.dataLen > int64(len(data)) || w.duration() < 0 {
			t.Fatalf("impossible: %+v of %d", w, len(data))
		}
		m := &memory{bytes.Clone(data)}
		if err := w.mend(m); err != nil {
			t.Fatal(err)
		}
		again, err := readWAV(bytes.NewReader(m.data), int64(len(m.data)))
		if err != nil || again.wrong || again.dataLen != w.dataLen {
			t.Fatalf("mended %+v to %+v, %v", w, again, err)
		}
	})
}

// memory is a file of bytes.
type memory struct{ data []byte }

func (m *memory) Truncate(size int64) error { m.data = m.data[:size]; return nil }

func (m *memory) WriteAt(p []byte, at int64) (int, error) { return copy(m.data[at:], p), nil }
