package crm

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"markaz/apps/crm/conformance/bitrix24"
	"markaz/apps/crm/conformance/payamgostar"
	"markaz/call"
)

// past are the finished calls of all shapes, told to a sink already.
func past(t *testing.T, sink *Sink, c *clock, log logbook) []Past {
	t.Helper()
	var out []Past
	for _, s := range shapes() {
		log.add(s.events)
		p := Past{Record: call.Call{ID: s.events[0].Call}, Events: s.events}
		for _, e := range s.events {
			p.Record.Apply(e)
			c.reach(e.SeenAt)
			if v, err := sink.Deliver(context.Background(), e, 1); v.Act != Done {
				t.Fatalf("%s %s: %v", e.Call, e.Kind, err)
			}
		}
		out = append(out, p)
	}
	c.move(time.Hour)
	return out
}

// found lists differences as "kind call filled".
func found(a Audit) []string {
	out := []string{}
	for _, d := range a.Differences {
		out = append(out, fmt.Sprint(d.Kind, " ", d.Call, " ", d.Filled))
	}
	slices.Sort(out)
	return out
}

func TestReconcileBitrix24(t *testing.T) {
	l := newB24Live(t, nil, func(c *SinkConfig) { c.Bitrix24.Rate, c.Bitrix24.Burst = 1000, 10000 })
	log := logbook{}
	l.deps.History = log.history
	sinks, err := Open(Config{l.in.config}, l.deps)
	if err != nil {
		t.Fatal(err)
	}
	sink := sinks[0]
	defer sink.conn.(*bitrix24conn).api.web.client.CloseIdleConnections()
	calls := past(t, sink, l.clock, log)
	from, to := t0.Add(-time.Minute), t0.Add(time.Minute)
	audit := func(fill bool, want ...string) {
		t.Helper()
		a, err := sink.Reconcile(context.Background(), from, to, calls, fill)
		if got := found(a); err != nil || !slices.Equal(got, want) || a.Calls != 8 {
			t.Errorf("fill %v: %q, want %q; %d calls, %v", fill, got, want, a.Calls, err)
		}
	}
	audit(false)
	l.portal.Change(func(r *bitrix24.Row) bool {
		switch r.ExternalID {
		case "transferred":
			return false
		case "outgoing,-answered":
			r.Status, r.Duration = "304", 0
		case "queue,-recorded-late":
			r.File, r.Content = 0, ""
		case "left-in-the-menu":
			r.ExternalID = "not-ours"
		}
		return true
	})
	broken := []string{
		"different outgoing,-answered false", "no_recording queue,-recorded-late false", "missing transferred false",
		"strange not-ours false",
	}
	// The row whose id is noted is known again even without our id on it.
	slices.Sort(broken)
	audit(false, broken...)
	filled := []string{
		"different outgoing,-answered false", "no_recording queue,-recorded-late true", "missing transferred true", "strange not-ours false",
	}
	slices.Sort(filled)
	audit(true, filled...)
	audit(true, "different outgoing,-answered false", "strange not-ours false")
	if n := len(l.portal.Rows()); n != 8 {
		t.Errorf("%d rows", n)
	}
}

func TestReconcileOdoo(t *testing.T) {
	db, c, log := odooDatabase(), &clock{at: t0}, logbook{}
	srv := httptest.NewServer(db)
	defer srv.Close()
	d := deps(log, c, &facts{})
	d.Notes, d.Files = &MemoryNotes{}, files{}
	sinks, err := Open(Config{{Name: "odoo", Odoo: odooSettings(srv.URL)}}, d)
	if err != nil {
		t.Fatal(err)
	}
	sink := sinks[0]
	defer sink.conn.(*odooConn).api.web.client.CloseIdleConnections()
	calls := past(t, sink, c, log)
	from, to := t0.Add(-time.Minute), t0.Add(time.Minute)
	for i, want := range [][]string{
		{},
		{"missing missed-by-a-group false", "missing queue,-recorded-late false"},
		{"missing missed-by-a-group true", "missing queue,-recorded-late true"},
		{},
	} {
		if i == 1 {
			db.Lose("mail.message", "call_missed-by-a-group")
			db.Lose("mail.message", "call_queue,-recorded-late")
		}
		a, err := sink.Reconcile(context.Background(), from, to, calls, i >= 2)
		if got := found(a); err != nil || !slices.Equal(got, want) || a.Calls != 9 {
			t.Errorf("%d: %q, want %q; %d calls, %v", i, got, want, a.Calls, err)
		}
	}
	if a, err := sink.Reconcile(context.Background(), from, to, calls[:3], false); err != nil || len(a.Differences) != 9-a.Calls {
		t.Errorf("calls that we do not know: %v %v", found(a), err)
	}
}

