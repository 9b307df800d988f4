package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"markaz/access"
	"markaz/access/audit"
	"markaz/access/store"
	"markaz/call"
)

func TestCallsAreThoseThatOneSees(t *testing.T) {
	h := newHouse(t)
	for user, want := range map[string][2]string{
		"sara": {"c1 l1", "e1"}, "omid": {"d1", "f1"}, "leila": {"c1 l1", "e1"}, "nima": {"d1", "f1"}, "root": {"c1 d1 l1", "e1 f1"},
	} {
		for i, path := range []string{"/v1/calls", "/v1/calls?state=ended&limit=7"} {
			var out struct{ Calls []struct{ ID string } }
			if err := json.Unmarshal([]byte(h.want(200, user, "GET", path, "")), &out); err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, c := range out.Calls {
				ids = append(ids, c.ID)
			}
			if got := strings.Join(ids, " "); got != want[i] {
				t.Errorf("%s sees %q at %s, want %q", user, got, path, want[i])
			}
		}
	}
	h.asked = nil
	h.want(200, "leila", "GET", "/v1/calls?state=all&number=0912&name=x&extension=101&agent=sara&queue=sales&direction=inbound&disposition=missed,busy&recorded=yes&from=2026-03-21T00:00:00Z&cursor=abc&limit=3", "")
	q := h.asked[0]
	if q.Number != "0912" || q.Extension != "101" || q.Queue != "sales" || len(q.Disposition) != 2 || q.Recorded == nil || !*q.Recorded || q.Live != nil || q.Cursor != "abc" || q.Limit != 3 || q.From.Year() != 2026 || q.Visible.All || len(q.Visible.Extensions) != 2 {
		t.Errorf("%+v", q)
	}
	h.want(422, "leila", "GET", "/v1/calls?state=all&cursor=broken", "", `"code":"E4220"`)
	h.want(422, "leila", "GET", "/v1/calls?state=dead", "", `"code":"E4220"`)
	h.want(422, "leila", "GET", "/v1/calls?limit=501", "")
	h.want(422, "leila", "GET", "/v1/calls?sort=x", "")
}

func TestWhy(t *testing.T) {
	h := newHouse(t)
	h.want(200, "leila", "GET", "/v1/calls/e1/access", "", `"right":"see","ok":true`, "team sales", `"right":"download","ok":false`)
	_, text, _ := h.ask("omid", "GET", "/v1/calls/e1/access", "", "Accept-Language", "ru-RU,ru;q=0.9")
	if !strings.Contains(text, `"right":"see","ok":false`) || !strings.Contains(text, "но не здесь") || !strings.Contains(text, "access.no.elsewhere") {
		t.Error(text)
	}
	h.want(200, "root", "GET", "/v1/calls/e1/access?user=omid", "", `"user":"omid"`, `"right":"see","ok":false`)
	h.want(404, "root", "GET", "/v1/calls/e1/access?user=nobody", "", "E4042")
}

