package clicktocall

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"markaz/apps"
	"markaz/call"
)

// memory is what is written on the agent's leg, so that a later process can go
// on even if it has lost its own record.
type memory struct {
	App      string `json:"app"` // says that the leg is not a caller's
	Phase    phase  `json:"p"`
	Agent    string `json:"a"`
	Address  string `json:"x"`
	To       string `json:"t"`
	E164     string `json:"e,omitempty"`
	CallerID string `json:"c,omitempty"`
	Far      string `json:"f,omitempty"`
}

// Name marks what is remembered on legs as this application's.
const Name = "clicktocall"

func (a *App) keep(out *call.Out, s *session) {
	text, err := json.Marshal(memory{Name, s.phase, s.agent, s.address, s.number.Shown, s.number.E164, s.callerID, s.far})
	if err != nil {
		panic(err) // plain fields cannot fail
	}
	out.Do(call.Remember{Leg: s.near, State: string(text)})
}

// found is what the PBX still has of a call.
type found struct {
	legs   map[string]call.Event
	memory memory
	near   string // the leg that remembers
}

// remember notes a living leg until all have been told.
func (a *App) remember(e call.Event) {
	if e.Call == "" || e.Role == call.RoleSupervisor {
		return
	}
	f := a.found[e.Call]
	if f == nil {
		f = &found{legs: map[string]call.Event{}}
		a.found[e.Call] = f
	}
	f.legs[e.Leg] = e
	var m memory
	if json.Unmarshal([]byte(e.State), &m) == nil && m.App == Name {
		f.memory, f.near = m, e.Leg
	}
}

// synced goes on with the calls that an earlier process began.
func (a *App) synced(out *call.Out, calls apps.Calls) {
	for _, id := range slices.Sorted(maps.Keys(a.found)) {
		f, c := a.found[id], calls.Call(id)
		switch {
		case a.sessions[id] != nil:
		case c != nil && c.Origin == call.ClickToCall && !c.Over():
			a.adopt(out, f, c)
		case c != nil && c.Origin == call.ClickToCall:
			for _, leg := range slices.Sorted(maps.Keys(f.legs)) {
				out.Do(call.Hangup{Leg: leg, Cause: call.CauseNormal})
			}
		case c == nil && f.memory.App == Name:
			a.restart(out, id, f)
		}
	}
	clear(a.found)
}

// adopt goes on where the record says that the call stands.
func (a *App) adopt(out *call.Out, f *found, c *call.Call) {
	s := &session{call: c.ID, agent: f.memory.Agent, address: c.From, callerID: f.memory.CallerID, trunk: cmp.Or(c.Line.Trunk, a.cfg.Trunk), phase: ringing}
	s.number, s.reached = a.number(c.To, c.ToE164, c.Direction == call.Internal), c.To
	var near, far *call.Leg
	dialled := false
	for i := range c.Legs {
		l := &c.Legs[i]
		_, alive := f.legs[l.ID]
		switch {
		case l.Role == call.RoleCaller && alive:
			near, s.near, s.agent = l, l.ID, l.Agent
		case l.Role.Person():
			dialled = true
			if alive {
				far, s.far = l, l.ID
			}
		}
	}
	a.sessions[c.ID] = s
	switch {
	case near == nil && far == nil:
		delete(a.sessions, c.ID)
	case near == nil:
		s.near, s.phase = far.ID, leaving
		out.Do(call.Hangup{Leg: far.ID, Cause: call.CauseNormal})
	case far != nil && far.Answered != nil && c.Answered == nil: // nobody was there to join them
		a.talk(out, s)
	case far != nil && far.Answered != nil:
		s.phase = talking
		if x := f.legs[s.near].Ref; x == "" || x != f.legs[s.far].Ref {
			out.Do(call.Ringback{Leg: s.near}, call.Bridge{Call: c.ID, ID: c.ID, Legs: []string{s.near, s.far}})
		}
		out.Do(call.Lease{Leg: s.near})
	case far != nil:
		s.phase = dialing
		out.Do(call.Lease{Leg: s.near, On: true})
	case dialled || c.Answered != nil: // the other party is gone
		s.phase = leaving
		out.Do(call.Hangup{Leg: s.near, Cause: call.CauseNormal})
	case near.Answered != nil:
		a.dial(out, s)
	}
}

// number is what a record says of a number that was allowed before.
func (a *App) number(shown, e164 string, inside bool) Number {
	n := Number{Shown: shown, E164: e164, Dial: shown, Inside: inside}
	if _, _, dial, ok := a.guard.nums.Outside(shown); ok && !inside {
		n.Dial = dial
	}
	return n
}

// restart begins a record anew that is lost, from what the leg remembers.
func (a *App) restart(out *call.Out, id string, f *found) {
	m := f.memory
	s := &session{
		call: id, near: f.near, far: m.Far, agent: m.Agent, address: m.Address, callerID: m.CallerID, trunk: a.cfg.Trunk, phase: m.Phase,
		reached: m.To, number: a.number(m.To, m.E164, m.E164 == "" && a.guard.nums.Office(m.To)),
	}
	_, farLives := f.legs[m.Far]
	e := a.started(s, id)
	e.Reason = "adopted"
	out.Fact(e, call.Event{Kind: call.LegAnswered, Call: id, Leg: s.near, Role: call.RoleCaller, Address: m.Address, Agent: m.Agent})
	a.sessions[id] = s
	switch {
	case !farLives:
		a.hangup(out, s, call.CauseNormal)
	case m.Phase == talking:
		out.Fact(
			call.Event{Kind: call.LegAnswered, Call: id, Leg: s.far, Role: call.RoleExternal, Address: m.To},
			call.Event{Kind: call.CallAnswered, Call: id, Leg: s.far, Address: m.To, Agent: m.Agent},
			call.Event{Kind: call.LegJoined, Call: id, Leg: s.far, Ref: id},
		)
	default:
		out.Do(call.Lease{Leg: s.near, On: true})
	}
}
