package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// Markaz is killed and comes back. What the PBX did by itself meanwhile is told
// from its records, each call once; calls that Markaz had handled, which have
// records too, are not told again.
func TestCallsOfATimeWithoutMarkazAreTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t, office.Options{
		Bed: testbed.Options{
			TrunkContext: "from-elsewhere", CDR: true,
			Files: map[string]string{"extensions.conf": fmt.Sprintf(foreignEntry, t.TempDir())},
		},
		Observe: "{enabled: true, cdr: /dev/null, cdr_zone: UTC}",
	})
	ctx := h.within(2 * time.Minute)
	h.Markaz().Kill()
	config, err := os.ReadFile(h.ConfigFile())
	h.must(err)
	records := filepath.Join(filepath.Dir(h.Bed.ConfigDir()), "log", "cdr-csv", "Master.csv")
	h.must(os.WriteFile(h.ConfigFile(), bytes.Replace(config, []byte("/dev/null"), []byte(records), 1), 0o600))
	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	sara, other, fallback := h.agent(ctx, "101"), h.agent(ctx, "102"), h.agent(ctx, "109")
	through := func(number, from string, phone *testbed.Phone, keys ...string) {
		t.Helper()
		caller, err := testbed.NewCaller(t, h.Bed).Dial(ctx, number, testbed.From("Ali", from))
		h.must(err)
		for _, k := range keys {
			h.hears(ctx, caller, "welcome")
			h.must(caller.SendDTMF(ctx, k))
		}
		taken, err := phone.NextCall(ctx)
		h.must(err)
		h.must(taken.Answer())
		h.talk(ctx, caller, taken)
		time.Sleep(1100 * time.Millisecond) // records have whole seconds
		h.must(caller.Hangup(ctx))
	}
	told := func(n int) []call.Call {
		t.Helper()
		all, err := h.AwaitCalls(ctx, func(all []call.Call) bool {
			all = slices.DeleteFunc(slices.Clone(all), merged)
			return len(all) >= n && !slices.ContainsFunc(all, func(c call.Call) bool { return !c.Over() })
		})
		h.must(err)
		return slices.DeleteFunc(all, merged)
	}
	through("02212345678", "09121111111", other)
	through("02112345678", "09122222222", sara, "1")
	told(2)
	cut := h.dial(ctx, "02112345678", "09126666666")
	h.hears(ctx, cut, "welcome")
	h.Markaz().Kill()
	taken, err := fallback.NextCall(ctx)
	h.must(err)
	h.must(taken.Answer())
	h.talk(ctx, cut, taken)
	h.must(cut.Hangup(ctx))
	through("02212345678", "09123333333", other)
	through("02112345678", "09124444444", fallback)
	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	through("02212345678", "09125555555", other)
	told(6)
	time.Sleep(3 * time.Second) // what is wrong would be told by now
	want := map[string]string{
		"09121111111": "102 live", "09122222222": "101 live", "09123333333": "102 later", "09124444444": "109 later", "09125555555": "102 live",
	}
	for _, c := range told(6) {
		if c.From == "09126666666" { // begun by Markaz, which did not see the end
			if c.Observed || c.Disposition == call.CallAnsweredD {
				t.Errorf("the call that Markaz left: %+v", c)
			}
			continue
		}
		how := c.Reached + " later"
		if c.Live {
			how = c.Reached + " live"
		}
		if want[c.From] != how || c.Disposition != call.CallAnsweredD || c.Direction != call.Inbound {
			t.Errorf("%s from %q to %q reached %s, %s, want %q", c.Direction, c.From, c.To, how, c.Disposition, want[c.From])
		}
		delete(want, c.From)
	}
	if n := len(told(6)); n != 6 || len(want) > 0 {
		t.Errorf("%d records of six calls, not told: %v", n, want)
	}
}

func merged(c call.Call) bool { return c.MergedInto != "" }