func TestReconcileNeedsAnAnswer(t *testing.T) {
	s := newSink(SinkConfig{Name: "a"}, &told{}, deps(logbook{}, &clock{at: t0}, &facts{}))
	if _, err := s.Reconcile(context.Background(), t0, t0, nil, false); !errors.Is(err, ErrNoAudit) {
		t.Error(err)
	}
}

// Ensure users are listed page by page at the CRM's pace, settings first.
func TestBitrix24UserList(t *testing.T) {
	l := newB24Live(t, func(o *bitrix24.Options) {
		for i := range 120 {
			o.Users = append(o.Users, bitrix24.User{ID: 1000 + i, Name: fmt.Sprint("User ", i), Extension: fmt.Sprint(3000 + i)})
		}
	}, func(c *SinkConfig) { c.Bitrix24.Users = map[string]int{"101": 1005, "777": 12} })
	users, err := l.sink.conn.(UserLister).Users(context.Background(), nil)
	if err != nil || len(users) != 120+3 {
		t.Fatalf("%d users, %v", len(users), err)
	}
	for i, want := range []User{{"101", "1005", "User 5", true}, {"102", "12", "", false}, {"777", "12", "", true}, {"3000", "1000", "User 0", false}} {
		if users[i] != want {
			t.Errorf("%+v, want %+v", users[i], want)
		}
	}
}

func TestPayamGostarUserList(t *testing.T) {
	srv := httptest.NewServer(payamgostar.New(payamgostar.Options{
		Username: "u", Password: "p", Key: "office", Peers: []string{"101", "102"}, Users: map[string]string{"101": "6f96"},
	}))
	defer srv.Close()
	d := deps(logbook{}, &clock{at: time.Now()}, &facts{})
	d.Notes = &MemoryNotes{}
	conn, err := (&PayamGostar{URL: srv.URL, Username: "u", Password: NewSecret("p"), Key: "office", Net: Net{AllowPrivate: true}}).connect(d)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.(*payamGostarConn).api.web.client.CloseIdleConnections()
	users, err := conn.(UserLister).Users(context.Background(), []string{"101", "102", "103"})
	if err != nil || len(users) != 1 || users[0] != (User{Extension: "101", ID: "6f96"}) {
		t.Errorf("%+v %v", users, err)
	}
}

// Ensure an old list of users serves while the CRM does not answer.
func TestUserMapOutlivesAnOutage(t *testing.T) {
	c, broken, asked := &clock{at: t0}, error(nil), 0
	m := &userMap{now: c.now, list: func(context.Context) ([]User, error) {
		asked++
		return []User{{Extension: "101", ID: "1"}, {Extension: "101", ID: "2"}}, broken
	}}
	find := func(want string, n int) {
		t.Helper()
		u, ok, err := m.find(context.Background(), []string{"100", "101"})
		if err != nil || !ok || u.ID != want || asked != n {
			t.Errorf("%+v %v %v, asked %d", u, ok, err, asked)
		}
	}
	find("1", 1)
	find("1", 1)
	broken = errors.New("down")
	c.move(2 * time.Hour)
	find("1", 2)
	find("1", 2)
	c.move(2 * time.Minute)
	find("1", 3)
	m.users = nil
	if _, _, err := m.find(context.Background(), nil); err == nil {
		t.Error("no list and no error")
	}
}
