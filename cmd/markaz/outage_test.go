package main

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/asterisk/testbed/proc"
	"markaz/call"
	"markaz/dialplan"
)

const (
	// shortLease makes tests of the lease quick; one has the lease as shipped.
	shortLease = 4 * time.Second
	// leaseGrace is what the dialplan may take beyond the lease.
	leaseGrace = time.Second
	// welcomeLength is that of the main menu's prompt.
	welcomeLength = 3 * time.Second
	// hiccup is silence that nobody minds.
	hiccup = 400 * time.Millisecond
)

// byStasis and byFastAGI are offices whose callers come in by that entry.
func byStasis(lease time.Duration) office.Options {
	return office.Options{Bed: testbed.Options{TrunkContext: dialplan.ContextInboundStasis}, Lease: lease}
}

func byFastAGI(lease time.Duration) office.Options {
	return office.Options{Bed: testbed.Options{TrunkContext: dialplan.ContextInbound}, Lease: lease}
}

// waits calls the queue past the menus and waits until the place was told.
func (h *house) waits(ctx context.Context, from, place string) *conversation {
	h.t.Helper()
	c := h.dial(ctx, "0218", from)
	h.hears(ctx, c, place, "music")
	return c
}

// takes lets a phone answer the next call that rings, which is that caller's.
func (h *house) takes(ctx context.Context, phone *testbed.Phone, caller *conversation) *conversation {
	h.t.Helper()
	for {
		ringing, err := phone.NextCall(ctx)
		h.must(err)
		if ringing.Answer() == nil { // else it is one that was taken back meanwhile
			h.talk(ctx, caller, ringing)
			return ringing
		}
	}
}

// unbroken makes sure that somebody heard something all the time. On a machine
// that is too busy for sound it can only tell what lasts as long as Markaz is
// away, which is 3 s at least.
func (h *house) unbroken(who string, c *conversation, from, to time.Time) {
	h.t.Helper()
	limit := hiccup
	if late := h.stalls.longest(from, to); late > hiccup/10 {
		limit = 2500 * time.Millisecond
		h.t.Logf("this machine is busy: a timer was %v late", late)
	}
	if gap := c.DeadAir(from, to); gap > limit {
		h.t.Errorf("%s heard nothing for %v\n%s", who, gap, c.Timeline())
	}
}

// stallMeter sees how late timers of this process fire.
type stallMeter struct {
	mu   sync.Mutex
	late []stall
}

type stall struct {
	at   time.Time
	late time.Duration
}

// run measures until ctx ends.
func (m *stallMeter) run(ctx context.Context) {
	const pause = 20 * time.Millisecond
	for last := time.Now(); ctx.Err() == nil; {
		time.Sleep(pause)
		now := time.Now()
		m.mu.Lock()
		m.late = append(m.late, stall{now, now.Sub(last) - pause})
		m.mu.Unlock()
		last = now
	}
}

func (m *stallMeter) longest(from, to time.Time) (longest time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.late {
		if s.at.After(from) && s.at.Add(-s.late).Before(to) {
			longest = max(longest, s.late)
		}
	}
	return longest
}

// near compares a time of a record with that of the phones.
func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if absolute(got-want) > 1500*time.Millisecond {
		t.Errorf("%s: the record says %v, the phones %v", what, got, want)
	}
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// checkTalk compares the record of a call that was answered with what caller
// and agent saw of it.
func checkTalk(t *testing.T, c call.Call, caller, agent *conversation, ended time.Time) {
	t.Helper()
	near(t, "start", c.Started.Sub(caller.Began), 0)
	near(t, "talk", milliseconds(c.TalkMS), ended.Sub(agent.AnsweredAt()))
	if c.Disposition != call.CallAnsweredD || c.Agent != "sara" || c.Reached != "101" {
		t.Errorf("%s, reached %s at %s", c.Disposition, c.Agent, c.Reached)
	}
}

// checkWait compares the one wait of a record with what the phones saw of it.
func checkWait(t *testing.T, c call.Call, since time.Time, agent *conversation) {
	t.Helper()
	if len(c.Queues) != 1 || c.Queues[0].Left != "answered" {
		t.Errorf("queues: %+v", c.Queues)
		return
	}
	near(t, "wait", milliseconds(c.Queues[0].WaitMS), agent.AnsweredAt().Sub(since))
}

// checkSequence wants every event of a call in the stream once and in order.
func (h *house) checkSequence(ctx context.Context, c call.Call) {
	h.t.Helper()
	events, err := h.Events(ctx)
	h.must(err)
	ids := map[string]bool{}
	next := uint64(1)
	for _, e := range events {
		if ids[e.ID] {
			h.t.Errorf("event %s %s is in the stream twice", e.ID, e.Kind)
		}
		ids[e.ID] = true
		if e.Call != c.ID {
			continue
		}
		if e.Seq != next {
			h.t.Errorf("call from %s: %s has number %d, want %d", c.From, e.Kind, e.Seq, next)
		}
		next = e.Seq + 1
	}
	if next == 1 {
		h.t.Errorf("no event of the call from %s is in the stream", c.From)
	}
}

type conversation = testbed.Conversation

// hasFile is a recording whose file is there, whole or not.
func hasFile(c call.Call) bool {
	return len(c.Recordings) == 1 && c.Recordings[0].File != "" && c.Recordings[0].Size > 0
}

// answerAndSpeak is a phone that takes calls at once.
func answerAndSpeak(c *conversation) {
	if c.Answer() == nil {
		c.Speak()
	}
}

// second is another Markaz on the same Asterisk and Redis, not started yet.
func (h *house) second() *office.Office {
	h.t.Helper()
	twin, err := h.Twin()
	h.must(err)
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Logf("the second markaz:\n%s", twin.Log())
		}
		if err := twin.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return twin
}

// awaitUnready waits until Markaz says that it serves no new calls.
func (h *house) awaitUnready(ctx context.Context) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Web()+"/readyz", nil)
		if err != nil {
			return err
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// exitCode is how a program that has ended did so.
func exitCode(p *proc.Process) int {
	var failed *exec.ExitError
	switch err := p.Wait(); {
	case err == nil:
		return 0
	case errors.As(err, &failed):
		return failed.ExitCode()
	default:
		return -1
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
