package crm

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/apps/crm/fault"
	"markaz/call"
)

// shape is the log of one call, and what every CRM must make of it.
type shape struct {
	events    []call.Event
	number    string // of the client; "" if it is not known
	direction call.Direction
	answered  bool
	extension string // of whoever answers for it; "" if nobody rang
	seconds   int
	result    call.Disposition
	recording bool
}

func ring(leg, extension, agent string) call.Event {
	return call.Event{Kind: call.LegRinging, Leg: leg, Role: call.RoleAgent, Address: extension, Agent: agent}
}

func inbound(from string) call.Event {
	return call.Event{Kind: call.CallStarted, Leg: "in", From: from, To: "02112345678", Trunk: "t1", DID: "02112345678", Direction: call.Inbound}
}

func outbound(to string) call.Event {
	return call.Event{Kind: call.CallStarted, Leg: "in", From: "101", To: to, Trunk: "t1", Direction: call.Outbound}
}

func ended(leg string, result call.Result) call.Event {
	return call.Event{Kind: call.LegEnded, Leg: leg, Result: result}
}

func joined(legs ...string) (out []call.Event) {
	for _, l := range legs {
		out = append(out, call.Event{Kind: call.LegJoined, Leg: l})
	}
	return out
}

func answered(leg, extension string) []call.Event {
	return append([]call.Event{
		{Kind: call.LegAnswered, Leg: leg}, {Kind: call.CallAnswered, Leg: leg, Address: extension},
	}, joined("in", leg)...)
}

func over(by call.Party) []call.Event {
	return []call.Event{ended("in", ""), {Kind: call.CallEnded, By: by, Cause: 16}}
}

// shapes are the calls that every connector is tried with, one second between
// two events.
func shapes() map[string]shape {
	external := call.Event{Kind: call.LegRinging, Leg: "x", Role: call.RoleExternal, Address: "09121234567", Trunk: "t1"}
	out := map[string]shape{
		"queue, recorded late": {events: queued(""), number: "09121234567", direction: call.Inbound, answered: true, extension: "101", seconds: 4, result: call.CallAnsweredD, recording: true},
		"missed by a group": {
			events: slices.Concat([]call.Event{inbound("09121234567"), ring("a1", "101", ""), ring("a2", "102", ""), ended("a1", call.NoAnswer), ended("a2", call.NoAnswer)}, over(call.ByCaller)),
			number: "09121234567", direction: call.Inbound, extension: "101", result: call.Missed,
		},
		"left in the menu": {
			events: slices.Concat([]call.Event{inbound("09121234567"), {Kind: call.IVREntered, Leg: "in", Menu: "main"}}, over(call.ByCaller)),
			number: "09121234567", direction: call.Inbound, result: call.AbandonedIVR,
		},
		"outgoing, answered": {
			events: slices.Concat([]call.Event{outbound("09121234567"), external}, answered("x", "09121234567"), []call.Event{ended("x", "")}, over(call.ByRemote)),
			number: "09121234567", direction: call.Outbound, answered: true, extension: "101", seconds: 1, result: call.CallAnsweredD,
		},
		"outgoing, busy": {
			events: slices.Concat([]call.Event{outbound("09121234567"), external, ended("x", call.Busy)}, over(call.ByRemote)),
			number: "09121234567", direction: call.Outbound, extension: "101", result: call.CallBusy,
		},
		"transferred": {
			events: slices.Concat(
				[]call.Event{inbound("09121234567"), ring("a1", "101", "")}, answered("a1", "101"),
				[]call.Event{ring("a2", "102", ""), {Kind: call.LegAnswered, Leg: "a2"}, ended("a1", call.Transferred)}, joined("a2"),
				[]call.Event{ended("a2", "")}, over(call.ByCaller),
			),
			number: "09121234567", direction: call.Inbound, answered: true, extension: "102", seconds: 4, result: call.CallAnsweredD,
		},
		"two phones of one person": {
			events: slices.Concat([]call.Event{inbound("09121234567"), ring("a1", "101", ""), ring("b1", "101", ""), ended("b1", call.AnsweredElsewhere)}, answered("a1", "101"), []call.Event{ended("a1", "")}, over(call.ByCaller)),
			number: "09121234567", direction: call.Inbound, answered: true, extension: "101", seconds: 1, result: call.CallAnsweredD,
		},
		"the PBX died": {
			events: slices.Concat([]call.Event{inbound("09121234567"), ring("a1", "101", ""), {Kind: call.CallEnded, By: call.ByPBX, Disposition: call.CallLost}}),
			number: "09121234567", direction: call.Inbound, extension: "101", result: call.CallLost,
		},
		"internal": {
			events:    slices.Concat([]call.Event{{Kind: call.CallStarted, Leg: "in", From: "101", To: "102", Direction: call.Internal}, ring("a1", "102", "")}, answered("a1", "102"), over(call.ByCaller)),
			direction: call.Internal, number: "101", answered: true, extension: "102", seconds: 1, result: call.CallAnsweredD,
		},
		"without a number": {
			events:    slices.Concat([]call.Event{inbound("anonymous"), ring("a1", "101", "")}, answered("a1", "101"), over(call.ByCaller)),
			direction: call.Inbound, answered: true, extension: "101", seconds: 1, result: call.CallAnsweredD,
		},
	}
	for name, s := range out {
		s.events = numbered(strings.ReplaceAll(name, " ", "-"), s.events)
		out[name] = s
	}
	return out
}

