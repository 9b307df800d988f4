package legacy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"markaz/call"
	"markaz/legacy/telsa"
	"markaz/legacy/testbed"
)

// record leaves a file of so much sound where a recorder would, as if it had
// been hung up at a time.
func record(t *testing.T, path string, length time.Duration, end time.Time) {
	t.Helper()
	var b bytes.Buffer
	data := uint32(length.Seconds() * 8000)
	b.WriteString("RIFF")
	for _, v := range []any{36 + data, []byte("WAVEfmt "), uint32(16), uint16(7), uint16(1), uint32(8000), uint32(8000), uint16(1), uint16(8), []byte("data"), data} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	b.Write(make([]byte, data))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	part := path + ".part" // the recorder moves the file when it is whole
	if err := errors.Join(os.WriteFile(part, b.Bytes(), 0o644), os.Chtimes(part, end, end), os.Rename(part, path)); err != nil {
		t.Fatal(err)
	}
}

// A recorder's files: the end of one ends the living call on its line; then it
// is given to that call and can be fetched; what may be of several calls, or
// is of none, is given to none and listed.
func TestRecorderBesideAnExchange(t *testing.T) {
	p, connection := pbx(t, testbed.Options{})
	s := panasonicSource(connection)
	s.Zone = "Local"
	s.Telsa = &telsa.Config{Dir: t.TempDir(), Pattern: `^Archive/0*(?P<line>\d+)/[^/]*wav$`, Every: 100 * time.Millisecond, Wait: time.Second}
	log := newKept()
	e, stop, _ := start(t, configIn(t.TempDir(), s), log)
	now := time.Now()
	lines := testbed.Incoming(now.Add(-20*time.Second), "204", 3, "02188776655", 5*time.Second, 15*time.Second)
	p.Print(lines[0].Text, lines[1].Text)
	answered := log.until(t, "the answer", func(e call.Event) bool { return e.Kind == call.CallAnswered })

	file := filepath.Join(s.Telsa.Dir, "Archive", "03", "a.wav")
	hung := time.Now()
	record(t, file, 14*time.Second, hung)
	end := log.until(t, "the end", func(e call.Event) bool { return e.Kind == call.CallEnded })
	if end.Call != answered.Call || !end.Live || end.At.Sub(hung).Abs() > time.Second {
		t.Errorf("the recorder's end ends %+v", end)
	}
	stopped := log.until(t, "the recording", func(e call.Event) bool { return e.Kind == call.RecordingStopped })
	id, ok := strings.CutPrefix(stopped.Recording, end.Call+"-old-")
	if !ok || stopped.Call != end.Call || stopped.DurationMS != 14000 {
		t.Errorf("%+v", stopped)
	}
	checkFetched(t, e, id, stopped.Size)
	p.Print(lines[2].Text) // what the exchange prints later changes nothing but details

	old := now.Add(-3 * time.Hour).Truncate(time.Minute) // two short calls in a minute, and one file over both
	for _, at := range []time.Duration{0, 25 * time.Second} {
		for _, l := range testbed.Outgoing(old.Add(at), "205", 4, "909121112233", 15*time.Second) {
			p.Print(l.Text)
		}
	}
	log.until(t, "the old calls", func(e call.Event) bool { return e.Kind == call.CallEnded && !e.Live })
	record(t, filepath.Join(s.Telsa.Dir, "Archive", "4", "both.wav"), 40*time.Second, old.Add(40*time.Second))
	record(t, filepath.Join(s.Telsa.Dir, "Archive", "5", "none.wav"), 40*time.Second, old)
	var sounds *SoundStatus
	for begun := time.Now(); time.Since(begun) < 2*time.Minute; time.Sleep(10 * time.Millisecond) {
		if sounds = e.Status()[0].Sounds; len(sounds.Unmatched)+len(sounds.Ambiguous) == 2 {
			break
		}
	}
	if sounds.Matched != 1 || len(sounds.Unmatched) != 1 || len(sounds.Ambiguous) != 1 || sounds.Ambiguous[0] != "Archive/4/both.wav" {
		t.Errorf("%+v", *sounds)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Recording("old", id); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is gone: %v", err)
	}
	stop()
	for _, c := range log.calls(t) {
		if c.ID == end.Call && (c.Disposition != call.CallAnsweredD || c.TalkMS != 15000) {
			t.Errorf("%+v", c)
		}
	}
}

func checkFetched(t *testing.T, e *Engine, id string, size int64) {
	t.Helper()
	f, err := e.Recording("old", id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := io.Copy(io.Discard, f); err != nil || n != size {
		t.Errorf("%d bytes of %d, %v", n, size, err)
	}
	for _, wrong := range [][2]string{{"old", "t0"}, {"nobody", id}, {"old", "../a.wav"}} {
		if _, err := e.Recording(wrong[0], wrong[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
