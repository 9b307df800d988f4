package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/call"
)

// foreignEntry is a dialplan of somebody else in front of ours: it serves some
// numbers itself, which Markaz only observes, and sends the others to Markaz.
const foreignEntry = `#include markaz.conf
[from-elsewhere]
exten => _022.,1,MixMonitor(%s/in-${UNIQUEID}.wav,b)
 same => n,Dial(PJSIP/102,20)
 same => n,Hangup()
exten => _021.,1,Answer()
 same => n,Goto(markaz-inbound,${EXTEN},1)
`

// Calls that somebody else's dialplan handles are told beside those of Markaz,
// each once, with the recording that was made of it and the numbers read alike.
func TestObservedCallsBesideHandledOnes(t *testing.T) {
	t.Parallel()
	tapes := t.TempDir()
	h := newHouse(t, office.Options{
		Bed: testbed.Options{
			TrunkContext: "from-elsewhere", CDR: true,
			Files: map[string]string{"extensions.conf": fmt.Sprintf(foreignEntry, tapes)},
		},
		Observe:  fmt.Sprintf("{enabled: true, recordings: %q}", tapes),
		Sections: map[string]string{"numbers": `{country: IR, city: "21", release: "9"}`},
	})
	ctx := h.within(90 * time.Second)
	sara, other := h.agent(ctx, "101"), h.agent(ctx, "102")

	first, err := testbed.NewCaller(t, h.Bed).Dial(ctx, "02212345678", testbed.From("Ali", "09121111111"))
	h.must(err)
	taken, err := other.NextCall(ctx)
	h.must(err)
	h.must(taken.Answer())
	first.Speak()
	taken.Speak()
	h.must(first.WaitHears(ctx, other.Voice))
	h.must(taken.WaitHears(ctx, first.Phone().Voice))
	time.Sleep(time.Second) // something to record
	h.must(first.Hangup(ctx))

	second := h.dial(ctx, "02112345678", "09122222222")
	h.hears(ctx, second, "welcome")
	h.must(second.SendDTMF(ctx, "1"))
	served, err := sara.NextCall(ctx)
	h.must(err)
	h.must(served.Answer())
	sara.OnCall(testbed.Ignore)
	second.Speak()
	h.must(served.WaitHears(ctx, second.Phone().Voice))
	h.must(second.Hangup(ctx))

	c := h.record(ctx, "09121111111", recorded)
	if !c.Observed || c.Disposition != call.CallAnsweredD || c.Reached != "102" || c.Direction != call.Inbound || c.By != call.ByCaller {
		t.Errorf("the observed call: %+v", c)
	}
	mine, err := os.ReadFile(filepath.Join(h.Dir(), "recordings", c.Recordings[0].File))
	h.must(err)
	theirs, err := os.ReadFile(filepath.Join(tapes, "in-"+c.Ref+".wav"))
	h.must(err)
	if !bytes.Equal(mine, theirs) || len(mine) < 8000 {
		t.Errorf("the recording has %d bytes, that of the PBX %d", len(mine), len(theirs))
	}
	h.hookAgrees(ctx, c)
	if c.FromE164 != "+989121111111" {
		t.Errorf("%s is %q", c.From, c.FromE164)
	}
	h.handledOnce(t, "09122222222")
	h.dialsOut(ctx, other)
	if out, err := h.Command(ctx, "doctor"); !bytes.Contains([]byte(out), []byte(tapes+" can be read")) {
		t.Errorf("doctor does not speak of the recordings (%v):\n%s", err, out)
	}
}

// dialsOut has a phone dial a number of the city by itself, behind the code that
// gets a line.
func (h *house) dialsOut(ctx context.Context, phone *testbed.Phone) {
	h.t.Helper()
	provider := testbed.NewProvider(h.t, h.Bed)
	provider.OnCall(testbed.Ignore)
	near, err := phone.Dial(ctx, "988776655", testbed.From("Reza", "102"))
	h.must(err)
	far, err := provider.NextCall(ctx)
	h.must(err)
	h.must(far.Answer())
	h.talk(ctx, near, far)
	h.must(near.Hangup(ctx))
	c := h.record(ctx, "102", ended)
	if !c.Observed || c.Direction != call.Outbound || c.To != "988776655" || c.ToE164 != "+982188776655" || c.FromE164 != "" {
		h.t.Errorf("the call that was dialled: %+v", c)
	}
}

// handledOnce checks that a call that Markaz handled has one record, and that
// what was told of it before it came to Markaz is merged into that.
func (h *house) handledOnce(t *testing.T, from string) {
	t.Helper()
	ctx := h.within(20 * time.Second)
	var handled, merged []call.Call
	_, err := h.AwaitCalls(ctx, func(all []call.Call) bool {
		handled, merged = nil, nil
		for _, c := range all {
			switch {
			case c.From != from:
			case c.Observed:
				merged = append(merged, c)
			default:
				handled = append(handled, c)
			}
		}
		return len(handled) == 1 && handled[0].Over()
	})
	h.must(err)
	for _, c := range append(handled, merged...) {
		if c.FromE164 != e164(from) {
			t.Errorf("%s is %q, observed: %v", from, c.FromE164, c.Observed)
		}
	}
	if len(handled) != 1 || handled[0].Reached != "101" || len(merged) != 1 || merged[0].MergedInto != handled[0].ID {
		t.Errorf("handled %+v\nmerged %+v", handled, merged)
	}
	h.Bed.NothingLeft(t)
}
