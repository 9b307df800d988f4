package inbound

import (
	"fmt"
	"time"

	"markaz/call"
	"markaz/ivr"
	"markaz/queue"
)

// join lets the caller wait; with a ticket he gets his old place back.
func (a *App) join(out *call.Out, s *session, who queue.Caller) {
	who.Call, who.Leg = s.call, s.leg
	s.phase = inQueue
	a.move(out, s)
	o, err := a.floor.Join(s.at, who)
	if err != nil { // the configuration was checked: only a queue of an earlier one can be meant
		a.follow(out, s, a.cfg.Default)
		return
	}
	a.carry(out, s.at, o)
	if s.phase == inQueue && s.play == "" {
		a.music(out, s, a.classOf(s))
		a.keep(out, s)
	}
}

// classOf is the music of the queue in which the caller waits.
func (a *App) classOf(s *session) string {
	c, _ := a.floor.Caller(s.call)
	q, _ := a.floor.Queue(c.Queue)
	return q.Music
}

// carry records what the floor states and does what it decides.
func (a *App) carry(out *call.Out, at time.Time, o queue.Out) {
	out.Fact(o.Facts...)
	for _, d := range o.Decisions {
		a.decide(out, at, d)
	}
}

func (a *App) decide(out *call.Out, at time.Time, d queue.Decision) {
	switch d := d.(type) {
	case queue.SetTimer:
		out.Do(call.SetTimer{ID: d.ID, After: d.After})
	case queue.CancelTimer:
		out.Do(call.CancelTimer{ID: d.ID})
	case queue.Offer:
		a.offer(out, a.sessions[d.Call], d)
	case queue.Withdraw:
		a.withdraw(out, a.sessions[d.Call], d)
	case queue.Connect:
		a.connect(out, a.sessions[d.Call], d.Agent)
	case queue.Announce:
		a.tell(out, a.sessions[d.Call], d)
	case queue.Overflow:
		if s := a.sessions[d.Call]; s != nil {
			s.at = at
			a.quiet(out, s)
			a.follow(out, s, ivr.Destination(d.Destination))
		}
	default:
		panic(fmt.Sprintf("inbound: the floor decided a %T", d))
	}
}

// offer rings an agent's phone for a caller who waits.
func (a *App) offer(out *call.Out, s *session, d queue.Offer) {
	if s == nil {
		return
	}
	r := &ring{leg: s.id("l"), agent: d.Agent, address: d.Extension}
	s.rings[r.leg] = r
	out.Do(call.Ring{
		Call: s.call, Leg: r.leg, Address: d.Extension, CallerID: s.from, CallerName: s.name,
		Timeout: d.Timeout, Role: call.RoleAgent, Agent: d.Agent, Queue: d.Queue,
	})
}

// withdraw stops an agent's phone; the end of its leg tells the floor.
func (a *App) withdraw(out *call.Out, s *session, d queue.Withdraw) {
	if s == nil {
		return
	}
	cause := call.CauseNormal
	if d.Reason == queue.AnsweredElsewhere {
		cause = call.CauseElsewhere
	}
	for _, r := range s.rings {
		if r.agent == d.Agent {
			out.Do(call.Hangup{Leg: r.leg, Cause: cause})
		}
	}
}

// tell says a waiting caller his place, his wait, or both. Phones ring on.
func (a *App) tell(out *call.Out, s *session, d queue.Announce) {
	if s == nil || s.phase != inQueue {
		return
	}
	var prompts []call.Prompt
	if d.Position > 0 {
		prompts = append(prompts, a.voice.Position(s.lang, d.Position)...)
	}
	if m := minutes(d.Wait); m > 0 {
		prompts = append(prompts, a.voice.Wait(s.lang, m)...)
	}
	if len(prompts) == 0 && d.OnRequest {
		prompts = a.voice.Kept(s.lang)
	}
	if len(prompts) == 0 {
		return
	}
	a.quiet(out, s)
	a.keep(out, s)
	s.play = s.id("p")
	out.Do(call.Play{Leg: s.leg, ID: s.play, Prompts: prompts, Lang: s.lang})
}

// minutes is the far end of an estimate: better a shorter wait than was told.
func minutes(w queue.Wait) int {
	return int((max(w.Min, w.Max) + time.Minute - 1) / time.Minute)
}

// agentAsked passes on what an agent, his phone or a supervisor asks for.
func (a *App) agentAsked(out *call.Out, e call.Event) {
	o, err := a.floor.Ask(e.SeenAt, e.Agent, queue.Wish(e.State), e.Reason)
	if err != nil {
		return // who asks over the API is told by it; a code from a phone that is no agent's does nothing
	}
	a.carry(out, e.SeenAt, o)
}
