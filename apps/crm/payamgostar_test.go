package crm

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/apps/crm/conformance/payamgostar"
	"markaz/apps/crm/fault"
	"markaz/call"
)

func pgServe(c *clock, change func(*payamgostar.Options)) (*payamgostar.Server, standIn) {
	opt := payamgostar.Options{
		Username: "markaz", Password: "pg-p4ss", Key: "office", LearnPeers: true, Now: c.now,
		Identities: map[string]string{"09121234567": "Sara Ahmadi"},
	}
	if change != nil {
		change(&opt)
	}
	server := payamgostar.New(opt)
	srv := httptest.NewServer(server)
	return server, standIn{srv: srv, script: server.Script(), notes: &MemoryNotes{}, config: SinkConfig{Name: "pg", PayamGostar: &PayamGostar{
		URL: srv.URL, Username: "markaz", Password: NewSecret("pg-p4ss"), Key: "office", Timezone: "Asia/Tehran",
		Net: Net{AllowPrivate: true, Timeout: time.Minute},
	}}}
}

// pgOpen opens a sink on the server and returns what it reports.
func pgOpen(t *testing.T, s standIn, c *clock) (*Sink, *facts) {
	t.Helper()
	t.Cleanup(s.srv.Close)
	f := &facts{}
	d := deps(logbook{}, c, f)
	d.Notes = s.notes
	sinks, err := Open(Config{s.config}, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sinks[0].conn.(*payamGostarConn).api.web.client.CloseIdleConnections)
	return sinks[0], f
}

// take delivers events, each of which must be taken at once.
func take(t *testing.T, s *Sink, c *clock, events ...call.Event) {
	t.Helper()
	for _, e := range events {
		c.reach(e.SeenAt)
		if v, err := s.Deliver(context.Background(), e, 1); v.Act != Done {
			t.Errorf("%s: %s, %v", e.Kind, v.Act, err)
		}
	}
}

// pgWant is the call type that a shape must end as.
func pgWant(s shape) int {
	switch {
	case s.direction == call.Outbound:
		return 3
	case s.direction == call.Internal:
		return 4
	case s.answered:
		return 2
	}
	return 1
}

// Ensure each shape of call gives exactly one call with each party once and in
// its last state, whatever request fails in whatever way.
func TestPayamGostarCalls(t *testing.T) {
	var server *payamgostar.Server
	b := crmBench{start: func(c *clock) standIn {
		var in standIn
		server, in = pgServe(c, nil)
		return in
	}}
	b.everywhere(t, func(t *testing.T, _ standIn, how string, want shape) {
		t.Helper()
		calls := server.Calls()
		if len(calls) != 1 {
			t.Fatalf("%s: %d calls %+v", how, len(calls), calls)
		}
		got := calls[0]
		last := want.events[len(want.events)-1]
		if got.Type != pgWant(want) || got.Source != last.Call || !got.Start.Equal(t0) || got.End.IsZero() {
			t.Errorf("%s: call %+v", how, got)
		}
		if want.number != "" && want.direction != call.Internal && got.Number != want.number {
			t.Errorf("%s: number %s", how, got.Number)
		}
		var sources []string
		talked, file := "", ""
		for _, ch := range got.Channels {
			sources = append(sources, ch.Source)
			if ch.Status != 4 || ch.Ended.IsZero() || ch.Response == 0 {
				t.Errorf("%s: channel %+v", how, ch)
			}
			if ch.PeerType == 1 && ch.Response == 2 && (talked == "" || ch.Peer == want.extension) {
				talked = ch.Peer
			}
			file += ch.File
		}
		if slices.Sort(sources); len(slices.Compact(sources)) != len(got.Channels) {
			t.Errorf("%s: a channel twice: %v", how, sources)
		}
		if want.answered && talked != want.extension || !want.answered && talked != "" {
			t.Errorf("%s: %q talked, want %q", how, talked, want.extension)
		}
		if (file == "2026/03/21/x.wav") != want.recording {
			t.Errorf("%s: file %q", how, file)
		}
	})
}

// Ensure the extensions that ring get a pop-up, and that whom PayamGostar knows
// is told.
func TestPayamGostarPopsUp(t *testing.T) {
	c := &clock{at: t0}
	server, in := pgServe(c, nil)
	sink, f := pgOpen(t, in, c)
	events := queued("c1")
	take(t, sink, c, events[:4]...)
	if got := server.PopUps(); !slices.Equal(got, []string{"101", "102"}) {
		t.Errorf("pop-ups %v", got)
	}
	if calls := server.Calls(); len(calls) != 1 || calls[0].Type != 1 || !calls[0].Live {
		t.Errorf("while ringing: %+v", calls)
	}
	take(t, sink, c, events[4:8]...)
	if calls := server.Calls(); calls[0].Type != 2 || !calls[0].End.IsZero() {
		t.Errorf("while talking: %+v", calls)
	}
	take(t, sink, c, events[8:]...)
	if told := f.told(); len(told) != 1 || f.all[0].Kind != call.CallIdentified || f.all[0].Call != "c1" || f.all[0].Text != "Sara Ahmadi" || f.all[0].Source != "pbx" {
		t.Errorf("facts %+v", f.all)
	}
}

