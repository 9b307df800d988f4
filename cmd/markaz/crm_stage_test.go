package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/apps/crm/conformance/bitrix24"
	"markaz/apps/crm/conformance/odoo"
	"markaz/apps/crm/conformance/payamgostar"
	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/asterisk/testbed/proc"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
	"markaz/dialplan"
	"markaz/stream"
)

// Who calls: one whom each CRM knows, and one whom nobody does.
const (
	fromAli      = "09121111111" // in Bitrix24
	fromMina     = "09122222222" // in Odoo
	fromReza     = "09123333333" // in PayamGostar
	fromNeda     = "09124444444" // in Bitrix24, and as somebody else in PayamGostar
	fromStranger = "09125555555"

	nameAli, nameMina, nameReza, nameNeda = "علی احمدی", "Mina Rad", "Reza Karimi", "Neda Azad"

	bitrixSara = 1001 // the agent sara in Bitrix24
)

// e164 is the same number as it is known all over the world. Bitrix24 has it
// so, and finds nobody by another form.
func e164(from string) string { return "+98" + from[1:] }

// crmOffice is an office that three CRMs are told of, each of which enforces
// its vendor's rules. They reach Markaz at an address for them alone.
type crmOffice struct {
	*house
	bitrix  *bitrix24.Portal
	gate    *lookUpGate // in front of it
	payam   *payamgostar.Server
	odoo    *odoo.Server
	public  string // host:port
	handler string // where Bitrix24 sends its events
}

const crmSinks = `
  - name: bitrix
    bitrix24:
      {url: %[1]q, oauth_url: "%[1]s/oauth/token/", client_id: local.app, client_secret: hush, handler: %[2]q,
       default_user: 1, recording: link, allow_private: true}
  - name: payam
    payamgostar: {url: %[3]q, username: markaz, password: hush, ts_key: office, register_peers: true, allow_private: true}
  - name: odoo
    odoo: {url: %[4]q, database: office, login: markaz, password: hush, recording: link, allow_private: true}`

// newCRMOffice opens it; sections are more of the configuration.
func newCRMOffice(t *testing.T, sections map[string]string) *crmOffice {
	t.Helper()
	o := &crmOffice{
		bitrix: bitrix24.New(bitrix24.Options{
			ClientID: "local.app", ClientSecret: "hush", AppOnly: true,
			Users: []bitrix24.User{{ID: 1, Name: "Chief"}, {ID: bitrixSara, Name: "Sara", Extension: "101"}},
			People: []bitrix24.Person{
				{Type: "CONTACT", ID: 7, Name: nameAli, Number: e164(fromAli)}, {Type: "LEAD", ID: 8, Name: nameNeda, Number: e164(fromNeda)},
			},
		}),
		payam: payamgostar.New(payamgostar.Options{
			Username: "markaz", Password: "hush", Key: "office",
			Identities: map[string]string{fromReza: nameReza, fromNeda: "Somebody else"},
		}),
		odoo: odoo.New(odoo.Options{
			Database: "office", Login: "markaz", Password: "hush", Users: []odoo.User{{Name: "Sara", Phone: "101"}},
			Contacts: []odoo.Contact{{Name: nameMina, Mobile: "+98 (912) 222-2222"}},
		}),
	}
	o.gate = newLookUpGate(o.bitrix)
	ports, err := proc.ReservePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ports.Release)
	o.public = ports.Addr(0)
	o.handler = "http://" + o.public + "/crm/bitrix"
	all := map[string]string{
		"crm":         fmt.Sprintf(crmSinks, at(t, o.gate), o.handler, at(t, o.payam), at(t, o.odoo)),
		"public":      fmt.Sprintf("{url: %q, listen: %q}", "http://"+o.public, o.public),
		"numbers":     `{country: IR, city: "21", release: "9"}`,
		"identify":    "{timeout: 10s}", // nobody is hurried
		"clicktocall": `{caller_id: "02188776655"}`,
		"ivr":         strings.ReplaceAll(usualMenus, "timeout: 2s", "timeout: 60s"),
	}
	maps.Copy(all, sections)
	o.house = newHouse(t, office.Options{Bed: testbed.Options{TrunkContext: dialplan.ContextInboundStasis}, Sections: all})
	o.must(o.bitrix.Install(o.within(time.Minute), o.handler))
	return o
}

