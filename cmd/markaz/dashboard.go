package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"markaz/access"
	"markaz/apps/dashboard"
	"markaz/apps/dashboard/board"
	"markaz/apps/dashboard/hub"
	"markaz/apps/history"
	"markaz/call"
	"markaz/lang"
	"markaz/stream"
)

// makeHub makes what gives live changes to pages, and the pages.
func (s *server) makeHub(context.Context) error {
	zone, err := s.cfg.Dash.Location()
	if err != nil {
		return err
	}
	s.hub = hub.New(hub.Config{}, s.cfg.board(zone), hub.Deps{
		Log: tail{stream.NewReader(s.client)}, Live: s.living, Now: time.Now, Logger: s.log, Epoch: strings.ToLower(rand.Text()[:8]),
	})
	if s.gate == nil {
		return nil
	}
	provider, _ := s.gate.HasProvider()
	s.pages, err = dashboard.New(dashboard.Deps{
		Wrap:    func(h dashboard.Handler) http.Handler { return s.gate.Wrap(h) },
		History: shelf{s.store}, Audit: s.gate.Audit().List, Words: lang.New(), Now: time.Now, Logger: s.log,
		Provider: provider, Source: s.cfg.Asterisk.Source, Zone: zone, Pauses: s.cfg.Dash.Pauses, Secure: s.cfg.Access.Gate.Session.Secure,
		Sound: func(r call.Recording) (io.ReadSeekCloser, error) { return s.keeper.Open(r.File) },
	})
	return err
}

// board is who is shown, as far as the configuration knows.
func (c *config) board(zone *time.Location) board.Config {
	out := board.Config{Zone: zone}
	at := map[string]int{}
	for _, p := range c.people() {
		at[p.Extension] = len(out.People)
		out.People = append(out.People, board.Person{Agent: p.ID, Name: p.Name, Number: p.Extension, Queues: p.Queues})
	}
	add := func(number, name string, teams ...string) {
		i, known := at[number]
		if !known {
			i = len(out.People)
			at[number] = i
			out.People = append(out.People, board.Person{Number: number})
		}
		p := &out.People[i]
		if p.Name == "" {
			p.Name = name
		}
		for _, t := range teams {
			if !slices.Contains(p.Teams, t) {
				p.Teams = append(p.Teams, t)
			}
		}
	}
	policy := access.NewPolicy(c.Access.Config, c.people(), nil, nil)
	for _, a := range c.Access.Users {
		if a, ok := policy.Account(a.Name); ok {
			for _, number := range a.Extensions {
				add(number, a.Display, a.Teams...)
			}
		}
	}
	for _, t := range c.Access.Teams {
		for _, number := range t.Extensions {
			add(number, "", t.Name)
		}
	}
	for _, q := range c.Floor.Queues {
		out.Queues = append(out.Queues, board.QueueTarget{Name: q.Name, ServiceLevel: q.ServiceLevel, ShortAbandon: q.ShortAbandon})
	}
	return out
}

// living visits the calls of this process, as copies.
func (s *server) living(ctx context.Context, fn func(*call.Call)) error {
	var list []*call.Call
	err := s.loop.View(ctx, func(b call.Book) {
		for _, c := range b {
			if !c.Over() {
				list = append(list, board.Clone(c))
			}
		}
	})
	if err != nil {
		return err // the list may still be written to
	}
	for _, c := range list {
		fn(c)
	}
	return nil
}

// tail is the log of all events as the hub reads it.
type tail struct{ *stream.Reader }

// Snapshot implements hub.Log.
func (t tail) Snapshot(ctx context.Context, since time.Time, fn func(call.Event)) (string, error) {
	return t.Reader.Snapshot(ctx, since, each(fn))
}

// Tail implements hub.Log.
func (t tail) Tail(ctx context.Context, after string, fn func(call.Event)) error {
	return t.Reader.Tail(ctx, after, each(fn))
}

func each(fn func(call.Event)) func(stream.Entry) error {
	return func(e stream.Entry) error { fn(e.Event); return nil }
}

// shelf is the store of calls as the pages ask it.
type shelf struct{ *history.Store }

// Calls implements dashboard.History.
func (p shelf) Calls(ctx context.Context, q dashboard.Search) (dashboard.Page, error) {
	ask := history.Query{
		From: q.From, To: q.To, Number: q.Number, Name: q.Name, Extension: q.Extension, Queue: q.Queue,
		Direction: q.Direction, Visible: visible(q.Visible), Cursor: q.Cursor, Limit: q.Limit,
	}
	if q.Disposition != "" {
		ask.Disposition = []call.Disposition{q.Disposition}
	}
	if q.Recorded {
		ask.Recorded = &q.Recorded
	}
	got, err := p.Store.Calls(ctx, ask)
	if errors.Is(err, history.ErrCursor) { // an address that somebody has changed by hand
		ask.Cursor = ""
		got, err = p.Store.Calls(ctx, ask)
	}
	return dashboard.Page{Calls: got.Calls, Next: got.Next}, err
}

// Call implements dashboard.History.
func (p shelf) Call(ctx context.Context, id string) (*call.Call, error) {
	c, err := p.Store.Call(ctx, id)
	if errors.Is(err, history.ErrNotFound) {
		return nil, dashboard.ErrNotFound
	}
	return &c, err
}

// Listened implements dashboard.History.
func (p shelf) Listened(ctx context.Context, id string) ([]dashboard.Listen, error) {
	list, err := p.Store.Listened(ctx, id)
	out := make([]dashboard.Listen, 0, len(list))
	for _, l := range list {
		out = append(out, dashboard.Listen{At: l.At, Recording: l.Recording, Who: l.Who, How: l.How})
	}
	return out, err
}

// Figures implements dashboard.History.
func (p shelf) Figures(ctx context.Context, q dashboard.Report) ([]dashboard.Figure, error) {
	list, err := p.Store.Figures(ctx, history.FigureQuery{
		By: history.By(q.By), From: q.From, To: q.To, Zone: q.Zone, Jalali: q.Jalali, Visible: visible(q.Visible),
	})
	out := make([]dashboard.Figure, 0, len(list))
	for _, f := range list {
		out = append(out, dashboard.Figure{
			Key: f.Key, Calls: f.Calls, Answered: f.Answered, Missed: f.Missed, Offered: f.Offered, Outbound: f.Outbound,
			Level: f.ServiceLevel(), WaitMS: f.WaitMS, TalkMS: f.TalkMS, WaitMax: f.WaitMax,
		})
	}
	return out, err
}

// screen is the board as the API gives it.
type screen struct{ hub *hub.Hub }

// Snapshot implements api.Board.
func (b screen) Snapshot(_ context.Context, u *access.User) (json.RawMessage, error) {
	return b.hub.Snapshot(hub.ViewOf(u)), nil
}

// Stream implements api.Board.
func (b screen) Stream(w http.ResponseWriter, r *http.Request, who func() (*access.User, bool)) {
	b.hub.Stream(w, r, func() (hub.Viewer, bool) {
		u, ok := who()
		if !ok {
			return hub.Viewer{}, false
		}
		return hub.ViewOf(u), true
	})
}

// mountPages adds the pages to the HTTP side.
func (s *server) mountPages(mux *http.ServeMux) error {
	s.pages.Routes(mux)
	return nil
}
