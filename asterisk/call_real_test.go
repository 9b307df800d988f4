package asterisk_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
)

func TestACallerIsAnnouncedHearsPromptsAndPressesKeys(t *testing.T) {
	r := newRig(t)
	welcome, second := r.bed.Tone(t, "welcome"), r.bed.Tone(t, "then")
	talk, started := r.caller()
	same(t, "from", started.From, "09121234567")
	same(t, "name", started.FromName, "Ali")
	same(t, "to", started.To, "02112345678")
	same(t, "trunk", started.Trunk, testbed.TrunkName)
	same(t, "direction", started.Direction, call.Inbound)
	same(t, "source", started.Source, "pbx")
	if _, ours := call.TimeOf(started.Call); !ours {
		t.Errorf("call id %q is not one of ours", started.Call)
	}

	r.do(call.Play{Leg: started.Leg, ID: "p1", Prompts: []call.Prompt{{Kind: call.Sound, Value: "welcome"}, {Kind: call.Sound, Value: "then"}}})
	check(t, talk.WaitHeard(r.ctx, welcome, second))
	done := r.await(call.PlayDone, nil)
	same(t, "play", done.Ref, "p1")
	same(t, "reason", done.Reason, "ok")

	r.do(call.Play{Leg: started.Leg, ID: "p2", Barge: "12", Prompts: []call.Prompt{{Kind: call.Sound, Value: "welcome"}, {Kind: call.Sound, Value: "then"}}})
	check(t, talk.WaitHears(r.ctx, welcome))
	check(t, talk.SendDTMF(r.ctx, "9"))
	same(t, "digit", r.await(call.LegDigit, of(started.Leg)).Digits, "9")
	talk.Forget()
	check(t, talk.SendDTMF(r.ctx, "2"))
	same(t, "digit", r.await(call.LegDigit, of(started.Leg)).Digits, "2")
	done = r.await(call.PlayDone, nil)
	same(t, "play", done.Ref, "p2")
	same(t, "reason", done.Reason, "stopped")
	check(t, talk.WaitSilence(r.ctx, 300*time.Millisecond))
	for _, s := range talk.Spans(second) {
		if s.From.After(done.At.Add(100 * time.Millisecond)) {
			t.Error("the second prompt was heard after the key")
		}
	}

	check(t, talk.Hangup(r.ctx))
	end := r.await(call.LegEnded, of(started.Leg))
	same(t, "by", end.By, call.ByCaller)
	same(t, "cause", end.Cause, call.CauseNormal)
	same(t, "result", end.Result, call.Answered)
	same(t, "ends", r.count(call.LegEnded, started.Leg), 1)
	r.bed.NothingLeft(t)
}

func TestMusicAndPrompts(t *testing.T) {
	r := newRig(t)
	position := r.bed.Tone(t, "position")
	talk, started := r.caller()
	r.do(call.Music{Leg: started.Leg})
	check(t, talk.WaitHearsOnly(r.ctx, tone.Music()))
	r.do(call.Play{Leg: started.Leg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "position"}}})
	check(t, talk.WaitHearsOnly(r.ctx, position))
	same(t, "reason", r.await(call.PlayDone, nil).Reason, "ok")
	r.do(call.Music{Leg: started.Leg})
	check(t, talk.WaitHearsOnly(r.ctx, tone.Music()))
	r.do(call.StopMusic{Leg: started.Leg})
	check(t, talk.WaitSilence(r.ctx, 200*time.Millisecond))
	r.do(call.StopMusic{Leg: started.Leg}, call.StopPlay{Leg: started.Leg, ID: "p"}, call.Hangup{Leg: started.Leg})
	end := r.await(call.LegEnded, of(started.Leg))
	same(t, "by", end.By, call.BySystem)
	same(t, "failures", r.count(call.ActionFailed, started.Leg), 0)
}

