package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"markaz/access"
	"markaz/apps/dashboard/api"
	"markaz/apps/history"
	"markaz/call"
	"markaz/lang"
)

// mountAPI adds the interface for programs.
func (s *server) mountAPI(mux *http.ServeMux) error {
	_, err := api.New(api.Deps{
		Gate: s.gate, Board: screen{s.hub}, View: s.loop.View, Floor: s.snapshot, Post: s.loop.Post, People: s.cfg.people(),
		Sound:   func(r call.Recording) (io.ReadSeekCloser, error) { return s.keeper.Open(r.File) },
		History: past{s.store}, Reports: past{s.store}, Words: lang.New(), Now: time.Now, NewID: newID,
		Logger: s.log, Version: version, Source: s.cfg.Asterisk.Source,
	}, mux)
	return err
}

// past is the store of calls as the API asks it.
type past struct{ *history.Store }

// visible is a condition as the store knows it; nil for everything.
func visible(c access.Condition) *history.Visible {
	if c.All && len(c.Not) == 0 {
		return nil
	}
	return &history.Visible{
		All: c.All, Extensions: c.Extensions, Agents: c.Agents, Queues: c.Queues, Identities: c.Profiles, Not: c.Not,
	}
}

// Calls implements api.History.
func (p past) Calls(ctx context.Context, q api.Search) (api.Page, error) {
	page, err := p.Store.Calls(ctx, history.Query{
		From: q.From, To: q.To, Number: q.Number, Name: q.Name, Extension: q.Extension, Agent: q.Agent, Queue: q.Queue,
		Source: q.Source, Line: q.Line, Identity: q.Identity, Direction: q.Direction, Disposition: q.Disposition,
		Recorded: q.Recorded, Live: q.Live, Visible: visible(q.Visible), Cursor: q.Cursor, Limit: q.Limit,
	})
	return api.Page{Calls: page.Calls, Next: page.Next}, asked(err, history.ErrCursor)
}

// Call implements api.History.
func (p past) Call(ctx context.Context, id string) (*call.Call, error) {
	c, err := p.Store.Call(ctx, id)
	if errors.Is(err, history.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", api.ErrNotFound, err)
	}
	return &c, err
}

// Listened implements api.History.
func (p past) Listened(ctx context.Context, id string) ([]api.Listen, error) {
	rows, err := p.Store.Listened(ctx, id)
	out := make([]api.Listen, len(rows))
	for i, l := range rows {
		out[i] = api.Listen{At: l.At, Call: l.Call, Recording: l.Recording, Who: l.Who, From: l.Place, How: l.How}
	}
	return out, err
}

// Heard implements api.History.
func (p past) Heard(ctx context.Context, l api.Listen) error {
	return p.Store.Heard(ctx, history.Listen{At: l.At, Call: l.Call, Recording: l.Recording, Who: l.Who, Place: l.From, How: l.How})
}

// Figures implements api.Reports.
func (p past) Figures(ctx context.Context, q api.ReportQuery) ([]api.Figure, error) {
	rows, err := p.Store.Figures(ctx, history.FigureQuery{
		By: history.By(q.By), From: q.From, To: q.To, Zone: q.Zone, Jalali: q.Jalali, InTime: q.InTime, Visible: visible(q.Visible),
	})
	out := make([]api.Figure, len(rows))
	for i, f := range rows {
		out[i] = api.Figure{
			Key: f.Key, Calls: f.Calls, Answered: f.Answered, Missed: f.Missed, Offered: f.Offered, InTime: f.InTime, Outbound: f.Outbound,
			Level: f.ServiceLevel(), WaitMS: f.WaitMS, WaitMaxMS: f.WaitMax, TalkMS: f.TalkMS, TalkMaxMS: f.TalkMax,
		}
	}
	return out, asked(err, history.ErrBy)
}

// asked marks an error that is the fault of the question.
func asked(err, fault error) error {
	if errors.Is(err, fault) {
		return fmt.Errorf("%w: %w", api.ErrAsked, err)
	}
	return err
}
