package asterisk

import (
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"markaz/call"
	"markaz/dialplan"
)

func TestAGICallBegins(t *testing.T) {
	r := newAGIRig(t)
	f := r.ring("inbound", map[string]string{dialplan.VarTo: "02112345678", dialplan.VarTrunk: "trunk", dialplan.VarLease: "10"})
	have := r.await(call.CallStarted)
	have.At, have.Caps = time.Time{}, nil
	want := call.Event{
		Kind: call.CallStarted, Call: "CALL1", Leg: fakeLeg, Ref: fakeLeg, Direction: call.Inbound, Origin: call.PSTN,
		From: "09121234567", FromName: "Ali  Rezaei", To: "02112345678", DID: "02112345678", Trunk: "trunk",
		Role: call.RoleCaller, Address: "09121234567",
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("have %+v\nwant %+v", have, want)
	}
	if v := f.variable(dialplan.VarCall); v != "CALL1" {
		t.Errorf("%s is %q", dialplan.VarCall, v)
	}
	r.ask(call.Answer{Leg: fakeLeg}, call.Answer{Leg: fakeLeg}, call.Remember{Leg: fakeLeg, State: "menu main"})
	if e := r.await(call.LegAnswered); e.Call != "CALL1" || e.Leg != fakeLeg || e.Role != call.RoleCaller {
		t.Errorf("have %+v", e)
	}
	r.ask(call.Hangup{Leg: fakeLeg})
	f.ended()
	if n := r.count(call.LegAnswered); n != 1 {
		t.Errorf("answered %d times", n)
	}
	if v := f.variable(dialplan.VarState); v != "menu main" {
		t.Errorf("remembered %q", v)
	}
}

func TestAGIDialledNumber(t *testing.T) {
	r := newAGIRig(t)
	r.ring("x/inbound?k=1", map[string]string{"CHANNEL(state)": "Up"})
	if e := r.await(call.CallStarted); e.To != "02188" || e.Trunk != "" {
		t.Errorf("have %+v", e)
	}
	r.await(call.LegAnswered) // it was up already
}

func TestAGIRefusesWhatItCannotDo(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	for _, c := range []struct {
		a    call.Action
		want string
	}{
		{call.Unbridge{Leg: fakeLeg}, "Unbridge: not possible before Handover"},
		{call.Remember{Leg: fakeLeg, State: strings.Repeat("x", stateLimit+1)}, "Remember: state is longer"},
		{call.Remember{Leg: fakeLeg, State: "a\nb"}, "Remember: argument cannot be sent"},
		{call.Release{Leg: fakeLeg, Destination: "a\nb"}, "Release: argument cannot be sent"},
	} {
		r.ask(c.a)
		if e := r.await(call.ActionFailed); !strings.HasPrefix(e.Ref+": "+e.Reason, c.want) || e.Leg != fakeLeg {
			t.Errorf("have %+v, want %s", e, c.want)
		}
	}
	// A full mailbox refuses, but never the end.
	f.sound("long", time.Minute)
	r.ask(call.Play{Leg: fakeLeg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}})
	f.plays("long")
	for range r.desk.room {
		r.ask(call.StopMusic{Leg: fakeLeg})
	}
	if r.legs[fakeLeg].do(call.StopMusic{Leg: fakeLeg}) {
		t.Error("one more was taken")
	}
	r.ask(call.Lease{Leg: fakeLeg, On: true}, call.Hangup{Leg: fakeLeg})
	r.await(call.LegEnded)
	f.ended()
}

func TestAGIMusic(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	r.ask(call.Music{Leg: fakeLeg, Class: "jazz"}, call.StopMusic{Leg: fakeLeg}, call.Music{Leg: fakeLeg}, call.Hangup{Leg: fakeLeg})
	f.ended()
	if have := strings.Join(f.commands("SET MUSIC"), "; "); have != `SET MUSIC ON "jazz"; SET MUSIC OFF; SET MUSIC ON` {
		t.Errorf("have %s", have)
	}
}

func TestAGIOtherPaths(t *testing.T) {
	var draining atomic.Bool
	r := newAGIRig(t, func(d *agiDeps) { d.refuse = draining.Load })
	for _, c := range []struct {
		script, state, want string
		asked               bool
	}{
		{"agent", dialplan.AskPaused, dialplan.DoneOK, true},
		{"agent", "asleep", dialplan.DoneRefused, false},
		{"check", "", dialplan.DoneOK, false},
		{"inbounds", "", "", false},
		{"", "", "", false},
	} {
		f := r.ring(c.script, nil, c.state, "lunch")
		f.ended()
		if v := f.variable(dialplan.VarDone); v != c.want {
			t.Errorf("%+v: done is %q", c, v)
		}
		if c.asked {
			if e := r.await(call.AgentAsked); e.Agent != "09121234567" || e.State != c.state || e.Reason != "lunch" {
				t.Errorf("have %+v", e)
			}
		}
	}
	draining.Store(true)
	f := r.ring("inbound", nil)
	f.ended()
	if n := len(r.events); n != 1 {
		t.Errorf("told:\n%s", r.told())
	}
}