// Ensure the CRM gets numbers as it has them of its customers: not with the
// code that an extension dials for an outside line, nor in international form.
func TestPayamGostarNumbers(t *testing.T) {
	incoming, outgoing := inbound("+98 912 123 4567"), outbound("909121234567")
	incoming.FromE164, outgoing.ToE164 = "+989121234567", "+989121234567"
	abroad := outbound("900442079460958")
	abroad.ToE164 = "+442079460958"
	for want, begins := range map[string][]call.Event{
		"09121234567": {incoming, outgoing}, "00442079460958": {abroad}, "200": {{Kind: call.CallStarted, Leg: "in", From: "101", To: "200", Direction: call.Internal}},
		"*70#": {outbound("*70#")}, // which is no number
	} {
		for _, e := range begins {
			c := &clock{at: t0}
			server, in := pgServe(c, nil)
			sink, _ := pgOpen(t, in, c)
			take(t, sink, c, numbered("c1", []call.Event{e, ring("a1", "102", "")})...)
			if calls := server.Calls(); len(calls) != 1 || calls[0].Number != want {
				t.Errorf("%q to %q: %+v, want %s", e.From, e.To, calls, want)
			}
		}
	}
}

func TestPayamGostarBackfill(t *testing.T) {
	for _, how := range []string{"backfill", "late"} {
		c := &clock{at: t0}
		if how == "late" {
			c.move(time.Hour)
		}
		server, in := pgServe(c, nil)
		sink, f := pgOpen(t, in, c)
		events := queued("c1")
		for i := range events {
			events[i].Live = how == "late"
		}
		take(t, sink, c, events...)
		calls := server.Calls()
		if len(calls) != 1 || calls[0].Live || len(calls[0].Channels) != 3 || len(server.PopUps()) != 0 || len(f.told()) != 0 {
			t.Errorf("%s: %+v, pop-ups %v, facts %v", how, calls, server.PopUps(), f.told())
		}
	}
}

// Ensure a live call is not doubled even by a server that does not know a
// repeated SourceId. What remains is the caller's channel of the lost answer.
func TestPayamGostarForgets(t *testing.T) {
	for how, f := range map[string]fault.Fault{"500": {Status: 500, Work: true}, "reset": {Reset: true, Work: true}} {
		c := &clock{at: t0}
		server, in := pgServe(c, func(o *payamgostar.Options) { o.Forgetful = true })
		in.script.Next(fault.Fault{}, f) // the log-in, then the creation
		crmBench{}.deliver(t, in, c, queued("c1"), false)
		calls := server.Calls()
		if len(calls) != 1 || calls[0].Type != 2 || calls[0].End.IsZero() || len(calls[0].Channels) != 4 {
			t.Errorf("%s: %+v", how, calls)
		}
		in.srv.Close()
	}
}

func TestPayamGostarMerges(t *testing.T) {
	c := &clock{at: t0}
	server, in := pgServe(c, nil)
	sink, _ := pgOpen(t, in, c)
	merged := func(id, into string) []call.Event {
		return numbered(id, []call.Event{inbound("09121234567"), ring("a1", "101", ""), {Kind: call.CallMerged, Into: into}})
	}
	one := merged("c1", "c2")
	take(t, sink, c, one[:2]...)
	if v, err := sink.Deliver(context.Background(), one[2], 1); v.Act != Retry || !v.Free {
		t.Errorf("before the other call is there: %+v, %v", v, err)
	}
	c.move(10 * time.Second)
	two := queued("c2")
	for i := range two {
		two[i].At, two[i].SeenAt = two[i].At.Add(10*time.Second), two[i].SeenAt.Add(10*time.Second)
	}
	take(t, sink, c, two...)
	take(t, sink, c, one[2])
	calls := server.Calls()
	if len(calls) != 2 || calls[0].MergedTo != calls[1].ID {
		t.Errorf("%+v", calls)
	}
	// What it was merged into is never told to this CRM: it ends by itself.
	late := merged("c3", "nowhere")
	take(t, sink, c, late[:1]...)
	c.move(time.Hour)
	take(t, sink, c, late[1:]...)
	if calls = server.Calls(); len(calls) != 3 || calls[2].End.IsZero() || calls[2].MergedTo != 0 {
		t.Errorf("%+v", calls)
	}
}

