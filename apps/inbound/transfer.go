package inbound

import (
	"markaz/apps"
	"markaz/call"
	"markaz/ivr"
)

// transfer sends a caller on who talks, to wherever a destination can lead. The
// agent leaves at once.
func (a *App) transfer(out *call.Out, s *session, e call.Event) {
	if s.phase != talking {
		return
	}
	out.Do(
		call.Lease{Leg: s.leg, On: true},
		call.Unbridge{ID: s.call, Leg: s.leg},
	)
	if s.with != "" {
		out.Do(call.Hangup{Leg: s.with, Transferred: true})
	}
	a.follow(out, s, ivr.Destination(e.To))
}

// joined takes note of who talks with the caller: the person who has picked up
// for him; or somebody whom we did not call, a colleague to whom a phone has
// transferred, a supervisor who has taken the call over.
func (a *App) joined(out *call.Out, e call.Event, calls apps.Calls) {
	s, c := a.sessions[e.Call], calls.Call(e.Call)
	if s != nil && c != nil && s.phase == joining && e.Ref == s.call && bothTalk(c, s.leg, s.with) {
		s.at = e.SeenAt
		a.met(out, s, e.At)
		return
	}
	if s == nil || c == nil || s.phase != talking || e.Ref != s.call || e.Leg == s.leg || s.rings[e.Leg] != nil {
		return
	}
	l := c.Leg(e.Leg)
	if l == nil || !l.Role.Person() {
		return
	}
	s.at = e.SeenAt
	s.rings[e.Leg] = &ring{leg: e.Leg, address: l.Address, direct: true, answered: true}
	s.with = e.Leg
	if l.Trunk == "" {
		a.carry(out, s.at, a.floor.Busy(s.at, l.Address, true))
	}
}

func bothTalk(c *call.Call, x, y string) bool {
	lx, ly := c.Leg(x), c.Leg(y)
	return lx != nil && ly != nil && lx.Talking != nil && ly.Talking != nil
}

// foreign reports whether a call is not for this application to go on with.
func (f *found) foreign(c *call.Call) bool {
	return f.memory.App != "" || c != nil && (c.Observed || c.Direction != call.Inbound && c.Direction != "")
}

// elsewhere keeps queues from offering callers to people whose phones are in use
// for something else: a call of their own, listening to another's.
func (a *App) elsewhere(out *call.Out, e call.Event, calls apps.Calls) {
	if e.Kind != call.LegRinging && e.Kind != call.LegEnded {
		return
	}
	c := calls.Call(e.Call)
	if c == nil {
		return
	}
	l, s := c.Leg(e.Leg), a.sessions[e.Call]
	if l == nil || l.Role != call.RoleSupervisor && s != nil || s != nil && s.rings[l.ID] != nil {
		return
	}
	a.carry(out, e.SeenAt, a.floor.Busy(e.SeenAt, l.Address, l.Ended == nil))
}
