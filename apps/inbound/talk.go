package inbound

import (
	"cmp"
	"time"

	"markaz/call"
	"markaz/queue"
)

// legAnswered is a phone picked up.
func (a *App) legAnswered(out *call.Out, s *session, e call.Event) {
	r := s.rings[e.Leg]
	if r == nil || r.answered {
		return
	}
	r.answered = true
	if r.direct {
		s.waited = queue.Caller{}
		a.talk(out, s, r)
		return
	}
	if c, ok := a.floor.Caller(s.call); ok {
		s.waited = c
	}
	a.carry(out, s.at, a.floor.Answered(s.at, r.agent, s.call))
}

// connect joins the caller with the agent whom the floor gave him.
func (a *App) connect(out *call.Out, s *session, agent string) {
	if s == nil {
		return
	}
	for _, r := range s.rings {
		if r.agent == agent && r.answered {
			a.talk(out, s, r)
			return
		}
	}
}

// talk joins caller and person. That they have met is only said when both are
// there: a phone may be picked up for a caller who has just gone.
func (a *App) talk(out *call.Out, s *session, r *ring) {
	s.phase, s.with = joining, r.leg
	a.quiet(out, s)
	out.Do(call.Bridge{Call: s.call, ID: s.call, Legs: []string{s.leg, r.leg}})
}

// met tells that caller and person talk. The dead-man's switch is lifted: a
// frozen server never cuts a conversation.
func (a *App) met(out *call.Out, s *session, at time.Time) {
	r := s.rings[s.with]
	if r == nil {
		return
	}
	s.phase, s.missed = talking, 0
	out.Fact(call.Event{Kind: call.CallAnswered, Call: s.call, Leg: r.leg, Address: r.address, Agent: r.agent, At: at})
	out.Do(call.Lease{Leg: s.leg})
	a.keep(out, s)
}

// mostMissed is how often in a row a caller and a person who has picked up may
// fail to meet.
const mostMissed = 3

// miss has a caller wait on who could not be joined with the person who picked
// up: he never stays in silence.
func (a *App) miss(out *call.Out, s *session) {
	r := s.rings[s.with]
	s.with = ""
	if r != nil {
		out.Do(call.Hangup{Leg: r.leg, Cause: call.CauseNormal})
	}
	if s.missed++; s.missed == mostMissed {
		a.hangup(out, s)
		return
	}
	out.Do(call.Unbridge{ID: s.call, Leg: s.leg})
	if s.waited.Queue == "" {
		a.unanswered(out, s)
		return
	}
	a.join(out, s, s.waited)
}

// legEnded is a hang-up, or the end of ringing.
func (a *App) legEnded(out *call.Out, s *session, e call.Event) {
	if e.Leg == s.leg {
		a.callerGone(out, s, e)
		return
	}
	r := s.rings[e.Leg]
	if r == nil {
		return
	}
	delete(s.rings, e.Leg)
	switch {
	case r.agent != "":
		a.carry(out, s.at, a.floor.Ended(s.at, r.agent, s.call, e.Result))
	case r.direct:
		a.carry(out, s.at, a.floor.Busy(s.at, r.address, false))
	}
	switch {
	case s.with == e.Leg && e.Result == call.Transferred:
		s.with = "" // the caller talks on with somebody whom the phone gave him
	case s.with == e.Leg && s.phase == joining:
		a.miss(out, s)
	case s.with == e.Leg:
		s.with = ""
		a.hangup(out, s)
	case s.phase == ringing && a.mistyped(s, r, e):
		a.again(out, s, r.address)
	case s.phase == ringing:
		a.unanswered(out, s)
	}
}

// callerGone stops every phone that rings or talks for him.
func (a *App) callerGone(out *call.Out, s *session, e call.Event) {
	if s.phase == inMenu {
		a.menu(out, s, e)
	}
	s.phase = leaving
	a.carry(out, s.at, a.floor.Leave(s.at, s.call, whyGone(e)))
	for _, r := range s.rings {
		if r.agent == "" || r.answered { // the floor has withdrawn the others
			out.Do(call.Hangup{Leg: r.leg, Cause: call.CauseNormal})
		}
	}
}

// whyGone tells who hangs up from who is lost to us: only the first has
// abandoned the queue.
func whyGone(e call.Event) queue.Reason {
	switch {
	case e.By != call.ByPBX:
		return queue.Abandoned
	case e.Result == call.Transferred:
		return call.Fallback
	}
	return queue.Reason(cmp.Or(e.Reason, call.Unseen))
}

// unanswered sends a caller on whose one phone did not answer.
func (a *App) unanswered(out *call.Out, s *session) {
	a.quiet(out, s)
	a.follow(out, s, a.cfg.NoAnswer)
}
