package main

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/call"
)

// Markaz is killed and started again while one caller talks, two wait and one
// is in a menu: nobody notices but he who was in the menu, and he goes on.
func TestKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t, byStasis(0))
	ctx := h.within(120 * time.Second)
	sara := h.agent(ctx, "101")

	first := h.waits(ctx, "09121111111", "position-1")
	agent := h.takes(ctx, sara, first)
	second := h.waits(ctx, "09122222222", "position-1")
	third := h.waits(ctx, "09123333333", "position-2")
	fourth := h.dial(ctx, "02112345678", "09124444444")
	h.hears(ctx, fourth, "welcome")
	h.must(fourth.SendDTMF(ctx, "2"))
	h.hears(ctx, fourth, "second")

	killed := time.Now()
	h.Markaz().Kill()
	time.Sleep(3 * time.Second) // nothing may happen
	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	h.hears(ctx, fourth, "second")
	h.must(fourth.SendDTMF(ctx, "1"))
	chosen := time.Now()
	h.hears(ctx, fourth, "position-3", "music")
	now := time.Now()
	h.unbroken("the first caller", first, killed, now)
	h.unbroken("the agent", agent, killed, now)
	h.unbroken("the second caller", second, killed, now)
	h.unbroken("the third caller", third, killed, now)
	if agent.HearsOnly(first.Phone().Voice) && first.HearsOnly(sara.Voice) {
		h.must(first.Hangup(ctx))
	} else {
		t.Errorf("talk was cut\n%s\n%s", first.Timeline(), agent.Timeline())
	}
	over := time.Now()
	c := h.record(ctx, "09121111111", hasFile)
	checkTalk(t, c, first, agent, over)
	checkWait(t, c, first.AnsweredAt(), agent)
	checkRecording(t, h, c, sara.Voice, first.Phone().Voice)
	h.checkSequence(ctx, c)

	for _, next := range []struct {
		from  string
		phone *conversation
		since time.Time // in the queue
	}{
		{"09122222222", second, second.AnsweredAt()},
		{"09123333333", third, third.AnsweredAt()},
		{"09124444444", fourth, chosen},
	} {
		agent := h.takes(ctx, sara, next.phone)
		h.must(agent.Hangup(ctx))
		over := time.Now()
		c := h.record(ctx, next.from, hasFile)
		checkTalk(t, c, next.phone, agent, over)
		checkWait(t, c, next.since, agent)
		h.checkSequence(ctx, c)
		h.hookAgrees(ctx, c)
	}
	h.Bed.NothingLeft(t)
}

// A caller in a menu over FastAGI is with the fall-back at once when Markaz is
// killed, and his record says so, even while he talks there; one who waits is
// taken on by the next Markaz.
func TestKilledOverFastAGI(t *testing.T) {
	t.Parallel()
	h := newHouse(t, byFastAGI(0))
	ctx := h.within(90 * time.Second)
	sara, fallback := h.agent(ctx, "101"), h.agent(ctx, "109")

	waiting := h.waits(ctx, "09122222222", "position-1")
	inMenu := h.dial(ctx, "02112345678", "09121111111")
	h.hears(ctx, inMenu, "welcome")
	killed := time.Now()
	h.Markaz().Kill()
	rings, err := fallback.NextCall(ctx)
	h.must(err)
	if took := rings.Began.Sub(killed); took > leaseGrace {
		t.Errorf("the fall-back rang %v after Markaz was killed", took)
	}
	h.must(rings.Answer())
	h.talk(ctx, inMenu, rings)

	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	lost := h.record(ctx, "09121111111", ended)
	if lost.Disposition != call.CallLost || lost.Reason != "fallback" || lost.By != call.ByPBX {
		t.Errorf("the call in the menu ended %s by %s, %q", lost.Disposition, lost.By, lost.Reason)
	}
	agent := h.takes(ctx, sara, waiting)
	h.must(agent.Hangup(ctx))
	over := time.Now()
	c := h.record(ctx, "09122222222", hasFile)
	checkTalk(t, c, waiting, agent, over)
	checkWait(t, c, waiting.AnsweredAt(), agent)
	h.talk(ctx, inMenu, rings)
	h.must(inMenu.Hangup(ctx))
	h.hookAgrees(ctx, h.record(ctx, "09121111111", ended))
	h.Bed.NothingLeft(t)
}

