package crm

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/apps/crm/conformance/bitrix24"
	"markaz/apps/crm/fault"
	"markaz/call"
)

const b24Default = 1

func b24Portal(c *clock, change func(*bitrix24.Options)) *bitrix24.Portal {
	opt := bitrix24.Options{
		Hook: "1/hookc0de", ClientID: "local.app", ClientSecret: "appsecret", Now: c.now,
		Users:  []bitrix24.User{{ID: b24Default}, {ID: 11, Extension: "101"}, {ID: 12, Extension: "102"}, {ID: 99, Extension: "199", Inactive: true}},
		People: []bitrix24.Person{{Type: "CONTACT", ID: 797, Name: "Sara Ahmadi", Number: "+989121234567"}},
	}
	if change != nil {
		change(&opt)
	}
	return bitrix24.New(opt)
}

func b24Serve(p *bitrix24.Portal) standIn {
	mux := http.NewServeMux()
	mux.HandleFunc("/files/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "RIFF linked ", r.URL.Path) })
	mux.Handle("/", p)
	srv := httptest.NewServer(mux)
	return standIn{srv: srv, script: p.Script(), notes: &MemoryNotes{}, config: SinkConfig{Name: "b24", Bitrix24: &Bitrix24{
		URL: srv.URL, Webhook: NewSecret("1/hookc0de"), DefaultUser: b24Default,
		Net: Net{AllowPrivate: true, Timeout: time.Minute},
	}}}
}

// Ensure each shape of call gives exactly the one right row, or none, whatever
// request fails in whatever way, and that no card stays open.
func TestBitrix24Rows(t *testing.T) {
	var portal *bitrix24.Portal
	b := crmBench{start: func(c *clock) standIn {
		portal = b24Portal(c, nil)
		return b24Serve(portal)
	}}
	users := map[string]int{"": b24Default, "101": 11, "102": 12}
	codes := map[call.Disposition]string{call.CallAnsweredD: "200", call.CallBusy: "486", call.Missed: "304", call.AbandonedIVR: "304", call.CallLost: "304"}
	b.everywhere(t, func(t *testing.T, _ standIn, how string, want shape) {
		t.Helper()
		rows := portal.Rows()
		if want.number == "" || want.direction == call.Internal {
			if len(rows) != 0 {
				t.Errorf("%s: %+v", how, rows)
			}
			return
		}
		if len(rows) != 1 {
			t.Fatalf("%s: %d rows %+v", how, len(rows), rows)
		}
		kind := 2
		if want.direction == call.Outbound {
			kind = 1
		}
		got := rows[0]
		wanted := bitrix24.Row{
			CallID: got.CallID, ExternalID: want.events[0].Call, User: users[want.extension], Number: want.number, Line: got.Line,
			Type: kind, Start: t0, Duration: want.seconds, Status: codes[want.result], Reason: got.Reason, File: got.File, Content: got.Content,
		}
		got.Start = got.Start.UTC()
		if !reflect.DeepEqual(got, wanted) || (got.File != 0) != want.recording || (got.Content == "RIFF 2026/03/21/x.wav") != want.recording {
			t.Errorf("%s: row %+v, want %+v", how, got, wanted)
		}
		if n := portal.Open(); n != 0 {
			t.Errorf("%s: %d cards stay open", how, n)
		}
	})
}

// b24Live is a sink on a portal, to be told one event after the other.
type b24Live struct {
	*testing.T
	portal *bitrix24.Portal
	clock  *clock
	sink   *Sink
	in     standIn
	deps   Deps
}

func newB24Live(t *testing.T, options func(*bitrix24.Options), settings func(*SinkConfig)) *b24Live {
	t.Helper()
	c := &clock{at: t0}
	p := b24Portal(c, options)
	in := b24Serve(p)
	t.Cleanup(in.srv.Close)
	if settings != nil {
		settings(&in.config)
	}
	d := deps(logbook{}, c, &facts{})
	d.Notes, d.Files = in.notes, files{link: func(r call.Recording) string { return in.srv.URL + "/files/" + r.ID }}
	sinks, err := Open(Config{in.config}, d)
	if err != nil {
		t.Fatal(err)
	}
	l := &b24Live{T: t, portal: p, clock: c, sink: sinks[0], in: in, deps: d}
	t.Cleanup(sinks[0].conn.(*bitrix24conn).api.web.client.CloseIdleConnections)
	return l
}

// tell delivers events, each of which must be taken at once.
func (l *b24Live) tell(events ...call.Event) {
	l.Helper()
	for _, e := range events {
		l.clock.reach(e.SeenAt)
		if v, err := l.sink.Deliver(context.Background(), e, 1); v.Act != Done {
			l.Errorf("%s: %s, %v", e.Kind, v.Act, err)
		}
	}
}

// Ensure the card is seen by exactly those whose phones ring or who talk.
func TestBitrix24Cards(t *testing.T) {
	for name, steps := range map[string][][]int{
		"queue, recorded late":     {nil, nil, {11}, {11, 12}, {11, 12}, {11}, {11}, {11}, {11}, {11}, {11}, {11}, {11}, nil, nil, nil},
		"two phones of one person": {nil, {11}, {11}, {11}, {11}, {11}, {11}, {11}, nil, nil, nil},
		"transferred":              {nil, {11}, {11}, {11}, {11}, {11}, {11, 12}, {11, 12}, {12}, {12}, nil, nil, nil},
		"outgoing, busy":           {{11}, {11}, {11}, nil, nil},
	} {
		l := newB24Live(t, nil, nil)
		events := shapes()[name].events
		if len(events) != len(steps) {
			t.Fatalf("%s: %d events", name, len(events))
		}
		for i, e := range events {
			l.tell(e)
			if got := l.portal.Cards(e.Call); !slices.Equal(got, steps[i]) {
				t.Errorf("%s: after %s %s: cards %v, want %v", name, e.Kind, e.Leg, got, steps[i])
			}
		}
	}
}

// Ensure nothing pops up for what is told late.
func TestBitrix24Backfill(t *testing.T) {
	for _, how := range []string{"backfill", "late", "finished only"} {
		l := newB24Live(t, nil, func(c *SinkConfig) {
			if how == "finished only" {
				c.Only = OnlyFinished
			}
		})
		if how == "late" {
			l.clock.move(time.Hour)
		}
		events := queued("c1")
		for i := range events {
			events[i].Live = how != "backfill"
		}
		l.tell(events...)
		if n := l.portal.Shown(); n != 0 || len(l.portal.Rows()) != 1 {
			t.Errorf("%s: %d cards, %d rows", how, n, len(l.portal.Rows()))
		}
		if n := l.portal.Requests(); n > 6 {
			t.Errorf("%s: %d requests", how, n)
		}
	}
}

// Ensure a click is dialled once, is not registered a second time, and ends as
// the one row that Bitrix24 began.
func TestBitrix24ClickToCall(t *testing.T) {
	var asks []Ask
	var refusal error
	handler := httptest.NewUnstartedServer(nil)
	address := "http://" + handler.Listener.Addr().String() + "/bitrix24"
	l := newB24Live(t, func(o *bitrix24.Options) { o.AppOnly = true }, func(c *SinkConfig) {
		b := c.Bitrix24
		b.Webhook, b.ClientID, b.ClientSecret = Secret{}, "local.app", NewSecret("appsecret")
		b.OAuthURL, b.Handler = b.URL+"/oauth/token/", address
		c.Only = OnlyFinished
	})
	handler.Config.Handler = l.sink.Connector().(Asker).Asks(func(_ context.Context, a Ask) error {
		asks = append(asks, a)
		return refusal
	})
	handler.Start()
	defer handler.Close()
	defer http.DefaultClient.CloseIdleConnections()
	ctx := context.Background()

	if err := l.sink.Test(ctx); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("before the installation: %v", err)
	}
	if err := l.portal.Install(ctx, address); err != nil {
		t.Fatal(err)
	}
	id, err := l.portal.Click(ctx, 11, "+989121234567")
	if err != nil {
		t.Fatal(err)
	}
	if len(asks) != 1 || asks[0].Extension != "101" || asks[0].Number != "+989121234567" {
		t.Fatalf("asks %+v", asks)
	}
	if err := l.portal.Resend(ctx, address, id, 11, "+989121234567", "forged"); err == nil {
		t.Error("a forged token was accepted")
	}
	if err := l.portal.Resend(ctx, address, id, 11, "+989121234567", "51610fefc120afb628cc82d6298cce00"); err != nil || len(asks) != 1 {
		t.Errorf("sent again: %v, asked %d times", err, len(asks))
	}
	l.portal.ExpireTokens()
	events := shapes()["outgoing, answered"].events
	events[0].Data = asks[0].Data
	l.tell(events...)
	if rows := l.portal.Rows(); len(rows) != 1 || rows[0].CallID != id || rows[0].Status != "200" || rows[0].User != 11 {
		t.Errorf("rows %+v", rows)
	}
	refusal = fmt.Errorf("phone 101 is not registered")
	if _, err := l.portal.Click(ctx, 11, "+989121234567"); err == nil {
		t.Error("a refused click was accepted")
	}
	if rows := l.portal.Rows(); len(rows) != 2 || rows[1].Status != "480" || l.portal.Open() != 0 {
		t.Errorf("rows %+v, %d cards", rows, l.portal.Open())
	}
	if _, err := l.portal.Click(ctx, 99, "1"); err == nil {
		t.Error("a user without a phone was accepted")
	}
}