func TestAMissingPromptIsNamedWhereverItStands(t *testing.T) {
	r := newRig(t)
	welcome := r.bed.Tone(t, "welcome")
	talk, started := r.caller()
	r.do(call.Play{Leg: started.Leg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "nowhere"}, {Kind: call.Sound, Value: "welcome"}}})
	check(t, talk.WaitHeard(r.ctx, welcome))
	done := r.await(call.PlayDone, nil)
	same(t, "reason", done.Reason, "failed")
	same(t, "text", done.Text, "cannot play sound:nowhere")
	r.do(call.Play{Leg: started.Leg, ID: "q", Prompts: []call.Prompt{{Kind: call.Sound, Value: "http://example.org/x"}}})
	same(t, "action", r.await(call.ActionFailed, of(started.Leg)).Ref, "Play")
	same(t, "reason", r.await(call.PlayDone, nil).Reason, "failed")
}

func TestCallerAndAgentTalkAndAreRecorded(t *testing.T) {
	r := newRig(t)
	caller, agent, started, leg := r.talking()
	same(t, "rang", r.count(call.LegRinging, leg), 1)
	same(t, "shown name", agent.FromName, "Ali x")
	same(t, "shown number", agent.FromUser, "09121234567")
	id := started.Call + "-r1"
	r.do(call.Record{Call: started.Call, Bridge: started.Call, ID: id})
	same(t, "recording", r.await(call.RecordingStarted, nil).Recording, id)
	caller.Speak()
	agent.Speak()
	check(t, caller.WaitHearsOnly(r.ctx, agent.Phone().Voice))
	check(t, agent.WaitHearsOnly(r.ctx, caller.Phone().Voice))
	r.do(call.PauseRecord{ID: id, Pause: true})
	r.await(call.RecordingPaused, nil)
	r.do(call.PauseRecord{ID: id})
	r.await(call.RecordingResumed, nil)

	check(t, agent.Hold(r.ctx))
	same(t, "held by", r.await(call.CallHeld, nil).Leg, leg)
	check(t, agent.Unhold(r.ctx))
	same(t, "resumed by", r.await(call.CallResumed, nil).Leg, leg)

	check(t, agent.Hangup(r.ctx))
	end := r.await(call.LegEnded, of(leg))
	same(t, "by", end.By, call.ByAgent)
	same(t, "agent", end.Agent, "maryam")
	same(t, "result", end.Result, call.Answered)
	r.do(call.Hangup{Leg: started.Leg})
	r.await(call.RecordingStopped, nil)
	r.await(call.LegEnded, of(started.Leg))

	ids, err := r.sw.StoredRecordings(r.ctx)
	check(t, err)
	if !slices.Contains(ids, id) {
		t.Errorf("recording %s is not among %v", id, ids)
	}
	var wav bytes.Buffer
	n, err := r.sw.FetchRecording(r.ctx, id, &wav)
	check(t, err)
	if n != int64(wav.Len()) || n < 1000 || !bytes.HasPrefix(wav.Bytes(), []byte("RIFF")) {
		t.Errorf("recording has %d bytes, begins %q", n, wav.Bytes()[:4])
	}
	check(t, r.sw.DeleteRecording(r.ctx, id))
	check(t, r.sw.DeleteRecording(r.ctx, id))
	r.bed.NothingLeft(t)
}

// Ensure that talk does not wait for a prompt to end.
func TestABridgeCutsAPromptShort(t *testing.T) {
	r := newRig(t)
	_, err := r.bed.Prompt("long", 8)
	check(t, err)
	phone := r.agent("101", testbed.Answer)
	caller, started := r.caller()
	a := ring(started.Call, "101")
	r.do(call.Play{Leg: started.Leg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}}, a)
	r.await(call.LegAnswered, of(a.Leg))
	began := time.Now()
	r.do(call.Bridge{Call: started.Call, ID: started.Call, Legs: []string{started.Leg, a.Leg}})
	same(t, "prompt", r.await(call.PlayDone, nil).Reason, "stopped")
	agent, err := phone.NextCall(r.ctx)
	check(t, err)
	agent.Speak()
	check(t, caller.WaitHears(r.ctx, phone.Voice))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("talk after %v", took)
	}

	r.do(call.Unbridge{ID: started.Call, Leg: started.Leg})
	r.await(call.LegLeft, of(started.Leg))
	fallback := r.bed.Tone(t, "fallback")
	r.do(call.Play{Leg: started.Leg, ID: "q", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}}}, call.Release{Leg: started.Leg})
	check(t, caller.WaitHears(r.ctx, fallback))
	same(t, "failures", len(r.all(call.ActionFailed)), 0)
}
