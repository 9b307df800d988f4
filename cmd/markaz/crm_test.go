package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/apps/crm/conformance/payamgostar"
	"markaz/apps/history"
	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
)

// Whoever calls is looked up at the first ring, wherever he is known: the log,
// the record, the API and the phone that rings say who he is. Of two CRMs that
// know him the first in the configuration is right.
func TestCallersAreLookedUp(t *testing.T) {
	t.Parallel()
	o := newCRMOffice(t, nil)
	ctx := o.within(180 * time.Second)
	sara := o.agent(ctx, "101")
	known := []struct{ from, sink, identity, name string }{
		{fromAli, "bitrix", "CONTACT:7", nameAli},
		{fromMina, "odoo", "res.partner:2", nameMina},
		{fromReza, "payam", "6f9619ff-8b86-d011-b42d-00cf4fc964ff", nameReza},
		{fromNeda, "bitrix", "LEAD:8", nameNeda},
		{fromStranger, "", "", ""},
	}
	for _, who := range known {
		caller := o.dial(ctx, "02112345678", who.from)
		o.hears(ctx, caller, "welcome")
		id := o.live(ctx, who.from)
		var said call.Event
		o.until(ctx, who.from+" is not looked up", func() bool {
			for _, e := range o.eventsOf(ctx, id, call.CallIdentified) {
				if e.Identity == who.identity {
					said = e
				}
			}
			return said.Kind != ""
		})
		if said.Text != who.name || said.Data["sink"] != who.sink || (said.State == call.Unidentified) != (who.name == "") {
			t.Errorf("%s: the log says %+v", who.from, said)
		}
		o.must(caller.SendDTMF(ctx, "1"))
		ringing, err := sara.NextCall(ctx)
		o.must(err)
		shows := who.name
		if shows == "" {
			shows = "Ali " + who.from // as he calls himself
		}
		if ringing.FromName != shows || ringing.FromUser != who.from {
			t.Errorf("%s: the phone shows %q <%s>", who.from, ringing.FromName, ringing.FromUser)
		}
		o.knows(who.from+" rings", o.shown(ctx, id), who.identity, who.name)
		o.must(ringing.Answer())
		o.talk(ctx, caller, ringing)
		o.must(caller.Hangup(ctx))
		_, err = ringing.WaitEnd(ctx)
		o.must(err)
	}
	o.told(ctx) // who is to be asked has been
	for _, who := range known {
		c := o.record(ctx, who.from, ended)
		o.knows(who.from, c, who.identity, who.name)
		if c.FromE164 != e164(who.from) || c.ToE164 != "" {
			t.Errorf("%s is %q, and calls %q", who.from, c.FromE164, c.ToE164)
		}
	}
	for _, row := range o.bitrix.Rows() {
		if !strings.HasPrefix(row.Number, "+98912") {
			t.Errorf("Bitrix24 has a call with %q", row.Number)
		}
	}
	o.Bed.NothingLeft(t)
}

// knows looks at whom a record says that somebody is; nobody is a stranger.
func (o *crmOffice) knows(what string, c call.Call, identity, name string) {
	o.t.Helper()
	if c.Identity != identity || c.Known != name || c.Unknown != (identity == "") {
		o.t.Errorf("%s: %q is %q, a stranger: %v; want %q is %q", what, c.Identity, c.Known, c.Unknown, identity, name)
	}
}

// A CRM that is slow to say who calls delays nothing: the phone rings, is
// answered and there is talk while the look-up still waits. Its answer is good
// even then.
func TestALookUpDelaysNoCall(t *testing.T) {
	t.Parallel()
	o := newCRMOffice(t, nil)
	ctx := o.within(120 * time.Second)
	sara := o.agent(ctx, "101")
	o.gate.shut <- struct{}{}
	caller := o.dial(ctx, "0218", fromAli)
	select {
	case <-o.gate.asked:
	case <-ctx.Done():
		t.Fatal("no look-up")
	}
	ringing, err := sara.NextCall(ctx)
	o.must(err)
	if ringing.FromName != "Ali "+fromAli {
		t.Errorf("the phone shows %q", ringing.FromName)
	}
	o.must(ringing.Answer())
	o.talk(ctx, caller, ringing)
	<-o.gate.shut
	id := o.live(ctx, fromAli)
	o.until(ctx, "the look-up was given up, or its answer came to nothing", func() bool {
		return len(o.eventsOf(ctx, id, call.CallIdentified)) == 1
	})
	o.knows("in talk", o.shown(ctx, id), "CONTACT:7", nameAli)
	identified, answered := o.eventsOf(ctx, id, call.CallIdentified)[0], o.eventsOf(ctx, id, call.CallAnswered)
	if len(answered) != 1 || answered[0].Seq > identified.Seq {
		t.Errorf("identified by event %d, answered by %+v", identified.Seq, answered)
	}
	o.must(caller.Hangup(ctx))
	o.knows("the record", o.record(ctx, fromAli, ended), "CONTACT:7", nameAli)
	o.Bed.NothingLeft(t)
}

