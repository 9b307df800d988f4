package observe

import (
	"slices"

	"markaz/call"
	"markaz/dialplan"
)

// A call that Markaz has given back, or could not serve, goes on in the
// dialplan's fall-back. There it is observed, as a call of its own that is seen
// live; when it is over it is merged into the handled call, whose record is
// amended by what came of it: one conversation, one record.

// givenBack takes a channel that is in the fall-back now out of the
// conversation that Markaz handled.
func (m *Machine) givenBack(c *channel) {
	old := c.conv
	if c.context != dialplan.ContextFallback || old == nil || !old.silent || !c.party() {
		return
	}
	old.channels = slices.DeleteFunc(old.channels, func(o *channel) bool { return o == c })
	if len(old.channels) == 0 {
		m.convs = slices.DeleteFunc(m.convs, func(v *conv) bool { return v == old })
	}
	v := &conv{id: m.callID(c.id+"\x00"+c.context, m.at), began: m.at, after: old.into}
	m.convs = append(m.convs, v)
	m.join(c, v)
	c.leg, c.calls = nil, true
	m.start(v, c, c.entered)
	if c.up {
		m.picked(c)
	}
}

// keep notes what is told of a conversation that has been given back.
func (v *conv) keep(e call.Event) {
	if v.after == "" {
		return
	}
	if v.sofar == nil {
		v.sofar = &call.Call{ID: e.Call}
	}
	v.sofar.Apply(e)
}

// giveOver ends a conversation that was given back: it is merged into the
// handled call, and what came of it amends that. last is the end of its last
// party, which is not told of it any more.
func (m *Machine) giveOver(v *conv, last call.Event) {
	last.Call = v.id
	v.keep(m.stamped(last))
	v.keep(m.stamped(call.Event{Kind: call.CallEnded, Call: v.id}))
	m.out = append(m.out, m.stamped(call.Event{Kind: call.CallMerged, Call: v.id, Into: v.after, Reason: call.Fallback}))
	v.silent = true
	say := func(e call.Event) {
		e.Kind, e.Call = call.CallAmended, v.after
		m.out = append(m.out, m.stamped(e))
	}
	rang := false
	for _, l := range v.sofar.Legs {
		if l.Role == call.RoleCaller || l.Ended == nil {
			continue
		}
		rang = rang || l.Role.Person()
		say(call.Event{
			Leg: l.ID, Role: l.Role, Address: l.Address, Agent: l.Agent, Trunk: l.Trunk, Result: l.Result,
			RingMS: l.RingMS, DurationMS: l.TalkMS, At: *l.Ended,
		})
	}
	if rang || v.sofar.Message != nil {
		say(call.Event{Disposition: v.sofar.Disposition, TalkMS: v.sofar.TalkMS, By: last.By, Cause: last.Cause, SIP: last.SIP})
	}
}