// files gives the recordings of tests.
type files struct{ link func(r call.Recording) string }

func (f files) Link(r call.Recording, _ time.Duration) string {
	if f.link == nil {
		return ""
	}
	return f.link(r)
}

func (files) Open(r call.Recording) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("RIFF " + r.File)), nil
}

// crmBench tries a connector with the shapes against the CRM's stand-in.
type crmBench struct {
	// start starts a fresh stand-in on the clock.
	start func(*clock) standIn
	brief bool // a slow CRM: one way to fail will do
}

// standIn is a CRM and the settings for it.
type standIn struct {
	srv    *httptest.Server
	script *fault.Script
	config SinkConfig
	notes  *MemoryNotes
}

// deliver takes a call through a sink, as a consumer group does, with a fresh
// process at every event if that is asked for. It returns how many requests
// the CRM had.
func (b crmBench) deliver(t *testing.T, s standIn, c *clock, events []call.Event, restart bool) {
	t.Helper()
	log := logbook{}
	log.add(events)
	d := deps(log, c, &facts{})
	d.Notes, d.Files = s.notes, files{link: func(r call.Recording) string { return s.srv.URL + "/files/" + r.ID }}
	open := func() *Sink {
		sinks, err := Open(Config{s.config}, d)
		if err != nil {
			t.Fatal(err)
		}
		return sinks[0]
	}
	sink := open()
	for _, e := range events {
		c.reach(e.SeenAt)
		if restart {
			sink = open()
		}
		for tries := 1; ; {
			v, err := sink.Deliver(context.Background(), e, tries)
			if v.Act == Done {
				break
			}
			if v.Act != Retry {
				t.Fatalf("%s %s: %s: %v", e.Call, e.Kind, v.Act, err)
			}
			if !v.Free {
				tries++
			}
			c.move(v.After)
			if restart {
				sink = open()
			}
		}
	}
}

// everywhere runs a check for each shape: undisturbed, with a restart at each
// event, and with each request in turn failing in each way, before and after
// the CRM has done its work.
func (b crmBench) everywhere(t *testing.T, check func(t *testing.T, s standIn, name string, want shape)) {
	for name, want := range shapes() {
		t.Run(name, func(t *testing.T) {
			run := func(how string, restart bool, f ...fault.Fault) int {
				c := &clock{at: t0}
				s := b.start(c)
				defer s.srv.Close()
				s.script.Next(f...)
				b.deliver(t, s, c, want.events, restart)
				taken := s.script.Taken()
				check(t, s, how, want)
				return taken
			}
			n := run("undisturbed", false)
			run("restarts", true)
			for i := range n {
				run(fmt.Sprintf("request %d: reset after", i+1), false, append(make([]fault.Fault, i), fault.Fault{Reset: true, Work: true})...)
				if b.brief {
					continue
				}
				for how, f := range map[string]fault.Fault{
					"500 after": {Status: 500, Work: true},
					"503 after": {Status: 503, RetryAfter: "20", Work: true},
					"a page":    {Status: 200, Body: "<html>down for maintenance</html>"},
				} {
					run(fmt.Sprintf("request %d: %s", i+1, how), false, append(make([]fault.Fault, i), f)...)
				}
				run(fmt.Sprintf("request %d: long outage", i+1), false, append(make([]fault.Fault, i), slices.Repeat([]fault.Fault{{Status: 502}}, 45)...)...)
			}
		})
	}
}
