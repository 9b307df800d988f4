package asterisk

import (
	"strings"
	"testing"
	"time"

	"markaz/call"
	"markaz/dialplan"
)

// anEnd is one way in which a session ends, and what must be seen of it.
type anEnd struct {
	do   func(*agiRig, *fakeCall)
	want call.Event
	vars map[string]string // of the channel
	sent string            // a command
}

func ends() map[string]anEnd {
	return map[string]anEnd{
		"the caller hangs up": {
			func(_ *agiRig, f *fakeCall) { f.hangUp() },
			call.Event{By: call.ByCaller, Cause: 16, Result: call.Cancelled},
			nil, "",
		},
		"the caller hangs up while he listens": {
			func(r *agiRig, f *fakeCall) {
				f.sound("long", time.Minute)
				r.ask(call.Answer{Leg: fakeLeg}, call.Play{Leg: fakeLeg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}})
				f.plays("long")
				f.hangUp()
			},
			call.Event{By: call.ByCaller, Cause: 16, Result: call.Answered},
			nil, "",
		},
		"we hang up, even while a prompt plays": {
			func(r *agiRig, f *fakeCall) {
				f.sound("long", time.Minute)
				r.ask(call.Play{Leg: fakeLeg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}}, call.Hangup{Leg: fakeLeg})
			},
			call.Event{By: call.BySystem, Cause: 16, Result: call.NoAnswer},
			map[string]string{dialplan.VarDone: dialplan.DoneHangup},
			"",
		},
		"we hang up with a cause": {
			func(r *agiRig, _ *fakeCall) { r.ask(call.Hangup{Leg: fakeLeg, Cause: call.CauseBusy}) },
			call.Event{By: call.BySystem, Cause: 17, SIP: 486, Result: call.Busy},
			map[string]string{dialplan.VarDone: dialplan.DoneHangup},
			`EXEC Hangup "17"`,
		},
		"released": {
			func(r *agiRig, _ *fakeCall) {
				r.ask(call.Remember{Leg: fakeLeg, State: "x"}, call.Release{Leg: fakeLeg, Destination: "sales"})
			},
			call.Event{By: call.BySystem, Cause: 16, Result: call.Transferred, Reason: "released"},
			map[string]string{dialplan.VarDone: dialplan.DoneRelease, dialplan.VarDest: "sales", dialplan.VarState: "x"},
			"",
		},
		"Asterisk talks nonsense": {
			func(_ *agiRig, f *fakeCall) { _, _ = f.conn.Write([]byte("nonsense\n")) },
			call.Event{By: call.ByPBX, Cause: 16, Result: call.Transferred},
			nil, "",
		},
	}
}

func TestAGIEnds(t *testing.T) {
	for name, c := range ends() {
		t.Run(name, func(t *testing.T) {
			r := newAGIRig(t)
			f := r.inbound()
			c.do(r, f)
			e := r.await(call.LegEnded)
			f.ended()
			if strings.HasPrefix(e.Reason, "FastAGI session broke: ") {
				e.Reason = ""
			}
			if e.By != c.want.By || e.Cause != c.want.Cause || e.SIP != c.want.SIP || e.Result != c.want.Result || e.Reason != c.want.Reason || e.Call != "CALL1" || e.Leg != fakeLeg {
				t.Errorf("have %+v\nwant %+v", e, c.want)
			}
			for k, v := range c.vars {
				if f.variable(k) != v {
					t.Errorf("%s is %q, want %q", k, f.variable(k), v)
				}
			}
			if c.sent != "" && len(f.commands(c.sent)) != 1 {
				t.Errorf("not sent: %s", c.sent)
			}
			if n := r.count(call.LegEnded); n != 1 {
				t.Errorf("ended %d times", n)
			}
			if r.legs[fakeLeg].do(call.Answer{Leg: fakeLeg}) {
				t.Error("an action is taken after the end")
			}
		})
	}
}

