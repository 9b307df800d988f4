package spy

import (
	"cmp"
	"slices"

	"markaz/apps"
	"markaz/call"
)

// left is what becomes of a monitor when the leg that is heard has gone and the
// call goes on.
func (a *App) left(out *call.Out, m *monitor, calls apps.Calls) {
	c := calls.Call(m.call)
	switch {
	case m.waits:
	case alone(c, m.target):
		a.end(out, m, "call_ended", calls)
	case !a.cfg.Follow:
		a.end(out, m, "agent_left", calls)
	default:
		m.waits = true
		out.Do(call.SetTimer{Call: m.call, ID: waitTimer + m.id, After: patience})
		a.follow(out, m, calls)
	}
}

// follow listens to whoever talks with the outside party now.
func (a *App) follow(out *call.Out, m *monitor, calls apps.Calls) {
	c := calls.Call(m.call)
	if c == nil {
		return
	}
	var next *call.Leg
	for i := range c.Legs {
		l := &c.Legs[i]
		switch {
		case l.Ended != nil || l.Talking == nil || l.ID == m.target || l.Role == call.RoleSupervisor:
		case l.Role == call.RoleCaller && !a.office(c, l): // waits himself
		case next == nil || a.office(c, l) && !a.office(c, next):
			next = l
		}
	}
	if next == nil {
		return
	}
	out.Do(call.CancelTimer{Call: m.call, ID: waitTimer + m.id})
	if m.up {
		a.listen(out, m, next.ID, m.mode, calls)
	} else {
		m.target, m.waits = next.ID, false
	}
}

// merged goes on with the call into which his own went, if whom he hears is
// there.
func (a *App) merged(out *call.Out, m *monitor, e call.Event, calls apps.Calls) {
	into := calls.Call(e.Into)
	if into == nil || !m.started {
		a.end(out, m, "call_ended", calls)
		return
	}
	if l := into.Leg(m.target); l == nil || l.Ended != nil {
		a.end(out, m, "call_ended", calls)
		return
	}
	old := m.fact(call.MonitorEnded, calls)
	old.Reason = "merged"
	out.Do(call.CancelTimer{Call: m.call, ID: limitTimer + m.id})
	m.call = e.Into
	f := m.fact(call.MonitorStarted, calls)
	f.Leg, f.Mode, f.Reason = m.target, m.mode, m.reason
	out.Fact(old, f)
	out.Do(call.SetTimer{Call: m.call, ID: limitTimer + m.id, After: m.limit})
}

// takeOver lets the supervisor talk in the agent's place. From then on he is a
// person of the call like any other.
func (a *App) takeOver(out *call.Out, m *monitor, req call.Event, calls apps.Calls) {
	c := calls.Call(m.call)
	var agent *call.Leg
	if c != nil && !c.Over() && c.Answered != nil {
		agent = c.Leg(m.target)
	}
	if agent == nil || agent.Ended != nil || !a.office(c, agent) || agent.Talking == nil {
		a.refuse(out, req, "takeover")
		if !m.started {
			out.Do(call.Hangup{Leg: m.leg})
			a.drop(out, m)
		}
		return
	}
	if m.started {
		f := m.fact(call.MonitorEnded, calls)
		f.Reason = call.Takeover
		out.Fact(f)
	}
	out.Fact(
		call.Event{Kind: call.LegAnswered, Call: m.call, Leg: m.leg, Source: c.Source, Role: call.RoleAgent, Address: m.address, Agent: m.agent},
		call.Event{
			Kind: call.TransferCompleted, Call: m.call, Leg: agent.ID, Source: c.Source, To: m.address, Agent: m.agent, Ref: req.Ref, Reason: call.Takeover,
		},
	)
	if m.snoop != "" {
		out.Do(call.Unsnoop{ID: m.snoop})
	}
	out.Do(
		call.Bridge{Call: m.call, ID: m.call, Legs: []string{m.leg}},
		call.Lease{Leg: m.leg},
		call.Hangup{Leg: agent.ID, Cause: call.CauseNormal, Transferred: true},
	)
	a.drop(out, m)
}

// synced ends what an earlier process has left: supervisors who hear nothing any
// more, and listenings whose end nobody has stated.
func (a *App) synced(out *call.Out, calls apps.Calls) {
	known := map[string]bool{}
	for _, m := range a.list {
		known[m.leg], known[m.id] = true, true
	}
	for _, e := range a.found {
		if c := calls.Call(e.Call); c != nil {
			if l := c.Leg(e.Leg); l != nil && l.Role != call.RoleSupervisor {
				continue // he has taken the call over
			}
		}
		if !known[e.Leg] {
			out.Do(call.Hangup{Leg: e.Leg, Cause: call.CauseNormal})
		}
	}
	a.found = nil
	calls.Each(func(c *call.Call) {
		for i := range c.Monitors {
			if m := &c.Monitors[i]; m.Ended == nil && !known[m.ID] {
				out.Fact(call.Event{
					Kind: call.MonitorEnded, Call: c.ID, Source: c.Source, Observed: c.Observed,
					Ref: m.ID, Agent: m.Agent, Address: m.Address, Reason: "lost",
				})
			}
		}
	})
	slices.SortStableFunc(out.Facts, func(x, y call.Event) int { return cmp.Compare(x.Call, y.Call) })
}
