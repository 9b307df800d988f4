package queue

import (
	"slices"
	"time"

	"markaz/call"
)

// match rings the free agents of a queue as long as somebody is to be served
// by them: the longest idle first, each for the best caller of all his queues.
func (f *Floor) match(o *Out, at time.Time, q *queue) {
	if !f.open {
		return
	}
	for a := q.idle.first(); a != nil; a = q.idle.first() {
		c := a.pick()
		if c == nil {
			return
		}
		f.offer(o, at, c, a)
	}
}

// serve rings a free agent for the best caller of all his queues.
func (f *Floor) serve(o *Out, at time.Time, a *agent) {
	if !f.open || a.shown.state != Available {
		return
	}
	if c := a.pick(); c != nil {
		f.offer(o, at, c, a)
	}
}

// pick chooses among the queues of an agent the one whose need comes first, so
// that a queue all of whose agents are away keeps nobody else from being
// served.
func (a *agent) pick() *caller {
	var best *caller
	for _, q := range a.queues {
		if c := q.need(); c != nil && (best == nil || c.outranks(best)) {
			best = c
		}
	}
	if best == nil {
		return nil
	}
	return best.queue.next()
}

// need is the caller by whom a queue competes for a free agent: the first for
// whom no phone rings, or where all phones ring the first of all, who can do
// with one more.
func (q *queue) need() *caller {
	if c := q.unmet.first(); c != nil {
		return c
	}
	return q.next()
}

// next is the caller for whom a free agent would be rung. Where all phones
// ring they ring for the first, until he is served.
func (q *queue) next() *caller {
	if q.Strategy == RingAll {
		if c := q.waiting.first(); c != nil && !c.late {
			return c
		}
	}
	return q.unmet.first()
}

// outranks puts callers for whom no phone rings first, then those of higher
// priority, then those who came first.
func (c *caller) outranks(d *caller) bool {
	if met, dmet := len(c.offers) > 0, len(d.offers) > 0; met != dmet {
		return dmet
	}
	return c.key().before(d.key())
}

func (f *Floor) offer(o *Out, at time.Time, c *caller, a *agent) {
	q := c.queue
	if len(c.offers) == 0 {
		q.unmet.remove(c.key())
	}
	c.offers = append(c.offers, a)
	a.phase, a.call, a.queue, a.caller = ringing, c.Call, q, c
	o.decide(Offer{
		Call: c.Call, Leg: c.Leg, Queue: q.Name,
		Agent: a.ID, Extension: a.Extension, Timeout: q.RingTimeout,
	})
	a.timer = f.setTimer(o, timer{kind: timerRing, agent: a}, q.RingTimeout+ringGrace)
	f.show(o, at, a, a.condition())
}

// withdraw stops a phone. The agent is not free before Ended tells that his
// leg is gone, so that two calls never meet on one phone.
func (f *Floor) withdraw(o *Out, a *agent, why Withdrawal) {
	a.caller, a.withdrawn = nil, why
	o.decide(Withdraw{Call: a.call, Agent: a.ID, Reason: why})
}

// Answered tells that an agent has picked up for a call. If it is his, the two
// are to be connected; if somebody was faster or the caller is gone, his leg
// is to be hung up.
func (f *Floor) Answered(at time.Time, name, id string) Out {
	var o Out
	a := f.agentOf[name]
	switch {
	case a != nil && a.phase == talking && a.call == id:
		return o
	case a == nil || a.phase != ringing || a.call != id:
		o.decide(Withdraw{Call: id, Agent: name, Reason: NotOffered})
		return o
	case a.caller == nil:
		o.decide(Withdraw{Call: id, Agent: a.ID, Reason: a.withdrawn})
		return o
	}
	c, q := a.caller, a.queue
	q.pace.handedOver(at, q.staffed())
	f.unlink(&o, c)
	f.left(&o, at, c, Answered, call.Event{Agent: a.ID})
	o.decide(Connect{Call: c.Call, Leg: c.Leg, Queue: q.Name, Agent: a.ID})
	for _, b := range c.offers {
		if b != a {
			f.withdraw(&o, b, AnsweredElsewhere)
		}
	}
	f.cancelTimer(&o, &a.timer)
	a.phase, a.caller, a.noAnswers, a.failures = talking, nil, 0, 0
	f.show(&o, at, a, a.condition())
	f.promote(&o, q)
	return o
}

// rangOut is the end of a ringing leg. After a withdrawal nobody is to blame
// and the agent is free; else the caller gets the next agent at once, and the
// phone rests.
func (f *Floor) rangOut(o *Out, at time.Time, a *agent, r call.Result) {
	c, q := a.caller, a.queue
	f.cancelTimer(o, &a.timer)
	a.phase, a.call, a.queue, a.caller = idle, "", nil, nil
	if c == nil {
		f.freed(o, at, a)
		return
	}
	f.rest(o, a, r, q.Retry)
	f.show(o, at, a, a.condition())
	c.offers = slices.DeleteFunc(c.offers, func(b *agent) bool { return b == a })
	if len(c.offers) == 0 {
		f.seek(o, at, c)
	}
}
