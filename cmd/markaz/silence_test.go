package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/call"
)

// team is a queue "sales" with an agent for each extension from 101 on, who are
// rung in that order. Their names come back by extension.
func team(opt office.Options, more string, names ...string) (office.Options, map[string]string) {
	opt.Sections = map[string]string{}
	byExtension := map[string]string{}
	for i, name := range names {
		byExtension[testbed.Extension(i)] = name
		opt.Sections["agents"] += fmt.Sprintf("\n  - {id: %s, extension: %q, auto_login: true}", name, testbed.Extension(i))
	}
	opt.Sections["queues"] = "\n  - {name: sales, record: true, agents: [" + strings.Join(names, ", ") + "], " + more + "}"
	return opt, byExtension
}

// rungFor calls the queue and waits until that phone rings for the caller.
func (h *house) rungFor(ctx context.Context, p *testbed.Phone, from string) (caller, agent *conversation) {
	h.t.Helper()
	caller = h.dial(ctx, "0218", from)
	agent, err := p.NextCall(ctx)
	h.must(err)
	return caller, agent
}

// Markaz freezes while phones ring and people talk. Whoever answers a phone
// whose caller the dialplan has taken back, or who has gone, is not kept in
// silence; nor is anybody whose partner hangs up. Two who talk are left alone.
func TestNobodyIsLeftInSilence(t *testing.T) {
	t.Parallel()
	opt, names := team(byStasis(shortLease), "ring_timeout: 20s", "sara", "reza", "mina", "omid", "vida")
	h := newHouse(t, opt)
	ctx := h.within(90 * time.Second)
	fallback := h.agent(ctx, "109")
	fallback.OnCall(answerAndSpeak)
	var callers, agents []*conversation
	for i := range len(names) {
		caller, agent := h.rungFor(ctx, h.agent(ctx, testbed.Extension(i)), fmt.Sprintf("0912111110%d", i+1))
		callers, agents = append(callers, caller), append(agents, agent)
		if i < 3 {
			h.must(agent.Answer())
			h.talk(ctx, caller, agent)
		}
	}
	h.hears(ctx, callers[4], "music") // so that all that Markaz does at once is done
	froze := time.Now()
	h.must(h.Markaz().Freeze())
	h.must(callers[4].Hangup(ctx))
	h.must(agents[3].Answer())
	agents[3].Speak()
	h.must(callers[1].Hangup(ctx))
	h.must(agents[2].Hangup(ctx))
	left := time.Now()
	for who, c := range map[string]struct {
		*conversation
		limit time.Time
	}{
		"the agent who answered":                          {agents[3], froze.Add(shortLease + leaseGrace)},
		"the agent whose phone rang when the caller went": {agents[4], left.Add(leaseGrace)},
		"the agent whose caller hung up":                  {agents[1], left.Add(leaseGrace)},
	} {
		end, err := c.WaitEnd(ctx)
		h.must(err)
		if late := end.At.Sub(c.limit); late > 0 {
			t.Errorf("%s was let go %v too late", who, late)
		}
	}
	for _, c := range []*conversation{callers[2], callers[3]} {
		h.must(c.WaitHears(ctx, fallback.Voice))
		if gap := c.DeadAir(froze, time.Now()); gap > shortLease+leaseGrace {
			t.Errorf("a caller heard nothing for %v\n%s", gap, c.Timeline())
		}
	}
	time.Sleep(time.Until(left.Add(shortLease + 2*leaseGrace)))
	h.unbroken("the caller who talks", callers[0], froze, time.Now())
	h.unbroken("the agent", agents[0], froze, time.Now())
	h.must(h.Markaz().Continue())
	h.must(h.WaitReady(ctx))
	h.must(callers[0].Hangup(ctx))
	for i := range callers {
		c := h.record(ctx, fmt.Sprintf("0912111110%d", i+1), ended)
		switch {
		case i < 3 && (c.Disposition != call.CallAnsweredD || c.Agent != names[testbed.Extension(i)]),
			i == 3 && c.Disposition == call.CallAnsweredD, // the phone was picked up, and they never talked
			i == 4 && c.Disposition != call.AbandonedQueue:
			t.Errorf("caller %d: %s, agent %q, %d ms", i+1, c.Disposition, c.Agent, c.TalkMS)
		}
		h.checkSequence(ctx, c)
	}
	fallback.Close()
	h.Bed.NothingLeft(t)
	if slices.ContainsFunc(h.Bed.Complaints(), func(line string) bool { return strings.Contains(line, "markaz-left") }) {
		t.Error(h.Bed.Complaints())
	}
}

// A phone begins to ring while its caller hears where he stands, when nothing
// can be noted on his channel, and Markaz freezes: who picks it up is let go
// after the time it may ring and a lease.
func TestAPhoneThatRingsDuringAnAnnouncement(t *testing.T) {
	t.Parallel()
	const ring = 5 * time.Second
	opt := byStasis(shortLease)
	opt.Sections = map[string]string{
		"agents":  "\n  - {id: sara, extension: \"101\"}",
		"queues":  "\n  - {name: sales, agents: [sara], ring_timeout: 5s, announce: {at_join: true, position: true}}",
		"prompts": "\n  announce: {position_sound: \"tones/long-{n}\", wait_sound: \"tones/wait-{n}\"}",
	}
	h := newHouse(t, opt)
	ctx := h.within(60 * time.Second)
	sara, fallback := h.agent(ctx, "101"), h.agent(ctx, "109")
	fallback.OnCall(answerAndSpeak)
	caller := h.dial(ctx, "0218", "09121111111")
	h.hears(ctx, caller, "long-1")
	if status := h.ask(ctx, bearer{office.Token}, "sara", `{"state": "available"}`); status != http.StatusAccepted {
		t.Fatal(status)
	}
	agent, err := sara.NextCall(ctx)
	h.must(err)
	h.must(h.Markaz().Freeze())
	h.must(agent.Answer())
	agent.Speak()
	end, err := agent.WaitEnd(ctx)
	h.must(err)
	if late := end.At.Sub(agent.Began.Add(ring + shortLease + leaseGrace)); late > 0 {
		t.Errorf("the agent was let go %v too late", late)
	}
	h.must(caller.WaitHears(ctx, fallback.Voice))
	h.must(h.Markaz().Continue())
	h.must(h.WaitReady(ctx))
	h.must(caller.Hangup(ctx))
	if c := h.record(ctx, "09121111111", ended); c.Disposition == call.CallAnsweredD {
		t.Errorf("%s, though nobody talked", c.Disposition)
	}
	fallback.Close()
	h.Bed.NothingLeft(t)
}
