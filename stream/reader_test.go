package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

func TestSnapshotAndTailHaveNoGap(t *testing.T) {
	server := startRedis(t, "everysec")
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	r := NewReader(connect(t, server.Addr()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writer sync.WaitGroup
	writer.Go(func() {
		for n := range 1500 {
			if err := l.Append(event(n)); err != nil {
				t.Error(err)
			}
		}
	})
	for range 3 {
		var seen []string
		last, err := r.Snapshot(ctx, time.Time{}, func(e Entry) error { seen = append(seen, e.Event.ID); return nil })
		if err != nil {
			t.Fatal(err)
		}
		f := follow(t, ctx, r, last)
		defer func() { cancel(); _ = f.ended() }()
		eventually(t, "all is read", func() bool { return len(seen)+len(f.got()) == 1500 })
		wantIDs(t, append(seen, f.got()...), eventIDs(0, 1500))
	}
	writer.Wait()
}

func TestTailOfAnEmptyStreamAndFromTheEnd(t *testing.T) {
	server := startRedis(t, "everysec")
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	r := NewReader(connect(t, server.Addr()))
	ctx, cancel := context.WithCancel(t.Context())
	last, err := r.Snapshot(ctx, time.Now().Add(-time.Hour), func(Entry) error { return errors.New("not empty") })
	if err != nil {
		t.Fatal(err)
	}
	fresh, end := follow(t, ctx, r, last), follow(t, ctx, r, "")
	time.Sleep(50 * time.Millisecond) // let the second find the end; if it is late the test is only weaker
	appendEvents(t, l, 0, 10)
	eventually(t, "both have it", func() bool { return len(fresh.got()) == 10 && len(end.got()) == 10 })
	late := follow(t, ctx, r, "")
	eventually(t, "the third has found the end", func() bool {
		appendEvents(t, l, 10, 11)
		return len(late.got()) > 0
	})
	if got := late.got(); got[0] != eventID(10) {
		t.Fatal(got)
	}
	cancel()
	for _, f := range []*follower{fresh, end, late} {
		if err := f.ended(); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
}

func TestTailSurvivesARestartOfRedis(t *testing.T) {
	server := startRedis(t, "always")
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := follow(t, ctx, NewReader(connect(t, server.Addr())), "0-0")
	for round := range 3 {
		appendEvents(t, l, round*100, round*100+100)
		eventually(t, "it is read", func() bool { return len(f.got()) == round*100+100 })
		server.Kill()
		resume(t, server)
	}
	wantIDs(t, f.got(), eventIDs(0, 300))
	cancel()
	_ = f.ended()
}

func TestTailTellsWhenItMayHaveMissedSomething(t *testing.T) {
	server := startRedis(t, "everysec")
	c := connect(t, server.Addr())
	r := NewReader(c)
	l := openLog(t, server.Addr(), t.TempDir())
	stop := runLog(t, l)
	appendEvents(t, l, 0, 500)
	eventually(t, "all is sent", allSent(l))
	stop()
	entries := readStream(t, server.Addr())
	first, last := entries[0].ID, entries[499].ID

	tail := func(after string) error { return follow(t, t.Context(), r, after).ended() }
	if err := c.rdb.XTrimMaxLen(t.Context(), "markaz:events", 100).Err(); err != nil {
		t.Fatal(err)
	}
	if err := tail(first); !errors.Is(err, ErrGap) {
		t.Fatal(err)
	}
	f := follow(t, t.Context(), r, last)
	if err := c.rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := f.ended(); !errors.Is(err, ErrGap) {
		t.Fatal(err)
	}
	if err := tail("nonsense"); err == nil || errors.Is(err, ErrGap) {
		t.Fatal(err)
	}
}

func TestPagesAndRanges(t *testing.T) {
	server := startRedis(t, "everysec")
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	r := NewReader(connect(t, server.Addr()))
	appendEvents(t, l, 0, 700)
	eventually(t, "all is sent", allSent(l))
	middle := time.Now().Add(2 * time.Millisecond)
	eventually(t, "the clock moves on", func() bool { return time.Now().After(middle.Add(2 * time.Millisecond)) })
	appendEvents(t, l, 700, 1400)
	eventually(t, "all is sent", allSent(l))

	read := func(from, to time.Time) (got []string) {
		if err := r.Range(t.Context(), from, to, func(e Entry) error { got = append(got, e.Event.ID); return nil }); err != nil {
			t.Fatal(err)
		}
		return got
	}
	wantIDs(t, read(time.Time{}, middle), eventIDs(0, 700))
	wantIDs(t, read(middle, time.Now().Add(time.Hour)), eventIDs(700, 1400))
	if got := read(middle, middle); len(got) != 0 {
		t.Fatal(got)
	}
	var back []string
	for id := "+"; ; {
		page, err := r.Before(t.Context(), id, 300)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			back = append(back, e.Event.ID)
		}
		id = page[len(page)-1].ID
	}
	slices.Reverse(back)
	wantIDs(t, back, eventIDs(0, 1400))

	stop := errors.New("enough")
	if _, err := r.Snapshot(t.Context(), time.Time{}, func(Entry) error { return stop }); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	// Something that is no event is left out.
	if err := connect(t, server.Addr()).rdb.XAdd(t.Context(), xadd("markaz:events", "e", "{")).Err(); err != nil {
		t.Fatal(err)
	}
	if got := len(streamIDs(t, server.Addr())); got != 1400 {
		t.Fatal(got)
	}
}
