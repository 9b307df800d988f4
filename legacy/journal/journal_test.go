package journal

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb/wlog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(dir string) Config {
	cfg := DefaultConfig()
	cfg.Dir, cfg.Sync = dir, 5*time.Millisecond
	return cfg
}

// open opens a journal that runs until the returned function is called.
func open(t *testing.T, cfg Config, now func() time.Time) (*Journal, func()) {
	t.Helper()
	j, err := Open(cfg, slog.New(slog.DiscardHandler), now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = j.Run(ctx) })
	return j, func() {
		cancel()
		wg.Wait()
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

func write(t *testing.T, j *Journal, from, to int) {
	t.Helper()
	for i := from; i <= to; i++ {
		if _, err := j.Write(fmt.Sprintf("s%d", i%3), Data, fmt.Appendf(nil, "line %d", i)); err != nil {
			t.Fatal(err)
		}
	}
}

func expect(t *testing.T, r *Reader, from, to int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for i := from; i <= to; i++ {
		e, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if e.Index != uint64(i) || string(e.Bytes) != fmt.Sprintf("line %d", i) || e.Source != fmt.Sprintf("s%d", i%3) || e.Kind != Data {
			t.Fatalf("entry %d is %+v %q", i, e, e.Bytes)
		}
	}
}

func TestReaderFollowsTheWriter(t *testing.T) {
	j, stop := open(t, config(t.TempDir()), time.Now)
	defer stop()
	r := j.Reader(0)
	defer r.Close()
	var wg sync.WaitGroup
	wg.Go(func() { write(t, j, 1, 5000) })
	expect(t, r, 1, 5000)
	wg.Wait()
	if _, ok, err := r.Try(); ok || err != nil {
		t.Errorf("an entry more: %v", err)
	}
}

func TestNothingIsLostBetweenProcesses(t *testing.T) {
	dir := t.TempDir()
	for run := range 3 {
		j, stop := open(t, config(dir), time.Now)
		write(t, j, run*100+1, run*100+100)
		r := j.Reader(uint64(run * 50))
		expect(t, r, run*50+1, run*100+100)
		r.Close()
		stop()
	}
}

// A process that dies in the middle of a write leaves half an entry behind.
func TestBrokenEndIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	j, stop := open(t, config(dir), time.Now)
	write(t, j, 1, 10)
	stop()
	_, last, err := wlog.Segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := wlog.SegmentName(dir, last)
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	end := len(whole)
	for end > 0 && whole[end-1] == 0 {
		end--
	}
	if err := os.Truncate(name, int64(end-3)); err != nil {
		t.Fatal(err, st.Size())
	}
	j, stop = open(t, config(dir), time.Now)
	defer stop()
	write(t, j, 10, 20)
	r := j.Reader(0)
	defer r.Close()
	expect(t, r, 1, 20)
}

// Damage in the middle costs what is in its page, not what follows.
func TestDamageIsReadAround(t *testing.T) {
	dir := t.TempDir()
	j, stop := open(t, config(dir), time.Now)
	write(t, j, 1, 5000)
	stop()
	first, _, err := wlog.Segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(wlog.SegmentName(dir, first), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("XXXXXXXX"), page+100); err != nil {
		t.Fatal(err)
	}
	f.Close()
	j, stop = open(t, config(dir), time.Now)
	defer stop()
	r := j.Reader(0)
	defer r.Close()
	n, lastIndex := 0, uint64(0)
	for {
		e, ok, err := r.Try()
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			break
		}
		n, lastIndex = n+1, e.Index
	}
	if n < 4000 || n >= 5000 || lastIndex != 5000 {
		t.Errorf("%d entries read, the last is %d", n, lastIndex)
	}
}

func TestTimeNeverGoesBack(t *testing.T) {
	now := time.Date(2026, 10, 23, 9, 0, 0, 0, time.UTC)
	j, stop := open(t, config(t.TempDir()), func() time.Time { return now })
	defer stop()
	first, _ := j.Write("s", Data, nil)
	now = now.Add(-time.Hour)
	second, _ := j.Write("s", Data, nil)
	if second.Before(first) {
		t.Errorf("%v after %v", second, first)
	}
}

func TestOnlyWhatIsWorkedOffGoes(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.MaxBytes = 16 << 20
	now := time.Date(2026, 10, 23, 9, 0, 0, 0, time.UTC)
	j, stop := open(t, cfg, func() time.Time { return now })
	defer stop()
	chunk := make([]byte, 64<<10)
	for range 400 { // 25 MiB
		if _, err := j.Write("s", Data, chunk); err != nil {
			t.Fatal(err)
		}
	}
	before := j.Bytes()
	if err := j.tidy(); err != nil || j.Bytes() != before {
		t.Fatalf("%v; %d bytes of %d are left before anything is worked off", err, j.Bytes(), before)
	}
	j.Worked(200)
	if err := j.tidy(); err != nil {
		t.Fatal(err)
	}
	if b := j.Bytes(); b >= before || j.segments[0].first > 201 {
		t.Errorf("%d of %d bytes are left, from entry %d", b, before, j.segments[0].first)
	}
	if n := j.Backlog(); n != 200 {
		t.Errorf("backlog %d", n)
	}
	if names, _ := filepath.Glob(filepath.Join(cfg.Dir, "0*")); len(names) != len(j.segments) {
		t.Errorf("%d files, %d segments", len(names), len(j.segments))
	}
}

func BenchmarkWrite(b *testing.B) {
	j, err := Open(config(b.TempDir()), slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	line := []byte("23/10/26 09:41AM   204 03 <I>02188776655            0'09 00:03'20\r\n")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := j.Write("old", Data, line); err != nil {
			b.Fatal(err)
		}
	}
}
