package asterisk

import (
	"testing"

	"markaz/call"
)

// Ensure that who ended a leg, and how, is read right from what Asterisk tells
// in every order.
func TestVerdict(t *testing.T) {
	hungUp := func(e *ending) { e.request(false, 0, 0) }
	for _, c := range []struct {
		what           string
		role           call.Role
		made, answered bool
		happens        []func(*ending)
		want           call.Event
	}{
		{
			"caller hangs up in talk", call.RoleCaller, false, true,
			[]func(*ending){hungUp},
			call.Event{Result: call.Answered, By: call.ByCaller, Cause: 16},
		},
		{
			"caller gives up before anybody picked up", call.RoleCaller, false, false,
			[]func(*ending){hungUp},
			call.Event{Result: call.Cancelled, By: call.ByCaller, Cause: 16},
		},
		{
			"we refuse a caller as busy; the soft cause 32 is a flag", call.RoleCaller, false, false,
			[]func(*ending){func(e *ending) { e.asked, e.askedCause = true, 17 }, func(e *ending) { e.request(true, 32, 0) }},
			call.Event{Result: call.Busy, By: call.BySystem, Cause: 17, SIP: 486},
		},
		{
			"he was faster than our hang-up", call.RoleCaller, false, true,
			[]func(*ending){hungUp, func(e *ending) { e.asked, e.askedCause = true, 26 }, func(e *ending) { e.request(true, 32, 0) }},
			call.Event{Result: call.Answered, By: call.ByCaller, Cause: 16},
		},
		{
			"agent busy", call.RoleAgent, true, false,
			[]func(*ending){func(e *ending) { e.request(false, 17, 486) }, func(e *ending) { e.told(17, 486) }},
			call.Event{Result: call.Busy, By: call.ByAgent, Cause: 17, SIP: 486},
		},
		{
			"provider has no money left for us", call.RoleExternal, true, false,
			[]func(*ending){func(e *ending) { e.request(false, 21, 403) }},
			call.Event{Result: call.Failed, By: call.ByRemote, Cause: 21, SIP: 403},
		},
		{
			"time up on Asterisk 16", call.RoleAgent, true, false,
			[]func(*ending){func(e *ending) { e.told(16, 0) }},
			call.Event{Result: call.NoAnswer, By: call.BySystem, Cause: 19, SIP: 480},
		},
		{
			"another agent was faster", call.RoleAgent, true, false,
			[]func(*ending){func(e *ending) { e.asked, e.askedCause = true, 26 }, func(e *ending) { e.told(16, 0) }},
			call.Event{Result: call.AnsweredElsewhere, By: call.BySystem, Cause: 26},
		},
		{
			"withdrawn", call.RoleAgent, true, false,
			[]func(*ending){func(e *ending) { e.asked, e.askedCause = true, 16 }},
			call.Event{Result: call.Cancelled, By: call.BySystem, Cause: 16},
		},
		{
			"network out of order", call.RoleExternal, true, false,
			[]func(*ending){func(e *ending) { e.told(38, 0) }},
			call.Event{Result: call.Failed, By: call.ByPBX, Cause: 38, SIP: 503},
		},
		{
			"an operator at the PBX cuts it", call.RoleAgent, true, true,
			[]func(*ending){func(e *ending) { e.request(true, 32, 0) }, func(e *ending) { e.told(16, 0) }},
			call.Event{Result: call.Answered, By: call.ByPBX, Cause: 16},
		},
		{
			"given back", call.RoleCaller, false, true,
			[]func(*ending){func(e *ending) { e.released = true }},
			call.Event{Result: call.Transferred, By: call.BySystem, Cause: 16, Reason: "released"},
		},
		{
			"lease ran out", call.RoleCaller, false, true,
			[]func(*ending){func(e *ending) { e.moved = call.Fallback }},
			call.Event{Result: call.Transferred, By: call.ByPBX, Cause: 16, Reason: call.Fallback},
		},
	} {
		var e ending
		for _, h := range c.happens {
			h(&e)
		}
		have := e.verdict(c.role, c.made, c.answered)
		if have.Result != c.want.Result || have.By != c.want.By || have.Cause != c.want.Cause || have.SIP != c.want.SIP || have.Reason != c.want.Reason {
			t.Errorf("%s: have result=%s by=%s cause=%d sip=%d reason=%q, want result=%s by=%s cause=%d sip=%d reason=%q", c.what,
				have.Result, have.By, have.Cause, have.SIP, have.Reason, c.want.Result, c.want.By, c.want.Cause, c.want.SIP, c.want.Reason)
		}
	}
}
