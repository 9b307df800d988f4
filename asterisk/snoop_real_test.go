package asterisk_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"markaz/asterisk"
	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
)

// smooth is the most that a voice may depart from its tone, see tone.Roughness;
// the sound of a phone that went through no snoop departs by -15 dB.
const smooth = -12.0

// supervisor is a phone that listens.
type supervisor struct {
	*testbed.Conversation
	leg string
	n   int
}

// supervise rings a supervisor's phone for a call; he speaks all the time.
func (r *rig) supervise(callID, extension string) *supervisor {
	r.t.Helper()
	phone := r.agent(extension, testbed.Answer)
	s := &supervisor{leg: callID + "-s" + extension}
	r.do(call.Ring{
		Call: callID, Leg: s.leg, Address: extension, CallerName: "SPY", Role: call.RoleSupervisor, AutoAnswer: true, Timeout: 20 * time.Second,
	})
	var err error
	s.Conversation, err = phone.NextCall(r.ctx)
	check(r.t, err)
	same(r.t, "shown name", s.FromName, "SPY")
	same(r.t, "asks to be answered", s.Header("Call-Info"), "<sip:127.0.0.1>;answer-after=0")
	r.await(call.LegAnswered, of(s.leg))
	s.Speak()
	return s
}

// listen makes him listen to a leg, or in another way.
func (s *supervisor) listen(r *rig, callID, leg, mode string) {
	r.t.Helper()
	s.n++
	id := s.leg + "-" + string(rune('0'+s.n))
	r.do(call.Snoop{Call: callID, ID: id, Leg: leg, Supervisor: s.leg, Mode: mode})
	up := r.await(call.SnoopUp, func(e call.Event) bool { return e.Ref == id })
	same(r.t, "leg", up.Leg, leg)
	same(r.t, "mode", up.Mode, mode)
}

// hearing is who talks, and what each is to hear of the supervisors.
type hearing struct {
	caller, agent *testbed.Conversation
	monitors      []*supervisor
}

func (h *hearing) check(r *rig, agentHears, callerHears []*supervisor) {
	r.t.Helper()
	voices := func(with *testbed.Conversation, of []*supervisor) []tone.Tone {
		list := []tone.Tone{with.Phone().Voice}
		for _, s := range of {
			list = append(list, s.Phone().Voice)
		}
		return list
	}
	check(r.t, h.agent.WaitHearsOnly(r.ctx, voices(h.caller, agentHears)...))
	check(r.t, h.caller.WaitHearsOnly(r.ctx, voices(h.agent, callerHears)...))
	for _, s := range h.monitors {
		check(r.t, s.WaitHears(r.ctx, h.caller.Phone().Voice))
		check(r.t, s.WaitHears(r.ctx, h.agent.Phone().Voice))
	}
}

// through lets one supervisor listen to a leg in all ways; what the caller hears
// and says stays smooth through it all.
func (h *hearing) through(r *rig, callID, leg string) {
	r.t.Helper()
	h.check(r, nil, nil)
	began, callerFrom, agentFrom := time.Now(), len(h.caller.Samples()), len(h.agent.Samples())
	s := r.supervise(callID, "105")
	h.monitors = []*supervisor{s}
	s.listen(r, callID, leg, call.Spy)
	h.check(r, nil, nil)
	agentTo := len(h.agent.Samples())
	s.listen(r, callID, leg, call.Whisper)
	h.check(r, h.monitors, nil)
	s.listen(r, callID, leg, call.Spy)
	h.check(r, nil, nil)
	s.Mute()
	s.listen(r, callID, leg, call.Barge)
	check(r.t, h.caller.WaitHearsOnly(r.ctx, h.agent.Phone().Voice))
	smoothTo := len(h.caller.Samples())
	s.Speak()
	h.check(r, h.monitors, h.monitors)
	s.listen(r, callID, leg, call.Whisper)
	h.check(r, h.monitors, nil)
	again := len(h.caller.Samples())
	s.listen(r, callID, leg, call.Spy)
	h.check(r, nil, nil)
	r.do(call.Unsnoop{ID: s.leg + "-" + string(rune('0'+s.n))}, call.Hangup{Leg: s.leg})
	_, err := s.WaitEnd(r.ctx)
	check(r.t, err)
	h.monitors = nil
	h.check(r, nil, nil)

	sound := h.caller.Samples()
	for part, samples := range map[string][]int16{
		"the caller, from start to barge":    sound[callerFrom:smoothTo],
		"the caller, from whisper to end":    sound[again:],
		"the agent, from before to spied on": h.agent.Samples()[agentFrom:agentTo],
	} {
		voice := h.agent.Phone().Voice
		if strings.HasPrefix(part, "the agent") {
			voice = h.caller.Phone().Voice
		}
		rough := tone.Roughness(samples, voice)
		r.t.Logf("%s: %.1f dB in %d ms", part, rough, len(samples)/8)
		if rough > smooth {
			r.t.Errorf("%s: a gap or click of %.1f dB\n%s", part, rough, h.caller.Timeline())
		}
	}
	gap := h.caller.DeadAir(began, time.Now().Add(-50*time.Millisecond))
	r.t.Logf("longest time without sound at the caller: %v", gap)
	if gap > 250*time.Millisecond {
		r.t.Errorf("the caller heard nothing for %v", gap)
	}
	same(r.t, "ends told", len(r.all(call.SnoopDown)), 0)
}

