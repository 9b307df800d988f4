package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
	"markaz/call"
)

// Search says which calls are wanted; zero fields ask for nothing in
// particular. Texts come from people and may hold anything.
type Search struct {
	Visible     access.Condition
	From, To    time.Time // of the start, To not included
	Number      string
	Name        string
	Extension   string
	Agent       string
	Queue       string
	Line        string
	Source      string
	Identity    string
	Direction   call.Direction
	Disposition []call.Disposition
	Recorded    *bool
	Live        *bool
	Cursor      string
	Limit       int
}

// Page is a part of a list.
type Page struct {
	Calls []call.Call
	Next  string // cursor of what follows; "" at the end
}

// Listen is one use of a recording.
type Listen struct {
	At        time.Time `json:"at"`
	Call      string    `json:"call"`
	Recording string    `json:"recording"`
	Who       string    `json:"who"`
	From      string    `json:"from,omitempty" doc:"Network address"`
	How       string    `json:"how" enum:"play,download"`
}

type callID struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the call"`
}

type callsIn struct {
	State       string    `query:"state" enum:"live,ended,all" default:"live" doc:"Calls that go on, calls that have ended, or both"`
	From        time.Time `query:"from" doc:"Started at or after this"`
	To          time.Time `query:"to" doc:"Started before this"`
	Number      string    `query:"number" maxLength:"64" doc:"A number, or its end, in any form"`
	Name        string    `query:"name" maxLength:"100" doc:"A piece of the caller's name"`
	Extension   string    `query:"extension" maxLength:"32" doc:"Who took part, or whose phone rang"`
	Agent       string    `query:"agent" maxLength:"100"`
	Queue       string    `query:"queue" maxLength:"100"`
	Line        string    `query:"line" maxLength:"100" doc:"Trunk, or the number that was called"`
	Source      string    `query:"source" maxLength:"64" doc:"Key of the PBX or line monitor"`
	Identity    string    `query:"identity" maxLength:"200" doc:"The CRM's id of the other party"`
	Direction   string    `query:"direction" enum:"inbound,outbound,internal"`
	Disposition []string  `query:"disposition" maxItems:"20" doc:"Results of the whole call"`
	Recorded    string    `query:"recorded" enum:"yes,no" doc:"With or without a recording"`
	Cursor      string    `query:"cursor" maxLength:"300" doc:"The next of the page before"`
	Limit       int       `query:"limit" minimum:"1" maximum:"500" default:"50"`
}

type callsOut struct {
	Body struct {
		Calls []call.Call `json:"calls"`
		Next  string      `json:"next,omitempty" doc:"Cursor of what follows; absent at the end"`
	}
}

func (a *API) declareCalls() {
	add(a, access.See, huma.Operation{
		OperationID: "calls", Method: http.MethodGet, Path: "/v1/calls", Summary: "Calls that you see",
		Description: "Living calls come oldest first and on one page; others newest first, page by page.",
	}, a.calls)

	type out struct{ Body *call.Call }
	add(a, access.See, huma.Operation{
		OperationID: "call", Method: http.MethodGet, Path: "/v1/calls/{id}", Summary: "One call", Errors: []int{404},
	}, func(ctx context.Context, v *visit, in *callID) (*out, error) {
		c, err := v.call(ctx, in.ID)
		return &out{c}, err
	})

	type eventsOut struct {
		Body struct {
			Events []call.Event `json:"events"`
		}
	}
	add(a, access.See, huma.Operation{
		OperationID: "call-events", Method: http.MethodGet, Path: "/v1/calls/{id}/events", Summary: "What happened in a call, in order", Errors: []int{404},
	}, func(ctx context.Context, v *visit, in *callID) (*eventsOut, error) {
		if _, err := v.call(ctx, in.ID); err != nil {
			return nil, err
		}
		events, err := a.dep.History.Events(ctx, in.ID)
		o := &eventsOut{}
		o.Body.Events = list(events)
		return o, err
	})
	a.declareWhy()
}

func (a *API) calls(ctx context.Context, v *visit, in *callsIn) (*callsOut, error) {
	q := Search{
		Visible: v.user.Covers(access.See), From: in.From, To: in.To, Number: in.Number, Name: in.Name, Extension: in.Extension,
		Agent: in.Agent, Queue: in.Queue, Line: in.Line, Source: in.Source, Identity: in.Identity,
		Direction: call.Direction(in.Direction), Cursor: in.Cursor, Limit: in.Limit,
	}
	for _, d := range in.Disposition {
		q.Disposition = append(q.Disposition, call.Disposition(d))
	}
	if in.Recorded != "" {
		q.Recorded = new(in.Recorded == "yes")
	}
	if in.State != "all" {
		q.Live = new(in.State == "live")
	}
	o := &callsOut{}
	if in.State == "live" {
		live, err := a.live(ctx, v, q)
		o.Body.Calls = list(live)
		return o, err
	}
	page, err := a.dep.History.Calls(ctx, q)
	if errors.Is(err, ErrAsked) {
		return nil, fail(http.StatusUnprocessableEntity, "E4220", err.Error())
	}
	// The search knows the rule as a condition; the rule itself has the last word.
	o.Body.Calls = list(slices.DeleteFunc(page.Calls, func(c call.Call) bool { return !v.user.Sees(&c).OK }))
	o.Body.Next = page.Next
	return o, err
}

