package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"markaz/access"
	"markaz/apps/dashboard/browsertest"
	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/dialplan"
)

// deskOffice is an office with two teams and three people who log in.
func deskOffice(t *testing.T) *house {
	t.Helper()
	hash, err := access.HashCost{MemoryKiB: 64, Passes: 1}.Hash("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	return newHouse(t, office.Options{
		Bed: testbed.Options{TrunkContext: dialplan.ContextInboundStasis},
		Sections: map[string]string{
			"agents": "\n  - {id: sara, name: Sara, extension: \"101\", auto_login: true}\n  - {id: reza, name: Reza, extension: \"102\"}",
			"queues": usualQueues + "\n  - {name: support, agents: [reza]}",
			"spy":    `{}`, "clicktocall": `{}`,
			"access": fmt.Sprintf(`
  password: {memory_kib: 64, passes: 1}
  users:
    - {name: boss, display: Mina, role: administrator, extensions: ["110"], password: %[1]q}
    - {name: sara, role: agent, password: %[1]q}
    - {name: reza, role: agent, password: %[1]q}`, hash),
		},
	})
}

// logIn opens a page as a person does.
func (h *house) logIn(tab *browsertest.Tab, name, path string) {
	h.t.Helper()
	tab.Go(h.Web() + path)
	tab.Wait("the log-in page", "location.pathname === '/login' && document.querySelector('input[name=password]')")
	tab.Type("input[name=name]", name)
	tab.Type("input[name=password]", "correct horse\r")
	tab.Wait("the page "+path, fmt.Sprintf("location.pathname === %q", path))
	tab.WaitText(".link", "live")
}

// One call as those at the desk see it: it comes, rings, is listened to by a
// click, is not seen by the other team, is ended by a click, and its recording
// is played.
func TestTheDesk(t *testing.T) {
	h := deskOffice(t)
	ctx := h.within(100 * time.Second)
	b := browsertest.Start(t)
	sara, boss := h.agent(ctx, "101"), h.agent(ctx, "110")

	page := b.Tab(1400, 900)
	page.Go(h.Web() + "/")
	page.Type("input[name=name]", "boss")
	page.Type("input[name=password]", "wrong\r")
	page.WaitText(".note", "wrong")
	h.logIn(page, "boss", "/board")
	other := b.Tab(1000, 800)
	h.logIn(other, "reza", "/phone")

	caller := h.dial(ctx, "0218", "09121111111")
	page.WaitText("#calls", "09121111111")
	page.WaitText("[data-key='x:101']", "ringing")
	ringing, err := sara.NextCall(ctx)
	h.must(err)
	h.must(ringing.Answer())
	caller.Speak()
	ringing.Speak()
	page.WaitText("#calls", "talking")
	page.WaitText("[data-key='x:101']", "09121111111")
	h.must(caller.WaitHearsOnly(ctx, sara.Voice))
	id := h.live(ctx, "09121111111")

	h.spiesByClick(page, boss, caller, sara)
	h.otherTeamSeesNothing(other, id)

	page.Click("#calls [data-open]")
	page.Click("[data-do=hangup]")
	_, err = caller.WaitEnd(ctx)
	h.must(err)
	page.WaitText("#ended", "09121111111")
	page.Wait("no call goes on", "document.querySelectorAll('#calls tr').length === 0")
	h.record(ctx, "09121111111", recorded)

	page.Go(h.Web() + "/calls/" + id)
	page.WaitText("main", "Who listened")
	page.Wait("the waveform", "document.querySelector('.player')?.dataset.drawn > 0")
	page.Click("[data-play]")
	page.Wait("it plays", "document.querySelector('audio').currentTime > 0.2")
	page.Go(h.Web() + "/calls/" + id)
	page.WaitText("main", "played")
	page.Axe("call")

	page.Go(h.Web() + "/phone")
	page.Type("#number", "101\r")
	dialled, err := boss.NextCall(ctx)
	h.must(err)
	page.WaitText("#current", "101")
	h.must(dialled.Reject(486))
	h.Bed.NothingLeft(t)
}

// spiesByClick clicks on listen, answers the phone that rings, and leaves.
func (h *house) spiesByClick(page *browsertest.Tab, boss *testbed.Phone, caller *testbed.Conversation, sara *testbed.Phone) {
	h.t.Helper()
	ctx := h.within(40 * time.Second)
	page.Click("#calls [data-monitor=spy]")
	spy, err := boss.NextCall(ctx)
	h.must(err)
	if spy.FromName != "SPY" {
		h.t.Errorf("the supervisor's phone shows %q", spy.FromName)
	}
	h.must(spy.Answer())
	h.must(spy.WaitHearsOnly(ctx, sara.Voice, caller.Phone().Voice))
	page.Wait("the button shows it", "document.querySelector('#calls [data-monitor=spy]').ariaPressed === 'true'")
	page.Click("#calls [data-monitor=whisper]")
	page.Wait("the mode has changed", "document.querySelector('#calls [data-monitor=whisper]').ariaPressed === 'true'")
	h.must(spy.Hangup(ctx))
	page.Wait("nobody listens", "document.querySelector('#calls [data-monitor=whisper]').ariaPressed === 'false'")
}

// otherTeamSeesNothing looks at page, API, event stream and recordings.
func (h *house) otherTeamSeesNothing(tab *browsertest.Tab, id string) {
	h.t.Helper()
	tab.Wait("the page is live", "document.documentElement.dataset.rev")
	if text := tab.Text("body"); strings.Contains(text, "09121111111") {
		h.t.Errorf("the other team's page shows the call: %s", text)
	}
	for _, path := range []string{"/calls/" + id, "/v1/calls/" + id, "/v1/calls/" + id + "/events", "/v1/calls/" + id + "/recordings/x", "/calls/" + id + "/recordings/x/peaks"} {
		tab.Expect("status of 404", "status of 403")
		if status := browsertest.Eval[int](tab, fmt.Sprintf("fetch(%q, {headers: {Accept: 'application/json'}}).then((r) => r.status)", path)); status != http.StatusNotFound && status != http.StatusForbidden {
			h.t.Errorf("%s: %d", path, status)
		}
	}
	for _, path := range []string{"/v1/board", "/v1/calls", "/calls"} {
		if text := browsertest.Eval[string](tab, fmt.Sprintf("fetch(%q).then((r) => r.text())", path)); strings.Contains(text, "09121111111") {
			h.t.Errorf("%s shows the other team's call", path)
		}
	}
	if text := browsertest.Eval[string](tab, `fetch('/v1/events').then(async (r) => { const b = r.body.getReader(); let s = ''; while (!s.includes('"rows"')) s += new TextDecoder().decode((await b.read()).value); b.cancel(); return s; })`); strings.Contains(text, "09121111111") || !strings.Contains(text, "x:101") {
		h.t.Errorf("the event stream of the other team: %s", text)
	}
}

// Agents, users and teams are shown at their extensions.
func TestWhoIsOnTheBoard(t *testing.T) {
	cfg, err := load(write(t, accessConfigText(t)))
	if err != nil {
		t.Fatal(err)
	}
	zone, err := cfg.Dash.Location()
	if err != nil {
		t.Fatal(err)
	}
	people := cfg.board(zone).People
	if len(people) != 1 || people[0].Number != "101" || people[0].Name != "Sara" || len(people[0].Teams) != 1 {
		t.Errorf("%+v", people)
	}
}
