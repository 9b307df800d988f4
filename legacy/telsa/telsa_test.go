package telsa

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// wave is a RIFF file of a format and bytes a second, of so many bytes; a
// header that was never completed says 0.
func wave(tag uint16, rate uint32, n int, complete bool) []byte {
	var b bytes.Buffer
	size := uint32(n)
	if !complete {
		size = 0
	}
	b.WriteString("RIFF\x00\x00\x00\x00WAVEfmt ")
	for _, v := range []any{uint32(16), tag, uint16(1), uint32(8000), rate, uint16(1), uint16(8)} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a buffer takes all
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, size)
	b.Write(make([]byte, n))
	return b.Bytes()
}

func TestProbe(t *testing.T) {
	gsm := bytes.Repeat(append([]byte{0xd1}, make([]byte, 32)...), 50)
	mp3 := bytes.Repeat(append([]byte{0xff, 0xfb, 0x90, 0x00}, make([]byte, 413)...), 38)
	for _, c := range []struct {
		data   []byte
		format string
		length time.Duration
	}{
		{wave(1, 16000, 32000, true), "wav-pcm", 2 * time.Second},
		{wave(1, 16000, 32000, false), "wav-pcm", 2 * time.Second},
		{wave(2, 4000, 8000, true), "wav-ms-adpcm", 2 * time.Second},
		{wave(0x11, 4055, 8110, true), "wav-ima-adpcm", 2 * time.Second},
		{wave(0x31, 1625, 3250, true), "wav-gsm", 2 * time.Second},
		{gsm, "gsm", time.Second},
		{mp3, "mp3", 992 * time.Millisecond},
	} {
		format, length, err := Probe(bytes.NewReader(c.data), int64(len(c.data)))
		if err != nil || format != c.format || (length-c.length).Abs() > 2*time.Millisecond {
			t.Errorf("%s of %v is %s of %v, %v", c.format, c.length, format, length, err)
		}
	}
	for _, odd := range []string{"", "not a sound", "RIFF\x00\x00\x00\x00WAVEfmt "} {
		if format, _, err := Probe(bytes.NewReader([]byte(odd)), int64(len(odd))); err == nil {
			t.Errorf("%q is taken for %s", odd, format)
		}
	}
}

func TestMatch(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 10, 23, 9, 0, s, 0, time.UTC) }
	calls := []Call{{"a", at(0), at(180)}, {"b", at(185), at(500)}, {"c", at(510), at(520)}, {"d", at(530), at(540)}}
	for _, c := range []struct {
		from, to int
		want     int
		id       string
	}{{10, 178, 1, "a"}, {190, 498, 1, "b"}, {900, 990, 0, ""}, {512, 538, 3, "b"}} {
		fit := Match(Sound{Start: at(c.from), End: at(c.to)}, calls)
		if len(fit) != c.want || c.want > 0 && fit[0].ID != c.id {
			t.Errorf("from %d to %d: %v", c.from, c.to, fit)
		}
	}
}

type finder struct{ found []Sound }

func (f *finder) Known(string) (bool, error) { return false, nil }
func (f *finder) Found(s Sound) error        { f.found = append(f.found, s); return nil }

func TestWatcherTakesFinishedFilesOnce(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{Dir: dir, Mode: "folder", Pattern: `^(?P<line>\d+)-(?P<y>\d{4})(?P<mo>\d\d)(?P<d>\d\d)-(?P<h>\d\d)(?P<mi>\d\d)(?P<s>\d\d)\.wav$`}
	cfg.SetDefaults()
	now := time.Now()
	f := &finder{}
	w, err := NewWatcher(cfg, time.UTC, f, slog.New(slog.DiscardHandler), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	look := func(want int) {
		t.Helper()
		if err := w.Look(); err != nil || len(f.found) != want {
			t.Fatalf("%d files found, want %d, %v", len(f.found), want, err)
		}
	}
	file := filepath.Join(dir, "03-20261023-090000.wav")
	if err := os.WriteFile(file, wave(1, 16000, 32000, true), 0o600); err != nil {
		t.Fatal(err)
	}
	look(0) // it may still grow
	now = now.Add(time.Minute)
	look(1)
	look(1)
	s := f.found[0]
	if s.Line != "3" || !s.Exact || !s.Start.Equal(time.Date(2026, 10, 23, 9, 0, 0, 0, time.UTC)) || s.MS != 2000 {
		t.Errorf("%+v", s)
	}
	if err := os.WriteFile(filepath.Join(dir, "04-20261023-090000.wav"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = time.Now()
	look(1)
	if err := os.Remove(filepath.Join(dir, "04-20261023-090000.wav")); err != nil {
		t.Fatal(err)
	}
	look(1)
	if st := w.Stats(); st.Gone != 1 || st.Found != 1 {
		t.Errorf("%+v", st)
	}
}

// Every kind of file is handed out as a WAV file as long as it was.
func TestEveryKindBecomesWAV(t *testing.T) {
	dir := t.TempDir()
	gsm := bytes.Repeat(append([]byte{0xd1}, make([]byte, 32)...), 50)
	mp3 := bytes.Repeat(append([]byte{0xff, 0xfb, 0x90, 0x00}, make([]byte, 413)...), 38)
	for name, c := range map[string]struct {
		data   []byte
		format string
		length time.Duration
	}{
		"a.wav": {wave(1, 16000, 32000, true), "wav-pcm", 2 * time.Second},
		"b.dat": {gsm, "wav-gsm", time.Second},
		"c.mp3": {mp3, "wav-mp3", 992 * time.Millisecond},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir, name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(s)
		if err := errors.Join(err, s.Close()); err != nil || int64(len(got)) != s.Size {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), s.Size, err)
		}
		format, length, err := Probe(bytes.NewReader(got), int64(len(got)))
		if err != nil || format != c.format || (length-c.length).Abs() > 10*time.Millisecond {
			t.Errorf("%s became %s of %v, %v; want %s of %v", name, format, length, err, c.format, c.length)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "out.wav")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../" + filepath.Base(dir) + "/a.wav", "out.wav", "/etc/passwd", "none.wav"} {
		if s, err := Open(dir, name); err == nil {
			s.Close()
			t.Errorf("%s was opened", name)
		}
	}
}

// The bits of a frame are where the two packings have them.
func TestGSMFramesArePacked(t *testing.T) {
	var pair [66]byte
	pair[0], pair[33] = 0xd0|0b1010, 0xd0 // the first parameter, six bits, is 101011
	pair[1] = 0b11_000000
	out := packPair(pair)
	if out[0] != 0b101011 {
		t.Errorf("first byte %b", out[0])
	}
	for _, b := range out[1:] {
		if b != 0 {
			t.Errorf("other bits are set: %x", out)
		}
	}
	pair = [66]byte{33: 0xd8}                   // the highest bit of the second frame's first parameter
	if out := packPair(pair); out[33] != 1<<1 { // bit 260+5
		t.Errorf("second frame: %x", out)
	}
}
