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

func TestAGIPlay(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	f.sound("hello", 60*time.Millisecond)
	f.sound("long", time.Minute)
	sound := func(id, barge string, files ...string) call.Play {
		p := call.Play{Leg: fakeLeg, ID: id, Barge: barge}
		for _, name := range files {
			p.Prompts = append(p.Prompts, call.Prompt{Kind: call.Sound, Value: name})
		}
		return p
	}
	done := func(ref, reason, text string) {
		t.Helper()
		if e := r.await(call.PlayDone); e.Ref != ref || e.Reason != reason || e.Text != text || e.Call != "CALL1" || e.Leg != fakeLeg {
			t.Errorf("have %+v, want %s %s %q", e, ref, reason, text)
		}
	}
	digit := func(want string) {
		t.Helper()
		if e := r.await(call.LegDigit); e.Digits != want {
			t.Errorf("have key %q, want %q", e.Digits, want)
		}
	}
	t.Run("to the end", func(t *testing.T) {
		r.ask(sound("p1", "", "hello", "hello"))
		done("p1", "ok", "")
	})
	t.Run("a key stops it", func(t *testing.T) {
		r.ask(sound("p2", "12", "long", "long"))
		f.plays("long")
		f.press("2")
		digit("2")
		done("p2", "stopped", "")
	})
	t.Run("another key does not", func(t *testing.T) {
		f.sound("middle", 100*time.Millisecond)
		r.ask(sound("p3", "1", "middle"))
		f.plays("middle")
		f.press("9#")
		digit("9")
		digit("#")
		done("p3", "ok", "")
		last := f.commands(`STREAM FILE "middle"`)
		if end := last[len(last)-1]; strings.HasSuffix(end, " 0") {
			t.Errorf("played from the beginning again: %q", last)
		}
	})
	t.Run("a missing file", func(t *testing.T) {
		r.ask(sound("p4", "", "nowhere", "hello"))
		done("p4", "failed", "cannot play sound:nowhere")
		if n := len(f.commands(`STREAM FILE "hello" "0123456789*#ABCD" 0`)); n != 3 {
			t.Errorf("hello was played %d times, want two before and one now", n)
		}
	})
	t.Run("numbers and digits", func(t *testing.T) {
		r.ask(call.Play{Leg: fakeLeg, ID: "p5", Lang: "fa", Prompts: []call.Prompt{{Kind: call.Number, Value: "-12"}, {Kind: call.Digits, Value: "*7#"}}})
		done("p5", "ok", "")
		for _, c := range []string{`SET VARIABLE CHANNEL(language) "fa"`, `SAY NUMBER -12 `, `STREAM FILE "digits/star" "0123456789*#ABCD" 0`, `SAY DIGITS "7"`, `STREAM FILE "digits/pound" "0123456789*#ABCD" 0`} {
			if len(f.commands(c)) != 1 {
				t.Errorf("%q was sent %d times", c, len(f.commands(c)))
			}
		}
		r.ask(sound("p6", "", "hello"))
		done("p6", "ok", "")
		if n := len(f.commands(`SET VARIABLE CHANNEL(language) "en"`)); n != 1 {
			t.Errorf("back to the language of the channel %d times", n)
		}
	})
	t.Run("a key while a number is said", func(t *testing.T) {
		f.sound("digits/1", time.Minute)
		r.ask(call.Play{Leg: fakeLeg, ID: "p7", Barge: "*", Prompts: []call.Prompt{{Kind: call.Number, Value: "1"}}})
		f.press("5*")
		digit("5")
		digit("*")
		done("p7", "stopped", "")
	})
	t.Run("no prompt", func(t *testing.T) {
		r.ask(sound("p8", "", "http://x/y"))
		if e := r.await(call.ActionFailed); e.Ref != "Play" || !strings.Contains(e.Reason, "not a prompt") {
			t.Errorf("have %+v", e)
		}
	})
}

func TestAGIStopPlay(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	f.sound("long", time.Minute)
	play := func(id string) call.Play {
		return call.Play{Leg: fakeLeg, ID: id, Barge: "1", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}, {Kind: call.Digits, Value: "1"}}}
	}
	stopped := func(id string) {
		t.Helper()
		if e := r.await(call.PlayDone); e.Ref != id || e.Reason != "stopped" {
			t.Errorf("have %+v, want %s", e, id)
		}
	}
	// Whatever the moment at which it comes.
	for i := range 60 {
		id := "a" + strings.Repeat("x", i)
		r.ask(play(id))
		time.Sleep(time.Duration(i%20) * 100 * time.Microsecond)
		r.ask(call.StopPlay{Leg: fakeLeg, ID: id})
		stopped(id)
	}
	// One that waits for another to end is stopped when it is due.
	r.ask(play("first"), play("second"), call.StopPlay{Leg: fakeLeg, ID: "second"}, call.StopPlay{Leg: fakeLeg, ID: "unknown"})
	f.plays("long")
	f.press("1")
	stopped("first")
	stopped("second")
	r.ask(call.StopPlay{Leg: fakeLeg, ID: "second"}) // has ended
	r.ask(play("third"))
	f.plays("long")
	f.press("1")
	stopped("third")
	if n := r.count(call.ActionFailed); n > 0 {
		t.Errorf("failures:\n%s", r.told())
	}
}

// Keys typed fast are never lost, in whatever state the leg is.
func TestAGIKeysAreNotLost(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	f.sound("hello", 30*time.Millisecond)
	typed := "0123456789*#ABCD7"
	for i, k := range typed {
		if i%5 == 3 {
			r.ask(call.Play{Leg: fakeLeg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "hello"}}})
		}
		f.press(string(k))
	}
	for _, k := range typed {
		if e := r.await(call.LegDigit); e.Digits != string(k) {
			t.Fatalf("have %q, want %q", e.Digits, string(k))
		}
	}
}

func TestAGIKeyFloodIsBounded(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	begun := time.Now()
	for range 10 {
		f.press(strings.Repeat("5", 30))
	}
	f.hangUp()
	r.await(call.LegEnded)
	most := keysAtOnce + 1 + int(time.Since(begun).Seconds()*keysPerSecond)
	if n := r.count(call.LegDigit); n < keysAtOnce || n > most {
		t.Errorf("%d of 300 keys came through, want %d to %d", n, keysAtOnce, most)
	}
}

func TestAGIEnds(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*agiRig, *fakeCall)
		want call.Event
		vars map[string]string
		sent string
	}{
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
	} {
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