// A CRM that does not say who calls is asked no longer than the settings as
// shipped allow. The caller is then neither known nor a stranger, and is asked
// for again when he calls again.
func TestALookUpIsGivenUp(t *testing.T) {
	t.Parallel()
	o := newCRMOffice(t, map[string]string{"identify": "{}"})
	ctx := o.within(120 * time.Second)
	sara := o.agent(ctx, "101")
	o.gate.shut <- struct{}{}
	for n := range 2 {
		caller := o.dial(ctx, "0218", fromAli)
		agent := o.takes(ctx, sara, caller)
		o.until(ctx, "the look-up is not given up", func() bool { return o.figure(ctx, "markaz_lookup_seconds_count") == float64(n+1) })
		o.talk(ctx, caller, agent)
		o.must(agent.Hangup(ctx))
		_, err := caller.WaitEnd(ctx)
		o.must(err)
	}
	if n := o.figure(ctx, `markaz_lookups_total{result="failed"}`); n != 2 {
		t.Errorf("%v look-ups have failed", n)
	}
	all, err := o.AwaitCalls(ctx, func(all []call.Call) bool { return len(all) == 2 && all[0].Over() && all[1].Over() })
	o.must(err)
	for _, c := range all {
		if c.Disposition != call.CallAnsweredD || c.Identity != "" || c.Known != "" || c.Unknown || len(o.eventsOf(ctx, c.ID, call.CallIdentified)) != 0 {
			t.Errorf("the record: %+v", c)
		}
	}
	o.Bed.NothingLeft(t)
}

// The CRMs get the address of a recording, under which it can be heard: both
// voices. No other address leads to it, nor does that one for ever.
func TestARecordingByItsAddress(t *testing.T) {
	t.Parallel()
	o := newCRMOffice(t, nil)
	ctx := o.within(120 * time.Second)
	sara := o.agent(ctx, "101")
	caller := o.waits(ctx, fromMina, "position-1")
	agent := o.takes(ctx, sara, caller)
	o.hearsFor(ctx, caller, sara.Voice, 3*time.Second)
	o.hearsFor(ctx, agent, caller.Phone().Voice, 3*time.Second)
	o.must(caller.Hangup(ctx))
	c := o.record(ctx, fromMina, recorded)
	rec := c.Recordings[0]
	o.told(ctx)

	rows, calls := o.bitrix.Rows(), o.payam.Calls()
	if len(rows) != 1 || rows[0].ExternalID != c.ID || rows[0].File == 0 {
		t.Fatalf("Bitrix24 has %+.200v", rows)
	}
	if len(calls) != 1 || !told(calls[0].Channels, rec.File) {
		t.Errorf("PayamGostar has %+v, the recording is %s", calls, rec.File)
	}
	note := fmt.Sprint(o.odoo.Records("mail.message")[0]["body"])
	in := regexp.MustCompile(`http://[^"]+`).FindString(note)
	for crm, address := range map[string]string{"Bitrix24": rows[0].Link, "Odoo": in} {
		if !strings.HasPrefix(address, "http://"+o.public+"/r/") {
			t.Fatalf("%s has the address %q", crm, address)
		}
		status, sound, header := o.fetch(ctx, address, "")
		if status != http.StatusOK || header.Get("Content-Type") != "audio/wav" || string(sound) != rows[0].Content {
			t.Errorf("%s gets %d %v, %d bytes", crm, status, header, len(sound))
		}
	}
	playable(t, []byte(rows[0].Content), sara.Voice, caller.Phone().Voice)
	o.noOtherAddress(ctx, rows[0].Link, rec)
	o.Bed.NothingLeft(t)
}

