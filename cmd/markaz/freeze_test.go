package main

import (
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/call"
)

// A frozen Markaz holds nobody: callers in the menu, in the queue and those who
// come meanwhile are with the fall-back when the lease is over, by either
// entry. Who talks goes on talking. When it thaws, each call has its record.
func TestFrozen(t *testing.T) {
	t.Parallel()
	t.Run("Stasis", func(t *testing.T) { t.Parallel(); frozen(t, newHouse(t, byStasis(shortLease))) })
	t.Run("FastAGI", func(t *testing.T) { t.Parallel(); frozen(t, newHouse(t, byFastAGI(shortLease))) })
}

func frozen(t *testing.T, h *house) {
	ctx := h.within(90 * time.Second)
	sara, fallback := h.agent(ctx, "101"), h.agent(ctx, "109")
	talks := h.waits(ctx, "09121111111", "position-1")
	agent := h.takes(ctx, sara, talks)
	h.waits(ctx, "09122222222", "position-1")
	inMenu := h.dial(ctx, "02112345678", "09123333333")
	h.hears(ctx, inMenu, "welcome")

	froze := time.Now()
	h.must(h.Markaz().Freeze())
	late, err := testbed.NewCaller(t, h.Bed).Dial(ctx, "02112345678", testbed.From("Late", "09124444444"))
	h.must(err)
	came := time.Now()
	for range 3 {
		rings, err := fallback.NextCall(ctx)
		h.must(err)
		limit := froze.Add(shortLease + leaseGrace)
		switch rings.FromUser {
		case "09123333333":
			limit = limit.Add(welcomeLength) // the lease runs from the last word on
		case "09124444444":
			limit = came.Add(shortLease + leaseGrace)
		}
		if over := rings.Began.Sub(limit); over > 0 {
			t.Errorf("%s was with the fall-back %v too late", rings.FromUser, over)
		}
		h.must(rings.Answer())
		rings.Speak()
	}
	h.must(late.WaitHears(ctx, fallback.Voice))
	time.Sleep(time.Until(froze.Add(shortLease + welcomeLength))) // talk must outlast every lease
	if gap := inMenu.DeadAir(froze, time.Now()); gap > shortLease+leaseGrace {
		t.Errorf("the caller in the menu heard nothing for %v\n%s", gap, inMenu.Timeline())
	}
	h.must(h.Markaz().Continue())
	for _, from := range []string{"09122222222", "09123333333"} {
		c := h.record(ctx, from, ended)
		if c.Disposition != call.CallLost || c.By != call.ByPBX || c.Reason != call.Fallback {
			t.Errorf("%s: %s by %s, %q", from, c.Disposition, c.By, c.Reason)
		}
		if at := c.Ended.Sub(froze); at > shortLease+welcomeLength+leaseGrace {
			t.Errorf("%s: the record says that the call was with us until %v after the freeze", from, at)
		}
		h.checkSequence(ctx, c)
	}
	h.must(h.WaitReady(ctx))
	h.unbroken("the caller who talks", talks, froze, time.Now())
	h.unbroken("the agent", agent, froze, time.Now())
	h.must(talks.Hangup(ctx))
	over := time.Now()
	checkTalk(t, h.record(ctx, "09121111111", hasFile), talks, agent, over)

	next := h.waits(ctx, "09125555555", "position-1")
	h.must(h.takes(ctx, sara, next).Hangup(ctx))
	h.record(ctx, "09125555555", hasFile)
	fallback.Close()
	h.Bed.NothingLeft(t)
}
