package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
	"markaz/dialplan"
)

// asks is an office in which supervisors listen and agents dial.
func asks(t *testing.T) *house {
	return newHouse(t, office.Options{
		Bed: testbed.Options{TrunkContext: dialplan.ContextInboundStasis},
		Sections: map[string]string{
			"agents":      "\n  - {id: sara, extension: \"101\", auto_login: true}\n  - {id: reza, extension: \"102\"}",
			"numbers":     `{country: IR, city: "21", release: "9"}`,
			"spy":         `{follow_transfers: true, auto_answer: true, beep: tones/position-3}`,
			"clicktocall": `{caller_id: "02188776655", rules: {forbid: ["+98909"], per_minute: 100}, ring_timeout: 3s}`,
		},
	})
}

// post asks the API for something and returns the request's id.
func (h *house) post(ctx context.Context, path, key string, body map[string]any) string {
	h.t.Helper()
	text, err := json.Marshal(body)
	h.must(err)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.Web()+path, bytes.NewReader(text))
	h.must(err)
	req.Header.Set("Authorization", "Bearer "+office.Token)
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := http.DefaultClient.Do(req)
	h.must(err)
	defer res.Body.Close()
	var answer struct{ Request, Detail string }
	h.must(json.NewDecoder(res.Body).Decode(&answer))
	if res.StatusCode != http.StatusAccepted {
		h.t.Fatalf("%s: %s: %s", path, res.Status, answer.Detail)
	}
	return answer.Request
}

// live is the id of the call from a number.
func (h *house) live(ctx context.Context, from string) string {
	h.t.Helper()
	list, err := h.AwaitCalls(ctx, func(all []call.Call) bool {
		return slices.ContainsFunc(all, func(c call.Call) bool { return c.From == from && !c.Over() })
	})
	h.must(err)
	i := slices.IndexFunc(list, func(c call.Call) bool { return c.From == from && !c.Over() })
	return list[i].ID
}

// listens asks for a mode and, when the phone is still to ring, answers it.
func (h *house) listens(ctx context.Context, phone *testbed.Phone, id, mode string) *conversation {
	h.t.Helper()
	h.post(ctx, "/v1/monitors", "", map[string]any{"call": id, "extension": phone.Name, "mode": mode})
	c, err := phone.NextCall(ctx)
	h.must(err)
	if c.FromName != strings.ToUpper(mode) {
		h.t.Errorf("the phone shows %q", c.FromName)
	}
	h.must(c.Answer())
	c.Speak()
	return c
}

// hear makes sure of what each of them hears, and nothing else.
func (h *house) hear(ctx context.Context, who map[*conversation][]*conversation) {
	h.t.Helper()
	for ear, mouths := range who {
		var voices []tone.Tone
		for _, m := range mouths {
			voices = append(voices, m.Phone().Voice)
		}
		h.must(ear.WaitHearsOnly(ctx, voices...))
	}
}

type ears = map[*conversation][]*conversation