func TestASupervisorListensToOurCall(t *testing.T) {
	r := newRig(t)
	caller, agent, started, leg := r.talking()
	caller.Speak()
	agent.Speak()
	h := &hearing{caller: caller, agent: agent}
	h.through(r, started.Call, leg)

	first, second := r.supervise(started.Call, "106"), r.supervise(started.Call, "107")
	h.monitors = []*supervisor{first, second}
	first.listen(r, started.Call, leg, call.Whisper)
	second.listen(r, started.Call, leg, call.Spy)
	h.check(r, []*supervisor{first}, nil)
	if first.EverHeard(second.Phone().Voice) || second.EverHeard(first.Phone().Voice) {
		t.Error("the supervisors hear each other")
	}
	beep := r.bed.Tone(t, "attention")
	r.do(call.Beep{Leg: leg, ID: "b1", Sound: "attention"})
	check(t, agent.WaitHears(r.ctx, beep))
	check(t, agent.WaitGone(r.ctx, beep))

	// A channel is meant by its whole id alone.
	for i, wrong := range []string{"101", "PJSIP/101", leg[:len(leg)-1], leg + "0"} {
		id := "wrong-" + string(rune('0'+i))
		r.do(call.Snoop{Call: started.Call, ID: id, Leg: wrong, Supervisor: first.leg, Mode: call.Spy})
		down := r.await(call.SnoopDown, nil)
		same(t, "snoop", down.Ref, id)
	}
	h.check(r, []*supervisor{first}, nil) // what was, still is

	check(t, agent.Hangup(r.ctx))
	for range 2 {
		same(t, "why", r.await(call.SnoopDown, nil).Reason, "ended")
	}
	if caller.EverHeard(beep) || caller.EverHeard(first.Phone().Voice) || caller.EverHeard(second.Phone().Voice) {
		t.Error("the caller heard what is for the agent")
	}
	r.do(call.Hangup{Leg: first.leg}, call.Hangup{Leg: second.leg}, call.Hangup{Leg: started.Leg})
	r.bed.NothingLeft(t)
}

// foreign is a dialplan that knows nothing of Markaz.
const foreign = `
[markaz-inbound-stasis]
exten => 7001,1,Queue(support)
exten => 7002,1,Dial(PJSIP/101&PJSIP/102,20)
`

func TestASupervisorListensToCallsOfOthers(t *testing.T) {
	r := newRig(t, func(_ *asterisk.Config, bed *testbed.Asterisk) {
		file := filepath.Join(bed.ConfigDir(), "extensions.conf")
		text, err := os.ReadFile(file)
		check(t, err)
		check(t, bed.WriteConfig("extensions.conf", string(text)+foreign))
		check(t, bed.WriteConfig("queues.conf", "[support]\nstrategy=ringall\nmember => PJSIP/101\n"))
		for _, command := range []string{"dialplan reload", "queue reload all"} {
			_, err = bed.CLI(t.Context(), command)
			check(t, err)
		}
	})
	phone := r.agent("101", testbed.Answer)
	r.agent("102", testbed.Ignore)
	for number, name := range map[string]string{"7001": "app_queue", "7002": "ring group"} {
		t.Run(name, func(t *testing.T) {
			r.t = t
			caller, err := testbed.NewCaller(t, r.bed).Call(r.ctx, number, testbed.From("Ali", "09121234567"))
			check(t, err)
			agent, err := phone.NextCall(r.ctx)
			check(t, err)
			caller.Speak()
			agent.Speak()
			h := &hearing{caller: caller, agent: agent}
			h.through(r, "foreign"+number, r.channel("PJSIP/101-"))
			same(t, "strangers served", len(r.all(call.CallStarted)), 0)
			check(t, caller.Hangup(r.ctx))
			r.bed.NothingLeft(t)
		})
	}
}

// channel is the id of the channel whose name begins so.
func (r *rig) channel(name string) string {
	r.t.Helper()
	list, err := r.bed.CLI(r.ctx, "core show channels concise")
	check(r.t, err)
	for line := range strings.Lines(list) {
		if strings.HasPrefix(line, name) {
			parts := strings.Split(strings.TrimSpace(line), "!")
			return parts[len(parts)-1]
		}
	}
	r.t.Fatalf("no channel %s in\n%s", name, list)
	return ""
}

// What an earlier process has left behind is swept away, and nothing else.
func TestSnoopsOfAnEarlierProcess(t *testing.T) {
	r := newRig(t)
	caller, agent, started, leg := r.talking()
	caller.Speak()
	agent.Speak()
	s := r.supervise(started.Call, "105")
	s.listen(r, started.Call, leg, call.Whisper)
	check(t, agent.WaitHears(r.ctx, s.Phone().Voice))
	r.stop()

	r.desk = open(t, r.cfg)
	r.await(call.SwitchSynced, nil)
	found := r.await(call.LegFound, of(s.leg))
	same(t, "role", found.Role, call.RoleSupervisor)
	same(t, "call", found.Call, started.Call)
	check(t, agent.WaitHearsOnly(r.ctx, caller.Phone().Voice))
	check(t, caller.WaitHearsOnly(r.ctx, agent.Phone().Voice))
	s.listen(r, started.Call, leg, call.Spy) // and all works as before
	check(t, s.WaitHears(r.ctx, caller.Phone().Voice))
	same(t, "callers", len(r.all(call.CallStarted)), 0)

	// Without anybody who renews the lease, he hears nothing more.
	r.do(call.Lease{Leg: s.leg, On: true})
	_, err := s.WaitEnd(r.ctx)
	check(t, err)
	for list := "Snoop/"; strings.Contains(list, "Snoop/"); {
		list, err = r.bed.CLI(r.ctx, "core show channels concise")
		check(t, err)
	}
	check(t, agent.WaitHearsOnly(r.ctx, caller.Phone().Voice))
	check(t, agent.Hangup(r.ctx))
	r.do(call.Hangup{Leg: started.Leg})
	r.bed.NothingLeft(t)
}