// Ensure the installation cannot be forged, and that another process finds the
// tokens.
func TestBitrix24Tokens(t *testing.T) {
	l := newB24Live(t, nil, func(c *SinkConfig) {
		b := c.Bitrix24
		b.Webhook, b.ClientID, b.ClientSecret = Secret{}, "local.app", NewSecret("appsecret")
		b.OAuthURL, b.Handler = b.URL+"/oauth/token/", b.URL
	})
	handler := l.sink.Connector().(Asker).Asks(nil)
	forged := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("event=ONAPPINSTALL&auth[refresh_token]=x&auth[application_token]=y"))
	forged.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	if handler.ServeHTTP(rec, forged); rec.Code != http.StatusForbidden {
		t.Errorf("forged installation: %d", rec.Code)
	}
	conn := l.sink.conn.(*bitrix24conn)
	conn.api.tokens.Refresh = l.portal.RefreshToken()
	if err := l.sink.Test(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.portal.ExpireTokens()
	if err := l.sink.Test(context.Background()); err != nil {
		t.Error(err)
	}
	// The first refresh token is spent; a second process must take the noted one.
	again, err := Open(Config{l.in.config}, l.deps)
	if err != nil {
		t.Fatal(err)
	}
	defer again[0].conn.(*bitrix24conn).api.web.client.CloseIdleConnections()
	if err := again[0].Test(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestBitrix24Limits(t *testing.T) {
	// Our own count keeps below the portal's, even for many calls at once.
	l := newB24Live(t, nil, func(c *SinkConfig) { c.Only = OnlyFinished })
	free := 0
	for i := range 200 {
		events := shapes()["missed by a group"].events
		events = numbered(fmt.Sprint("c", i), events)
		for _, e := range events {
			for {
				v, err := l.sink.Deliver(context.Background(), e, 1)
				if v.Act == Done {
					break
				}
				if v.Act != Retry || !v.Free {
					t.Fatalf("%+v, %v", v, err)
				}
				free++
				l.clock.move(v.After)
			}
		}
	}
	if rows := l.portal.Rows(); len(rows) != 200 {
		t.Errorf("%d rows", len(rows))
	}
	// 200 calls need one request each; 40 went at once, the others at two a second.
	if took := l.clock.now().Sub(t0); took < 70*time.Second || took > 130*time.Second {
		t.Errorf("took %v, waited %d times", took, free)
	}
	// Another program at our address fills the bucket.
	l = newB24Live(t, func(o *bitrix24.Options) { o.Burst, o.Leak = 0.5, 2 }, nil)
	l.portal.Script().Always(fault.Fault{})
	v, err := l.sink.Deliver(context.Background(), numbered("x", shapes()["outgoing, busy"].events)[0], 1)
	if v.Act != Retry || !v.Free || !strings.Contains(fmt.Sprint(err), "QUERY_LIMIT_EXCEEDED") {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestBitrix24Recordings(t *testing.T) {
	l := newB24Live(t, nil, func(c *SinkConfig) { c.Bitrix24.Recording = "link" })
	l.tell(queued("c1")...)
	if rows := l.portal.Rows(); len(rows) != 1 || rows[0].Content != "RIFF linked /files/c1r" {
		t.Errorf("rows %+v", rows)
	}
	// A link that Bitrix24 cannot fetch is given up by it without a word.
	l = newB24Live(t, nil, func(c *SinkConfig) { c.Bitrix24.Recording = "link" })
	l.deps.Files = files{link: func(call.Recording) string { return l.in.srv.URL + "/nothing" }}
	sinks, err := Open(Config{l.in.config}, l.deps)
	if err != nil {
		t.Fatal(err)
	}
	defer sinks[0].conn.(*bitrix24conn).api.web.client.CloseIdleConnections()
	l.sink = sinks[0]
	events := queued("c1")
	l.tell(events[:15]...)
	if v, err := l.sink.Deliver(context.Background(), events[15], 1); v.Act != Retry || !strings.Contains(err.Error(), "does not have it") {
		t.Errorf("%+v, %v", v, err)
	}
	l = newB24Live(t, nil, func(c *SinkConfig) { c.Bitrix24.Recording = "off" })
	l.tell(queued("c1")...)
	if rows := l.portal.Rows(); len(rows) != 1 || rows[0].File != 0 {
		t.Errorf("rows %+v", rows)
	}
}

// Ensure an administrator is told what is wrong in words.
func TestBitrix24Test(t *testing.T) {
	for name, tc := range map[string]struct {
		options  func(*bitrix24.Options)
		settings func(*SinkConfig)
		want     string
	}{
		"right":           {nil, nil, ""},
		"hook refused":    {func(o *bitrix24.Options) { o.AppOnly = true }, nil, "create a local application"},
		"wrong hook":      {nil, func(c *SinkConfig) { c.Bitrix24.Webhook = NewSecret("1/nonsense") }, "the web hook's user or code is wrong"},
		"no default user": {nil, func(c *SinkConfig) { c.Bitrix24.DefaultUser = 77 }, "no active user 77"},
		"dismissed user":  {nil, func(c *SinkConfig) { c.Bitrix24.DefaultUser = 99 }, "no active user 99"},
		"no portal":       {nil, func(c *SinkConfig) { c.Bitrix24.URL = "http://127.0.0.1:1" }, "connection refused"},
	} {
		l := newB24Live(t, tc.options, tc.settings)
		err := l.sink.Test(context.Background())
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "nonsense") {
			t.Errorf("%s: the code is shown: %v", name, err)
		}
	}
}

func TestBitrix24Finds(t *testing.T) {
	l := newB24Live(t, nil, nil)
	f := l.sink.Connector().(Finder)
	id, name, err := f.Find(context.Background(), "+989121234567")
	if err != nil || id != "CONTACT:797" || name != "Sara Ahmadi" {
		t.Errorf("%s %s %v", id, name, err)
	}
	if id, _, err := f.Find(context.Background(), "+1"); err != nil || id != "" {
		t.Errorf("%s %v", id, err)
	}
}

func TestBitrix24Config(t *testing.T) {
	good := func() *Bitrix24 {
		return &Bitrix24{URL: "https://c.bitrix24.com", Webhook: NewSecret("1/x"), DefaultUser: 1}
	}
	for want, change := range map[string]func(*Bitrix24){
		"":                                  func(*Bitrix24) {},
		"[0].bitrix24.client_id: want":      func(b *Bitrix24) { b.Webhook = Secret{} },
		"[0].bitrix24.client_secret: ":      func(b *Bitrix24) { b.Webhook, b.ClientID = Secret{}, "x" },
		"[0].bitrix24.handler: want":        func(b *Bitrix24) { b.Webhook, b.ClientID, b.ClientSecret = Secret{}, "x", NewSecret("y") },
		"[0].bitrix24.default_user: want":   func(b *Bitrix24) { b.DefaultUser = 0 },
		"[0].bitrix24.recording: want":      func(b *Bitrix24) { b.Recording = "yes" },
		"[0].bitrix24.rate: rate and burst": func(b *Bitrix24) { b.Rate = -1 },
		"[0].bitrix24.url: is missing":      func(b *Bitrix24) { b.URL = "" },
	} {
		b := good()
		change(b)
		err := Config{{Name: "b", Bitrix24: b}}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
}