// playable wants a sound file with these voices in it.
func playable(t *testing.T, sound []byte, voices ...tone.Tone) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fetched.wav")
	if err := os.WriteFile(path, sound, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "soxi", "-D", path).CombinedOutput()
	length, err2 := time.ParseDuration(strings.TrimSpace(string(out)) + "s")
	if err != nil || err2 != nil || length < 2*time.Second {
		t.Errorf("the recording is %q long: %v %v", out, err, err2)
	}
	hasVoices(t, path, voices...)
}

// noOtherAddress changes each part of one that works, and lets it expire.
func (o *crmOffice) noOtherAddress(ctx context.Context, address string, rec call.Recording) {
	o.t.Helper()
	refused := func(what, address string, want int) {
		o.t.Helper()
		if status, body, _ := o.fetch(ctx, address, ""); status != want || bytes.HasPrefix(body, []byte("RIFF")) {
			o.t.Errorf("%s: %d %.60q", what, status, body)
		}
	}
	token := strings.Split(address, "/")[4]
	raw, err := base64.RawURLEncoding.DecodeString(token)
	o.must(err)
	for part, i := range map[string]int{"expiry": expiry - 1, "name": expiry, "signature": len(raw) - 1} {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		refused(part+" changed", strings.Replace(address, token, base64.RawURLEncoding.EncodeToString(bad), 1), http.StatusNotFound)
	}
	// With the office's own key the test need not wait until one expires.
	key, err := linkKey(publicConfig{}, o.Dir())
	o.must(err)
	l := newLinks(publicConfig{URL: "http://" + o.public, Valid: time.Hour}, key, nil, slog.New(slog.DiscardHandler))
	if status, _, _ := o.fetch(ctx, l.Link(rec, time.Hour), ""); status != http.StatusOK {
		o.t.Errorf("an address by the office's key: %d", status)
	}
	l.now = func() time.Time { return time.Now().Add(-time.Hour - time.Minute) }
	refused("expired a minute ago", l.Link(rec, time.Hour), http.StatusGone)
}

// told reports the channel that has the recording.
func told(channels []payamgostar.Channel, file string) bool {
	return slices.ContainsFunc(channels, func(ch payamgostar.Channel) bool { return ch.File == file && ch.Peer == "101" })
}

// A click on a number in Bitrix24: the agent's own phone rings, then the number
// is dialled. To every CRM and every count it is one call, and went out. Who
// does not prove to be Bitrix24 makes nothing ring. When the same person calls
// back, he is known without being looked up again.
func TestAClickInTheCRM(t *testing.T) {
	t.Parallel()
	const applicationToken = "51610fefc120afb628cc82d6298cce00"
	number := e164(fromAli)
	o := newCRMOffice(t, nil)
	ctx := o.within(120 * time.Second)
	sara, provider := o.agent(ctx, "101"), testbed.NewProvider(t, o.Bed)
	provider.OnCall(testbed.Ignore)
	for _, token := range []string{"", "guessed", applicationToken[1:], applicationToken + "0"} {
		err := o.bitrix.Resend(ctx, o.handler, "externalCall.forged"+token, bitrixSara, "+989129999999", token)
		if err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("the token %q: %v", token, err)
		}
	}

	// What rings now is the first to ring: the loop takes requests in their order.
	id, err := o.bitrix.Click(ctx, bitrixSara, number)
	o.must(err)
	near, err := sara.NextCall(ctx)
	o.must(err)
	if near.FromUser != fromAli {
		t.Errorf("the agent's phone shows %s", near.FromUser)
	}
	o.must(o.bitrix.Resend(ctx, o.handler, id, bitrixSara, number, applicationToken)) // a repeat
	answering := time.Now()
	o.must(near.Answer())
	far, err := provider.NextCall(ctx)
	o.must(err)
	if far.Began.Before(answering) || far.Dialled != "9"+fromAli || far.FromUser != "02188776655" {
		t.Errorf("%s was dialled from %s, %v after the agent answered", far.Dialled, far.FromUser, far.Began.Sub(answering))
	}
	o.must(far.Answer())
	o.talk(ctx, near, far)
	o.must(near.Hangup(ctx))
	_, err = far.WaitEnd(ctx)
	o.must(err)

	c := o.dialled(ctx, "crm:bitrix:"+id)
	if c.Direction != call.Outbound || c.Origin != call.ClickToCall || c.From != "101" || c.ToE164 != number || c.Agent != "sara" ||
		c.Disposition != call.CallAnsweredD || len(c.Legs) != 2 {
		t.Errorf("the record: %+v", c)
	}
	o.told(ctx)
	if all, err := o.Calls(ctx); err != nil || len(all) != 1 {
		t.Errorf("%d records of one call, %v: %+v", len(all), err, all)
	}
	o.clickedOnce(id, number)
	o.wentOut(ctx)
	o.knows("who was called", c, "CONTACT:7", nameAli)
	o.callsBack(ctx, sara, c)
	o.Bed.NothingLeft(t)
}

