package stream

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb/wlog"
)

// spoolConfig is a small spool in a folder of the test.
func spoolConfig(t testing.TB) SpoolConfig {
	return Config{Spool: SpoolConfig{Dir: t.TempDir(), SegmentBytes: minSegment, MaxBytes: 64 * minSegment}}.withDefaults().Spool
}

func openTestSpool(t testing.TB, cfg SpoolConfig, h *heard) *spool {
	t.Helper()
	s, err := openSpool(cfg, h.logger(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

func appendSome(t testing.TB, s *spool, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := s.append(encoded(t, event(n))); err != nil {
			t.Fatal(err)
		}
	}
}

// ids reads all that a spool holds.
func ids(t testing.TB, s *spool) []string {
	t.Helper()
	c := s.cursorAfter(map[uint64]uint64{})
	defer c.close()
	var out []string
	for {
		r, ok, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return out
		}
		out = append(out, string(r.id))
	}
}

func eventIDs(from, to int) []string {
	var out []string
	for n := from; n < to; n++ {
		out = append(out, eventID(n))
	}
	return out
}

func wantIDs(t testing.TB, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %d events %v, want %d %v", len(got), short(got), len(want), short(want))
	}
}

func short(s []string) []string {
	if len(s) > 6 {
		return append(append([]string{}, s[:3]...), append([]string{"…"}, s[len(s)-3:]...)...)
	}
	return s
}

