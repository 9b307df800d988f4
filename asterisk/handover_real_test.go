package asterisk_test

import (
	"testing"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
	"markaz/dialplan"
)

func TestACallerGoesFromFastAGIToStasisInOneCall(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	welcome, position := r.bed.Tone(t, "welcome"), r.bed.Tone(t, "position")
	phone := r.agent("101", testbed.Answer)
	talk, started := r.caller()
	same(t, "to", started.To, "02112345678")
	r.do(call.Play{Leg: started.Leg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "welcome"}}})
	check(t, talk.WaitHeard(r.ctx, welcome))
	r.await(call.PlayDone, of(started.Leg))

	// All at once: what follows the handover waits until the leg is there.
	a := ring(started.Call, "101")
	r.do(
		call.Handover{Leg: started.Leg},
		call.Remember{Leg: started.Leg, State: "x"},
		call.Lease{Leg: started.Leg},
		call.Music{Leg: started.Leg},
	)
	check(t, talk.WaitHears(r.ctx, tone.Music()))
	r.do(call.Play{Leg: started.Leg, ID: "q", Barge: "#", Prompts: []call.Prompt{{Kind: call.Sound, Value: "position"}}})
	check(t, talk.WaitHears(r.ctx, position))
	check(t, talk.SendDTMF(r.ctx, "#"))
	same(t, "reason", r.await(call.PlayDone, func(e call.Event) bool { return e.Ref == "q" }).Reason, "stopped")

	r.do(a)
	r.await(call.LegAnswered, of(a.Leg))
	r.do(call.Bridge{Call: started.Call, ID: started.Call, Legs: []string{started.Leg, a.Leg}})
	agent, err := phone.NextCall(r.ctx)
	check(t, err)
	agent.Speak()
	check(t, talk.WaitHears(r.ctx, phone.Voice))
	check(t, talk.Hangup(r.ctx))
	same(t, "by", r.await(call.LegEnded, of(started.Leg)).By, call.ByCaller)
	r.do(call.Hangup{Leg: a.Leg})
	r.await(call.LegEnded, of(a.Leg))
	same(t, "starts", len(r.all(call.CallStarted)), 1)
	same(t, "answers", r.count(call.LegAnswered, started.Leg), 1)
	same(t, "ends", r.count(call.LegEnded, started.Leg), 1)
	same(t, "failures", len(r.all(call.ActionFailed)), 0)
	r.bed.NothingLeft(t)
}

func TestACallerWhoHangsUpDuringTheHandover(t *testing.T) {
	t.Parallel()
	r := newRigFor(t, dialplan.ContextInbound)
	for range 5 {
		talk, started := r.caller()
		r.do(call.Handover{Leg: started.Leg}, call.Music{Leg: started.Leg})
		check(t, talk.Hangup(r.ctx))
		same(t, "result", r.await(call.LegEnded, of(started.Leg)).Result, call.Answered)
		same(t, "ends", r.count(call.LegEnded, started.Leg), 1)
	}
	r.bed.NothingLeft(t)
}

func TestCallersInFastAGIAreToldAfterAReconnect(t *testing.T) {
	t.Parallel()
	var p *proxy
	r := newRigFor(t, dialplan.ContextInbound, through(t, &p))
	talk, started := r.caller()
	p.cut()
	r.await(call.LegFound, of(started.Leg))
	r.await(call.SwitchSynced, nil)
	r.do(call.Handover{Leg: started.Leg}, call.Music{Leg: started.Leg})
	check(t, talk.WaitHears(r.ctx, tone.Music()))
	check(t, talk.Hangup(r.ctx))
	r.await(call.LegEnded, of(started.Leg))
}

func TestAHandoverWhileAsteriskCannotReachUs(t *testing.T) {
	t.Parallel()
	var p *proxy
	r := newRigFor(t, dialplan.ContextInbound, through(t, &p))
	fallback := r.bed.Tone(t, "fallback")
	talk, started := r.caller()
	p.refuse(true)
	p.cut()
	r.await(call.SwitchLost, nil)
	r.do(call.Handover{Leg: started.Leg})
	check(t, talk.WaitHears(r.ctx, fallback)) // Stasis() fails, the dialplan goes on
	p.refuse(false)
	end := r.await(call.LegEnded, of(started.Leg))
	same(t, "result", end.Result, call.Transferred)
	same(t, "by", end.By, call.ByPBX)
	same(t, "ends", r.count(call.LegEnded, started.Leg), 1)
}
