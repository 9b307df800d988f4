package inbound

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"markaz/apps"
	"markaz/call"
	"markaz/ivr"
	"markaz/queue"
)

// memory is what is written on the caller's leg, so that a later process can
// go on with him even if it has lost its own record.
type memory struct {
	Phase    phase      `json:"p"`
	From     string     `json:"f,omitempty"`
	Name     string     `json:"n,omitempty"`
	Lang     string     `json:"l,omitempty"`
	Queue    string     `json:"q,omitempty"`
	Ticket   int64      `json:"t,omitempty"`
	Joined   time.Time  `json:"j,omitzero"`
	Told     int        `json:"o,omitempty"`
	Priority int        `json:"r,omitempty"`
	App      string     `json:"app,omitempty"` // set by another application, whose leg it is
	Menu     *ivr.State `json:"m,omitempty"`
}

// keep writes the caller's place on his leg.
func (a *App) keep(out *call.Out, s *session) {
	m := memory{Phase: s.phase, From: s.from, Name: call.Clean(s.name, 40), Lang: s.lang}
	if c, ok := a.floor.Caller(s.call); ok {
		m.Queue, m.Ticket, m.Joined, m.Told, m.Priority = c.Queue, c.Ticket, c.Joined.Truncate(time.Millisecond), c.Told, c.Priority
	}
	if s.phase == inMenu {
		m.Menu = &s.menu
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // plain fields cannot fail
	}
	out.Do(call.Remember{Leg: s.leg, State: string(text)})
}

// found is what the PBX still has of a call.
type found struct {
	legs   map[string]call.Event
	memory memory
}

// remember notes a living leg until all have been told.
func (a *App) remember(e call.Event) {
	f := a.found[e.Call]
	if f == nil {
		f = &found{legs: map[string]call.Event{}}
		a.found[e.Call] = f
	}
	f.legs[e.Leg] = e
	if e.State != "" {
		_ = json.Unmarshal([]byte(e.State), &f.memory) // what cannot be read is not remembered
	}
}

// synced goes on with the calls that the PBX has and we do not: all of them
// after a restart, none after a mere interruption.
func (a *App) synced(out *call.Out, e call.Event, calls apps.Calls) {
	ids := make([]string, 0, len(a.found))
	for id := range a.found {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y string) int { return a.since(x).Compare(a.since(y)) })
	for _, id := range ids {
		if a.found[id].foreign(calls.Call(id)) {
			continue
		}
		if s := a.sessions[id]; s != nil {
			s.at = e.SeenAt
			a.recheck(out, s, a.found[id])
			continue
		}
		a.adopt(out, e, id, calls)
	}
	a.carry(out, e.SeenAt, a.floor.Open(e.SeenAt))
	clear(a.found)
}

// since orders the waiting as they came.
func (a *App) since(id string) time.Time {
	if f := a.found[id]; !f.memory.Joined.IsZero() {
		return f.memory.Joined
	}
	at, _ := call.TimeOf(id)
	return at
}

// recheck looks after a conversation whose other party went away unseen, and
// one that began unseen.
func (a *App) recheck(out *call.Out, s *session, f *found) {
	switch {
	case s.phase == talking && f.legs[s.leg].Data["alone"] != "":
		a.hangup(out, s)
	case s.phase != joining || !hasLeg(f, s.with): // that its leg has ended is told
	case together(f, s.leg, s.with):
		a.met(out, s, s.at)
	default:
		a.talk(out, s, s.rings[s.with])
	}
}

// adopt takes on a call that an earlier process began.
func (a *App) adopt(out *call.Out, e call.Event, id string, calls apps.Calls) {
	f := a.found[id]
	c := calls.Call(id)
	if c == nil {
		a.restart(out, id, f)
		return
	}
	var caller *call.Leg
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Role == call.RoleCaller && l.Ended == nil && hasLeg(f, l.ID) {
			caller = l
		}
	}
	if caller == nil || c.Over() {
		a.drop(out, f)
		return
	}
	s := a.open(id, caller.ID, c.From, c.FromName, calls)
	s.at, s.moved, s.up, s.sound = e.SeenAt, true, true, true
	if f.memory.Lang != "" {
		s.lang = f.memory.Lang
	}
	a.resume(out, s, c, f)
}

func hasLeg(f *found, leg string) bool { _, ok := f.legs[leg]; return ok }

// resume puts an adopted caller back where he was.
func (a *App) resume(out *call.Out, s *session, c *call.Call, f *found) {
	r := a.reattach(out, s, c, f)
	switch {
	case r != nil && talked(c):
		s.phase, s.with = talking, r.leg
		if !together(f, s.leg, r.leg) { // nobody was there to join them
			out.Do(call.Bridge{Call: s.call, ID: s.call, Legs: []string{s.leg, r.leg}})
		}
		out.Do(call.Lease{Leg: s.leg})
		return
	case talked(c): // the other party hung up meanwhile
		a.hangup(out, s)
		return
	}
	out.Do(call.Lease{Leg: s.leg, On: true})
	switch {
	case r == nil:
		a.place(s, c, &f.memory)
		a.goOn(out, s, f, c.To, c.Line.DID)
		if takenUp(c) {
			a.waitsOn(out, s)
		}
	case r.answered && together(f, s.leg, r.leg):
		s.with = r.leg
		a.met(out, s, s.at)
	case r.answered:
		a.talk(out, s, r)
	default:
		s.phase = ringing
	}
}

