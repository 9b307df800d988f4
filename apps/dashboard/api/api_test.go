package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/access"
	"markaz/access/audit"
	"markaz/access/gate"
	"markaz/access/store"
	"markaz/call"
	"markaz/lang"
	"markaz/queue"
)

// house is an API over two teams: sales with sara at 101, support with omid at
// 1010. Call c1 is sara's, d1 is omid's; both go on. e1 is sara's and over.
type house struct {
	t      *testing.T
	srv    *httptest.Server
	api    *API
	gate   *gate.Gate
	tokens map[string]string // by user

	mu     sync.Mutex
	posted []call.Event
	heard  []Listen
	asked  []Search
	full   bool // the loop takes nothing more
	now    time.Time
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

var began = time.Date(2026, 3, 21, 8, 0, 0, 0, time.UTC)

func talk(id, ext, agent, queueName string) *call.Call {
	at := began.Add(time.Second)
	return &call.Call{
		V: 1, ID: id, Source: "pbx", Direction: call.Inbound, State: call.StateTalking, Live: true, From: "+982112345678", Started: began, Answered: &at,
		Queues: []call.QueueStay{{Queue: queueName, Joined: began, Position: 1}},
		Legs: []call.Leg{
			{ID: id + "-a", Role: call.RoleCaller, Address: "+982112345678", Started: began},
			{ID: id + "-b", Role: call.RoleAgent, Address: ext, Agent: agent, Queue: queueName, Started: began, Answered: &at, Talking: &at},
		},
		Monitors:   []call.Monitor{{ID: id + "-m", Agent: "leila", Address: "110", Leg: id + "-b", Modes: []string{call.Spy}, Started: at}},
		Recordings: []call.Recording{{ID: id + "-r", State: "done", File: "2026/03/21/x.wav"}},
	}
}

func over(c *call.Call) *call.Call {
	end := began.Add(time.Minute)
	c.State, c.Ended, c.Disposition = call.StateEnded, &end, call.CallAnsweredD
	for i := range c.Legs {
		c.Legs[i].Ended, c.Legs[i].Talking, c.Legs[i].TalkMS = &end, nil, 59_000
	}
	c.Monitors = nil
	return c
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, tokens: map[string]string{}, now: time.Now()}
	people := []access.Person{{ID: "sara", Name: "Sara", Extension: "101", Queues: []string{"sales"}}, {ID: "omid", Name: "Omid", Extension: "1010", Queues: []string{"support"}}}
	users := []access.Account{
		{Name: "sara", Role: access.Agent, Teams: []string{"sales"}},
		{Name: "omid", Role: access.Agent, Teams: []string{"support"}},
		{Name: "leila", Role: access.Supervisor, Teams: []string{"sales"}, Extensions: []string{"110"}},
		{Name: "nima", Role: access.Supervisor, Teams: []string{"support"}, Extensions: []string{"111"}},
		{Name: "root", Role: access.Administrator, Extensions: []string{"100"}},
		{Name: "wall", Role: access.Kiosk},
	}
	var err error
	h.gate, err = gate.Open(t.Context(), gate.Config{Password: access.HashCost{MemoryKiB: 64, Passes: 1}}, gate.Deps{
		Access: access.Config{Users: users, Teams: []access.Team{{Name: "sales", Queues: []string{"sales"}}, {Name: "support", Queues: []string{"support"}}}},
		People: people, Dir: t.TempDir(), Now: h.clock, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.gate.Close() })
	for _, u := range users {
		if _, h.tokens[u.Name], err = h.gate.Store().AddToken(t.Context(), store.Token{Name: u.Name, User: u.Name, Created: h.now}); err != nil {
			t.Fatal(err)
		}
	}
	mux := http.NewServeMux()
	n := 0
	h.api, err = New(Deps{
		Gate: h.gate, View: h.view, Floor: h.floor, Post: h.post, Sound: sound, History: (*archive)(h), Reports: (*archive)(h), Board: wall{},
		People: people, Words: lang.New(), Now: h.clock, Logger: slog.New(slog.DiscardHandler), Version: "test", Source: "pbx",
		NewID: func() string { n++; return fmt.Sprint("request-", n) },
	}, mux)
	if err != nil {
		t.Fatal(err)
	}
	h.srv = httptest.NewServer(h.gate.Protect(mux))
	t.Cleanup(h.srv.Close)
	return h
}

func book() call.Book {
	return call.Book{"c1": talk("c1", "101", "sara", "sales"), "d1": talk("d1", "1010", "omid", "support")}
}

