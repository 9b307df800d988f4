package dashboard

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"markaz/access"
	"markaz/call"
)

// detail is the page of one call.
type detail struct {
	Call      *call.Call
	Row       callRow
	Facts     []fact
	Steps     []step
	Chart     chart
	Legs      []legRow
	Sounds    []sound
	Listened  []Listen
	Monitors  []call.Monitor
	Why       string
	Transfer  bool
	CanListen bool
}

// fact is a line of the record.
type fact struct {
	Label, Text string
	Dir         string // ltr for a number or id, that of the page for its own words, auto for names
}

// step is one event in words, and how long after the one before it came.
type step struct {
	At   time.Time
	Gap  time.Duration // 0: hardly any
	Kind string
	Text string
	Bad  bool
}

type legRow struct {
	call.Leg
	RoleText, ResultText, CauseText string
}

// sound is a recording that can be heard, or why not.
type sound struct {
	call.Recording
	StateText, Peaks, Audio, File string
	Play, Download                bool
	Why                           string
}

func (w *Web) call(rw http.ResponseWriter, r *http.Request, u *access.User) {
	c, ok := w.seen(rw, r, u)
	if !ok {
		return
	}
	if c.ID != r.PathValue("id") { // it was merged into another one
		http.Redirect(rw, r, "/calls/"+url.PathEscape(c.ID), http.StatusSeeOther)
		return
	}
	p := w.page(r, u, "web.call.title")
	events, err := w.dep.History.Events(r.Context(), c.ID)
	if err != nil {
		w.dep.Logger.Error("events of call not read", "call", c.ID, "err", err)
	}
	d := detail{Call: c, Row: w.row(p, c), Monitors: c.Monitors, Why: p.verdict(u.Sees(c))}
	d.Facts = w.facts(p, c)
	d.Steps = w.steps(p, events)
	d.Chart = w.chart(p, c)
	for _, l := range parties(c) {
		row := legRow{Leg: l, RoleText: p.T("role." + string(l.Role)), CauseText: w.cause(p, l.SIP, l.Cause)}
		if l.Result != "" {
			row.ResultText = p.T("result." + string(l.Result))
		}
		d.Legs = append(d.Legs, row)
	}
	d.Sounds = w.sounds(p, u, c)
	if u.Can(access.Play, access.OfTalk(c)).OK {
		if d.Listened, err = w.dep.History.Listened(r.Context(), c.ID); err != nil {
			w.dep.Logger.Error("listeners of call not read", "call", c.ID, "err", err)
		}
	}
	p.Title = orElse(d.Row.Name, p.N(d.Row.Peer))
	p.Data = d
	w.show(rw, r, "call", p)
}

// parties are the legs of a call. An old exchange tells only of the called
// party when it was picked up: its caller talked since then, too.
func parties(c *call.Call) []call.Leg {
	legs := slices.Clone(c.Legs)
	for i := range legs {
		if l := &legs[i]; l.Role == call.RoleCaller && l.Answered == nil && l.TalkMS == 0 && c.Answered != nil {
			l.Answered, l.RingMS, l.TalkMS = c.Answered, c.Answered.Sub(c.Started).Milliseconds(), c.TalkMS
		}
	}
	return legs
}

func (w *Web) facts(p *page, c *call.Call) []fact {
	const ltr, name = "ltr", "auto"
	var out []fact
	add := func(key, text, dir string) {
		if text != "" {
			out = append(out, fact{p.T("web.call." + key), text, dir})
		}
	}
	add("from", p.N(c.From), ltr)
	add("name", c.FromName, name)
	add("known", c.Known, name)
	add("identity", c.Identity, ltr)
	add("to", p.N(c.To), ltr)
	if c.Reached != c.To {
		add("reached", p.N(c.Reached), ltr)
	}
	add("agent", c.Agent, ltr)
	add("line", c.Line.Trunk, ltr)
	add("did", p.N(c.Line.DID), ltr)
	add("started", p.Stamp(c.Started), ltr)
	if c.Answered != nil {
		add("answered", p.Clock(*c.Answered), ltr)
		add("waited", p.Dur(c.Answered.Sub(c.Started).Milliseconds()), ltr)
	}
	if c.Ended != nil {
		add("ended", p.Clock(*c.Ended), ltr)
		add("talk", p.Dur(c.TalkMS), ltr)
	}
	if c.By != "" {
		add("by", p.T("party."+string(c.By)), p.Dir)
	}
	add("cause", w.cause(p, c.SIP, c.Cause), p.Dir)
	add("reason", c.Reason, ltr)
	if c.Origin != "" {
		add("origin", p.T("origin."+string(c.Origin)), p.Dir)
	}
	add("source", c.Source, ltr)
	add("id", c.ID, ltr)
	return out
}

