package apps

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"markaz/call"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// journal is log and switch in one, so that a test sees what came before what.
type journal struct {
	lines  []string
	events []call.Event
	fail   error
}

func (j *journal) Append(e call.Event) error {
	j.lines = append(j.lines, "log "+string(e.Kind))
	j.events = append(j.events, e)
	return j.fail
}

func (j *journal) Do(a call.Action) {
	j.lines = append(j.lines, fmt.Sprintf("do %s", reflect.TypeOf(a).Name()))
}

type stepFunc func(call.Event, Calls) call.Out

func (f stepFunc) Step(e call.Event, c Calls) call.Out { return f(e, c) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func newLoop(t testing.TB, j *journal, machines ...Machine) *Loop {
	t.Helper()
	n := 0
	l, err := NewLoop(Config{}, Deps{
		Log: j, Switch: j, Machines: machines, Now: time.Now, Logger: quiet(), Source: "pbx",
		NewID: func() string { n++; return fmt.Sprintf("e%d", n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func started(id string) call.Event {
	return call.Event{Kind: call.CallStarted, Call: id, Leg: id + "-in", Direction: call.Inbound, From: "0912", Source: "pbx"}
}

func TestFactsAreWrittenBeforeActionsAreDone(t *testing.T) {
	j := &journal{}
	l := newLoop(t, j, stepFunc(func(e call.Event, c Calls) (o call.Out) {
		switch e.Kind {
		case call.CallStarted:
			o.Fact(call.Event{Kind: call.IVREntered, Call: e.Call, Menu: "m"})
			o.Do(call.Answer{Leg: e.Leg})
		case call.IVREntered:
			if c.Call(e.Call).State != call.StateIVR {
				t.Error("the machine is shown a call that does not know the fact")
			}
			o.Do(call.Play{Leg: e.Leg})
		}
		return o
	}))
	l.Take(started("c"))
	want := []string{"log call.started", "log ivr.entered", "do Answer", "do Play"}
	if !slices.Equal(j.lines, want) {
		t.Errorf("got %v, want %v", j.lines, want)
	}
	for i, e := range j.events {
		if e.Seq != uint64(i+1) || e.ID == "" || e.At.IsZero() || e.SeenAt.IsZero() || e.Source != "pbx" || !e.Live || e.V != call.Schema {
			t.Errorf("event %d is not stamped: %+v", i, e)
		}
	}
}

func TestTransientEventsAreNotLogged(t *testing.T) {
	j := &journal{}
	l := newLoop(t, j)
	l.Take(call.Event{Kind: call.LegDigit, Call: "c", Leg: "l", Digits: "1"})
	if len(j.lines) != 0 {
		t.Errorf("logged %v", j.lines)
	}
}

func TestTimersFireOnceInOrderAndDieWithTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		var fired []string
		l := newLoop(t, j, stepFunc(func(e call.Event, _ Calls) (o call.Out) {
			switch e.Kind {
			case call.CallStarted:
				o.Do(call.SetTimer{Call: e.Call, ID: "b", After: 2 * time.Second})
				o.Do(call.SetTimer{Call: e.Call, ID: "a", After: 5 * time.Second})
				o.Do(call.SetTimer{Call: e.Call, ID: "a", After: time.Second})
				o.Do(call.SetTimer{Call: e.Call, ID: "x", After: time.Second}, call.CancelTimer{Call: e.Call, ID: "x"})
				o.Do(call.SetTimer{Call: e.Call, ID: "late", After: time.Minute})
			case call.TimerFired:
				fired = append(fired, e.Ref)
			}
			return o
		}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		l.Post(ctx, started("c"))
		time.Sleep(10 * time.Second)
		l.Post(ctx, call.Event{Kind: call.LegEnded, Call: "c", Leg: "c-in", By: call.ByCaller, Cause: 16})
		time.Sleep(2 * time.Minute)
		cancel()
		if err := <-done; err != nil || !slices.Equal(fired, []string{"a", "b"}) {
			t.Errorf("fired %v, %v", fired, err)
		}
		if last := j.events[len(j.events)-1]; last.Kind != call.CallEnded || last.By != call.ByCaller {
			t.Errorf("the call did not end: %+v", last)
		}
	})
}

func TestTheLeaseIsRenewedOnlyWhileItIsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		l := newLoop(t, j, stepFunc(func(e call.Event, _ Calls) (o call.Out) {
			switch e.Kind {
			case call.CallStarted:
				o.Do(call.Lease{Leg: e.Leg, On: true})
			case call.LegJoined:
				o.Do(call.Lease{Leg: e.Leg})
			}
			return o
		}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		l.Post(ctx, started("c"))
		time.Sleep(10 * time.Second) // the first, and those of second 3, 6, 9
		l.Post(ctx, call.Event{Kind: call.LegJoined, Call: "c", Leg: "c-in"})
		time.Sleep(10 * time.Second) // lifted once
		cancel()
		<-done
		n := 0
		for _, s := range j.lines {
			if s == "do Lease" {
				n++
			}
		}
		if n != 5 {
			t.Errorf("%d lease actions, want 5", n)
		}
	})
}

func TestAPanicCostsOneCall(t *testing.T) {
	j := &journal{}
	l := newLoop(t, j, stepFunc(func(e call.Event, _ Calls) call.Out {
		if e.Kind == call.LegDigit && e.Call == "bad" {
			panic("boom")
		}
		return call.Out{}
	}))
	l.Take(started("bad"))
	l.Take(started("good"))
	l.Take(call.Event{Kind: call.LegDigit, Call: "bad", Leg: "bad-in", Digits: "1"})
	if last := j.lines[len(j.lines)-1]; last != "do Release" {
		t.Errorf("the call was not given back: %v", j.lines)
	}
	if l.Call("good").Over() {
		t.Error("the other call went too")
	}
}

// What the PBX no longer has has ended; what it has goes on.
func TestReconcile(t *testing.T) {
	j := &journal{}
	l := newLoop(t, j)
	for _, id := range []string{"a", "b"} {
		l.Take(started(id))
		l.Take(call.Event{Kind: call.LegRinging, Call: id, Leg: id + "-ag", Role: call.RoleAgent, Source: "pbx"})
	}
	l.Take(call.Event{Kind: call.CallStarted, Call: "other", Leg: "o", Source: "panasonic"})
	l.Take(call.Event{Kind: call.SwitchLost, Source: "pbx"})
	l.Take(call.Event{Kind: call.LegFound, Call: "a", Leg: "a-in", Source: "pbx"})
	l.Take(call.Event{Kind: call.SwitchSynced, Source: "pbx", Reason: "restarted"})
	a, b := l.Call("a"), l.Call("b")
	if a.Over() || a.Leg("a-ag").Result != call.Lost {
		t.Errorf("a: %+v", a)
	}
	if !b.Over() || b.Disposition != call.CallLost || b.By != call.ByPBX || b.Reason != "restarted" {
		t.Errorf("b: %+v", b)
	}
	if l.Call("other").Over() {
		t.Error("a call of another source was ended")
	}
	n := len(j.events)
	l.Take(call.Event{Kind: call.LegFound, Call: "a", Leg: "a-in", Source: "pbx"})
	l.Take(call.Event{Kind: call.SwitchSynced, Source: "pbx"})
	if len(j.events) != n+1 {
		t.Errorf("a second reconciliation stated something: %v", j.events[n:])
	}
}

// A caller whom the dialplan has taken on meanwhile is not lost to us in silence,
// and talk that began or ended unseen counts from when it was seen.
func TestReconcileWhatWentOnElsewhere(t *testing.T) {
	j := &journal{}
	l := newLoop(t, j)
	for _, id := range []string{"a", "b"} {
		l.Take(started(id))
		l.Take(call.Event{Kind: call.LegAnswered, Call: id, Leg: id + "-in"})
	}
	l.Take(call.Event{Kind: call.QueueJoined, Call: "a", Leg: "a-in", Queue: "sales"})
	l.Take(call.Event{Kind: call.LegRinging, Call: "b", Leg: "b-ag", Role: call.RoleAgent})
	l.Take(call.Event{Kind: call.LegJoined, Call: "b", Leg: "b-ag"})
	l.Take(call.Event{Kind: call.LegFound, Leg: "a-in", Source: "pbx"})
	l.Take(call.Event{Kind: call.LegFound, Call: "b", Leg: "b-in", Ref: "bridge", Source: "pbx"})
	l.Take(call.Event{Kind: call.LegFound, Call: "b", Leg: "b-ag", Source: "pbx"})
	l.Take(call.Event{Kind: call.SwitchSynced, Source: "pbx"})
	a, b := l.Call("a"), l.Call("b")
	if !a.Over() || a.Disposition != call.CallLost || a.By != call.ByPBX || a.Reason != call.Fallback || a.Queues[0].Left != call.Fallback {
		t.Errorf("a: %+v", a)
	}
	if b.Over() || b.Leg("b-in").Talking == nil || b.Leg("b-ag").Talking != nil {
		t.Errorf("b: %+v", b.Legs)
	}
}

// The reason why a caller was lost is that of his call, whichever leg is last.
func TestACallEndsForTheReasonThatItsCallerWasLost(t *testing.T) {
	l := newLoop(t, &journal{})
	l.Take(started("c"))
	l.Take(call.Event{Kind: call.LegRinging, Call: "c", Leg: "ag", Role: call.RoleAgent})
	l.Take(call.Event{Kind: call.LegEnded, Call: "c", Leg: "c-in", Result: call.Transferred, By: call.ByPBX, Reason: call.Fallback})
	l.Take(call.Event{Kind: call.LegEnded, Call: "c", Leg: "ag", Result: call.Cancelled, By: call.BySystem})
	if c := l.Call("c"); !c.Over() || c.Disposition != call.CallLost || c.Reason != call.Fallback {
		t.Errorf("%+v", c)
	}
}

// After a restart what is told of a call that was over has its number, and what
// is told of one that is forgotten makes no call of it.
func TestRestore(t *testing.T) {
	j := &journal{}
	l := newLoop(t, j)
	now := time.Now()
	for i, e := range []call.Event{
		started("fresh"),
		{Kind: call.CallEnded, Call: "fresh", At: now.Add(-time.Minute)},
		started("old"),
		{Kind: call.CallEnded, Call: "old", At: now.Add(-time.Hour)},
		started("open"),
		{Kind: call.CallAmended, Call: "cut", Revision: 1},
	} {
		e.Seq, e.ID = uint64(i%2+1), "x"
		l.Restore(e)
	}
	if open := l.Restored(); len(open) != 1 || open[0].ID != "open" {
		t.Errorf("open: %v", open)
	}
	for _, id := range []string{"fresh", "old", "cut"} {
		l.Take(call.Event{Kind: call.CallAmended, Call: id, Revision: 1})
	}
	if len(j.events) != 3 || j.events[0].Seq != 3 || j.events[1].Seq != 0 || l.Call("old") != nil || l.Call("cut") != nil {
		t.Errorf("logged %+v", j.events)
	}
}

// What has come when the loop is told to end is not lost.
func TestTheLastEventsAreTaken(t *testing.T) {
	j := &journal{}
	l := newLoop(t, j)
	ctx, cancel := context.WithCancel(t.Context())
	l.Post(ctx, started("c"))
	l.Post(ctx, call.Event{Kind: call.LegEnded, Call: "c", Leg: "c-in"})
	cancel()
	if err := l.Run(ctx); err != nil || len(j.events) != 3 {
		t.Errorf("%v, logged %v", err, j.lines)
	}
}

// BenchmarkTurn shows the machine time of one event, which must not depend on
// the number of live calls.
func BenchmarkTurn(b *testing.B) {
	for _, live := range []int{1000, 10000} {
		b.Run(fmt.Sprintf("live=%d", live), func(b *testing.B) {
			j := &nothing{}
			n := 0
			l, err := NewLoop(Config{}, Deps{
				Log: j, Switch: j, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Source: "pbx",
				NewID: func() string { n++; return "e" },
			})
			if err != nil {
				b.Fatal(err)
			}
			ids := make([]string, live)
			for i := range ids {
				ids[i] = fmt.Sprintf("c%d", i)
				l.Take(started(ids[i]))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				l.Take(call.Event{Kind: call.CallHeld, Call: ids[i*7919%live]})
			}
		})
	}
}

type nothing struct{}

func (nothing) Append(call.Event) error { return nil }
func (nothing) Do(call.Action)          {}

// What is not believed is not recorded. That is decided after the record, so
// that a process that goes on with a call decides alike.
func TestOnlyWhatIsBelievedIsRecorded(t *testing.T) {
	says := func(who string) call.Event {
		return call.Event{Kind: call.CallIdentified, Call: "c", Identity: who, Source: "pbx"}
	}
	first := &journal{}
	newLoop(t, first).Take(started("c"))
	for _, known := range []string{"", "ali"} { // before the restart
		j := &journal{}
		l := newLoop(t, j)
		l.dep.Believe = func(e call.Event, c *call.Call) bool {
			return e.Kind != call.CallIdentified || c != nil && c.Identity == ""
		}
		for _, e := range first.events {
			l.Restore(e)
		}
		if known != "" {
			e := says(known)
			e.Seq = 2
			l.Restore(e)
		}
		l.Take(says("reza"))
		if want := known == ""; (len(j.events) == 1) != want || l.calls["c"].Identity != map[bool]string{true: "reza", false: "ali"}[want] {
			t.Errorf("known as %q: recorded %+v, it is %q", known, j.events, l.calls["c"].Identity)
		}
	}
}