func TestSpoolKeepsOrderAcrossFilesAndOpens(t *testing.T) {
	cfg, h := spoolConfig(t), &heard{}
	for round := range 3 {
		s := openTestSpool(t, cfg, h)
		appendSome(t, s, round*500, round*500+500)
		wantIDs(t, ids(t, s), eventIDs(0, round*500+500))
		if round == 1 { // a crash: the last page is not filled, the lock goes with the process
			s.lock.Close()
			continue
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
	}
	if h.count() != 0 {
		t.Fatal(h.lines)
	}
}

func TestSpoolIsForOneProcess(t *testing.T) {
	cfg := spoolConfig(t)
	s := openTestSpool(t, cfg, &heard{})
	if _, err := openSpool(cfg, quiet(), time.Now); !errors.Is(err, ErrInUse) {
		t.Fatal(err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	openTestSpool(t, cfg, &heard{})
}

// fileOf returns the bytes of a spool with n events in one file.
func fileOf(t *testing.T, n int) (name string, data []byte) {
	cfg := spoolConfig(t)
	s := openTestSpool(t, cfg, &heard{})
	appendSome(t, s, 0, n)
	name = wlog.SegmentName(cfg.Dir, s.segments[len(s.segments)-1].num)
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Base(name), data
}

// reopened opens a spool whose only file has these bytes.
func reopened(t *testing.T, name string, data []byte, h *heard) *spool {
	cfg := spoolConfig(t)
	if err := os.WriteFile(filepath.Join(cfg.Dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return openTestSpool(t, cfg, h)
}

// lookedAt is a spool whose only file has these bytes, without opening it for
// writing.
func lookedAt(t *testing.T, cfg SpoolConfig, name string, data []byte, h *heard) *spool {
	t.Helper()
	if err := os.WriteFile(filepath.Join(cfg.Dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := &spool{cfg: cfg, log: h.logger(), acks: acks{at: map[uint64]uint64{}}, gaps: map[gap]bool{}}
	if err := s.scan(); err != nil {
		t.Fatal(err)
	}
	return s
}

// ends are the places in a file where a record ends.
func ends(t *testing.T, name string, data []byte) []int {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
	num, _ := strconv.Atoi(name)
	r, err := openSegment(dir, num, quiet(), func(at int64, err error) { t.Fatal(at, err) })
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	var out []int
	for {
		if _, ok := r.next(); !ok {
			return out
		}
		out = append(out, int(r.good))
	}
}

// The file is cut at every byte of its last three records; then of one that
// runs across the border of a page.
func TestTornTailIsCutOffAtTheLastGoodEvent(t *testing.T) {
	for _, n := range []int{4, page/(len(encoded(t, event(1)))+frame) + 1} {
		name, data := fileOf(t, n)
		all := ends(t, name, data)
		if n > 4 && (all[n-1] < page || all[n-2] > page) {
			t.Fatalf("the last record does not cross the border: %v", all[n-3:])
		}
		cfg, from := spoolConfig(t), all[n-4]
		if n > 4 {
			from = all[n-2]
		}
		for at := from; at < len(data); at++ {
			h := &heard{}
			s := lookedAt(t, cfg, name, data[:at], h)
			whole := 0
			for _, end := range all {
				if end <= at {
					whole++
				}
			}
			got := ids(t, s)
			wantIDs(t, got, eventIDs(0, whole))
			clean := slices.Contains(all, at)
			if told := h.count() > 0; told == clean || (s.stats.damaged > 0) != told {
				t.Fatalf("cut at %d of %v: told %v", at, all, h.lines)
			}
			if at%64 != 0 {
				continue
			}
			// It goes on, and the cut is told once.
			s = reopened(t, name, data[:at], h)
			appendSome(t, s, 1000, 1010)
			wantIDs(t, ids(t, s), append(got, eventIDs(1000, 1010)...))
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
			told := h.count()
			s = openTestSpool(t, s.cfg, h)
			wantIDs(t, ids(t, s), append(got, eventIDs(1000, 1010)...))
			if h.count() != told {
				t.Fatalf("told again: %v", h.lines)
			}
			if err := s.close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Any byte of the last record may be wrong: it is cut off, the rest is there.
func TestWrongByteInTheLastEvent(t *testing.T) {
	name, data := fileOf(t, 5)
	harmless, cfg := 0, spoolConfig(t)
	for at := ends(t, name, data)[3]; at < len(data); at++ {
		for _, bit := range []byte{0x01, 0x80} {
			bad := bytes.Clone(data)
			bad[at] ^= bit
			h := &heard{}
			s := lookedAt(t, cfg, name, bad, h)
			got := ids(t, s)
			if len(got) == 5 && h.count() == 0 {
				harmless++ // a bit that the format does not use
			} else {
				wantIDs(t, got, eventIDs(0, 4))
				if h.count() == 0 || s.stats.damaged == 0 {
					t.Fatalf("byte %d: not told", at)
				}
			}
		}
	}
	if harmless > 1 {
		t.Fatalf("%d wrong bits were not noticed", harmless)
	}
}

// A wrong byte in the middle costs what is in its page, and that is told to
// the event; what follows in that file and in later ones is there.
func TestDamageInTheMiddleIsReadAround(t *testing.T) {
	cfg, h := spoolConfig(t), &heard{}
	s := openTestSpool(t, cfg, h)
	appendSome(t, s, 0, 600)
	first := wlog.SegmentName(cfg.Dir, s.segments[0].num)
	if len(s.segments) < 3 {
		t.Fatal("want several files")
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	for i := 5000; i < 5020; i++ {
		data[i] ^= 0xff
	}
	if err := os.WriteFile(first, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s = openTestSpool(t, cfg, h)
	got := ids(t, s)
	missing := 600 - len(got)
	if missing == 0 || missing > 2*page/len(encoded(t, event(0))) {
		t.Fatalf("%d events missing", missing)
	}
	if int(s.stats.lost) != missing || s.stats.damaged == 0 || h.count() < 2 {
		t.Fatalf("%d missing, told %+v: %v", missing, s.stats, h.lines)
	}
	if !slices.IsSorted(got) || got[len(got)-1] != eventID(599) {
		t.Fatal(short(got))
	}
}

func TestFolderFullOfRubbishOpens(t *testing.T) {
	cfg, h := spoolConfig(t), &heard{}
	for i := range 3 {
		junk := bytes.Repeat([]byte(fmt.Sprintf("junk %d ", i)), 9000)
		if err := os.WriteFile(wlog.SegmentName(cfg.Dir, i), junk, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := openTestSpool(t, cfg, h)
	appendSome(t, s, 0, 10)
	wantIDs(t, ids(t, s), eventIDs(0, 10))
	if h.count() == 0 {
		t.Fatal("not told")
	}
}

func TestSpoolTakesManyWritersAtOnce(t *testing.T) {
	s := openTestSpool(t, spoolConfig(t), &heard{})
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for n := range 200 {
				e := event(n)
				e.ID = fmt.Sprintf("w%d-%04d", w, n)
				raw, _ := appendRecord(nil, &e)
				if err := s.append(raw); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	last := map[string]string{}
	got := ids(t, s)
	for _, id := range got {
		if id <= last[id[:2]] {
			t.Fatalf("%s after %s", id, last[id[:2]])
		}
		last[id[:2]] = id
	}
	if len(got) != 1600 {
		t.Fatal(len(got))
	}
}

func TestSpoolKeepsWhatIsNeededAndNoMore(t *testing.T) {
	cfg, now := spoolConfig(t), time.Now()
	s, err := openSpool(cfg, quiet(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	tidy := func(wantFirst, wantLast int) {
		t.Helper()
		if err := s.tidy(); err != nil {
			t.Fatal(err)
		}
		got := ids(t, s)
		if wantLast == 0 && len(got) == 0 {
			return
		}
		if len(got) == 0 || got[0] > eventID(wantFirst) || got[len(got)-1] != eventID(wantLast-1) {
			t.Fatalf("have %v, want %d to %d", short(got), wantFirst, wantLast)
		}
		if seg := s.segments[0]; seg.first > uint64(wantFirst)+1 {
			t.Fatalf("begins at %d, want %d", seg.first, wantFirst)
		}
	}
	appendSome(t, s, 0, 500)
	now = now.Add(cfg.Keep / 2)
	appendSome(t, s, 500, 1000)
	now = now.Add(cfg.Keep * 2)
	tidy(0, 1000) // old, but nobody has them
	s.acknowledged(s.session, 900, now.UnixNano())
	s.keepSince(now.Add(-3 * cfg.Keep))
	tidy(0, 1000) // a call lives since then
	s.keepSince(now.Add(-2*cfg.Keep - time.Second))
	tidy(500, 1000)
	if got := ids(t, s); got[0] == eventID(0) {
		t.Fatal("nothing was removed")
	}
	s.keepSince(time.Time{})
	tidy(900, 1000)
	s.acknowledged(s.session, 1000, now.UnixNano())
	tidy(0, 0)
	if n := len(ids(t, s)); n != 0 {
		t.Fatalf("%d events are left", n)
	}
}

func TestFullSpoolRefusesRatherThanForgets(t *testing.T) {
	cfg, h := spoolConfig(t), &heard{}
	cfg.MaxBytes = 4 * minSegment
	s := openTestSpool(t, cfg, h)
	n := 0
	var err error
	for ; err == nil && n < 5000; n++ {
		err = s.append(encoded(t, event(n)))
	}
	if !errors.Is(err, ErrFull) || s.stats.refused != 1 {
		t.Fatalf("after %d: %v", n, err)
	}
	n--
	wantIDs(t, ids(t, s), eventIDs(0, n))
	// Redis takes half: the oldest files go before their time, which is told.
	s.acknowledged(s.session, uint64(n/2), 0)
	for ; ; n++ {
		if err := s.append(encoded(t, event(n))); err != nil {
			break
		}
	}
	got := ids(t, s)
	if got[0] > eventID(n/2) || got[len(got)-1] != eventID(n-1) || s.stats.shortened == 0 || h.count() == 0 {
		t.Fatalf("%v of %d, %+v", short(got), n, s.stats)
	}
}
