package dashboard

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"markaz/access"
	"markaz/call"
)

// listing is the page of the calls of the past.
type listing struct {
	Rows         []callRow
	Next         string // address of the next part
	Asked        url.Values
	Directions   []choice
	Dispositions []choice
	Missing      bool // there is no history
}

// callRow is a call in a list.
type callRow struct {
	ID, Peer, Name, Way, State, StateText, Person, Queue, Source string
	Started                                                      time.Time
	WaitMS, TalkMS                                               int64
	Recorded, Live                                               bool
}

func (w *Web) row(p *page, c *call.Call) callRow {
	r := callRow{
		ID: c.ID, Way: string(c.Direction), State: string(c.Disposition), Started: c.Started, TalkMS: c.TalkMS,
		Peer: otherParty(c), Name: orElse(c.Known, c.FromName), Person: strings.TrimSpace(c.Reached + " " + c.Agent), Live: !c.Over(), Source: c.Source,
	}
	r.StateText = p.T("disposition." + r.State)
	if r.Live {
		r.State, r.StateText = string(c.State), p.T("state."+string(c.State))
	}
	if c.Direction != call.Inbound {
		r.Name, r.Person = c.Known, strings.TrimSpace(c.From+" "+c.FromName)
	}
	for _, q := range c.Queues {
		r.WaitMS += q.WaitMS
		r.Queue = q.Queue
	}
	for _, x := range c.Recordings {
		r.Recorded = r.Recorded || x.State == "done" || x.State == "incomplete"
	}
	return r
}

// otherParty is the number that the house talked to.
func otherParty(c *call.Call) string {
	if c.Direction == call.Inbound {
		return c.From
	}
	return c.To
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (w *Web) calls(rw http.ResponseWriter, r *http.Request, u *access.User) {
	p := w.page(r, u, "web.nav.calls")
	q := r.URL.Query()
	list := listing{Asked: q, Missing: w.dep.History == nil}
	for _, d := range []call.Direction{call.Inbound, call.Outbound, call.Internal} {
		list.Directions = append(list.Directions, choice{string(d), p.T("direction." + string(d)), q.Get("direction") == string(d)})
	}
	for _, d := range []call.Disposition{
		call.CallAnsweredD, call.Missed, call.AbandonedQueue, call.AbandonedIVR, call.AbandonedRinging, call.Voicemail,
		call.AfterHours, call.CallBusy, call.CallRejected, call.CallCancelled, call.CallFailed, call.Blocked, call.CallLost,
	} {
		list.Dispositions = append(list.Dispositions, choice{string(d), p.T("disposition." + string(d)), q.Get("result") == string(d)})
	}
	if !list.Missing {
		got, err := w.dep.History.Calls(r.Context(), w.search(p, u, q))
		if err != nil {
			w.dep.Logger.Error("calls not listed", "err", err)
			w.problem(rw, r, u, http.StatusServiceUnavailable, p.T("web.problem.history"))
			return
		}
		for i := range got.Calls {
			list.Rows = append(list.Rows, w.row(p, &got.Calls[i]))
		}
		if got.Next != "" {
			q.Set("after", got.Next)
			list.Next = "/calls?" + q.Encode()
		}
	}
	p.Data = list
	w.show(rw, r, "calls", p)
}

// search reads what a person asks for; what makes no sense asks for nothing.
func (w *Web) search(p *page, u *access.User, q url.Values) Search {
	get := func(name string) string { return cutText(q.Get(name), 80) }
	s := Search{
		Visible: u.Covers(access.See), Number: get("number"), Name: get("name"), Extension: latin(get("extension")), Queue: get("queue"),
		Direction: call.Direction(get("direction")), Disposition: call.Disposition(get("result")), Recorded: get("recorded") != "",
		Cursor: cutText(q.Get("after"), 300), Limit: 50,
	}
	s.From = p.day(get("from"))
	if to := p.day(get("to")); !to.IsZero() {
		s.To = to.AddDate(0, 0, 1)
	}
	return s
}

func cutText(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most])
	}
	return s
}