func TestMonitorEvents(t *testing.T) {
	h := newHouse(t)
	h.want(202, "leila", "POST", "/v1/monitors", `{"call":"c1","leg":"c1-b","mode":"whisper","reason":"new here","limit_seconds":90}`, `"request":"request-`)
	e := h.taken()[0]
	if e.Kind != call.MonitorAsked || e.Call != "c1" || e.Leg != "c1-b" || e.Mode != call.Whisper || e.Agent != "leila" || e.Address != "110" ||
		e.Reason != "new here" || e.DurationMS != 90_000 || e.Data["modes"] != "spy,whisper,barge" || e.Ref == "" {
		t.Errorf("%+v", e)
	}
	last := h.audited(audit.Query{What: "monitor", Limit: 1})[0]
	if last.Target != "c1" || last.Reason != "new here" || last.Detail != "whisper 101 sara" || last.From != "127.0.0.1" {
		t.Errorf("%+v", last)
	}
	h.want(202, "leila", "PATCH", "/v1/monitors/c1-m", `{"mode":"barge"}`)
	if e := h.taken()[0]; e.Mode != call.Barge || e.Call != "c1" || e.Address != "110" {
		t.Errorf("%+v", e)
	}
	h.want(202, "leila", "POST", "/v1/monitors", `{"call":"c1","mode":"end"}`)
	if e := h.taken()[0]; e.Mode != call.StopSpy || e.Agent != "leila" {
		t.Errorf("%+v", e)
	}
	h.want(404, "leila", "POST", "/v1/monitors", `{"call":"c1","leg":"nobody","mode":"spy"}`)
	h.want(403, "leila", "POST", "/v1/monitors", `{"call":"c1","mode":"spy","extension":"1010"}`)
	h.want(422, "leila", "POST", "/v1/monitors", `{"call":"c1","mode":"spy","extension":"PJSIP/1&2"}`)
	h.want(422, "leila", "POST", "/v1/monitors", `{"call":"c1","mode":"eavesdrop"}`)
	h.taken()
	h.want(202, "leila", "POST", "/v1/monitors", `{"call":"c1","mode":"spy"}`)
	if e := h.taken(); len(e) != 2 || e[0].State != call.MonitorPending || e[1].State != call.MonitorRecorded || e[1].Ref != e[0].Ref || e[1].Call != "c1" {
		t.Errorf("%+v", e)
	}
	h.full = true
	h.want(503, "leila", "POST", "/v1/monitors", `{"call":"c1","mode":"spy"}`, "E5032")
}

// What cannot be recorded is not done: the phone may have rung, nothing is heard.
func TestMonitorThatCannotBeRecorded(t *testing.T) {
	h := newHouse(t)
	if err := h.gate.Audit().Close(); err != nil {
		t.Fatal(err)
	}
	h.want(503, "leila", "POST", "/v1/monitors", `{"call":"c1","mode":"spy"}`, "E5034")
	if e := h.taken(); len(e) != 2 || e[0].State != call.MonitorPending || e[1].State != call.MonitorUnrecorded || e[1].Ref != e[0].Ref {
		t.Errorf("%+v", e)
	}
}

func TestDials(t *testing.T) {
	h := newHouse(t)
	h.want(202, "sara", "POST", "/v1/dials", `{"to":"+98 (21) 1234-5678","caller_id":"02188"}`)
	if e := h.taken()[0]; e.Kind != call.DialAsked || e.To != "+982112345678" || e.Address != "101" || e.Agent != "sara" || e.From != "02188" {
		t.Errorf("%+v", e)
	}
	h.want(202, "sara", "POST", "/v1/dials", `{"to":"۰۹۱۲۱۲۳۴۵۶۷"}`)
	if e := h.taken()[0]; e.To != "09121234567" {
		t.Errorf("Persian digits: %+v", e)
	}
	for _, bad := range []string{"", "sip:x@evil.example", "1,2", "112&113", "12\r\n34", "${SHELL(x)}", "+", "1+2", strings.Repeat("1", 40)} {
		body, _ := json.Marshal(map[string]string{"to": bad})
		h.want(422, "sara", "POST", "/v1/dials", string(body))
	}
	h.want(422, "sara", "POST", "/v1/dials", `{"to":"123","caller_id":"x<script>"}`)
	if events := h.taken(); len(events) != 0 {
		t.Errorf("hostile numbers were passed on: %+v", events)
	}
	once := func(user, key, to string) (int, string) {
		t.Helper()
		code, text, _ := h.ask(user, "POST", "/v1/dials", `{"to":"`+to+`"}`, "Idempotency-Key", key)
		return code, text
	}
	_, first := once("sara", "k1", "0211")
	code, again := once("sara", "k1", "0211")
	if code != 202 || first != again || len(h.taken()) != 1 {
		t.Errorf("a repeat: %d %s %s", code, first, again)
	}
	if code, text := once("sara", "k1", "0212"); code != 409 || !strings.Contains(text, "E4090") {
		t.Errorf("the key of another request: %d %s", code, text)
	}
	if _, other := once("omid", "k1", "0211"); other == first || len(h.taken()) != 1 {
		t.Error("users share a key")
	}
	h.full = true
	if code, _ := once("sara", "k2", "0211"); code != 503 {
		t.Error(code)
	}
	h.full = false
	if code, _ := once("sara", "k2", "0211"); code != 202 || len(h.taken()) != 1 {
		t.Error("a request that was not taken cannot be repeated")
	}
	h.mu.Lock()
	h.now = h.now.Add(25 * time.Hour)
	h.mu.Unlock()
	if _, later := once("sara", "k1", "0211"); len(h.taken()) != 1 || later != first {
		t.Error("a key is for a day, and its request keeps its id")
	}
}