// cause says the codes with which something ended, and what they mean where
// the catalogue knows.
func (w *Web) cause(p *page, sip, q850 int) string {
	var words []string
	if sip != 0 {
		words = append(words, w.meaning(p, "SIP ", "cause.sip.", sip))
	}
	if q850 != 0 {
		words = append(words, w.meaning(p, "Q.850 ", "cause.q850.", q850))
	}
	return strings.Join(words, " · ")
}

func (w *Web) meaning(p *page, scheme, prefix string, code int) string {
	text := "\u2066" + scheme + itoa(code) + "\u2069" // left to right, whatever stands around it
	for _, key := range []string{prefix + itoa(code), prefix + itoa(code) + ".meaning"} {
		if w.dep.Words.Has(key) {
			return text + ": " + p.T(key)
		}
	}
	return text
}

// steps says the events in words.
func (w *Web) steps(p *page, events []call.Event) []step {
	const most = 500
	if len(events) > most {
		events = events[:most]
	}
	var out []step
	var last time.Time
	names := map[string]string{} // by leg: an old exchange names each once
	for _, e := range events {
		if e.Leg != "" {
			names[e.Leg] = cmp.Or(e.Address, names[e.Leg], e.From)
			e.Address = names[e.Leg]
		}
		s := step{At: e.At, Kind: string(e.Kind), Text: w.sentence(p, e)}
		if gap := e.At.Sub(last); !last.IsZero() && gap >= 100*time.Millisecond {
			s.Gap = gap
		}
		s.Bad = e.Kind == call.RecordingFailed || e.Kind == call.RequestRefused || e.Kind == call.LegEnded && (e.Result == call.Failed || e.Result == call.Lost)
		last = e.At
		out = append(out, s)
	}
	return out
}

func (w *Web) sentence(p *page, e call.Event) string {
	key := "web.event." + string(e.Kind)
	if !w.dep.Words.Has(key) {
		return string(e.Kind)
	}
	if e.Kind == call.CallStarted && e.To == "" {
		key = "web.event.call.arrived" // a line without a number that is dialled
	}
	who := e.Address
	if e.Role != "" && who == "" {
		who = p.T("role." + string(e.Role))
	}
	result := ""
	switch {
	case e.Disposition != "":
		result = p.T("disposition." + string(e.Disposition))
	case e.Result != "":
		result = p.T("result." + string(e.Result))
	}
	by := ""
	if e.By != "" {
		by = p.T("party." + string(e.By))
	}
	text := p.T(key, "who", p.number(orElse(who, e.Agent)), "agent", e.Agent, "from", cmp.Or(p.number(e.From), p.T("web.hidden")), "to", p.number(cmp.Or(e.To, e.Into)), "queue", e.Queue, "menu", e.Menu,
		"digits", p.number(e.Digits), "place", p.N(e.Position), "wait", p.Dur(e.WaitMS), "result", result, "by", by, "mode", w.mode(p, e.Mode), "why", w.cause(p, e.SIP, e.Cause), "reason", e.Reason, "name", orElse(e.Text, e.FromName))
	text = strings.NewReplacer(" ()", "", "（）", "").Replace(text) // it is not known who ended it
	return strings.TrimRight(strings.TrimSpace(text), " :,·")
}

func (w *Web) mode(p *page, mode string) string {
	if key := "web.mode." + mode; w.dep.Words.Has(key) {
		return p.T(key)
	}
	return mode
}

// sounds tells which recordings there are and whether this user may hear them.
func (w *Web) sounds(p *page, u *access.User, c *call.Call) []sound {
	play, load := u.Can(access.Play, access.OfTalk(c)), u.Can(access.Download, access.OfTalk(c))
	var out []sound
	for _, r := range c.Recordings {
		base := "/calls/" + url.PathEscape(c.ID) + "/recordings/" + url.PathEscape(r.ID)
		s := sound{
			Recording: r, StateText: p.T("recording." + r.State), Peaks: base + "/peaks",
			Audio: "/v1" + base, File: "/v1" + base + "?download=1",
		}
		there := r.File != "" && (r.State == "done" || r.State == "incomplete")
		s.Play, s.Download = there && play.OK, there && load.OK
		if there && !play.OK {
			s.Why = p.verdict(play)
		}
		out = append(out, s)
	}
	return out
}

// Seconds is how long the recording is.
func (s sound) Seconds() int64 { return s.DurationMS / 1000 }
