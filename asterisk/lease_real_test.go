package asterisk_test

import (
	"strings"
	"testing"
	"time"

	"markaz/asterisk"
	"markaz/asterisk/testbed"
	"markaz/call"
	"markaz/dialplan"
)

// A prompt that lasts longer than the lease (3 s here) is heard to its end as
// long as Markaz lives, and a frozen one is noticed one lease after the last
// word, whether the length of the sound is known from its file or not.
func TestThePromptMayBeLongerThanTheLease(t *testing.T) {
	for name, known := range map[string]bool{"length known": true, "length not known": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(c *asterisk.Config, bed *testbed.Asterisk) {
				if c.Sounds = ""; known {
					c.Sounds = bed.SoundsDir()
				}
			})
			long, err := r.bed.Prompt("long", 5)
			check(t, err)
			talk, started := r.caller()
			r.do(call.Lease{Leg: started.Leg, On: true})
			r.playLong(started.Leg, "first", true)
			check(t, talk.WaitHeard(r.ctx, long))
			same(t, "reason", r.await(call.PlayDone, nil).Reason, "ok")
			if d := talk.Spans(long); len(d) != 1 || d[0].To.Sub(d[0].From) < 4500*time.Millisecond {
				t.Errorf("the prompt was heard for %v\n%s", d, talk.Timeline())
			}
			r.playLong(started.Leg, "second", false) // and now Markaz falls silent
			r.await(call.PlayDone, nil)
			begin := time.Now()
			end := r.await(call.LegEnded, of(started.Leg)) // for us: the dialplan has it
			if d := time.Since(begin); d < time.Second || d > 4*time.Second {
				t.Errorf("the dialplan took the caller %v after the last word", d)
			}
			same(t, "result", end.Result, call.Transferred)
			same(t, "actions that failed", r.count(call.ActionFailed, started.Leg), 0)
		})
	}
}

// playLong plays the long prompt, while the lease is renewed as the loop does it,
// or not.
func (r *rig) playLong(leg, id string, alive bool) {
	r.do(call.Play{Leg: leg, ID: id, Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}})
	if !alive {
		return
	}
	for range 4 {
		time.Sleep(time.Second)
		r.do(call.Lease{Leg: leg, On: true})
	}
}

// What is remembered while a prompt plays does not hold up what comes after.
func TestRememberingDoesNotWaitForAPrompt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.bed.Prompt("long", 5)
	check(t, err)
	_, started := r.caller()
	r.do(call.Play{Leg: started.Leg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}})
	begin := time.Now()
	r.do(call.Remember{Leg: started.Leg, State: "here"}, call.StopPlay{Leg: started.Leg, ID: "p"})
	same(t, "reason", r.await(call.PlayDone, nil).Reason, "stopped")
	if d := time.Since(begin); d > time.Second {
		t.Errorf("the prompt stopped after %v", d)
	}
	for { // until it is on the channel, or the time of the rig is up
		list, err := r.bed.CLI(r.ctx, "core show channels concise")
		check(t, err)
		name, _, _ := strings.Cut(list, "!")
		text, err := r.bed.CLI(r.ctx, "core show channel "+name)
		check(t, err)
		if strings.Contains(text, dialplan.VarState+"=here") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Ensure that a hang-up in the middle of a prompt leaves nothing to complain of.
func TestAHangupDuringAPromptIsNoFailure(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	long, err := r.bed.Prompt("long", 8)
	check(t, err)
	for range 3 {
		talk, started := r.caller()
		r.do(
			call.Lease{Leg: started.Leg, On: true},
			call.Play{Leg: started.Leg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}},
			call.Remember{Leg: started.Leg, State: "x"},
		)
		check(t, talk.WaitHears(r.ctx, long))
		check(t, talk.Hangup(r.ctx))
		r.await(call.LegEnded, of(started.Leg))
	}
	r.bed.NothingLeft(t)
	same(t, "failures", len(r.all(call.ActionFailed)), 0)
}

// Ensure that a lease lifted while a prompt plays stays lifted after it.
func TestALeaseLiftedDuringAPrompt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	prompt, err := r.bed.Prompt("prompt", 2)
	check(t, err)
	talk, started := r.caller()
	r.do(
		call.Lease{Leg: started.Leg, On: true},
		call.Play{Leg: started.Leg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "prompt"}}},
	)
	check(t, talk.WaitHears(r.ctx, prompt))
	r.do(call.Lease{Leg: started.Leg}, call.Remember{Leg: started.Leg, State: "x"})
	r.await(call.PlayDone, nil)
	select {
	case <-talk.Ended():
		t.Error("the lease ran out")
	case <-time.After(r.cfg.Lease + 3*time.Second):
	}
	same(t, "ends", r.count(call.LegEnded, started.Leg), 0)
	same(t, "failures", len(r.all(call.ActionFailed)), 0)
}
