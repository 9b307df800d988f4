package spy

import (
	"slices"
	"strings"
	"time"

	"markaz/apps"
	"markaz/call"
)

// request takes what a supervisor asks for.
func (a *App) request(out *call.Out, e call.Event, calls apps.Calls) {
	c := calls.Call(e.Call)
	m := a.of(e)
	why := a.fault(e, c, m)
	switch {
	case why != "":
		if c == nil {
			e.Call = "" // of none that we know
		}
		a.refuse(out, e, why)
	case m != nil && m.id == e.Ref && e.Mode == m.want: // a repeat
	case m == nil:
		a.ring(out, e, c)
	case e.Mode == call.StopSpy:
		a.end(out, m, "asked", calls)
	case e.Mode == call.Takeover && m.up:
		a.takeOver(out, m, e, calls)
	case e.Mode == call.Takeover:
		m.takes = true
	default:
		target := m.target
		if e.Leg != "" {
			target = e.Leg
		}
		a.change(out, m, e.Ref, target, e.Mode, calls)
	}
}

// of finds what a supervisor does on a call: at the phone that he names, for a
// program may ask for many people.
func (a *App) of(e call.Event) *monitor {
	for _, m := range a.list {
		if m.call == e.Call && m.agent == e.Agent && (e.Address == "" || e.Address == m.address) {
			return m
		}
	}
	return nil
}

// fault says why a request cannot be served: the end of a key of the catalogue,
// or "".
func (a *App) fault(e call.Event, c *call.Call, m *monitor) string {
	start := m == nil
	switch {
	case !plain(e.Ref, 40) || e.Agent == "":
		return "request"
	case a.cfg.Off:
		return "off"
	case e.Mode == call.StopSpy && start:
		return "none"
	case e.Mode == call.StopSpy:
		return ""
	case !slices.Contains(a.cfg.Modes, e.Mode):
		return "mode"
	case c == nil || c.Over():
		return "no_call"
	case !slices.Contains(c.Caps, call.CapSpy):
		return "cannot"
	case e.Mode == call.Takeover && c.Observed:
		return "takeover_observed"
	}
	if start {
		if why := a.startFault(e, c); why != "" {
			return why
		}
	}
	if e.Mode == call.Takeover {
		if l := a.choose(c, e.Leg); l == nil || !a.office(c, l) || c.Answered == nil {
			return "takeover"
		}
	}
	if e.Leg == "" && !start {
		return "" // as before, see change
	}
	l := a.choose(c, e.Leg)
	switch {
	case l == nil:
		return "no_leg"
	case e.Mode != call.Spy && !a.office(c, l):
		return "not_agent"
	}
	return ""
}

// startFault is what can be wrong only when a supervisor begins.
func (a *App) startFault(e call.Event, c *call.Call) string {
	if strings.Trim(e.Address, "0123456789*#") != "" || e.Address == "" || len(e.Address) > 32 {
		return "extension"
	}
	if a.cfg.RequireReason && strings.TrimSpace(e.Reason) == "" {
		return "reason"
	}
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Ended == nil && l.Address == e.Address && l.Role != call.RoleSupervisor {
			return "own_call"
		}
	}
	same := 0
	for _, m := range a.list {
		if m.address == e.Address {
			return "already"
		}
		if m.call == e.Call {
			same++
		}
	}
	if same >= a.cfg.MaxPerCall {
		return "many"
	}
	return ""
}

// plain reports whether a text is made of letters, digits, - and _.
func plain(s string, most int) bool {
	return s != "" && len(s) <= most && strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-' && r != '_'
	}) < 0
}

// choose finds the leg to be heard: the one that is named, or the person of the
// office who talks, or else anybody who does.
func (a *App) choose(c *call.Call, leg string) *call.Leg {
	var best *call.Leg
	for i := range c.Legs {
		l := &c.Legs[i]
		switch {
		case l.Ended != nil || l.Role == call.RoleSupervisor || l.Answered == nil && l.Talking == nil:
		case leg != "":
			if l.ID == leg {
				return l
			}
		case best == nil, rank(a, c, l) > rank(a, c, best):
			best = l
		}
	}
	return best
}

func rank(a *App, c *call.Call, l *call.Leg) (n int) {
	if l.Talking != nil {
		n += 2
	}
	if a.office(c, l) {
		n++
	}
	return n
}

// office reports whether a leg is a person of the office, who may be whispered
// to.
func (a *App) office(c *call.Call, l *call.Leg) bool {
	switch l.Role {
	case call.RoleAgent:
		return true
	case call.RoleCaller:
		return c.Direction == call.Outbound || c.Direction == call.Internal
	}
	return l.Role == call.RoleExternal && l.Trunk == "" && a.ours(l.Address)
}

// ring calls the supervisor's phone.
func (a *App) ring(out *call.Out, e call.Event, c *call.Call) {
	m := &monitor{
		id: e.Ref, call: e.Call, leg: e.Ref + "-s", agent: e.Agent, address: e.Address, reason: call.Clean(e.Reason, 200),
		mode: e.Mode, want: e.Mode, may: []string{e.Mode}, limit: a.cfg.MaxDuration,
	}
	if d := time.Duration(e.DurationMS) * time.Millisecond; d > 0 {
		m.limit = min(m.limit, d)
	}
	for mode := range strings.SplitSeq(e.Data["modes"], ",") {
		m.may = append(m.may, strings.TrimSpace(mode))
	}
	if e.Mode == call.Takeover {
		m.takes, m.mode, m.want = true, call.Spy, call.Spy
	}
	m.target = a.choose(c, e.Leg).ID
	a.list = append(a.list, m)
	out.Do(call.Ring{
		Call: m.call, Leg: m.leg, Address: m.address, CallerID: shownNumber(c), CallerName: strings.ToUpper(e.Mode),
		Timeout: a.cfg.RingTimeout, Role: call.RoleSupervisor, Agent: m.agent, AutoAnswer: a.cfg.AutoAnswer,
	})
}

// shownNumber is what stands under SPY: the party outside.
func shownNumber(c *call.Call) string {
	if c.Direction == call.Outbound {
		return c.To
	}
	return c.From
}

// change listens in another way, or to another leg.
func (a *App) change(out *call.Out, m *monitor, ref, target, mode string, calls apps.Calls) {
	if ref != "" && !slices.Contains(m.may, mode) {
		m.may = append(m.may, mode) // asked for by request, where rights are checked
	}
	c := calls.Call(m.call)
	switch {
	case m.waits: // it will hold when there is something to hear
		m.mode, m.want = mode, mode
	case c == nil || m.up && mode == m.want && target == m.target:
	case !a.audible(c, target, mode):
		if ref != "" {
			a.refuse(out, call.Event{Ref: ref, Agent: m.agent, Call: m.call}, "not_agent")
		}
	case !m.up:
		m.mode, m.want, m.target = mode, mode, target
	default:
		m.asked = ref
		a.listen(out, m, target, mode, calls)
	}
}

// audible reports whether a leg may be listened to in a mode: only people of
// the office are ever spoken to.
func (a *App) audible(c *call.Call, leg, mode string) bool {
	l := c.Leg(leg)
	return l != nil && (mode == call.Spy || a.office(c, l))
}