func TestRecordings(t *testing.T) {
	h := newHouse(t)
	code, text, head := h.ask("sara", "GET", "/v1/calls/e1/recordings/e1-r", "")
	if code != 200 || text != tune || head.Get("Content-Type") != "audio/wav" || head.Get("Content-Disposition") != "" || head.Get("Accept-Ranges") != "bytes" {
		t.Errorf("%d %q %v", code, text, head)
	}
	code, text, head = h.ask("sara", "GET", "/v1/calls/e1/recordings/e1-r", "", "Range", "bytes=0-3")
	if code != 206 || text != "RIFF" || head.Get("Content-Range") == "" {
		t.Errorf("a part: %d %q %v", code, text, head)
	}
	if len(h.heard) != 1 || h.heard[0].Who != "sara" || h.heard[0].How != "play" || h.heard[0].From != "127.0.0.1" {
		t.Errorf("listened: %+v", h.heard)
	}
	code, _, head = h.ask("root", "GET", "/v1/calls/e1/recordings/e1-r?download=true", "")
	if code != 200 || head.Get("Content-Disposition") != `attachment; filename="2026-03-21-080000-e1-r.wav"` {
		t.Errorf("download: %d %v", code, head)
	}
	h.want(200, "sara", "GET", "/v1/calls/e1/listened", "", `"who":"root"`, `"how":"download"`)
	if list := h.audited(audit.Query{What: "recording", Target: "e1/e1-r"}); len(list) != 2 || list[0].Detail != "download" {
		t.Errorf("%+v", list)
	}
	for _, path := range []string{
		"/v1/calls/e1/recordings/none", "/v1/calls/e1/recordings/..%2f..%2fetc%2fpasswd", "/v1/calls/none/recordings/e1-r",
		"/v1/calls/e1/recordings/%2e%2e", "/v1/calls/e1/recordings/2026%2f03%2f21%2fx.wav", "/v1/calls/f1/recordings/f1-r",
	} {
		h.want(404, "root", "GET", path, "")
	}
	h.want(403, "omid", "GET", "/v1/calls/e1/recordings/e1-r", "", "E4031")
}

func TestTheCallOfAnAgentIsNotTold(t *testing.T) {
	h := newHouse(t)
	text := h.want(200, "omid", "GET", "/v1/agents", "", `"call":"d1"`, `"id":"sara"`)
	if strings.Contains(text, "c1") {
		t.Errorf("another team's call is told: %s", text)
	}
}

func TestHostileRequests(t *testing.T) {
	h := newHouse(t)
	h.want(400, "sara", "PUT", "/v1/agents/sara/state", `{`, "E4000")
	h.want(400, "sara", "PUT", "/v1/agents/sara/state", `{"state":"paused","x":1}`, "E4000")
	h.want(422, "sara", "PUT", "/v1/agents/sara/state", `{"state":"asleep"}`, "E4220")
	h.want(413, "sara", "PUT", "/v1/agents/sara/state", `{"state":"paused","reason":"`+strings.Repeat("x", 5000)+`"}`, "E4130")
	h.want(404, "root", "PUT", "/v1/agents/nobody/state", `{"state":"paused"}`, "E4040")
	h.want(422, "sara", "POST", "/v1/calls/c1/actions", `{"action":"hangup","to":"102"}`)
	h.want(422, "sara", "POST", "/v1/calls/c1/actions", `{"action":"transfer"}`)
	h.want(404, "sara", "GET", "/v1/calls/"+strings.Repeat("x", 60), "")
	h.want(422, "sara", "GET", "/v1/calls/"+strings.Repeat("x", 600), "")
	code, text, head := h.ask("sara", "POST", "/v1/dials", `to=1`, "Content-Type", "application/x-www-form-urlencoded")
	if code != 415 || head.Get("Content-Type") != "application/problem+json" {
		t.Errorf("a form: %d %s", code, text)
	}
	if events := h.taken(); len(events) != 0 {
		t.Errorf("%+v", events)
	}
}