// live are the living calls that a user sees: those that Asterisk tells of as
// they stand now, those of other sources as the history has them.
func (a *API) live(ctx context.Context, v *visit, q Search) ([]call.Call, error) {
	var out []call.Call
	err := a.dep.View(ctx, func(b call.Book) {
		for _, c := range b {
			if !c.Over() && q.fits(c) && v.user.Sees(c).OK {
				out = append(out, *clone(c))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	q.Cursor, q.Limit = "", 500
	page, err := a.dep.History.Calls(ctx, q)
	if err != nil {
		a.dep.Logger.Warn("living calls of other sources not shown", "err", err)
	}
	inLoop := map[string]bool{}
	for i := range out {
		inLoop[out[i].ID] = true
	}
	for _, c := range page.Calls {
		if !inLoop[c.ID] && c.Source != a.dep.Source && v.user.Sees(&c).OK {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(x, y call.Call) int { return strings.Compare(x.ID, y.ID) })
	return out, nil
}

// fits is the search on a living call.
func (q Search) fits(c *call.Call) bool {
	t := access.OfCall(c)
	among := func(list []string, s string) bool { return s == "" || slices.Contains(list, s) }
	is := func(have, want string) bool { return want == "" || have == want }
	return among(append(t.Extensions, t.Present...), q.Extension) && among(t.Agents, q.Agent) && among(t.Queues, q.Queue) &&
		is(c.Source, q.Source) && is(c.Identity, q.Identity) && is(string(c.Direction), string(q.Direction)) &&
		(is(c.Line.Trunk, q.Line) || c.Line.DID == q.Line) &&
		(q.Number == "" || strings.Contains(c.From+" "+c.To+" "+c.FromE164+" "+c.ToE164, q.Number)) &&
		(q.Name == "" || strings.Contains(strings.ToLower(c.FromName+" "+c.Known), strings.ToLower(q.Name))) &&
		(q.From.IsZero() || !c.Started.Before(q.From)) && (q.To.IsZero() || c.Started.Before(q.To)) &&
		(q.Recorded == nil || *q.Recorded == (len(c.Recordings) > 0)) && len(q.Disposition) == 0
}

// reason is why somebody may, or may not, do one thing with a call.
type reason struct {
	Right string `json:"right"`
	OK    bool   `json:"ok"`
	Why   string `json:"why" doc:"In the language of the user"`
	Key   string `json:"key" doc:"The same in every language" example:"access.yes.team"`
}

type whyIn struct {
	ID   string `path:"id" maxLength:"64" doc:"Id of the call"`
	User string `query:"user" maxLength:"100" doc:"Another user's; needs the right settings"`
}

type whyOut struct {
	Body struct {
		Call    string   `json:"call"`
		User    string   `json:"user"`
		Reasons []reason `json:"reasons"`
	}
}

func (a *API) declareWhy() {
	add(a, anyone, huma.Operation{
		OperationID: "call-access", Method: http.MethodGet, Path: "/v1/calls/{id}/access", Errors: []int{404},
		Summary: "Why you see this call, or do not, and what you may do with it",
	}, func(ctx context.Context, v *visit, in *whyIn) (*whyOut, error) {
		u := v.user
		if in.User != "" && in.User != u.Name {
			if err := v.need(ctx, access.Settings, access.Target{}, in.User); err != nil {
				return nil, err
			}
			p, err := a.dep.Gate.Policy(ctx)
			if err != nil {
				return nil, err
			}
			other, ok := p.User(in.User)
			if !ok {
				return nil, fail(http.StatusNotFound, "E4042", "There is no such user.")
			}
			u = other
		}
		c, err := a.anyCall(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		o := &whyOut{}
		o.Body.Call, o.Body.User = c.ID, u.Name
		for _, r := range access.Rights() {
			if r.Plain() || r == access.Board || r == access.Dial || r == access.Pause || r == access.Reports {
				continue
			}
			t := access.OfCall(c)
			if r != access.See {
				t = access.OfTalk(c)
			}
			verdict := u.Can(r, t)
			o.Body.Reasons = append(o.Body.Reasons, reason{string(r), verdict.OK, verdict.In(v.words), verdict.Why})
		}
		return o, nil
	})
}
