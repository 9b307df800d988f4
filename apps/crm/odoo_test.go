package crm

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"markaz/apps/crm/conformance/odoo"
	"markaz/call"
	"markaz/lang"
)

func odooSettings(url string) *Odoo {
	return &Odoo{
		URL: url, Database: "markaz", Login: "telephony", Password: NewSecret("hunter22"),
		Net: Net{AllowPrivate: true, Timeout: time.Minute},
	}
}

func odooDatabase() *odoo.Server {
	return odoo.New(odoo.Options{
		Database: "markaz", Login: "telephony", Password: "hunter22",
		Users:    []odoo.User{{Name: "Telephony"}, {Name: "Sara", Phone: "101"}, {Name: "Reza", Phone: "102"}},
		Contacts: []odoo.Contact{{Name: "Other", Phone: "0912 123 45 68"}, {Name: "Ali Ahmadi", Mobile: "+98 (912) 123-4567"}},
	})
}

// odooBench starts databases that are alike for every run.
func odooBench() crmBench {
	return crmBench{start: func(*clock) standIn {
		db := odooDatabase()
		srv := httptest.NewServer(db)
		return standIn{srv: srv, script: db.Script(), notes: &MemoryNotes{}, config: SinkConfig{Name: "odoo", Odoo: odooSettings(srv.URL)}}
	}}
}

// odooSeen is a note as Odoo has it.
type odooSeen struct {
	Body   string   `json:"body"`
	Date   string   `json:"date"`
	Author any      `json:"author_id"`
	On     int      `json:"res_id"`
	Model  string   `json:"model"`
	Files  []int    `json:"attachment_ids"`
	ID     odooText `json:"message_id"`
}

