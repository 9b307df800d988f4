package main

import (
	"strings"
	"testing"
	"time"

	"markaz/call"
)

// Asterisk dies with calls up and comes back: their records end as lost, the
// one that was answered says so, and the next call is like any other.
func TestAsteriskIsKilled(t *testing.T) {
	t.Parallel()
	h := newHouse(t, byStasis(shortLease))
	ctx := h.within(90 * time.Second)
	sara := h.agent(ctx, "101")
	talks := h.waits(ctx, "09121111111", "position-1")
	agent := h.takes(ctx, sara, talks)
	h.waits(ctx, "09122222222", "position-1")
	inMenu := h.dial(ctx, "02112345678", "09123333333")
	h.hears(ctx, inMenu, "welcome")

	killed := time.Now()
	h.Bed.Kill()
	h.must(h.awaitUnready(ctx))
	if took := time.Since(killed); took > 5*time.Second {
		t.Errorf("noticed after %v", took)
	}
	h.must(h.Bed.Resume(ctx))
	back := time.Now()
	h.must(h.WaitReady(ctx))
	if took := time.Since(back); took > 6*time.Second {
		t.Errorf("ready %v after Asterisk", took)
	}
	for from, want := range map[string]call.Disposition{
		"09121111111": call.CallAnsweredD, "09122222222": call.CallLost, "09123333333": call.CallLost,
	} {
		c := h.record(ctx, from, ended)
		if c.Disposition != want || c.By != call.ByPBX || c.Reason != call.Restarted {
			t.Errorf("%s: %s by %s, %q", from, c.Disposition, c.By, c.Reason)
		}
		h.checkSequence(ctx, c)
	}
	c := h.record(ctx, "09121111111", hasFile)
	if c.Agent != "sara" || c.TalkMS == 0 || c.Recordings[0].State != "incomplete" {
		t.Errorf("the call that was answered: %s, %d ms, %+v", c.Agent, c.TalkMS, c.Recordings)
	}
	h.hookAgrees(ctx, c)
	if agent.HearsOnly(talks.Phone().Voice) {
		t.Error("the phones talk without Asterisk")
	}

	h.must(sara.Register(ctx))
	next := h.waits(ctx, "09124444444", "position-1")
	h.must(h.takes(ctx, sara, next).Hangup(ctx))
	c = h.record(ctx, "09124444444", hasFile)
	if c.Disposition != call.CallAnsweredD {
		t.Errorf("the next call: %s", c.Disposition)
	}
	h.Bed.NothingLeft(t)
}

// A second Markaz on the same application takes the calls over; the first ends
// and says why. Each call has one record that is whole.
func TestASecondMarkazTakesOver(t *testing.T) {
	t.Parallel()
	h := newHouse(t, byStasis(0))
	ctx := h.within(90 * time.Second)
	sara := h.agent(ctx, "101")
	talks := h.waits(ctx, "09121111111", "position-1")
	agent := h.takes(ctx, sara, talks)
	waits := h.waits(ctx, "09122222222", "position-1")
	inMenu := h.dial(ctx, "02112345678", "09123333333")
	h.hears(ctx, inMenu, "welcome")

	began := time.Now()
	second := h.second()
	h.must(second.Begin())
	h.must(second.WaitReady(ctx))
	select {
	case <-h.Markaz().Done():
	case <-ctx.Done():
		t.Fatal("the first goes on")
	}
	if line := lastLine(h.Log()); exitCode(h.Markaz()) != exitFailure || !strings.HasPrefix(line, "markaz: another instance has taken over") {
		t.Errorf("the first ended with %d: %s", exitCode(h.Markaz()), line)
	}
	h.hears(ctx, inMenu, "welcome")
	h.must(inMenu.SendDTMF(ctx, "1"))
	h.hears(ctx, inMenu, "position-2", "music")
	h.unbroken("the caller who waits", waits, began, time.Now())
	h.unbroken("the caller who talks", talks, began, time.Now())
	h.unbroken("the agent", agent, began, time.Now())
	h.must(talks.Hangup(ctx))
	over := time.Now()
	c := h.record(ctx, "09121111111", hasFile)
	checkTalk(t, c, talks, agent, over)
	checkWait(t, c, talks.AnsweredAt(), agent)
	h.checkSequence(ctx, c)
	h.hookAgrees(ctx, c)

	agent = h.takes(ctx, sara, waits)
	h.must(inMenu.Hangup(ctx))
	h.must(agent.Hangup(ctx))
	over = time.Now()
	c = h.record(ctx, "09122222222", hasFile)
	checkTalk(t, c, waits, agent, over)
	checkWait(t, c, waits.AnsweredAt(), agent)
	h.checkSequence(ctx, c)
	c = h.record(ctx, "09123333333", ended)
	if c.Disposition != call.AbandonedQueue || len(c.Menus) != 1 {
		t.Errorf("the caller from the menu: %s, %+v", c.Disposition, c.Menus)
	}
	h.checkSequence(ctx, c)
	h.Bed.NothingLeft(t)
}
