package asterisk_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
	"markaz/dialplan"
)

// These tests drive callers in FastAGI sessions of a real Asterisk with the
// shipped dialplan.

func playSound(leg, id, barge string, files ...string) call.Play {
	p := call.Play{Leg: leg, ID: id, Barge: barge}
	for _, f := range files {
		p.Prompts = append(p.Prompts, call.Prompt{Kind: call.Sound, Value: f})
	}
	return p
}

func (d *desk) playDone(id string) call.Event {
	d.t.Helper()
	return d.await(call.PlayDone, func(e call.Event) bool { return e.Ref == id })
}

func (d *desk) digits(n int) string {
	d.t.Helper()
	var got strings.Builder
	for range n {
		got.WriteString(d.await(call.LegDigit, nil).Digits)
	}
	return got.String()
}

func TestFastAGIPrompts(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	long, err := r.bed.Prompt("long", 8)
	check(t, err)
	short := r.bed.Tone(t, "short")
	talk, started := r.caller()
	leg := started.Leg
	t.Run("a key stops one", func(t *testing.T) {
		r.do(playSound(leg, "a", "5", "long", "short"))
		check(t, talk.WaitHears(r.ctx, long))
		check(t, talk.SendDTMF(r.ctx, "5"))
		same(t, "key", r.digits(1), "5")
		same(t, "reason", r.playDone("a").Reason, "stopped")
		check(t, talk.WaitGone(r.ctx, long))
	})
	t.Run("another key does not", func(t *testing.T) { r.playsOn(talk, leg, short) })
	t.Run("StopPlay does", func(t *testing.T) {
		r.do(playSound(leg, "c", "", "long", "short"))
		check(t, talk.WaitHears(r.ctx, long))
		asked := time.Now()
		r.do(call.StopPlay{Leg: leg, ID: "c"})
		same(t, "reason", r.playDone("c").Reason, "stopped")
		if d := time.Since(asked); d > time.Second {
			t.Errorf("it took %v", d)
		}
		check(t, talk.WaitGone(r.ctx, long))
	})
	t.Run("one is missing", func(t *testing.T) {
		talk.Forget()
		r.do(playSound(leg, "d", "", "nowhere", "short"))
		e := r.playDone("d")
		same(t, "reason", e.Reason, "failed")
		same(t, "text", e.Text, "cannot play sound:nowhere")
		check(t, talk.WaitHeard(r.ctx, short))
	})
	r.do(call.Hangup{Leg: leg})
	end, err := talk.WaitEnd(r.ctx)
	check(t, err)
	same(t, "by us", end.ByUs, false)
	same(t, "by", r.await(call.LegEnded, of(leg)).By, call.BySystem)
	same(t, "failures", len(r.all(call.ActionFailed)), 0)
	r.bed.NothingLeft(t)
}

// playsOn presses a key that does not stop the prompts: both are heard whole.
func (r *rig) playsOn(talk *testbed.Conversation, leg string, short tone.Tone) {
	t := r.t
	t.Helper()
	talk.Forget()
	r.do(playSound(leg, "b", "5", "short", "short"))
	check(t, talk.WaitHears(r.ctx, short))
	check(t, talk.SendDTMF(r.ctx, "7"))
	same(t, "key", r.digits(1), "7")
	same(t, "reason", r.playDone("b").Reason, "ok")
	heard := time.Duration(0)
	for _, s := range talk.Spans(short) {
		heard += s.To.Sub(s.From)
	}
	if heard < 1800*time.Millisecond || heard > 2400*time.Millisecond {
		t.Errorf("two prompts of a second each were heard for %v", heard)
	}
}

func TestFastAGINumbersAndMusic(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	talk, started := r.caller()
	r.do(call.Play{Leg: started.Leg, ID: "e", Prompts: []call.Prompt{{Kind: call.Number, Value: "21"}, {Kind: call.Digits, Value: "*4#"}}})
	same(t, "reason", r.playDone("e").Reason, "ok")
	r.do(call.Music{Leg: started.Leg})
	check(t, talk.WaitHears(r.ctx, tone.Music()))
	r.do(call.StopMusic{Leg: started.Leg})
	check(t, talk.WaitSilence(r.ctx, 300*time.Millisecond))
	check(t, talk.Hangup(r.ctx))
	r.await(call.LegEnded, of(started.Leg))
}

// Every key arrives, once and in order, whether a prompt plays, has just
// ended, or nothing happens.
func TestFastAGIKeysTypedFast(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	r.bed.Tone(t, "short")
	talk, started := r.caller()
	const typed = "01234567890123456789#*ABCD"
	sent := make(chan error, 1)
	go func() { sent <- talk.SendDTMF(r.ctx, typed) }()
	for i := range 3 {
		id := fmt.Sprint("p", i)
		r.do(playSound(started.Leg, id, "", "short"))
		r.playDone(id)
	}
	check(t, <-sent)
	same(t, "keys", r.digits(len(typed)), typed)
	check(t, talk.Hangup(r.ctx))
	e := r.await(call.LegEnded, of(started.Leg))
	same(t, "by", e.By, call.ByCaller)
	same(t, "cause", e.Cause, call.CauseNormal)
	r.bed.NothingLeft(t)
}

func TestFastAGICallerHangsUpWhileListening(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	long, err := r.bed.Prompt("long", 20)
	check(t, err)
	talk, started := r.caller()
	r.do(playSound(started.Leg, "p", "", "long"))
	check(t, talk.WaitHears(r.ctx, long))
	check(t, talk.Hangup(r.ctx))
	hung := time.Now()
	e := r.await(call.LegEnded, of(started.Leg))
	same(t, "by", e.By, call.ByCaller)
	same(t, "result", e.Result, call.Answered)
	if d := time.Since(hung); d > time.Second {
		t.Errorf("told after %v", d)
	}
	same(t, "ends", r.count(call.LegEnded, started.Leg), 1)
	r.bed.NothingLeft(t)
}