func TestAGIHandover(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	f.sound("hello", time.Millisecond)
	r.ask(call.Play{Leg: fakeLeg, ID: "p", Lang: "fa", Prompts: []call.Prompt{{Kind: call.Sound, Value: "hello"}}})
	r.await(call.PlayDone)
	r.ask(call.Remember{Leg: fakeLeg, State: "queue"}, call.Handover{Leg: fakeLeg})
	if e := r.await("test.handed_over"); e.Leg != fakeLeg {
		t.Errorf("have %+v", e)
	}
	f.ended()
	if f.variable(dialplan.VarDone) != dialplan.DoneHandover || f.variable(dialplan.VarState) != "queue" || f.variable("CHANNEL(language)") != "en" {
		t.Errorf("variables %v", f.vars)
	}
	if n := r.count(call.LegEnded); n != 0 {
		t.Errorf("ended:\n%s", r.told())
	}
}

// A fault of ours ends the one call, in good order.
func TestAGIPanic(t *testing.T) {
	r := newAGIRig(t)
	r.onTell = func(e call.Event) {
		if e.Kind == call.LegDigit {
			panic("on purpose")
		}
	}
	f := r.inbound()
	f.press("1")
	if e := r.await(call.LegEnded); e.By != call.ByPBX || e.Reason != "fault in Markaz" {
		t.Errorf("have %+v", e)
	}
	f.ended()
	if f.variable(dialplan.VarDone) != "" {
		t.Error("the dialplan must take the call back")
	}
}

// clock is a time that tests move.
type clock struct{ at chan time.Time }

func newClock() *clock {
	c := &clock{at: make(chan time.Time, 1)}
	c.at <- time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return c
}

func (c *clock) now() time.Time {
	t := <-c.at
	c.at <- t
	return t
}

func (c *clock) pass(d time.Duration) { c.at <- (<-c.at).Add(d) }

func TestAGILease(t *testing.T) {
	clock := newClock()
	r := newAGIRig(t, func(d *agiDeps) { d.now = clock.now })
	f := r.inbound()
	f.sound("short", time.Millisecond)
	f.sound("long", time.Hour)
	sets := 0
	lease := func(want ...string) {
		t.Helper()
		r.ask(call.Play{Leg: fakeLeg, ID: "sync", Prompts: []call.Prompt{{Kind: call.Sound, Value: "short"}}})
		for r.await(call.PlayDone).Ref != "sync" {
		}
		all := f.commands("SET VARIABLE TIMEOUT(absolute)")
		have := strings.Join(all[sets:], " ")
		sets = len(all)
		for i, w := range want {
			want[i] = `SET VARIABLE TIMEOUT(absolute) "` + w + `"`
		}
		if have != strings.Join(want, " ") {
			t.Errorf("have %s, want %s", have, strings.Join(want, " "))
		}
	}
	barged := func() {
		t.Helper()
		r.ask(call.Play{Leg: fakeLeg, ID: "long", Barge: "1", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}})
		f.plays("long")
		f.press("1")
	}
	lease() // nothing by itself
	clock.pass(4 * time.Second)
	r.ask(call.Lease{Leg: fakeLeg, On: true})
	lease("10.0")
	barged() // made longer for the prompt, and taken back when that is over
	lease("3610.0", "10.0")
	clock.pass(6 * time.Second)
	lease("10.0") // less than half would be left
	r.ask(call.Lease{Leg: fakeLeg, On: false})
	lease("0")
	barged() // lifted: nothing to make longer
	lease()
	r.ask(call.Lease{Leg: fakeLeg, On: true})
	lease("10.0")
	clock.pass(11 * time.Second) // nobody renewed it: the dialplan has the channel
	f.hangUp()
	if e := r.await(call.LegEnded); e.By != call.ByPBX || e.Reason != call.Fallback {
		t.Errorf("have %+v", e)
	}
}

func TestAGIWithoutLease(t *testing.T) {
	r := newAGIRig(t)
	f := r.ring("inbound", nil)
	r.await(call.CallStarted)
	f.sound("long", time.Hour)
	r.ask(call.Lease{Leg: fakeLeg, On: true}, call.Lease{Leg: fakeLeg, On: false})
	r.ask(call.Play{Leg: fakeLeg, ID: "p", Barge: "1", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}})
	f.plays("long")
	f.press("1")
	r.await(call.PlayDone)
	f.hangUp()
	if e := r.await(call.LegEnded); e.By != call.ByCaller {
		t.Errorf("have %+v", e)
	}
	if c := f.commands("SET VARIABLE TIMEOUT"); len(c) > 0 {
		t.Errorf("sent %q", c)
	}
}