// odooCheck holds what a database has against what it should. It asks the
// database itself, so that it fits a real one too.
func odooCheck(t *testing.T, s standIn, how string, want shape, settings *Odoo) {
	t.Helper()
	s.script.Clear()
	api, err := newOdooAPI(settings, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer api.web.client.CloseIdleConnections()
	ctx := context.Background()
	var seen []odooSeen
	domain := []any{[]any{"message_id", "=like", "%@markaz>"}}
	fields := map[string]any{"fields": []string{"body", "date", "author_id", "res_id", "model", "attachment_ids", "message_id"}}
	if err := api.do(ctx, "mail.message", "search_read", []any{domain}, fields, &seen); err != nil {
		t.Fatal(err)
	}
	if want.direction == call.Internal {
		if len(seen) != 0 {
			t.Errorf("%s: %+v", how, seen)
		}
		return
	}
	if len(seen) != 1 {
		t.Fatalf("%s: %d notes: %+v", how, len(seen), seen)
	}
	var contact []odooContact
	if err := api.do(ctx, "res.partner", "read", []any{[]int{seen[0].On}}, map[string]any{"fields": []string{"display_name"}}, &contact); err != nil || len(contact) != 1 {
		t.Fatal(how, contact, err)
	}
	words := lang.New().In("en")
	name, author := "Ali Ahmadi", map[string]string{"101": "Sara", "102": "Reza", "": "Telephony"}[want.extension]
	if want.number == "" {
		name = words.T("crm.odoo.unknown")
	}
	got := seen[0]
	if contact[0].Name != name || got.Date != "2026-03-21 08:30:00" || got.Model != "res.partner" ||
		author != "Telephony" && !strings.Contains(fmt.Sprint(got.Author), author) {
		t.Errorf("%s: %+v on %s, want %s by %s", how, got, contact[0].Name, name, author)
	}
	for _, text := range []string{words.T("crm.result." + string(want.result)), want.number} {
		if !strings.Contains(got.Body, text) {
			t.Errorf("%s: no %q in %s", how, text, got.Body)
		}
	}
	if len(got.Files) != map[bool]int{true: 1}[want.recording] {
		t.Fatalf("%s: files %v", how, got.Files)
	}
	if !want.recording {
		return
	}
	var files []struct {
		Name string `json:"name"`
		Data string `json:"datas"`
	}
	if err := api.do(ctx, "ir.attachment", "read", []any{got.Files}, map[string]any{"fields": []string{"name", "datas"}}, &files); err != nil {
		t.Fatal(err)
	}
	if content, err := base64.StdEncoding.DecodeString(files[0].Data); err != nil || string(content) != "RIFF 2026/03/21/x.wav" || files[0].Name != "x.wav" {
		t.Errorf("%s: file %s %q %v", how, files[0].Name, content, err)
	}
}

// Ensure each shape of call becomes exactly one right note, whatever request
// fails in whatever way.
func TestOdooNotes(t *testing.T) {
	odooBench().everywhere(t, func(t *testing.T, s standIn, how string, want shape) {
		t.Helper()
		odooCheck(t, s, how, want, s.config.Odoo)
	})
}

// odooConnFor is a connector on a database of its own.
func odooConnFor(t *testing.T, db *odoo.Server, change func(*Odoo)) *odooConn {
	t.Helper()
	srv := httptest.NewServer(db)
	t.Cleanup(srv.Close)
	cfg := odooSettings(srv.URL)
	if change != nil {
		change(cfg)
	}
	d := deps(logbook{}, &clock{at: t0}, &facts{})
	d.Notes, d.Words, d.Sink = &MemoryNotes{}, lang.New().In("en"), "odoo"
	conn, err := cfg.connect(d)
	if err != nil {
		t.Fatal(err)
	}
	c := conn.(*odooConn)
	t.Cleanup(c.api.web.client.CloseIdleConnections)
	return c
}

func TestOdooFindsHoweverItIsWritten(t *testing.T) {
	c := odooConnFor(t, odooDatabase(), nil)
	for number, want := range map[string]string{
		"09121234567": "Ali Ahmadi", "+989121234567": "Ali Ahmadi", "00989121234567": "Ali Ahmadi", "9121234567": "Ali Ahmadi",
		"09121234568": "Other", "09131234567": "", "101": "", "4567": "", "": "", "%%%%%%%": "",
	} {
		id, name, err := c.Find(context.Background(), number)
		if err != nil || name != want || (id == "") != (want == "") {
			t.Errorf("%s: %s %s %v", number, id, name, err)
		}
	}
}

// Ensure strangers go where the settings say, and that a missed call is to be
// done once.
func TestOdooStrangers(t *testing.T) {
	missed := shapes()["missed by a group"].events
	missed[0].From = "0913 <b>7654321</b>"
	for unknown, want := range map[string]string{"": "Unknown callers", "common": "Unknown callers", "contact": "0913 <b>7654321</b>", "skip": ""} {
		db := odooDatabase()
		c := odooConnFor(t, db, func(o *Odoo) { o.Unknown, o.Activity, o.Users = unknown, true, map[string]int{"101": 3} })
		r := call.Call{ID: missed[0].Call}
		for range 2 {
			for _, e := range missed {
				r.Apply(e)
				if err := c.Deliver(context.Background(), e, r); err != nil && err != ErrSkip {
					t.Fatal(unknown, err)
				}
			}
		}
		notes, todo := db.Records("mail.message"), db.Records("mail.activity")
		if want == "" {
			if len(notes)+len(todo) != 0 {
				t.Errorf("%s: %v %v", unknown, notes, todo)
			}
			continue
		}
		if len(notes) != 1 || len(todo) != 1 {
			t.Fatalf("%s: %d notes, %d to do", unknown, len(notes), len(todo))
		}
		on := db.Records("res.partner")[notes[0]["res_id"].(int)-1]
		if on["name"] != want || strings.Contains(fmt.Sprint(notes[0]["body"]), "<b>7654321") || fmt.Sprint(todo[0]["user_id"]) != "[3 ]" {
			t.Errorf("%s: on %v: %v, %v", unknown, on, notes[0], todo[0])
		}
	}
}

func TestOdooUsers(t *testing.T) {
	c := odooConnFor(t, odooDatabase(), func(o *Odoo) { o.Users = map[string]int{"102": 2, "105": 3} })
	users, err := c.Users(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "[{101 2 Sara false} {102 2 Sara true} {105 3 Reza true}]"
	if fmt.Sprint(users) != want {
		t.Errorf("%v, want %s", users, want)
	}
}

// Ensure the operator is told in plain words what is wrong.
func TestOdooProblems(t *testing.T) {
	for code, tc := range map[string]func(*Odoo){
		"credentials": func(o *Odoo) { o.Password = NewSecret("wrong") },
		"database":    func(o *Odoo) { o.Database = "other" },
		"address":     func(o *Odoo) { o.URL += "/shop" },
		"":            nil,
	} {
		c := odooConnFor(t, odooDatabase(), tc)
		err := c.Test(context.Background())
		if code == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil || problemCode(err) != code || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v", code, err)
		}
		for _, l := range lang.New().Languages() {
			if text := Explain(err, lang.New().In(l)); strings.HasPrefix(text, "crm.") {
				t.Errorf("%s: no sentence in %s", code, l)
			}
		}
	}
	db := odoo.New(odoo.Options{Database: "markaz", Login: "telephony", Password: "hunter22", Denied: []string{"ir.attachment"}})
	if err := odooConnFor(t, db, nil).Test(context.Background()); problemCode(err) != "permissions" {
		t.Errorf("missing right: %v", err)
	}
}
