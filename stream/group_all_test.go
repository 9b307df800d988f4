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

func (s *steps) config() GroupConfig {
	return GroupConfig{
		Handle:    func(_ context.Context, d Delivery) error { s.note(d); return nil },
		HandleAll: func(_ context.Context, list []Delivery) error { s.note(list...); return nil },
	}
}

func (s *steps) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

func (s *steps) want(t *testing.T, want ...string) {
	t.Helper()
	if got := s.all(); !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
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

// Events that come soon after each other come together. Not always: a look
// around may find the first of them alone.
func TestEventsGather(t *testing.T) {
	const events = 40
	b, s := newBench(t), &steps{}
	cfg := s.config()
	cfg.Gather = time.Second
	runGroup(t, newTestGroup(t, b.client, cfg))
	eventually(t, "the group is there", b.idle(t, "crm"))
	var want []string
	for n := 7; n <= 7*events; n += 7 {
		appendEvents(t, b.log, n, n+1)
		want = append(want, fmt.Sprintf("%d/1", n))
		time.Sleep(10 * time.Millisecond) // one by one, as a call goes on
	}
	eventually(t, "all is done", func() bool { return b.idle(t, "crm")() && b.status(t, "crm").Last != "0-0" })
	got := s.all()
	if all := strings.Fields(strings.Join(got, " ")); !slices.Equal(all, want) {
		t.Fatalf("got %q, want %q", all, want)
	}
	if len(got) > events/4 {
		t.Fatalf("%d events came in %d parts: %q", events, len(got), got)
	}
}

// The work that a process left undone comes one by one, for one of it may be
// the reason; what came after it comes together.
func TestLeftWorkComesAlone(t *testing.T) {
	b, s := newBench(t), &steps{}
	if err := b.client.rdb.HSet(t.Context(), "markaz:group:crm:tries", event(28).Call, 1).Err(); err != nil {
		t.Fatal(err)
	}
	for n := 28; n <= 42; n += 7 {
		appendEvents(t, b.log, n, n+1)
	}
	eventually(t, "all is sent", allSent(b.log))
	runGroup(t, newTestGroup(t, b.client, s.config()))
	eventually(t, "all is done", b.idle(t, "crm"))
	s.want(t, "28/2", "35/1 42/1")
}
