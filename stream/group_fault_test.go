package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestGroupSurvivesKilledRedis(t *testing.T) {
	server := startRedis(t, "always")
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	f := newEffects()
	g := newTestGroup(t, connect(t, server.Addr()), GroupConfig{Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond); return nil })
	}})
	runGroup(t, g)
	for round := range 4 {
		appendEvents(t, l, round*300, round*300+300)
		eventually(t, "work goes on", func() bool { return f.count() > round*300+50 })
		server.Kill()
		resume(t, server)
	}
	eventually(t, "all is done", func() bool { return f.count() >= 1200 })
	f.want(t, 0, 1200)
}

// After FLUSHALL the group makes itself again, and does what it has not done.
func TestGroupSurvivesEmptiedRedis(t *testing.T) {
	b, f := newBench(t), newEffects()
	runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: handled(f)}))
	b.emptiedUnder(t, f)
}

// emptiedUnder empties Redis while the group of that work, crm, is at it.
func (b *bench) emptiedUnder(t *testing.T, f *effects) {
	t.Helper()
	for round := range 3 {
		appendEvents(t, b.log, round*200, round*200+200)
		eventually(t, "some are done", func() bool { return f.count() > round*200+100 })
		if err := b.client.rdb.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all is done", func() bool { return f.count() >= 600 && b.idle(t, "crm")() })
	f.want(t, 0, 600)
}

// A full Redis takes no events, but what it has is worked off.
func TestGroupWorksOffAFullRedis(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 500)
	eventually(t, "all is sent", allSent(b.log))
	if err := b.client.rdb.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: handled(f)}))
	eventually(t, "all is done", func() bool { return f.count() == 500 && b.idle(t, "crm")() })
	f.want(t, 0, 500)
}

func TestStopLeavesTheEvent(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 1)
	gone := true
	cfg := GroupConfig{MaxAttempts: 1, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			if gone {
				return fmt.Errorf("%w: 410 gone", ErrStop)
			}
			return nil
		})
	}}
	for range 2 {
		g := newTestGroup(t, b.client, cfg)
		if err := g.Run(t.Context()); !errors.Is(err, ErrStop) {
			t.Fatal(err)
		}
	}
	gone = false
	runGroup(t, newTestGroup(t, b.client, cfg))
	eventually(t, "it is done", func() bool { return f.count() == 1 })
}

func TestHandlersMayFinishWhenTheGroupEnds(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 14)
	begun := make(chan struct{}, 20)
	finish := make(chan struct{})
	stop := runGroup(t, newTestGroup(t, b.client, GroupConfig{Parallel: 2, Handle: func(ctx context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			begun <- struct{}{}
			select {
			case <-finish:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}}))
	<-begun
	<-begun
	time.AfterFunc(50*time.Millisecond, func() { close(finish) })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if f.count() != 2 || len(begun) != 0 {
		t.Fatalf("%d done, %d more begun", f.count(), len(begun))
	}
	if st := b.status(t, "crm"); st.Open != 12 {
		t.Fatalf("%+v", st)
	}
}

// A process that cannot reach Redis loses its calls, is told so before another
// has them, and does no harm when it is back.
func TestProcessThatIsCutOffLosesItsCalls(t *testing.T) {
	b := newBench(t)
	link := newProxy(t, b.addr)
	appendEvents(t, b.log, 0, 1)
	eventually(t, "it is sent", allSent(b.log))
	stuck, told := make(chan struct{}), make(chan time.Time, 1)
	first := newTestGroup(t, connect(t, link.addr()), GroupConfig{Claim: 500 * time.Millisecond, Handle: func(ctx context.Context, _ Delivery) error {
		close(stuck)
		<-ctx.Done()
		told <- time.Now()
		return ctx.Err()
	}})
	runGroup(t, first)
	<-stuck
	link.lead("127.0.0.1:1")
	taken := make(chan time.Time, 1)
	second := newTestGroup(t, b.client, GroupConfig{Claim: 500 * time.Millisecond, Handle: func(_ context.Context, d Delivery) error {
		if d.Attempt != 2 {
			t.Errorf("attempt %d", d.Attempt)
		}
		taken <- time.Now()
		return nil
	}})
	runGroup(t, second)
	lost, got := <-told, <-taken
	if got.Before(lost.Add(-20 * time.Millisecond)) {
		t.Fatalf("taken %v before the first was told", lost.Sub(got))
	}
	link.lead(b.addr)
	eventually(t, "all is done", b.idle(t, "crm"))
	if st := second.Stats(); st.Reclaimed != 1 || st.Handled != 1 {
		t.Fatalf("%+v", st)
	}
	b.nothingLeft(t, "crm")
}

func TestClaimsLastAsLongAsTheWork(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 7)
	for range 2 {
		runGroup(t, newTestGroup(t, connect(t, b.addr), GroupConfig{Claim: 300 * time.Millisecond, Handle: func(ctx context.Context, d Delivery) error {
			return f.do(d.Event, func() error {
				if !sleep(ctx, time.Second) {
					return ctx.Err()
				}
				return nil
			})
		}}))
	}
	eventually(t, "all is done", func() bool { return f.count() == 7 && b.idle(t, "crm")() })
	f.want(t, 0, 7)
}

func TestEventTrimmedBeforeItsTurnIsTold(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 10)
	eventually(t, "all is sent", allSent(b.log))
	hold := make(chan struct{})
	stop := runGroup(t, newTestGroup(t, b.client, GroupConfig{Parallel: 1, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { <-hold; return nil })
	}}))
	eventually(t, "all is dealt", func() bool { return b.status(t, "crm").Open == 10 })
	if err := b.client.rdb.XTrimMaxLen(t.Context(), "markaz:events", 0).Err(); err != nil {
		t.Fatal(err)
	}
	close(hold)
	eventually(t, "all is settled", b.idle(t, "crm"))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	dead, err := b.client.DeadLetters(t.Context(), "crm", "", 100)
	if err != nil || len(dead)+f.count() != 10 || len(dead) < 8 {
		t.Fatal(len(dead), f.count(), err)
	}
	for _, d := range dead {
		if !strings.Contains(d.Reason, "trimmed") || d.Event.Call == "" {
			t.Fatalf("%+v", d)
		}
	}
}