// callsBack has the person call who was called before: he is known.
func (o *crmOffice) callsBack(ctx context.Context, sara *testbed.Phone, before call.Call) {
	o.t.Helper()
	caller := o.dial(ctx, "0218", fromAli)
	agent := o.takes(ctx, sara, caller)
	o.must(agent.Hangup(ctx))
	back := o.record(ctx, fromAli, ended)
	o.knows("who calls back", back, "CONTACT:7", nameAli)
	if back.FromE164 != before.ToE164 || before.To != fromAli {
		o.t.Errorf("he was called at %s (%s), and calls from %s (%s)", before.To, before.ToE164, back.From, back.FromE164)
	}
	if asked, cached := o.figure(ctx, "markaz_lookup_seconds_count"), o.figure(ctx, `markaz_lookups_total{result="cached"}`); asked != 1 || cached != 1 {
		o.t.Errorf("the CRMs were asked %v times, and %v answers came from the cache", asked, cached)
	}
}

// clickedOnce looks at what the CRMs have of the call: that which Bitrix24 has
// registered itself, and one in each of the others.
func (o *crmOffice) clickedOnce(id, number string) {
	o.t.Helper()
	rows := o.bitrix.Rows()
	if len(rows) != 1 || rows[0].CallID != id || rows[0].Type != 1 || rows[0].User != bitrixSara || rows[0].Number != number ||
		rows[0].Status != "200" || rows[0].Duration < 1 {
		o.t.Errorf("Bitrix24 has %+.200v", rows)
	}
	if n, shown, open := o.bitrix.Registered(), o.bitrix.Shown(), o.bitrix.Open(); n != 1 || shown != 0 || open != 0 {
		o.t.Errorf("Bitrix24 has %d calls, %d cards have popped up, %d are open", n, shown, open)
	}
	const outgoing = 3
	if calls := o.payam.Calls(); len(calls) != 1 || calls[0].Type != outgoing || calls[0].End.IsZero() {
		o.t.Errorf("PayamGostar has %+v", calls)
	}
	if notes := o.odoo.Records("mail.message"); len(notes) != 1 {
		o.t.Errorf("Odoo has %v", notes)
	}
}

// wentOut looks at the counts of a day with one call, which went out.
func (o *crmOffice) wentOut(ctx context.Context) {
	o.t.Helper()
	report := func(direction string) (sum history.Figure) {
		day := func(n int) string { return time.Now().AddDate(0, 0, n).Format(time.DateOnly) }
		out, err := o.Command(ctx, "report", "--json", "--by", "day", "--from", day(-1), "--to", day(1), "--direction", direction)
		o.must(err)
		for line := range strings.Lines(out) {
			var f history.Figure
			o.must(json.Unmarshal([]byte(line), &f))
			sum.Calls, sum.Outbound, sum.Missed = sum.Calls+f.Calls, sum.Outbound+f.Outbound, sum.Missed+f.Missed
		}
		return sum
	}
	o.until(ctx, "the history does not have the call", func() bool { return report("outbound").Calls > 0 })
	if in, out := report("inbound"), report("outbound"); in.Calls != 0 || out.Calls != 1 || out.Outbound != 1 || out.Missed != 0 {
		o.t.Errorf("in: %+v, out: %+v", in, out)
	}
}