func (h *house) view(_ context.Context, fn func(call.Book)) error { fn(book()); return nil }

func (h *house) floor(context.Context) (queue.Snapshot, error) {
	return queue.Snapshot{
		Queues: []queue.QueueState{{Queue: "sales"}, {Queue: "support"}},
		Agents: []queue.AgentState{{ID: "sara", Extension: "101", State: queue.Talking, Call: "c1"}, {ID: "omid", Extension: "1010", State: queue.Talking, Call: "d1"}},
	}, nil
}

func (h *house) post(_ context.Context, e call.Event) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.full {
		return false
	}
	h.posted = append(h.posted, e)
	return true
}

// taken are the events posted since it was asked last.
func (h *house) taken() []call.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.posted
	h.posted = nil
	return out
}

// archive is the house as a History.
type archive house

func (a *archive) Calls(_ context.Context, q Search) (Page, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, q)
	if q.Cursor == "broken" {
		return Page{}, fmt.Errorf("%w: no cursor", ErrAsked)
	}
	if q.Live != nil && *q.Live {
		legacy := talk("l1", "101", "", "")
		legacy.Source, legacy.Queues = "panasonic", nil
		return Page{Calls: []call.Call{*legacy, *talk("c9", "101", "sara", "sales")}}, nil
	}
	// A store that forgot the condition: the rule has the last word.
	return Page{Calls: []call.Call{*over(talk("e1", "101", "sara", "sales")), *over(talk("f1", "1010", "omid", "support"))}, Next: "more"}, nil
}

func (a *archive) Call(_ context.Context, id string) (*call.Call, error) {
	switch id {
	case "e1":
		return over(talk("e1", "101", "sara", "sales")), nil
	case "f1":
		return over(talk("f1", "1010", "omid", "support")), nil
	}
	return nil, ErrNotFound
}

func (a *archive) Events(_ context.Context, id string) ([]call.Event, error) {
	return []call.Event{{Kind: call.CallStarted, Call: id}}, nil
}

func (a *archive) Listened(context.Context, string) ([]Listen, error) { return a.heard, nil }

func (a *archive) Heard(_ context.Context, l Listen) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.heard = append(a.heard, l)
	return nil
}

func (a *archive) Figures(_ context.Context, q ReportQuery) ([]Figure, error) {
	if q.To.Before(q.From) {
		return nil, fmt.Errorf("%w: to is before from", ErrAsked)
	}
	return []Figure{{Key: "2026-03-21", Calls: int64(len(q.Visible.Extensions))}}, nil
}

const tune = "RIFF....WAVE, a tune of some length"

type wav struct{ *bytes.Reader }

func (wav) Close() error { return nil }

func sound(r call.Recording) (io.ReadSeekCloser, error) {
	if r.ID == "f1-r" {
		return nil, fs.ErrNotExist
	}
	return wav{bytes.NewReader([]byte(tune))}, nil
}

// wall is a board that tells the user's name and, in a stream, ends.
type wall struct{}

func (wall) Snapshot(_ context.Context, u *access.User) (json.RawMessage, error) {
	return json.RawMessage(`{"user":"` + u.Name + `"}`), nil
}

func (wall) Stream(w http.ResponseWriter, _ *http.Request, who func() (*access.User, bool)) {
	w.Header().Set("Content-Type", "text/event-stream")
	if u, ok := who(); ok {
		fmt.Fprintf(w, "data: %s\n\n", u.Name)
	}
}

// ask sends a request as a user; "" as nobody.
func (h *house) ask(user, method, path, body string, header ...string) (int, string, http.Header) {
	h.t.Helper()
	req, err := http.NewRequest(method, h.srv.URL+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if user != "" {
		req.Header.Set("Authorization", "Bearer "+h.tokens[user])
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return res.StatusCode, string(text), res.Header
}

// want asks and holds the status, and parts of the answer, against what should be.
func (h *house) want(status int, user, method, path, body string, parts ...string) string {
	h.t.Helper()
	code, text, _ := h.ask(user, method, path, body)
	if code != status {
		h.t.Errorf("%s %s %s: %d %s, want %d", user, method, path, code, text, status)
	}
	for _, p := range parts {
		if !strings.Contains(text, p) {
			h.t.Errorf("%s %s %s: %q is not in %s", user, method, path, p, text)
		}
	}
	return text
}

func (h *house) audited(q audit.Query) []audit.Entry {
	h.t.Helper()
	list, _, err := h.gate.Audit().List(h.t.Context(), q)
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}