func TestPace(t *testing.T) {
	h := newHouse(t)
	codes := map[int]int{}
	for range 300 {
		code, _, head := h.ask("sara", "GET", "/v1/me", "")
		codes[code]++
		if code == http.StatusTooManyRequests && head.Get("Retry-After") == "" {
			t.Fatal("no Retry-After")
		}
	}
	if codes[200] != atOnce || codes[429] != 300-atOnce {
		t.Errorf("%v", codes)
	}
	h.want(200, "omid", "GET", "/v1/me", "")
}

func TestTokensOfTheAPI(t *testing.T) {
	h := newHouse(t)
	var out struct {
		Token  struct{ ID string }
		Secret string
		Link   string
	}
	text := h.want(201, "root", "POST", "/v1/tokens", `{"name":"bi","role":"supervisor","only":["reports"],"days":1}`)
	if err := json.Unmarshal([]byte(text), &out); err != nil || !store.IsToken(out.Secret) {
		t.Fatal(text, err)
	}
	h.tokens["bi"] = out.Secret
	h.want(200, "bi", "GET", "/v1/reports", "")
	h.want(403, "bi", "GET", "/v1/calls", "")
	if list := h.want(200, "root", "GET", "/v1/tokens", "", out.Token.ID); strings.Contains(list, out.Secret) {
		t.Error("secrets are shown")
	}
	h.want(204, "root", "DELETE", "/v1/tokens/"+out.Token.ID, "")
	h.want(401, "bi", "GET", "/v1/reports", "")
	for _, bad := range []string{`{"name":"x"}`, `{"name":"x","role":"agent","user":"sara"}`, `{"name":"x","user":"nobody"}`, `{"name":"x","role":"king"}`, `{"name":"x","role":"agent","only":["fly"]}`} {
		h.want(422, "root", "POST", "/v1/tokens", bad)
	}
	h.want(201, "root", "POST", "/v1/tokens", `{"name":"hall","role":"kiosk"}`, `"link":"/kiosk/mkz_`)
	// Who may make tokens, and little else, makes none that can do more.
	_, secret, err := h.gate.Store().AddToken(t.Context(), store.Token{Name: "maker", User: "root", Only: []access.Right{access.Tokens, access.Board}, Created: h.now})
	if err != nil {
		t.Fatal(err)
	}
	h.tokens["maker"] = secret
	h.want(403, "maker", "POST", "/v1/tokens", `{"name":"x","role":"administrator"}`)
	h.want(201, "maker", "POST", "/v1/tokens", `{"name":"x","role":"kiosk"}`)
}

func TestDocument(t *testing.T) {
	h := newHouse(t)
	code, text, _ := h.ask("", "GET", "/v1/openapi.json", "")
	var doc struct {
		OpenAPI    string
		Paths      map[string]map[string]struct{ OperationID, Summary, Description string }
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil || code != 200 || doc.OpenAPI != "3.1.0" {
		t.Fatal(code, err, doc.OpenAPI)
	}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			if op.OperationID == "" || op.Summary == "" || !strings.Contains(op.Description, "Needs the right") && !strings.Contains(op.Description, "For everybody") {
				t.Errorf("%s %s is told badly: %+v", method, path, op)
			}
		}
	}
	if !strings.Contains(text, `"E4031"`) || doc.Components.Schemas["Call"] == nil {
		t.Error("codes or calls are not documented")
	}
	code, page, head := h.ask("", "GET", "/v1/docs", "")
	if code != 200 || !strings.Contains(page, "/v1/monitors") || strings.Contains(page, "<script") || strings.Contains(page, "style=") || !strings.HasPrefix(head.Get("Content-Type"), "text/html") {
		t.Errorf("page: %d %.200s", code, page)
	}
	if code, _, head := h.ask("", "GET", "/v1/docs.css", ""); code != 200 || !strings.HasPrefix(head.Get("Content-Type"), "text/css") {
		t.Error(code, head)
	}
}
