package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"markaz/call"
)

func TestGroupDoesEachEventOnceAndInOrder(t *testing.T) {
	b, f := newBench(t), newEffects()
	for range 3 { // three processes
		runGroup(t, newTestGroup(t, connect(t, b.addr), GroupConfig{Parallel: 4, Handle: handled(f)}))
	}
	appendEvents(t, b.log, 0, 2000)
	eventually(t, "all is done", func() bool { return f.count() == 2000 && b.idle(t, "crm")() })
	f.want(t, 0, 2000)
	b.nothingLeft(t, "crm")
}

// Failures at random, in two processes: the order of each call holds.
func TestOrderOfACallHoldsUnderRetries(t *testing.T) {
	b, f := newBench(t), newEffects()
	handle := func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			switch rand.IntN(10) {
			case 0:
				return errors.New("not now")
			case 1:
				return RetryAfter(errors.New("later"), time.Duration(rand.IntN(20))*time.Millisecond)
			case 2:
				return RetryFree(errors.New("away"), time.Duration(rand.IntN(20))*time.Millisecond)
			case 3:
				if d.Attempt < 3 {
					panic("a bug")
				}
			}
			return nil
		})
	}
	for range 2 {
		runGroup(t, newTestGroup(t, connect(t, b.addr), GroupConfig{MaxAttempts: -1, Handle: handle}))
	}
	appendEvents(t, b.log, 0, 700)
	eventually(t, "all is done", func() bool { return f.count() == 700 && b.idle(t, "crm")() })
	f.want(t, 0, 700)
	b.nothingLeft(t, "crm")
}

// One call waits for an hour: the others pass, its own events wait, and the
// count of tries survives a restart.
func TestLongWaitOfOneCall(t *testing.T) {
	b, f := newBench(t), newEffects()
	var mu sync.Mutex
	wait, tries := time.Hour, []int{}
	cfg := GroupConfig{Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			mu.Lock()
			defer mu.Unlock()
			if d.Event.ID == eventID(3) {
				tries = append(tries, d.Attempt)
				if len(tries) < 3 {
					return RetryAfter(errors.New("CRM says 429"), wait)
				}
			}
			return nil
		})
	}}
	stop := runGroup(t, newTestGroup(t, b.client, cfg))
	appendEvents(t, b.log, 0, 700)
	eventually(t, "the other calls are done", func() bool { return f.count() == 600 })
	list, err := b.client.Waiting(t.Context(), "crm", 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	w := list[0]
	if w.Call != event(3).Call || w.Events != 100 || w.Attempts != 1 || w.Reason != "CRM says 429" || time.Until(w.Due) < 59*time.Minute {
		t.Fatalf("%+v", w)
	}
	if st := b.status(t, "crm"); st.Open != 100 || st.Calls != 1 || st.Oldest.IsZero() {
		t.Fatalf("%+v", st)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// An hour later.
	wait = time.Millisecond
	if err := b.client.rdb.ZIncrBy(t.Context(), "markaz:group:crm:calls", -4e6, w.Call).Err(); err != nil {
		t.Fatal(err)
	}
	runGroup(t, newTestGroup(t, b.client, cfg))
	eventually(t, "all is done", func() bool { return f.count() == 700 && b.idle(t, "crm")() })
	f.want(t, 0, 700)
	if !slices.Equal(tries, []int{1, 2, 3}) {
		t.Fatal(tries)
	}
	b.nothingLeft(t, "crm")
}

func TestFreeTriesAreNotCounted(t *testing.T) {
	b, f := newBench(t), newEffects()
	var mu sync.Mutex
	tries := []int{}
	runGroup(t, newTestGroup(t, b.client, GroupConfig{MaxAttempts: 2, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, d.Attempt)
			if len(tries) < 6 {
				return RetryFree(errors.New("circuit open"), time.Millisecond)
			}
			return nil
		})
	}}))
	appendEvents(t, b.log, 0, 1)
	eventually(t, "it is done", func() bool { return f.count() == 1 })
	if !slices.Equal(tries, []int{1, 1, 1, 1, 1, 1}) {
		t.Fatal(tries)
	}
}

func TestRepeatsAreDropped(t *testing.T) {
	b, f := newBench(t), newEffects()
	for _, n := range []int{0, 1, 0, 2, 1, 0} {
		if err := b.log.Append(event(n)); err != nil {
			t.Fatal(err)
		}
	}
	runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: handled(f)}))
	appendEvents(t, b.log, 3, 4)
	eventually(t, "all is done", func() bool { return f.count() == 4 && b.idle(t, "crm")() })
	f.want(t, 0, 4)
	if n := b.client.rdb.ZCard(t.Context(), "markaz:group:crm:seen").Val(); n != 4 {
		t.Fatal(n)
	}
}