func TestPayamGostarPeers(t *testing.T) {
	c := &clock{at: t0}
	server, in := pgServe(c, func(o *payamgostar.Options) { o.LearnPeers, o.Peers = false, []string{"trunk", "101"} })
	in.config.PayamGostar.RegisterPeers = true
	sink, _ := pgOpen(t, in, c)
	take(t, sink, c, queued("c1")...)
	take(t, sink, c, numbered("c2", queued("c2"))...)
	if got := server.Learned(); !slices.Equal(got, []string{"102"}) {
		t.Errorf("registered %v", got)
	}
	server, in = pgServe(c, func(o *payamgostar.Options) { o.LearnPeers, o.Peers = false, []string{"trunk"} })
	sink, _ = pgOpen(t, in, c)
	events := numbered("c3", queued("c3"))
	take(t, sink, c, events[:2]...)
	if v, err := sink.Deliver(context.Background(), events[2], 1); v.Act != Retry || !strings.Contains(fmt.Sprint(err), `peer \"101\" does not exist`) {
		t.Errorf("an unknown extension: %+v, %v", v, err)
	}
	if len(server.Learned()) != 0 || sink.Status().State != "ok" {
		t.Errorf("learned %v, %+v", server.Learned(), sink.Status())
	}
}

func TestPayamGostarLogsIn(t *testing.T) {
	c := &clock{at: t0}
	server, in := pgServe(c, func(o *payamgostar.Options) { o.TokenLife = 10 * time.Minute })
	sink, _ := pgOpen(t, in, c)
	ctx := context.Background()
	for range 5 {
		if err := sink.Test(ctx); err != nil {
			t.Error(err)
		}
	}
	if server.Logins() != 1 {
		t.Errorf("%d log-ins", server.Logins())
	}
	c.move(10 * time.Minute)
	if err := sink.Test(ctx); err != nil || server.Logins() != 2 {
		t.Errorf("after the token's life: %v, %d log-ins", err, server.Logins())
	}
	// A token that the server has forgotten is replaced too.
	sink.conn.(*payamGostarConn).api.access = "stale"
	if err := sink.Test(ctx); err != nil || server.Logins() != 3 {
		t.Errorf("after a restart of the server: %v, %d log-ins", err, server.Logins())
	}
}

func TestPayamGostarTest(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*PayamGostar)
		want   string
	}{
		"right":          {func(*PayamGostar) {}, ""},
		"wrong password": {func(p *PayamGostar) { p.Password = NewSecret("n0nsense") }, "does not accept the user name or password"},
		"wrong key":      {func(p *PayamGostar) { p.Key = "branch" }, `no telephony system with the key "branch"; it has ["office"]`},
		"wrong address":  {func(p *PayamGostar) { p.URL += "/crm" }, "404"},
	} {
		c := &clock{at: t0}
		_, in := pgServe(c, nil)
		tc.change(in.config.PayamGostar)
		sink, _ := pgOpen(t, in, c)
		err := sink.Test(context.Background())
		if (err == nil) != (tc.want == "") || err != nil && (!strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "n0nsense")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ensure a wrong password is tried so seldom that the user is not locked out
// over and over.
func TestPayamGostarLockout(t *testing.T) {
	c := &clock{at: t0}
	_, in := pgServe(c, nil)
	in.config.PayamGostar.Password = NewSecret("n0nsense")
	sink, _ := pgOpen(t, in, c)
	e := queued("c1")[0]
	for range 200 {
		e.SeenAt = c.now() // always fresh
		v, _ := sink.Deliver(context.Background(), e, 1)
		c.move(v.After)
	}
	if hours := c.now().Sub(t0).Hours(); hours < 30 {
		t.Errorf("200 tries in %.1f h", hours)
	}
	if st := sink.Status(); st.State != "away" || !strings.Contains(st.LastError, "PayamGostar") {
		t.Errorf("%+v", st)
	}
}

func TestPayamGostarConfig(t *testing.T) {
	for want, change := range map[string]func(*PayamGostar){
		"":                                func(*PayamGostar) {},
		"[0].payamgostar.username: ":      func(p *PayamGostar) { p.Username = "" },
		"[0].payamgostar.ts_key: want":    func(p *PayamGostar) { p.Key = "" },
		"[0].payamgostar.timezone: ":      func(p *PayamGostar) { p.Timezone = "Mars/Olympus" },
		"[0].payamgostar.recording: want": func(p *PayamGostar) { p.Recording = "upload" },
		"[0].payamgostar.url: plain http": func(p *PayamGostar) { p.URL = "http://crm.example" },
	} {
		p := &PayamGostar{URL: "https://crm.example", Username: "u", Password: NewSecret("p"), Key: "k"}
		change(p)
		err := Config{{Name: "p", PayamGostar: p}}.Validate()
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
}
