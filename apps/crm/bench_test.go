package crm

import (
	"context"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"

	"markaz/apps/crm/hooktest"
	"markaz/call"
)

// bench is a sink with a web hook to a receiver, on a clock that tests move.
type bench struct {
	*testing.T
	sink  *Sink
	hook  *hooktest.Receiver
	clock *clock
	facts *facts
	log   logbook
}

func newBench(t *testing.T, change func(*SinkConfig)) *bench {
	t.Helper()
	b := &bench{T: t, clock: &clock{at: t0}, facts: &facts{}, log: logbook{}}
	hook, err := hooktest.New(secretA)
	if err != nil {
		t.Fatal(err)
	}
	hook.Clock(b.clock.now)
	b.hook = hook
	srv := httptest.NewServer(hook)
	t.Cleanup(srv.Close)
	cfg := SinkConfig{Name: "erp", Webhook: &Webhook{
		URL: srv.URL + "/hook", Secrets: []Secret{NewSecret(secretA)},
		Net: Net{AllowPrivate: true, Timeout: time.Minute},
	}}
	if change != nil {
		change(&cfg)
	}
	sinks, err := Open(Config{cfg}, deps(b.log, b.clock, b.facts))
	if err != nil {
		t.Fatal(err)
	}
	b.sink = sinks[0]
	t.Cleanup(b.sink.conn.(*webhook).web.client.CloseIdleConnections)
	return b
}

// lane is one call's way through the sink: what a consumer group does for it.
type lane struct {
	events []call.Event
	tries  int
	due    time.Time
	dead   []call.Event
}

// run delivers the calls' events, each call in order, moving the clock to
// whatever is due next, until all is done or the clock reaches the end.
func (b *bench) run(end time.Time, calls ...[]call.Event) []*lane {
	b.Helper()
	lanes := make([]*lane, len(calls))
	for i, events := range calls {
		b.log.add(events)
		lanes[i] = &lane{events: events, due: b.clock.now()}
	}
	b.resume(end, lanes)
	return lanes
}

func (b *bench) resume(end time.Time, lanes []*lane) {
	for {
		var next *lane
		for _, l := range lanes {
			if len(l.events) > 0 && (next == nil || l.due.Before(next.due)) {
				next = l
			}
		}
		if next == nil || next.due.After(end) {
			return
		}
		b.clock.reach(next.due)
		if b.step(next) == Disable {
			return
		}
	}
}

func (b *bench) step(l *lane) Act {
	v, err := b.sink.Deliver(context.Background(), l.events[0], l.tries+1)
	if (v.Act == Done) != (err == nil) {
		b.Errorf("%s with error %v", v.Act, err)
	}
	switch v.Act {
	case Done, Dead:
		if v.Act == Dead {
			l.dead = append(l.dead, l.events[0])
		}
		l.events, l.tries = l.events[1:], 0
	case Retry:
		if v.After <= 0 {
			b.Fatalf("no wait before the next try: %v", err)
		}
		if !v.Free {
			l.tries++
		}
		l.due = b.clock.now().Add(v.After)
	}
	return v.Act
}

// complete checks that the receiver has all events of a call, once and in order.
func (b *bench) complete(events []call.Event) {
	b.Helper()
	got := b.hook.Of(events[0].Call)
	if len(got) != len(events) {
		b.Errorf("call %s: %d events of %d", events[0].Call, len(got), len(events))
		return
	}
	for i := range got {
		if !reflect.DeepEqual(got[i].Event, events[i]) {
			b.Errorf("call %s: event %d is %+v", events[0].Call, i, got[i].Event)
		}
	}
}

func (b *bench) sound() {
	b.Helper()
	if broken := b.hook.Broken(); len(broken) > 0 {
		b.Errorf("contract broken: %v", broken)
	}
}
