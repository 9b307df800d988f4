package stream

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

// sickDisk is a disk that refuses when told to.
type sickDisk struct {
	disk
	mu   sync.Mutex
	sick bool
}

var errSick = errors.New("input/output error")

func (d *sickDisk) set(sick bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sick = sick
}

func (d *sickDisk) err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sick {
		return errSick
	}
	return nil
}

func (d *sickDisk) Log(recs ...[]byte) error {
	if err := d.err(); err != nil {
		return err
	}
	return d.disk.Log(recs...)
}

func (d *sickDisk) NextSegment() (int, error) {
	if err := d.err(); err != nil {
		return 0, err
	}
	return d.disk.NextSegment()
}

func sicken(s *spool) *sickDisk {
	d := &sickDisk{disk: s.disk}
	s.disk = d
	return d
}

func TestEventsThatTheDiskRefusesAreHeldAndWrittenLater(t *testing.T) {
	cfg, h := spoolConfig(t), &heard{}
	s := openTestSpool(t, cfg, h)
	d := sicken(s)
	appendSome(t, s, 0, 100)
	d.set(true)
	appendSome(t, s, 100, 400)
	if h.count() != 1 || s.stats.diskFails != 1 || s.held.len() != 300 {
		t.Fatalf("%v %+v, %d held", h.lines, s.stats, s.held.len())
	}
	wantIDs(t, ids(t, s), eventIDs(0, 400))
	if err := s.repair(); !errors.Is(err, errSick) {
		t.Fatal(err)
	}
	d.set(false)
	if err := s.repair(); err != nil || s.held.len() != 0 || s.refusal != nil {
		t.Fatal(err, s.held.len(), s.refusal)
	}
	appendSome(t, s, 400, 500)
	wantIDs(t, ids(t, s), eventIDs(0, 500))
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s = openTestSpool(t, cfg, h)
	wantIDs(t, ids(t, s), eventIDs(0, 500))
	if s.stats.lost != 0 {
		t.Fatal(s.stats.lost)
	}
}

// A reader that goes along sees every event once, whatever the disk does.
func TestReaderMeetsEveryEventWhileTheDiskComesAndGoes(t *testing.T) {
	s := openTestSpool(t, spoolConfig(t), &heard{})
	d := sicken(s)
	const n = 3000
	var all sync.WaitGroup
	all.Go(func() {
		for i := range n {
			if i%250 == 0 {
				d.set(i%500 == 0)
			}
			if i%97 == 0 {
				_ = s.repair()
			}
			if err := s.append(encoded(t, event(i))); err != nil {
				t.Error(err)
				return
			}
		}
		d.set(false)
		if err := s.repair(); err != nil {
			t.Error(err)
		}
	})
	c := s.cursorAfter(map[uint64]uint64{})
	defer c.close()
	var got []string
	eventually(t, "all events are read", func() bool {
		for {
			r, ok, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				return len(got) >= n
			}
			got = append(got, string(r.id))
		}
	})
	all.Wait()
	wantIDs(t, got, eventIDs(0, n))
	if s.stats.lost != 0 {
		t.Fatal(s.stats.lost)
	}
}

// What the kernel really does to a file that cannot grow: part of a record is
// written, then an error, until there is room again.
func TestFileThatCannotGrow(t *testing.T) {
	if os.Getenv("MARKAZ_STREAM_SMALL_FILES") == "" { // the limit would hit what else this process writes
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), "MARKAZ_STREAM_SMALL_FILES=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var free syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []uint64{10_000, page - 5, page + 5, 40_000} {
		cfg, h := spoolConfig(t), &heard{}
		s := openTestSpool(t, cfg, h)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: free.Max}); err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; s.stats.diskFails == 0 && n < 1000; n++ {
			appendSome(t, s, n, n+1)
		}
		appendSome(t, s, n, n+50)
		n += 50
		refusal, held := s.refusal, ids(t, s)
		err := s.repair()
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
			t.Fatal(err)
		}
		wantIDs(t, held, eventIDs(0, n))
		if !errors.Is(refusal, syscall.EFBIG) || !errors.Is(err, syscall.EFBIG) {
			t.Fatal(refusal, err)
		}
		if err := s.repair(); err != nil {
			t.Fatal(err)
		}
		appendSome(t, s, n, n+10)
		wantIDs(t, ids(t, s), eventIDs(0, n+10))
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		s = openTestSpool(t, cfg, h)
		wantIDs(t, ids(t, s), eventIDs(0, n+10))
		if s.stats.lost != 0 {
			t.Fatal(s.stats.lost)
		}
	}
}

func TestMemoryHasABoundToo(t *testing.T) {
	cfg := spoolConfig(t)
	cfg.MemoryBytes = 20_000
	s := openTestSpool(t, cfg, &heard{})
	sicken(s).set(true)
	n := 0
	var err error
	for ; err == nil; n++ {
		err = s.append(encoded(t, event(n)))
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, errSick) || n < 20 {
		t.Fatalf("after %d: %v", n, err)
	}
	// Redis takes some, which make room.
	s.acknowledged(s.session, 10, time.Now().UnixNano())
	appendSome(t, s, n, n+5)
	got := ids(t, s)
	if slices.Contains(got, eventID(n-1)) || got[len(got)-1] != eventID(n+4) || !slices.Contains(got, eventID(10)) {
		t.Fatal(short(got))
	}
}