// at serves a CRM and returns its address.
func at(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.URL
}

// lookUpGate can keep look-ups in Bitrix24 waiting, for as long as the test likes.
type lookUpGate struct {
	portal http.Handler
	shut   chan struct{} // holds a token while it is shut; taking that opens it
	asked  chan struct{} // a token for each look-up that had to wait
}

func newLookUpGate(portal http.Handler) *lookUpGate {
	return &lookUpGate{portal, make(chan struct{}, 1), make(chan struct{}, 100)}
}

// ServeHTTP implements http.Handler.
func (g *lookUpGate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // or the server would not see that the client leaves
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if strings.HasSuffix(strings.ToLower(r.URL.Path), "searchcrmentities") {
		if len(g.shut) > 0 {
			g.asked <- struct{}{}
		}
		for len(g.shut) > 0 {
			select {
			case <-time.After(5 * time.Millisecond):
			case <-r.Context().Done():
				return
			}
		}
	}
	g.portal.ServeHTTP(w, r)
}

// until waits for a condition.
func (h *house) until(ctx context.Context, what string, so func() bool) {
	h.t.Helper()
	defer func() {
		if ctx.Err() != nil { // which what so needs may have told already
			h.t.Log("while waiting:", what)
		}
	}()
	for !so() {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			h.t.Fatalf("%s: %v", what, ctx.Err())
		}
	}
}

// told waits until every CRM has been told all there is.
func (o *crmOffice) told(ctx context.Context) {
	o.t.Helper()
	o.until(ctx, "CRMs have not been told everything", func() bool {
		out, err := o.Command(ctx, "deliveries", "list", "--json")
		o.must(err)
		sinks := 0
		for line := range strings.Lines(out) {
			var g stream.GroupStatus
			o.must(json.Unmarshal([]byte(line), &g))
			if g.Dead > 0 {
				o.t.Fatalf("%s: %s", out, o.Log())
			}
			if strings.HasPrefix(g.Name, "crm-") && g.Lag == 0 && g.Open == 0 {
				sinks++
			}
		}
		return sinks == 3
	})
}

// eventsOf are the events of a call, of one kind.
func (o *crmOffice) eventsOf(ctx context.Context, id string, kind call.Kind) []call.Event {
	o.t.Helper()
	all, err := o.Events(ctx)
	o.must(err)
	return slices.DeleteFunc(all, func(e call.Event) bool { return e.Call != id || e.Kind != kind })
}

// shown is a call as the API tells it.
func (o *crmOffice) shown(ctx context.Context, id string) (c call.Call) {
	o.t.Helper()
	status, body, _ := o.fetch(ctx, o.Web()+"/v1/calls/"+id, office.Token)
	if status != http.StatusOK {
		o.t.Fatalf("call %s: %d %s", id, status, body)
	}
	o.must(json.Unmarshal(body, &c))
	return c
}

// fetch gets what is at an address.
func (o *crmOffice) fetch(ctx context.Context, address, token string) (int, []byte, http.Header) {
	o.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	o.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	o.must(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	o.must(err)
	return res.StatusCode, body, res.Header
}

// hearsFor waits until somebody has heard a voice for so long, all in all.
func (h *house) hearsFor(ctx context.Context, c *conversation, voice tone.Tone, d time.Duration) {
	h.t.Helper()
	h.until(ctx, "a conversation of "+d.String(), func() bool {
		var sum time.Duration
		for _, s := range c.Spans(voice) {
			sum += s.To.Sub(s.From)
		}
		return sum >= d
	})
}