// A supervisor listens in all ways, by page, key and command, follows a
// transfer, and takes the call over.
func TestASupervisorOnACall(t *testing.T) {
	t.Parallel()
	h := asks(t)
	ctx := h.within(120 * time.Second)
	sara, reza, boss, chief := h.agent(ctx, "101"), h.agent(ctx, "102"), h.agent(ctx, "105"), h.agent(ctx, "106")
	caller := h.waits(ctx, "09121111111", "position-1")
	agent := h.takes(ctx, sara, caller)
	id := h.live(ctx, "09121111111")

	began := time.Now()
	b := h.listens(ctx, boss, id, call.Spy)
	h.hear(ctx, ears{b: {caller, agent}, caller: {agent}, agent: {caller}})
	h.must(b.SendDTMF(ctx, "5"))
	h.hear(ctx, ears{agent: {caller, b}, caller: {agent}, b: {caller, agent}})
	h.must(b.SendDTMF(ctx, "6"))
	h.hear(ctx, ears{caller: {agent, b}, agent: {caller, b}, b: {caller, agent}})
	h.must(b.SendDTMF(ctx, "4"))
	h.hear(ctx, ears{caller: {agent}, agent: {caller}, b: {caller, agent}})
	out, err := h.Command(ctx, "spy", id, "--as", "105", "--mode", "whisper")
	h.must(err)
	if !strings.Contains(out, "105 listens: whisper") {
		t.Errorf("the command says %q", out)
	}
	h.hear(ctx, ears{agent: {caller, b}, caller: {agent}})
	h.unbroken("the caller", caller, began, time.Now())
	if !agent.EverHeard(h.tones["position-3"]) || caller.EverHeard(h.tones["position-3"]) {
		t.Error("the beep is for the agent, and for nobody else")
	}

	// To a colleague: music for the caller, and the whisper goes to whom he gets.
	h.post(ctx, "/v1/calls/"+id+"/actions", "", map[string]any{"action": "transfer", "to": "102"})
	_, err = agent.WaitEnd(ctx)
	h.must(err)
	h.must(caller.WaitHearsOnly(ctx, tone.Music()))
	second, err := reza.NextCall(ctx)
	h.must(err)
	h.must(second.Answer())
	second.Speak()
	h.hear(ctx, ears{caller: {second}, second: {caller, b}, b: {caller, second}})
	time.Sleep(2 * time.Second) // something to record

	// Another supervisor takes over; the first hears on what he may.
	h.post(ctx, "/v1/monitors", "", map[string]any{"call": id, "extension": "105", "mode": "end"})
	_, err = b.WaitEnd(ctx)
	h.must(err)
	c := h.listens(ctx, chief, id, call.Takeover)
	_, err = second.WaitEnd(ctx)
	h.must(err)
	h.hear(ctx, ears{caller: {c}, c: {caller}})
	h.must(c.Hangup(ctx))
	_, err = caller.WaitEnd(ctx)
	h.must(err)

	r := h.record(ctx, "09121111111", func(c call.Call) bool {
		return len(c.Recordings) == 2 && c.Recordings[0].State == "done" && c.Recordings[1].State == "done"
	})
	checkMonitored(t, r)
	for i, voice := range []tone.Tone{sara.Voice, reza.Voice} { // a conversation with each
		hasVoices(t, filepath.Join(h.Dir(), "recordings", filepath.FromSlash(r.Recordings[i].File)), voice)
	}
	h.Bed.NothingLeft(t)
}

// checkMonitored looks at the record of a call with two agents, a supervisor who
// listened and one who took over.
func checkMonitored(t *testing.T, r call.Call) {
	t.Helper()
	if r.Disposition != call.CallAnsweredD || r.Agent != "sara" || r.By != call.ByAgent {
		t.Errorf("%s, %s, by %s", r.Disposition, r.Agent, r.By)
	}
	if len(r.Monitors) != 1 || r.Monitors[0].Address != "105" || r.Monitors[0].Ended == nil || r.Monitors[0].Why != "asked" ||
		!slices.Equal(r.Monitors[0].Modes, []string{"spy", "whisper", "barge", "spy", "whisper"}) {
		t.Errorf("monitors: %+v", r.Monitors)
	}
	var roles []call.Role
	for _, l := range r.Legs {
		roles = append(roles, l.Role)
	}
	if !slices.Equal(roles, []call.Role{call.RoleCaller, call.RoleAgent, call.RoleSupervisor, call.RoleAgent, call.RoleAgent}) {
		t.Errorf("legs: %v", roles)
	}
}

// Markaz is killed while a supervisor listens: the call goes on, and nothing of
// him is left.
func TestKilledWhileASupervisorListens(t *testing.T) {
	t.Parallel()
	h := asks(t)
	ctx := h.within(90 * time.Second)
	sara, boss := h.agent(ctx, "101"), h.agent(ctx, "105")
	caller := h.waits(ctx, "09121111111", "position-1")
	agent := h.takes(ctx, sara, caller)
	id := h.live(ctx, "09121111111")
	b := h.listens(ctx, boss, id, call.Whisper)
	h.hear(ctx, ears{b: {caller, agent}, agent: {caller, b}, caller: {agent}})
	killed := time.Now()
	h.Markaz().Kill()
	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	_, err := b.WaitEnd(ctx)
	h.must(err)
	h.hear(ctx, ears{agent: {caller}, caller: {agent}})
	h.unbroken("the caller", caller, killed, time.Now())
	h.unbroken("the agent", agent, killed, time.Now())

	b = h.listens(ctx, boss, id, call.Spy) // and again
	h.hear(ctx, ears{b: {caller, agent}, agent: {caller}, caller: {agent}})
	h.post(ctx, "/v1/calls/"+id+"/actions", "", map[string]any{"action": "hold"})
	h.must(caller.WaitHearsOnly(ctx, tone.Music()))
	h.post(ctx, "/v1/calls/"+id+"/actions", "", map[string]any{"action": "unhold"})
	h.hear(ctx, ears{agent: {caller}, caller: {agent}})
	out, err := h.Command(ctx, "hangup", id)
	h.must(err)
	if !strings.Contains(out, "ended") {
		t.Errorf("the command says %q", out)
	}
	for _, c := range []*conversation{caller, agent, b} {
		_, err := c.WaitEnd(ctx)
		h.must(err)
	}
	r := h.record(ctx, "09121111111", ended)
	if len(r.Monitors) != 2 || r.Monitors[0].Why != "lost" || r.Monitors[1].Why != "call_ended" && r.Monitors[1].Why != "agent_left" {
		t.Errorf("monitors: %+v", r.Monitors)
	}
	if r.Disposition != call.CallAnsweredD || r.By != call.BySystem {
		t.Errorf("%s by %s", r.Disposition, r.By)
	}
	h.Bed.NothingLeft(t)
}