func TestMemoryOfRepeatsIsBounded(t *testing.T) {
	b, f := newBench(t), newEffects()
	runGroup(t, newTestGroup(t, b.client, GroupConfig{RememberMost: 50, Handle: handled(f)}))
	appendEvents(t, b.log, 0, 500)
	eventually(t, "all is done", func() bool { return f.count() == 500 })
	if n := b.client.rdb.ZCard(t.Context(), "markaz:group:crm:seen").Val(); n != 50 {
		t.Fatal(n)
	}
}

func TestGroupTakesOnlyWhatItWants(t *testing.T) {
	b, f := newBench(t), newEffects()
	kinds := []call.Kind{call.CallStarted, call.LegEnded, call.CallEnded}
	put := func(from, to int) {
		for n := from; n < to; n++ {
			e := event(n)
			e.Kind = kinds[n%3]
			if err := b.log.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "all is sent", allSent(b.log))
	}
	put(0, 90)
	since := time.Now().Add(2 * time.Millisecond)
	eventually(t, "the clock moves on", func() bool { return time.Now().After(since) })
	put(90, 300)
	runGroup(t, newTestGroup(t, b.client, GroupConfig{
		Since: since, Kinds: []call.Kind{call.CallEnded},
		Handle: func(_ context.Context, d Delivery) error {
			return f.do(d.Event, func() error {
				if d.Event.Kind != call.CallEnded {
					return fmt.Errorf("%w: not wanted", ErrPermanent)
				}
				return nil
			})
		},
	}))
	eventually(t, "all is done", func() bool { return f.count() == 70 && b.idle(t, "crm")() })
}

func TestBacklogIsBounded(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 400)
	eventually(t, "all is sent", allSent(b.log))
	hold := make(chan struct{})
	runGroup(t, newTestGroup(t, b.client, GroupConfig{MaxOpen: 50, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { <-hold; return nil })
	}}))
	eventually(t, "it has dealt what it may", func() bool { return b.status(t, "crm").Open == 50 })
	if st := b.status(t, "crm"); st.Lag != 350 {
		t.Fatalf("%+v", st)
	}
	close(hold)
	eventually(t, "all is done", func() bool { return f.count() == 400 && b.idle(t, "crm")() })
	f.want(t, 0, 400)
}

func TestRemovedGroupLeavesNothing(t *testing.T) {
	b := newBench(t)
	appendEvents(t, b.log, 0, 50)
	stop := runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: func(context.Context, Delivery) error {
		return RetryAfter(errors.New("no"), time.Hour)
	}}))
	eventually(t, "all wait", func() bool { st := b.status(t, "crm"); return st.Open == 50 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := b.client.RemoveGroup(t.Context(), "crm"); err != nil {
		t.Fatal(err)
	}
	if keys := b.client.rdb.Keys(t.Context(), "markaz:group:*").Val(); len(keys) != 0 {
		t.Fatal(keys)
	}
	if err := b.client.RemoveGroup(t.Context(), "crm"); err != nil {
		t.Fatal(err)
	}
	if err := b.client.RemoveGroup(t.Context(), ""); err == nil {
		t.Fatal("a group without a name was removed")
	}
}

// A group that rests hears of a call that is to be tried again soon: tries that
// came with its next look around would take a second each.
func TestRetryIsNotLate(t *testing.T) {
	const tries, pause = 40, 20 * time.Millisecond
	b := newBench(t)
	begun := make(chan time.Time, tries+1)
	runGroup(t, newTestGroup(t, b.client, GroupConfig{MaxAttempts: -1, Handle: func(_ context.Context, d Delivery) error {
		begun <- time.Now()
		if d.Attempt < tries {
			return RetryAfter(errors.New("not now"), pause)
		}
		return nil
	}}))
	appendEvents(t, b.log, 0, 1)
	eventually(t, "it is done", func() bool { return b.idle(t, "crm")() && len(begun) == tries })
	first := <-begun
	last := first
	for len(begun) > 0 {
		last = <-begun
	}
	// Redis counts milliseconds, so a pause may be one of them shorter.
	if took := last.Sub(first); took < (tries-1)*(pause-time.Millisecond) || took > tries*time.Second/2 {
		t.Fatalf("%d tries in %v", tries, took)
	}
}