// seen finds the call of the path if the user sees it. Otherwise it answers as
// it would if there were no such call.
func (w *Web) seen(rw http.ResponseWriter, r *http.Request, u *access.User) (*call.Call, bool) {
	p := w.page(r, u, "web.problem.title")
	if w.dep.History == nil {
		w.problem(rw, r, u, http.StatusNotFound, p.T("web.problem.nohistory"))
		return nil, false
	}
	id := r.PathValue("id")
	if len(id) > 80 {
		id = ""
	}
	c, err := w.dep.History.Call(r.Context(), id)
	switch {
	case err != nil && !errors.Is(err, ErrNotFound):
		w.dep.Logger.Error("call not read", "err", err)
		w.problem(rw, r, u, http.StatusServiceUnavailable, p.T("web.problem.history"))
	case err != nil, !u.Sees(c).OK:
		w.problem(rw, r, u, http.StatusNotFound, p.T("access.no.unknown"))
	default:
		return c, true
	}
	return nil, false
}

// phonePage is an agent's own screen.
type phonePage struct {
	Rows []callRow
}

func (w *Web) phone(rw http.ResponseWriter, r *http.Request, u *access.User) {
	p := w.page(r, u, "web.nav.phone")
	data := phonePage{}
	if w.dep.History != nil && u.Extension() != "" {
		got, err := w.dep.History.Calls(r.Context(), Search{Visible: u.Covers(access.See), Extension: u.Extension(), Limit: 50})
		if err != nil {
			w.dep.Logger.Error("own calls not listed", "err", err)
		}
		for i := range got.Calls {
			if got.Calls[i].Over() {
				data.Rows = append(data.Rows, w.row(p, &got.Calls[i]))
			}
		}
	}
	p.Data = data
	w.show(rw, r, "phone", p)
}

// reportPage is figures of the past.
type reportPage struct {
	By       []choice
	From, To string
	Rows     []Figure
	Sum      Figure
	Max      int64 // calls of the largest row
	Missing  bool
}

func (w *Web) reports(rw http.ResponseWriter, r *http.Request, u *access.User) {
	p := w.page(r, u, "web.nav.reports")
	if !u.Has(access.Reports) {
		w.problem(rw, r, u, http.StatusForbidden, u.Can(access.Reports, access.Target{}).In(p.w))
		return
	}
	q := r.URL.Query()
	by := q.Get("by")
	data := reportPage{Missing: w.dep.History == nil}
	for i, b := range []string{"hour", "day", "queue", "agent", "line"} {
		data.By = append(data.By, choice{b, p.T("web.report." + b), by == b || by == "" && i == 0})
		if data.By[i].On {
			by = b
		}
	}
	now := w.dep.Now()
	y, m, d := now.In(w.dep.Zone).Date()
	from, to := p.day(q.Get("from")), p.day(q.Get("to"))
	if from.IsZero() {
		from = time.Date(y, m, d-6, 0, 0, 0, 0, w.dep.Zone)
	}
	if to.IsZero() {
		to = time.Date(y, m, d, 0, 0, 0, 0, w.dep.Zone)
	}
	data.From, data.To = p.Date(from), p.Date(to)
	if !data.Missing {
		ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
		defer cancel()
		rows, err := w.dep.History.Figures(ctx, Report{
			Visible: u.Covers(access.Reports), By: by, From: from, To: to.AddDate(0, 0, 1), Zone: w.dep.Zone, Jalali: p.Lang == "fa",
		})
		if err != nil {
			w.dep.Logger.Error("report not made", "err", err)
			w.problem(rw, r, u, http.StatusServiceUnavailable, p.T("web.problem.history"))
			return
		}
		data.Rows = rows
		data.sum()
	}
	p.Data = data
	w.show(rw, r, "reports", p)
}

func (d *reportPage) sum() {
	inTime := 0.0
	for _, f := range d.Rows {
		d.Sum.Calls += f.Calls
		d.Sum.Answered += f.Answered
		d.Sum.Missed += f.Missed
		d.Sum.Outbound += f.Outbound
		d.Sum.WaitMS += f.WaitMS
		d.Sum.TalkMS += f.TalkMS
		d.Sum.WaitMax = max(d.Sum.WaitMax, f.WaitMax)
		d.Sum.Offered += f.Offered
		inTime += f.Level * float64(f.Offered)
		d.Max = max(d.Max, f.Calls)
	}
	d.Sum.Level = inTime / float64(max(1, d.Sum.Offered))
}

// WaitMean is the mean wait of all calls.
func (f Figure) WaitMean() int64 { return f.WaitMS / max(1, f.Calls) }

// TalkMean is the mean talk of the answered calls.
func (f Figure) TalkMean() int64 { return f.TalkMS / max(1, f.Answered) }