// What ends while Markaz is dead has ended when it is back: whoever was left
// alone in a conversation is released.
func TestHangUpsWhileMarkazIsDead(t *testing.T) {
	t.Parallel()
	opt := byStasis(0)
	opt.Sections = map[string]string{"agents": "", "queues": "\n  - name: sales\n    record: true\n    announce: {at_join: true, position: true}\n    agents: ["}
	names := map[string]string{"101": "sara", "102": "reza", "103": "mina"}
	extensions := slices.Sorted(maps.Keys(names))
	for _, extension := range extensions {
		opt.Sections["agents"] += fmt.Sprintf("\n  - {id: %s, extension: %q, auto_login: true}", names[extension], extension)
		opt.Sections["queues"] += names[extension] + ", "
	}
	opt.Sections["queues"] += "]"
	h := newHouse(t, opt)
	ctx := h.within(90 * time.Second)
	callers, agents := map[string]*conversation{}, map[string]*conversation{}
	phones := map[string]*testbed.Phone{}
	for _, extension := range extensions {
		phones[extension] = h.agent(ctx, extension)
		phones[extension].OnCall(answerAndSpeak)
	}
	for _, extension := range extensions { // the longest idle is rung, and they came in this order
		callers[extension] = h.dial(ctx, "0218", "09121111"+extension)
		taken, err := phones[extension].NextCall(ctx)
		h.must(err)
		h.talk(ctx, callers[extension], taken)
		agents[extension] = taken
	}
	waits := h.waits(ctx, "09123333333", "position-1")

	h.Markaz().Kill()
	h.must(callers["101"].Hangup(ctx))
	h.must(agents["102"].Hangup(ctx))
	h.must(callers["103"].Hangup(ctx))
	h.must(agents["103"].Hangup(ctx))
	h.must(waits.Hangup(ctx))
	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	ready := time.Now()
	for _, c := range []*conversation{agents["101"], callers["102"]} {
		end, err := c.WaitEnd(ctx)
		h.must(err)
		if took := end.At.Sub(ready); took > 5*time.Second {
			t.Errorf("who was left alone was released after %v", took)
		}
	}
	for extension, agent := range names {
		c := h.record(ctx, "09121111"+extension, hasFile)
		if c.Disposition != call.CallAnsweredD || c.Agent != agent || c.TalkMS == 0 {
			t.Errorf("%s: %s, %s, %d ms of talk", c.From, c.Disposition, c.Agent, c.TalkMS)
		}
		h.checkSequence(ctx, c)
		h.hookAgrees(ctx, c)
	}
	gone := h.record(ctx, "09123333333", ended)
	if gone.Disposition != call.CallLost || gone.Reason != call.Unseen || len(gone.Queues) != 1 || gone.Queues[0].Left != call.Unseen {
		t.Errorf("the caller who waited: %s, %q, %+v", gone.Disposition, gone.Reason, gone.Queues)
	}
	h.Bed.NothingLeft(t)
}

// A Markaz that stays dead gives its callers up to the dialplan when the lease
// is over; those who talk go on talking.
func TestKilledForGood(t *testing.T) {
	t.Parallel()
	for name, lease := range map[string]time.Duration{"as shipped": 0, "short": shortLease} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, byStasis(lease))
			if lease == 0 {
				lease = 10 * time.Second
			}
			ctx := h.within(90 * time.Second)
			sara, fallback := h.agent(ctx, "101"), h.agent(ctx, "109")
			talks := h.waits(ctx, "09121111111", "position-1")
			agent := h.takes(ctx, sara, talks)
			waits := h.waits(ctx, "09122222222", "position-1")
			inMenu := h.dial(ctx, "02112345678", "09123333333")
			h.hears(ctx, inMenu, "welcome")

			killed := time.Now()
			h.Markaz().Kill()
			for range 2 {
				rings, err := fallback.NextCall(ctx)
				h.must(err)
				limit := lease + leaseGrace
				if rings.FromUser == "09123333333" {
					limit += welcomeLength // the lease runs from the last word on
				}
				if took := rings.Began.Sub(killed); took > limit {
					t.Errorf("%s was with the fall-back after %v, the lease is %v", rings.FromUser, took, lease)
				}
				h.must(rings.Answer())
				rings.Speak()
			}
			h.must(waits.WaitHears(ctx, fallback.Voice))
			h.must(inMenu.WaitHears(ctx, fallback.Voice))
			time.Sleep(time.Until(killed.Add(lease + welcomeLength))) // talk must outlast every lease
			h.unbroken("the caller who talks", talks, killed, time.Now())
			h.unbroken("the agent", agent, killed, time.Now())
			if gap := inMenu.DeadAir(killed, time.Now()); gap > lease+leaseGrace {
				t.Errorf("the caller in the menu heard nothing for %v", gap)
			}
		})
	}
}
