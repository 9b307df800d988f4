package observe

import (
	"cmp"
	"net/http"
	"slices"

	"markaz/call"
)

// sipTerminated is what a caller gets who gives up (RFC 3261, 21.4.25).
const sipTerminated = 487

// requested notes who hangs up: a request that does not come from within
// Asterisk comes from the telephone.
func (c *channel) requested(msg *message) {
	if msg.Soft || c.hungUp {
		return
	}
	c.hungUp, c.cause, c.sip = true, msg.Cause, msg.TechCause
}

func (m *Machine) destroyed(c *channel, msg *message) {
	c.cause, c.sip = cmp.Or(msg.Cause, c.cause), cmp.Or(msg.TechCause, c.sip)
	m.leave(c)
	v := c.conv
	if v != nil {
		m.finish(v, c)
		v.channels = slices.DeleteFunc(v.channels, func(o *channel) bool { return o == c })
		if c.leg != nil && c.leg.told {
			v.left = append(v.left[max(0, len(v.left)-mostLeft+1):], c.name)
		}
		if v.spans {
			v.past = append(v.past, c)
		}
		if len(v.channels) == 0 {
			if v.spans && !v.silent && !v.answered {
				v.over = m.at
				m.spanned = append(m.spanned, v)
			}
			m.convs = slices.DeleteFunc(m.convs, func(o *conv) bool { return o == v })
		}
	}
	if m.locals[c.pair] == c {
		delete(m.locals, c.pair)
	}
	delete(m.channels, c.id)
	m.recent[c.id] = m.at
}

// finish tells the end of a party, and what ends with it.
func (m *Machine) finish(v *conv, c *channel) {
	if !v.started && c.leg != nil {
		m.startOwn(v, "")
	}
	if v.holder == c {
		v.holder = nil
	}
	m.leaveMailbox(c)
	m.stopTape(c)
	if v.queue != nil && v.queue.channel == c && !v.queue.left {
		m.leaveQueue(v, "abandoned")
	}
	if v.caller == c {
		m.leaveMenuUnchosen(c, v)
	}
	if c.leg == nil || !c.leg.told {
		return
	}
	if v.group != "" && m.lastParty(v, c) {
		m.endGroup(v, call.NoAnswer)
	}
	if v.after != "" && !v.silent && m.lastParty(v, c) {
		m.giveOver(v, m.said(c, m.verdict(c)))
		return
	}
	m.tell(c, m.verdict(c))
}

func (m *Machine) leaveMenuUnchosen(c *channel, v *conv) {
	if v.menu != "" {
		m.emit(v, call.Event{Kind: call.IVRLeft, Leg: c.id, Menu: v.menu, Reason: "hangup"})
		v.menu = ""
	}
}

// lastParty reports whether no other party of a conversation lives.
func (m *Machine) lastParty(v *conv, c *channel) bool {
	return !slices.ContainsFunc(v.channels, func(o *channel) bool { return o != c && o.leg != nil && o.leg.told })
}

// verdict is the LegEnded of a party.
func (m *Machine) verdict(c *channel) call.Event {
	e := call.Event{Kind: call.LegEnded, By: call.BySystem, Result: c.result(), Cause: c.cause, SIP: c.sip}
	if c.hungUp || c.passed {
		e.By = c.side()
	}
	switch e.Result {
	case call.Cancelled:
		e.Cause, e.SIP = call.CauseNormal, sipTerminated
	case call.AnsweredElsewhere:
		e.Cause, e.SIP = call.CauseElsewhere, 0
	case call.NoAnswer:
		e.Cause, e.SIP = call.CauseNoAnswer, 0
	case call.Answered, call.Transferred:
		e.Cause, e.SIP = cmp.Or(e.Cause, call.CauseNormal), 0
	}
	if e.SIP == 0 {
		e.SIP = call.SIPOf(e.Cause)
	}
	return e
}

// side says who is at a channel.
func (c *channel) side() call.Party {
	switch c.leg.role {
	case call.RoleCaller:
		return call.ByCaller
	case call.RoleAgent, call.RoleSupervisor, call.RoleGroup:
		return call.ByAgent
	}
	return call.ByRemote
}

// result says how a party's part ended.
func (c *channel) result() call.Result {
	switch {
	case c.passed:
		return call.Transferred
	case c.leg.answered:
		return call.Answered
	case c.leg.role == call.RoleCaller && c.hungUp:
		return call.Cancelled
	case c.leg.role == call.RoleCaller:
		return call.ResultOf(c.cause)
	case c.hungUp:
		return refusal(c.cause, c.sip)
	case c.cause == call.CauseElsewhere:
		return call.AnsweredElsewhere
	}
	return c.unanswered()
}

// refusal reads the answer of a telephone that does not take a call. Q.850 has
// one cause, 21, for a person who declines and for a provider who does not let
// us through.
func refusal(cause, sip int) call.Result {
	switch sip {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired:
		return call.Failed
	}
	if cause == call.CauseNormal || cause == 0 {
		return call.Rejected
	}
	return call.ResultOf(cause)
}

// unanswered says why a party stopped ringing, from how the dialling of it, or
// of the Local channel that led to it, ended.
func (c *channel) unanswered() call.Result {
	for d := c; d != nil; d = d.above() {
		if d.cause == call.CauseElsewhere {
			return call.AnsweredElsewhere
		}
		switch d.status {
		case "NOANSWER":
			return call.NoAnswer
		case "BUSY":
			return call.Busy
		case "CONGESTION", "CHANUNAVAIL":
			return call.Failed
		}
	}
	if v := c.conv; v.caller != nil && v.caller.hungUp {
		return call.Cancelled
	}
	return call.ResultOf(c.cause)
}

// above is the channel whose dialling led to this one being dialled.
func (c *channel) above() *channel {
	if c.by == nil || c.by.sort != local {
		return nil
	}
	return c.by.twin
}
