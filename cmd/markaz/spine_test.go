package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
)

// The whole spine: two callers walk the menu, wait, hear their place, and the
// first talks to the agent; then its record, recording and web hooks.
func TestARealCallEndToEnd(t *testing.T) {
	t.Parallel()
	for name, context := range map[string]string{"FastAGI": "markaz-inbound", "Stasis": "markaz-inbound-stasis"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, office.Options{Bed: testbed.Options{TrunkContext: context}})
			ctx := h.within(60 * time.Second)
			sara := h.agent(ctx, "101")

			first := h.dial(ctx, "02112345678", "09121111111")
			h.hears(ctx, first, "welcome")
			h.must(first.SendDTMF(ctx, "1")) // during the prompt
			h.hears(ctx, first, "position-1", "music")
			if w := first.Spans(h.tones["welcome"]); len(w) != 1 || w[0].To.Sub(w[0].From) > 2500*time.Millisecond {
				t.Errorf("the key did not interrupt the prompt: %v\n%s", w, first.Timeline())
			}
			second := h.dial(ctx, "02112345678", "09122222222")
			h.hears(ctx, second, "welcome")
			h.must(second.SendDTMF(ctx, "1"))
			h.hears(ctx, second, "position-2", "music")

			ringing, err := sara.NextCall(ctx)
			h.must(err)
			h.must(ringing.Answer())
			first.Speak()
			ringing.Speak()
			h.must(first.WaitHearsOnly(ctx, sara.Voice))
			h.must(ringing.WaitHearsOnly(ctx, first.Phone().Voice))
			h.hears(ctx, second, "position-1")
			if second.EverHeard(sara.Voice) || second.EverHeard(first.Phone().Voice) {
				t.Error("the waiting caller heard the conversation")
			}
			time.Sleep(2 * time.Second) // something to record
			h.must(first.Hangup(ctx))
			if _, err := ringing.WaitEnd(ctx); err != nil {
				t.Error(err)
			}
			h.must(second.Hangup(ctx))

			c := h.record(ctx, "09121111111", recorded)
			checkFirst(t, c)
			checkRecording(t, h, c, sara.Voice, first.Phone().Voice)
			h.hookAgrees(ctx, c)
			d := h.record(ctx, "09122222222", ended)
			if d.Disposition != call.AbandonedQueue || d.By != call.ByCaller || len(d.Queues) != 1 || d.Queues[0].Position != 2 {
				t.Errorf("second call: %+v", d)
			}
			h.hookAgrees(ctx, d)
			h.explains(ctx, h.record(ctx, "09121111111", recorded))
			h.Bed.NothingLeft(t)
		})
	}
}

func checkFirst(t *testing.T, c call.Call) {
	t.Helper()
	if c.Direction != call.Inbound || c.From != "09121111111" || c.To != "02112345678" || c.Line.Trunk != testbed.TrunkName {
		t.Errorf("numbers: %s %s to %s by %s", c.Direction, c.From, c.To, c.Line.Trunk)
	}
	if c.Disposition != call.CallAnsweredD || c.By != call.ByCaller || c.Cause != call.CauseNormal {
		t.Errorf("end: %s by %s cause %d sip %d", c.Disposition, c.By, c.Cause, c.SIP)
	}
	if c.Agent != "sara" || c.Reached != "101" || c.TalkMS < 2000 || c.TalkMS > 15000 {
		t.Errorf("agent %s at %s talked %d ms", c.Agent, c.Reached, c.TalkMS)
	}
	if len(c.Menus) != 1 || c.Menus[0].Menu != "main" || c.Menus[0].Input[0] != "1" {
		t.Errorf("menus: %+v", c.Menus)
	}
	if len(c.Queues) != 1 || c.Queues[0].Queue != "sales" || c.Queues[0].Left != "answered" || c.Queues[0].WaitMS < 1000 || c.Queues[0].Position != 1 {
		t.Errorf("queues: %+v", c.Queues)
	}
	if len(c.Legs) != 2 {
		t.Errorf("legs: %+v", c.Legs)
	}
}

// checkRecording reads the file with sox: its length, and both voices in it.
func checkRecording(t *testing.T, h *house, c call.Call, voices ...tone.Tone) {
	t.Helper()
	r := c.Recordings[0]
	path := filepath.Join(h.Dir(), "recordings", filepath.FromSlash(r.File))
	out, err := exec.CommandContext(t.Context(), "soxi", "-D", path).CombinedOutput()
	if err != nil {
		t.Fatalf("soxi: %v: %s", err, out)
	}
	length, err := time.ParseDuration(strings.TrimSpace(string(out)) + "s")
	if err != nil || length < 2*time.Second || absolute(length-time.Duration(r.DurationMS)*time.Millisecond) > 100*time.Millisecond {
		t.Errorf("the file is %v long, the record says %d ms (%v)", length, r.DurationMS, err)
	}
	if !strings.HasPrefix(r.File, time.Now().Format("2006/01/02/")) || r.Size == 0 || len(r.SHA256) != 64 {
		t.Errorf("recording: %+v", r)
	}
	hasVoices(t, path, voices...)
}

func absolute(d time.Duration) time.Duration { return max(d, -d) }
