package state

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// What was committed is there after a crash, what was not is not.
func TestCommitIsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := open(t, path)
	at := time.Date(2026, 10, 23, 9, 0, 0, 5, time.UTC)
	seen := s.Seen("old")
	for i := range 100 {
		seen.Add(int64(i/10), uint64(i))
	}
	c := s.Take(7, at, map[string][]byte{"old": []byte("snapshot")})
	seen.Add(3, 1000) // after the checkpoint was taken
	if !seen.Has(3, 33) || !seen.Has(3, 1000) || seen.Has(4, 1000) {
		t.Error("what was just added is not known")
	}
	if err := s.Commit(c); err != nil {
		t.Fatal(err)
	}
	if !seen.Has(3, 33) || !seen.Has(3, 1000) {
		t.Error("forgotten by the commit")
	}
	if _, err := Open(path); !errors.Is(err, ErrInUse) {
		t.Errorf("a second process: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	index, when, err := s.Position()
	if err != nil || index != 7 || !when.Equal(at) {
		t.Errorf("position %d at %v, %v", index, when, err)
	}
	if snap, err := s.Snapshot("old"); err != nil || string(snap) != "snapshot" {
		t.Errorf("snapshot %q, %v", snap, err)
	}
	seen = s.Seen("old")
	for i := range 100 {
		if !seen.Has(int64(i/10), uint64(i)) {
			t.Fatalf("record %d is forgotten", i)
		}
	}
	if seen.Has(3, 1000) || s.Seen("other").Has(3, 33) {
		t.Error("more is known than was committed")
	}
}

// A minute that is added to in several checkpoints keeps all of them.
func TestMinuteGrows(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	seen := s.Seen("old")
	for i := range 20 {
		if seen.Has(5, uint64(i)) {
			t.Fatalf("key %d is known before it was added", i)
		}
		seen.Add(5, uint64(i))
		if i%3 == 0 {
			if err := s.Commit(s.Take(uint64(i), time.Now(), nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 20 {
		if !seen.Has(5, uint64(i)) {
			t.Errorf("key %d is forgotten", i)
		}
	}
}

func TestOverlapping(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	at := func(minute int) time.Time { return time.Date(2026, 10, 23, 9, minute, 0, 0, time.UTC) }
	for i, line := range []string{"1", "1", "12", "1"} {
		s.AddSpan("old", Span{Call: fmt.Sprint("c", i), Line: line, Start: at(i * 10), End: at(i*10 + 5)})
		if i == 1 {
			if err := s.Commit(s.Take(1, at(0), nil)); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.AddSpan("old", Span{Call: "c0", Line: "1", Start: at(0), End: at(8)}) // longer than thought
	for _, c := range []struct {
		line     string
		from, to int
		want     string
	}{
		{"1", 0, 60, "[c0 c1 c3]"},
		{"1", 6, 9, "[c0]"},
		{"1", 12, 13, "[c1]"},
		{"12", 0, 60, "[c2]"},
		{"2", 0, 60, "[]"},
		{"1", 16, 29, "[]"},
	} {
		spans, err := s.Overlapping("old", c.line, at(c.from), at(c.to))
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, v := range spans {
			names = append(names, v.Call)
		}
		if fmt.Sprint(names) != c.want {
			t.Errorf("line %s from %d to %d: %v, want %s", c.line, c.from, c.to, names, c.want)
		}
	}
	if err := s.Commit(s.Take(2, at(0), nil)); err != nil {
		t.Fatal(err)
	}
	s.AddSpan("old", Span{Call: "late", Line: "1", Start: at(0).Add(20 * 24 * time.Hour), End: at(5).Add(20 * 24 * time.Hour)})
	if err := s.Commit(s.Take(3, at(0), nil)); err != nil {
		t.Fatal(err)
	}
	if spans, err := s.Overlapping("old", "1", at(0), at(59)); err != nil || len(spans) != 0 {
		t.Errorf("after a fortnight %v, %v", spans, err)
	}
}

func TestSounds(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state.db"))
	s.AddSound("old", "a.wav", "t1")
	if err := s.Commit(s.Take(1, time.Now(), nil)); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]bool{"a.wav": true, "b.wav": false} {
		if got, err := s.HasSound("old", file); err != nil || got != want {
			t.Errorf("%s: %v, %v", file, got, err)
		}
	}
}