// talked reports whether a person was the last whom the caller had, and not a
// queue to which he came from there.
func talked(c *call.Call) bool {
	n := len(c.Queues)
	return c.Answered != nil && (n == 0 || c.Queues[n-1].Left != "")
}

// takenUp reports whether an agent has picked up and the caller had not yet
// been joined with him.
func takenUp(c *call.Call) bool {
	n := len(c.Queues)
	return c.Answered == nil && n > 0 && c.Queues[n-1].Left == string(queue.Answered)
}

// waitsOn records that a caller waits whom the record has as served.
func (a *App) waitsOn(out *call.Out, s *session) {
	c, waits := a.floor.Caller(s.call)
	if !waits {
		return
	}
	before := slices.IndexFunc(a.floor.Line(c.Queue), func(w queue.Caller) bool { return w.Call == s.call })
	out.Fact(call.Event{Kind: call.QueueJoined, Call: s.call, Leg: s.leg, Queue: c.Queue, Position: before + 1})
}

func together(f *found, x, y string) bool {
	return f.legs[x].Ref != "" && f.legs[x].Ref == f.legs[y].Ref
}

// goOn puts a caller where the memory says; without one he begins anew.
func (a *App) goOn(out *call.Out, s *session, f *found, to, did string) {
	m := f.memory
	switch {
	case m.Queue != "":
		a.join(out, s, queue.Caller{Queue: m.Queue, Ticket: m.Ticket, Joined: m.Joined, Told: m.Told, Priority: m.Priority})
	case m.Menu != nil:
		s.phase = inMenu
		state, o, choice := a.book.Resume(*m.Menu, s.at)
		a.walked(out, s, state, o, choice)
	default:
		a.route(out, s, to, did)
	}
}

// place corrects by the record what the leg remembers, which may be older: a
// leg is written to only when nothing plays.
func (a *App) place(s *session, c *call.Call, m *memory) {
	queued, menu := m.Queue, m.Menu
	m.Queue, m.Menu = "", nil
	if n := len(c.Queues); n > 0 && (c.Queues[n-1].Left == "" || takenUp(c)) {
		q := c.Queues[n-1]
		if old := q.Joined.Sub(m.Joined); queued != q.Queue || old.Abs() > time.Second {
			m.Joined, m.Ticket = q.Joined, q.Joined.UnixMicro()
		}
		m.Queue, m.Told = q.Queue, 0
		if k := len(q.Heard); k > 0 {
			m.Told = q.Heard[k-1]
		}
		return
	}
	if n := len(c.Menus); n > 0 && c.Menus[n-1].Left == "" {
		m.Menu = inMenuOf(c.Menus[n-1].Menu, menu)
		m.Menu.Call, m.Menu.Leg = s.call, s.leg
	}
}

// inMenuOf is where a caller stands in the menu or message of that name: as
// remembered, if that is the one.
func inMenuOf(name string, remembered *ivr.State) *ivr.State {
	at := ivr.State{Menu: name}
	if message, ok := strings.CutPrefix(name, "message:"); ok {
		at.Menu, at.Message = "", message
	}
	if m := remembered; m != nil {
		if m.Message == at.Message && (m.Menu == at.Menu || m.Message != "") {
			return m
		}
		at.Lang, at.Count = m.Lang, m.Count
	}
	return &at
}

// reattach finds who talks with the caller, or whose phone rings for him
// alone. Phones that rang for a queue of a process that is no more are hung
// up: whoever waits is offered anew.
func (a *App) reattach(out *call.Out, s *session, c *call.Call, f *found) (with *ring) {
	for i := range c.Legs {
		l := &c.Legs[i]
		if _, alive := f.legs[l.ID]; !alive || l.ID == s.leg {
			continue
		}
		r := &ring{leg: l.ID, agent: l.Agent, address: l.Address, direct: l.Agent == "", answered: l.Answered != nil}
		stays := r.direct
		if talked(c) || takenUp(c) {
			stays = r.answered
		}
		if with != nil || !stays || !l.Role.Person() {
			out.Do(call.Hangup{Leg: l.ID, Cause: call.CauseNormal})
			continue
		}
		with = r
		s.rings[l.ID] = r
		switch {
		case r.agent != "":
			a.carry(out, s.at, a.floor.Adopt(s.at, r.agent, s.call, l.Queue))
		case l.Role == call.RoleAgent:
			a.carry(out, s.at, a.floor.Busy(s.at, l.Address, true))
		}
	}
	return with
}

// restart begins a call anew whose record is lost, from what its legs say.
func (a *App) restart(out *call.Out, id string, f *found) {
	for leg, e := range f.legs {
		if e.State == "" {
			out.Do(call.Hangup{Leg: leg, Cause: call.CauseNormal})
			continue
		}
		a.revived[id] = f
		out.Fact(call.Event{
			Kind: call.CallStarted, Call: id, Leg: leg, Source: e.Source, From: f.memory.From, FromName: f.memory.Name,
			Direction: call.Inbound, Origin: call.PSTN, Reason: "adopted",
		})
	}
}

// drop ends legs of a call that is over.
func (a *App) drop(out *call.Out, f *found) {
	for leg := range f.legs {
		out.Do(call.Hangup{Leg: leg, Cause: call.CauseNormal})
	}
}