// dialled is the record of the call that a request made, when it is over.
func (h *house) dialled(ctx context.Context, id string) call.Call {
	h.t.Helper()
	var found call.Call
	_, err := h.AwaitCalls(ctx, func(all []call.Call) bool {
		i := slices.IndexFunc(all, func(c call.Call) bool { return c.Ref == id && c.Over() })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	h.must(err)
	return found
}

func (h *house) clicks(ctx context.Context, key, to string) string {
	h.t.Helper()
	return h.post(ctx, "/v1/dials", key, map[string]any{"to": to, "extension": "101"})
}

// An agent dials from the page: each way in which that can end.
func TestClickToCall(t *testing.T) {
	t.Parallel()
	h := asks(t)
	ctx := h.within(120 * time.Second)
	sara, provider := h.agent(ctx, "101"), testbed.NewProvider(t, h.Bed)
	provider.OnCall(testbed.Ignore)

	// Answered; the agent hangs up. The same request again is the same call.
	ref := h.clicks(ctx, "first", "+98 912 111 1111")
	near, err := sara.NextCall(ctx)
	h.must(err)
	if near.FromUser != "09121111111" {
		t.Errorf("the agent's phone shows %s", near.FromUser)
	}
	if again := h.clicks(ctx, "first", "+98 912 111 1111"); again != ref {
		t.Errorf("a repeat is %s, not %s", again, ref)
	}
	h.must(near.Answer())
	far, err := provider.NextCall(ctx)
	h.must(err)
	if far.Dialled != "909121111111" || far.FromUser != "02188776655" {
		t.Errorf("%s was dialled from %s", far.Dialled, far.FromUser)
	}
	h.must(near.WaitHears(ctx, tone.Ringback()))
	h.must(far.Answer())
	h.talk(ctx, near, far)

	// Markaz is killed in mid-call; the call is adopted.
	h.Markaz().Kill()
	h.must(h.Begin())
	h.must(h.WaitReady(ctx))
	h.talk(ctx, near, far)
	h.must(near.Hangup(ctx))
	_, err = far.WaitEnd(ctx)
	h.must(err)
	c := h.dialled(ctx, ref)
	if c.Direction != call.Outbound || c.Origin != call.ClickToCall || c.From != "101" || c.To != "09121111111" || c.ToE164 != "+989121111111" {
		t.Errorf("%s %s from %s to %s, %s", c.Direction, c.Origin, c.From, c.To, c.ToE164)
	}
	if c.Disposition != call.CallAnsweredD || c.By != call.ByCaller || c.Reached != "09121111111" || len(c.Legs) != 2 {
		t.Errorf("%s by %s, reached %s, %d legs", c.Disposition, c.By, c.Reached, len(c.Legs))
	}

	// Answered; the other party hangs up.
	sara.OnCall(answerAndSpeak)
	provider.OnCall(answerAndSpeak)
	ref = h.clicks(ctx, "", "09122222222")
	near, err = sara.NextCall(ctx)
	h.must(err)
	far, err = provider.NextCall(ctx)
	h.must(err)
	h.talk(ctx, near, far)
	h.must(far.Hangup(ctx))
	_, err = near.WaitEnd(ctx)
	h.must(err)
	if c := h.dialled(ctx, ref); c.Disposition != call.CallAnsweredD || c.By != call.ByRemote {
		t.Errorf("%s by %s", c.Disposition, c.By)
	}
	clickResults(ctx, h, sara, provider)
	h.Bed.NothingLeft(t)
}

// clickResults goes through the ways in which nobody is reached, as the command
// tells them.
func clickResults(ctx context.Context, h *house, sara, provider *testbed.Phone) {
	t := h.t
	for name, way := range map[string]struct {
		provider, agent testbed.Reaction
		to, says        string
		want            call.Disposition
	}{
		"busy":      {testbed.RejectBusy, testbed.Answer, "09123333333", "The number is busy.", call.CallBusy},
		"rejected":  {testbed.RejectDecline, testbed.Answer, "09123333333", "The call was declined.", call.CallRejected},
		"not there": {testbed.RejectWith(404), testbed.Answer, "09123333333", "The number could not be reached.", call.CallFailed},
		"away":      {testbed.Answer, testbed.Ignore, "09123333333", "Your phone was not answered.", call.CallCancelled},
		"declines":  {testbed.Answer, testbed.RejectDecline, "09123333333", "Your phone refused the call.", call.CallCancelled},
		"forbidden": {testbed.Answer, testbed.Answer, "09091234567", "Numbers like this may not be dialled from here.", ""},
	} {
		provider.OnCall(way.provider)
		sara.OnCall(way.agent)
		out, err := h.Command(ctx, "dial", way.to, "--from", "101")
		if err == nil || !strings.Contains(err.Error(), way.says) {
			t.Errorf("%s: the command says %q, %v", name, out, err)
		}
		if way.want == "" {
			continue
		}
		all, err := h.Calls(ctx)
		h.must(err)
		if c := all[len(all)-1]; c.Disposition != way.want {
			t.Errorf("%s: %s, %+v", name, c.Disposition, c)
		}
	}
}

// elsewhere is a dialplan that knows nothing of Markaz, in front of ours.
const elsewhere = `#include markaz.conf
[from-elsewhere]
exten => _022.,1,Queue(support)
exten => _023.,1,Dial(PJSIP/101&PJSIP/102,20)
exten => _021.,1,Goto(markaz-inbound-stasis,${EXTEN},1)
`

// A supervisor on calls of app_queue and of a ring group, which Markaz only
// observes; it can hang them up, too, and do no more.
func TestASupervisorOnCallsOfAnotherDialplan(t *testing.T) {
	t.Parallel()
	h := newHouse(t, office.Options{Observe: "{enabled: true}", Bed: testbed.Options{
		TrunkContext: "from-elsewhere", Files: map[string]string{"extensions.conf": elsewhere},
		Queues: map[string][]string{"support": {"PJSIP/102"}},
	}})
	ctx := h.within(90 * time.Second)
	reza, boss := h.agent(ctx, "102"), h.agent(ctx, "105")
	reza.OnCall(answerAndSpeak)
	for number, from := range map[string]string{"02212345678": "09121111111", "02312345678": "09122222222"} {
		caller := h.dial(ctx, number, from)
		caller.Speak()
		agent, err := reza.NextCall(ctx)
		h.must(err)
		h.hear(ctx, ears{caller: {agent}, agent: {caller}})
		id := h.live(ctx, from)
		began := time.Now()
		b := h.listens(ctx, boss, id, call.Spy)
		h.hear(ctx, ears{b: {caller, agent}, caller: {agent}, agent: {caller}})
		h.must(b.SendDTMF(ctx, "5"))
		h.hear(ctx, ears{agent: {caller, b}, caller: {agent}, b: {caller, agent}})
		h.must(b.SendDTMF(ctx, "6"))
		h.hear(ctx, ears{caller: {agent, b}, agent: {caller, b}, b: {caller, agent}})
		h.must(b.SendDTMF(ctx, "4"))
		h.hear(ctx, ears{caller: {agent}, agent: {caller}, b: {caller, agent}})
		h.unbroken("the caller", caller, began, time.Now())
		if out, err := h.Command(ctx, "spy", id, "--as", "105", "--mode", "takeover"); err == nil || !strings.Contains(err.Error(), "another dialplan") {
			t.Errorf("taking over: %q, %v", out, err)
		}
		h.post(ctx, "/v1/calls/"+id+"/actions", "", map[string]any{"action": "hangup"})
		for _, c := range []*conversation{caller, agent, b} {
			_, err := c.WaitEnd(ctx)
			h.must(err)
		}
		r := h.record(ctx, from, ended)
		if r.Disposition != call.CallAnsweredD || len(r.Monitors) != 1 || r.Monitors[0].Ended == nil ||
			!slices.Equal(r.Monitors[0].Modes, []string{"spy", "whisper", "barge", "spy"}) {
			t.Errorf("the record: %+v", r)
		}
	}
	all, err := h.Calls(ctx)
	h.must(err)
	if len(all) != 2 {
		t.Errorf("%d records of two calls: %+v", len(all), all)
	}
	h.Bed.NothingLeft(t)
}
