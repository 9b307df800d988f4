package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// together is a group that does what waits of a call at once, with failures at
// random of many events and of single ones; most is the longest list.
func together(f *effects, most *atomic.Int64) GroupConfig {
	inside := func() error {
		switch rand.IntN(8) {
		case 0:
			return errors.New("not now")
		case 1:
			return RetryFree(errors.New("away"), time.Duration(rand.IntN(20))*time.Millisecond)
		case 2:
			panic("a bug")
		}
		return nil
	}
	return GroupConfig{
		MaxAttempts: -1, Gather: 2 * time.Millisecond,
		Handle: func(_ context.Context, d Delivery) error { return f.do(d.Event, inside) },
		HandleAll: func(_ context.Context, list []Delivery) error {
			most.Store(max(most.Load(), int64(len(list))))
			return f.doAll(list, inside)
		},
	}
}

func TestOrderHoldsWhenEventsAreDoneTogether(t *testing.T) {
	b, f := newBench(t), newEffects()
	var most atomic.Int64
	for range 2 { // two processes
		runGroup(t, newTestGroup(t, connect(t, b.addr), together(f, &most)))
	}
	appendEvents(t, b.log, 0, 2000)
	eventually(t, "all is done", func() bool { return f.count() == 2000 && b.idle(t, "crm")() })
	f.want(t, 0, 2000)
	b.nothingLeft(t, "crm")
	if n := most.Load(); n < 2 || n > handMost {
		t.Fatalf("at most %d at once", n)
	}
}

func TestWhatWasDoneTogetherIsNotDoneAgain(t *testing.T) {
	b, f := newBench(t), newEffects()
	var most atomic.Int64
	g := newTestGroup(t, b.client, together(f, &most))
	runGroup(t, g)
	b.emptiedUnder(t, f)
	if st := g.Stats(); st.Repeats == 0 || st.Handled < 600 {
		t.Fatalf("%+v", st)
	}
}

// steps notes which events the handlers get, those that come together as one
// line.
type steps struct {
	mu   sync.Mutex
	list []string
}

func (s *steps) note(list ...Delivery) {
	var ids []string
	for _, d := range list {
		ids = append(ids, fmt.Sprintf("%s/%d", strings.TrimLeft(d.Event.ID, "E0"), d.Attempt))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, strings.Join(ids, " "))
}

func (s *steps) want(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.list, want) {
		t.Fatalf("got %q, want %q", s.list, want)
	}
}

// One event of several cannot be done: it alone is tried again and given up,
// and the others are not kept back and not done twice.
func TestOneOfManyFails(t *testing.T) {
	b, s := newBench(t), &steps{}
	for n := 7; n <= 35; n += 7 { // of one call
		appendEvents(t, b.log, n, n+1)
	}
	eventually(t, "all is sent", allSent(b.log))
	bad := eventID(14)
	runGroup(t, newTestGroup(t, b.client, GroupConfig{
		MaxAttempts: 2,
		Handle: func(_ context.Context, d Delivery) error {
			s.note(d)
			if d.Event.ID == bad {
				return errors.New("no")
			}
			return nil
		},
		HandleAll: func(_ context.Context, list []Delivery) error {
			s.note(list...)
			if slices.ContainsFunc(list, func(d Delivery) bool { return d.Event.ID == bad }) {
				return fmt.Errorf("%w: one of them", ErrPermanent)
			}
			return nil
		},
	}))
	eventually(t, "all is settled", b.idle(t, "crm"))
	s.want(t, "7/1 14/1 21/1 28/1 35/1", "7/1", "14/1 21/1 28/1 35/1", "14/1", "14/2", "21/1 28/1 35/1")
	dead, err := b.client.DeadLetters(t.Context(), "crm", "", 10)
	if err != nil || len(dead) != 1 || dead[0].Event.ID != bad || dead[0].Attempts != 2 {
		t.Fatalf("%+v %v", dead, err)
	}
	b.nothingLeft(t, "crm")
}

// Events that come within the time of gathering come together, and the work
// that a process left undone comes one by one: one of it may be the reason.
func TestEventsGather(t *testing.T) {
	b, s := newBench(t), &steps{}
	cfg := GroupConfig{
		Gather:    3 * time.Second,
		Handle:    func(_ context.Context, d Delivery) error { s.note(d); return nil },
		HandleAll: func(_ context.Context, list []Delivery) error { s.note(list...); return nil },
	}
	stop := runGroup(t, newTestGroup(t, b.client, cfg))
	eventually(t, "the group is there", b.idle(t, "crm"))
	for n := 7; n <= 21; n += 7 {
		appendEvents(t, b.log, n, n+1)
		time.Sleep(20 * time.Millisecond)
	}
	eventually(t, "all is done", func() bool { return b.idle(t, "crm")() && b.status(t, "crm").Last != "0-0" })
	s.want(t, "7/1 14/1 21/1")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := b.client.rdb.HSet(t.Context(), "markaz:group:crm:tries", event(28).Call, 1).Err(); err != nil {
		t.Fatal(err)
	}
	for n := 28; n <= 42; n += 7 {
		appendEvents(t, b.log, n, n+1)
	}
	eventually(t, "all is sent", allSent(b.log))
	runGroup(t, newTestGroup(t, b.client, cfg))
	eventually(t, "all is done", b.idle(t, "crm"))
	s.want(t, "7/1 14/1 21/1", "28/2", "35/1 42/1")
}