func TestFastAGIHangupCauseOfAnUnansweredCall(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	talk, err := testbed.NewCaller(t, r.bed).Dial(r.ctx, "02112345678")
	check(t, err)
	started := r.await(call.CallStarted, nil)
	r.do(call.Hangup{Leg: started.Leg, Cause: call.CauseBusy})
	end, err := talk.WaitEnd(r.ctx)
	check(t, err)
	same(t, "SIP code", end.Code, 486)
	e := r.await(call.LegEnded, of(started.Leg))
	same(t, "cause", e.Cause, call.CauseBusy)
	same(t, "by", e.By, call.BySystem)
}

func TestFastAGIRelease(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	fallback := r.bed.Tone(t, "fallback")
	talk, started := r.caller()
	r.do(call.Release{Leg: started.Leg, Destination: "sales"})
	e := r.await(call.LegEnded, of(started.Leg))
	same(t, "result", e.Result, call.Transferred)
	check(t, talk.WaitHears(r.ctx, fallback))
}

// The lease is 3 s. A prompt of 4.5 s is not cut by it, neither while the loop
// renews it nor when the loop falls silent: then the dialplan takes the caller
// back one lease after the last word.
func TestFastAGILease(t *testing.T) {
	r := newRigFor(t, dialplan.ContextInbound)
	long, err := r.bed.Prompt("long", 4.5)
	check(t, err)
	fallback := r.bed.Tone(t, "fallback")
	for _, alive := range []bool{true, false} {
		talk, started := r.caller()
		r.do(call.Lease{Leg: started.Leg, On: true})
		r.do(playSound(started.Leg, "p", "", "long"))
		for range 3 {
			time.Sleep(time.Second)
			if alive {
				r.do(call.Lease{Leg: started.Leg, On: true})
			}
		}
		same(t, "reason", r.playDone("p").Reason, "ok")
		silent := time.Now()
		check(t, talk.WaitHears(r.ctx, fallback))
		if d := time.Since(silent); d < 2*time.Second || d > 4*time.Second {
			t.Errorf("alive %v: fall-back %v after the last word", alive, d)
		}
		if s := talk.Spans(long); len(s) != 1 || s[0].To.Sub(s[0].From) < 4*time.Second {
			t.Errorf("alive %v: the prompt was cut: %v", alive, s)
		}
		e := r.await(call.LegEnded, of(started.Leg))
		same(t, "by", e.By, call.ByPBX)
		same(t, "reason", e.Reason, call.Fallback)
		check(t, talk.Hangup(r.ctx))
	}
	r.bed.NothingLeft(t)
}

// With the loop alive a caller stays as long as it takes.
func TestFastAGILeaseRenewed(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	talk, started := r.caller()
	for range 4 {
		r.do(call.Lease{Leg: started.Leg, On: true})
		time.Sleep(time.Second)
	}
	check(t, talk.SendDTMF(r.ctx, "1"))
	same(t, "key", r.digits(1), "1")
	r.do(call.Lease{Leg: started.Leg, On: false})
	time.Sleep(4 * time.Second)
	check(t, talk.SendDTMF(r.ctx, "2"))
	same(t, "key", r.digits(1), "2")
	check(t, talk.Hangup(r.ctx))
	same(t, "by", r.await(call.LegEnded, of(started.Leg)).By, call.ByCaller)
}

// Callers' names are data: they arrive clean or the call is served without
// them, and none of them is a command.
func TestFastAGIHostileCallers(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	for _, name := range []string{
		`O\"Brien`, `\\\\`, `${SHELL(touch /tmp/x)}`, `x)}${SYSTEM(id)}`, "\u202eevil\u202c", strings.Repeat("9", 300), "a\tb", "علی رضایی", "x%0d%0aagi_extension: 900",
	} {
		talk, err := testbed.NewCaller(t, r.bed).Dial(r.ctx, "02112345678", testbed.RawFrom(name, "0912&PJSIP"))
		check(t, err)
		e := r.await(call.CallStarted, nil)
		same(t, "to", e.To, "02112345678")
		same(t, "from", strings.Trim(e.From, "0123456789+*#"), "")
		if utf8.RuneCountInString(e.FromName) > 80 || strings.ContainsAny(e.FromName, "\r\n\t\u202e${}") {
			t.Errorf("%q became %q", name, e.FromName)
		}
		r.do(call.Hangup{Leg: e.Leg})
		_, err = talk.WaitEnd(r.ctx)
		check(t, err)
		r.await(call.LegEnded, of(e.Leg))
	}
}

func TestFastAGISilentConnectionsBesideCalls(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	for range 200 {
		c, err := net.Dial("tcp", r.cfg.AGI.Listen)
		check(t, err)
		defer c.Close()
		_, err = c.Write([]byte("agi_net"))
		check(t, err)
	}
	talk, started := r.caller()
	check(t, talk.SendDTMF(r.ctx, "1"))
	same(t, "key", r.digits(1), "1")
	check(t, talk.Hangup(r.ctx))
	r.await(call.LegEnded, of(started.Leg))
}

func TestFastAGIFeatureCode(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	phone := r.agent("101", testbed.Answer)
	for code, state := range map[string]string{"*71": dialplan.AskAvailable, "*72": dialplan.AskOffline, "*73": dialplan.AskPaused} {
		talk, err := phone.Dial(r.ctx, code)
		check(t, err)
		e := r.await(call.AgentAsked, nil)
		same(t, "agent", e.Agent, "101")
		same(t, "state", e.State, state)
		_, err = talk.WaitEnd(r.ctx)
		check(t, err)
	}
}
