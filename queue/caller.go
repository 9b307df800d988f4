package queue

import (
	"fmt"
	"slices"
	"time"

	"markaz/call"
)

// Caller is somebody who waits. What [Floor.Caller] returns can be kept
// outside and given back to Join after a restart: it puts him where he was.
type Caller struct {
	Call     string    `json:"call"`
	Leg      string    `json:"leg"`
	Queue    string    `json:"queue"`
	Priority int       `json:"priority,omitempty"` // higher is served first
	Ticket   int64     `json:"ticket,omitempty"`   // his place in the order of coming; 0 when he comes
	Joined   time.Time `json:"joined,omitzero"`
	Told     int       `json:"told,omitempty"`     // last position he was told; 0 if none
	ToldWait Wait      `json:"told_wait,omitzero"` // last estimate he was told
}

type caller struct {
	Caller
	queue     *queue
	offers    []*agent  // whose phones ring for him
	late      bool      // max_wait is over: goes when no phone rings for him
	first     bool      // it was recorded that he is first in line
	greet     bool      // is to be told his place for having come
	asked     time.Time // when he last asked for his place
	waitTimer string
	tellTimer string
}

func (c *caller) key() key { return key{class: -c.Priority, ticket: c.Ticket, id: c.Call} }

func (c *caller) position() int { return c.queue.waiting.before(c.key()) + 1 }

func (c *caller) event(k call.Kind) call.Event {
	return call.Event{Kind: k, Call: c.Call, Leg: c.Leg, Queue: c.Queue}
}

// Caller returns what is to be remembered of a waiting caller; false if he
// does not wait.
func (f *Floor) Caller(id string) (Caller, bool) {
	c, ok := f.callers[id]
	if !ok {
		return Caller{}, false
	}
	return c.Caller, true
}

// Line returns the callers of a queue in order. It costs O(n).
func (f *Floor) Line(name string) []Caller {
	q := f.queueOf[name]
	if q == nil {
		return nil
	}
	line := make([]Caller, 0, q.waiting.len())
	for c := range q.waiting.all() {
		line = append(line, c.Caller)
	}
	return line
}

// Join lets a caller wait. Without a ticket he comes now, and may be sent on
// at once because the queue is full or unstaffed. With one he has waited
// before a restart: he gets back his place, and is told nothing he knows. A
// caller who waits elsewhere leaves there; one who waits here stays as he is.
// The error wraps ErrUnknown if there is no such queue.
func (f *Floor) Join(at time.Time, w Caller) (Out, error) {
	var o Out
	q := f.queueOf[w.Queue]
	if q == nil {
		return o, fmt.Errorf("join queue %q: %w", w.Queue, ErrUnknown)
	}
	if old := f.callers[w.Call]; old != nil {
		if old.queue == q {
			return o, nil
		}
		f.leave(&o, at, old, Moved, call.Event{})
		f.promote(&o, old.queue)
	}
	c := &caller{Caller: w, queue: q}
	q.counts.Joined++
	back := w.Ticket != 0
	if back {
		f.joins.seen(w.Ticket)
		orElse(&c.Joined, at)
	} else {
		c.Ticket, c.Joined, c.Told, c.ToldWait = f.joins.next(at), at, 0, Wait{}
	}
	if !back || f.open { // before the floor is open the record has it
		e := c.event(call.QueueJoined)
		e.Position = c.position()
		c.first = e.Position == 1
		o.fact(e)
	}
	if reason, to := q.refusal(); !back && reason != "" {
		f.left(&o, at, c, reason, call.Event{To: to})
		o.decide(Overflow{Call: c.Call, Leg: c.Leg, Queue: c.Queue, Destination: to, Reason: reason})
		return o, nil
	}
	f.wait(&o, at, c)
	if c.greet = !back && q.Announce.AtJoin; f.open {
		f.greet(&o, at, c)
	}
	return o, nil
}

// refusal says why a new caller cannot wait here, and where he goes instead.
func (q *queue) refusal() (Reason, string) {
	switch {
	case q.NoAgents.To != "" && q.present == 0:
		return Unstaffed, q.NoAgents.To
	case q.MaxLength.Callers > 0 && q.waiting.len() >= q.MaxLength.Callers:
		return Full, q.MaxLength.To
	}
	return "", ""
}

// wait puts a caller in line and looks for an agent.
func (f *Floor) wait(o *Out, at time.Time, c *caller) {
	q := c.queue
	f.callers[c.Call] = c
	q.waiting.insert(c.key(), c)
	if q.MaxWait.After > 0 {
		c.waitTimer = f.setTimer(o, timer{kind: timerWait, caller: c}, c.Joined.Add(q.MaxWait.After).Sub(at))
	}
	if q.Announce.Every > 0 {
		c.tellTimer = f.setTimer(o, timer{kind: timerTell, caller: c}, q.Announce.Every)
	}
	f.seek(o, at, c)
	if q.waiting.len() == 1 && q.unmet.len() == 1 {
		q.pace.lineFormed(at)
	}
}

// seek lets a caller for whom no phone rings, or no longer, have the next
// agent, unless his time here is over.
func (f *Floor) seek(o *Out, at time.Time, c *caller) {
	q := c.queue
	switch {
	case c.late:
		f.overflow(o, at, c, TimedOut, q.MaxWait.To)
		f.promote(o, q)
	case f.open && q.abandonedByAgents():
		f.overflow(o, at, c, Unstaffed, q.NoAgents.To)
		f.promote(o, q)
	default:
		q.unmet.insert(c.key(), c)
		f.match(o, at, q)
	}
}

// Leave tells that a caller waits no more: Abandoned if he hung up, else
// whatever word says why. Phones that ring for him stop.
func (f *Floor) Leave(at time.Time, id string, reason Reason) Out {
	var o Out
	if c := f.callers[id]; c != nil {
		f.leave(&o, at, c, reason, call.Event{})
		f.promote(&o, c.queue)
	}
	return o
}

// Key tells that a waiting caller has pressed a key. Keys count at any time,
// during an announcement too. It reports whether the key means something here.
func (f *Floor) Key(at time.Time, id, digit string) (Out, bool) {
	var o Out
	c := f.callers[id]
	if c == nil || digit == "" {
		return o, false
	}
	switch digit {
	case c.queue.Exit.Key:
		f.overflow(&o, at, c, Exited, c.queue.Exit.To)
		f.promote(&o, c.queue)
	case c.queue.RequestKey:
		f.request(&o, at, c)
	default:
		return o, false
	}
	return o, true
}

// waitedEnough is the end of max_wait. A phone that rings now rings out first.
func (f *Floor) waitedEnough(o *Out, at time.Time, c *caller) {
	if len(c.offers) > 0 {
		c.late = true
		return
	}
	f.overflow(o, at, c, TimedOut, c.queue.MaxWait.To)
	f.promote(o, c.queue)
}

// evict sends away all who wait in vain for a queue that the last agent left.
func (f *Floor) evict(o *Out, at time.Time, q *queue) {
	if !q.abandonedByAgents() {
		return
	}
	for _, c := range slices.Collect(q.unmet.all()) {
		f.overflow(o, at, c, Unstaffed, q.NoAgents.To)
	}
}

func (q *queue) abandonedByAgents() bool { return q.NoAgents.Waiting && q.present == 0 }

func (f *Floor) overflow(o *Out, at time.Time, c *caller, reason Reason, to string) {
	f.leave(o, at, c, reason, call.Event{To: to})
	o.decide(Overflow{Call: c.Call, Leg: c.Leg, Queue: c.Queue, Destination: to, Reason: reason})
}

// leave takes a caller out of the line with all that hangs on him, and records
// it; more of the fact may be given.
func (f *Floor) leave(o *Out, at time.Time, c *caller, reason Reason, more call.Event) {
	more.Position = c.position()
	f.unlink(o, c)
	f.left(o, at, c, reason, more)
	for _, a := range c.offers {
		f.withdraw(o, a, CallerGone)
	}
	c.offers = nil
}

// unlink takes a caller out of the line and stops his timers.
func (f *Floor) unlink(o *Out, c *caller) {
	q := c.queue
	delete(f.callers, c.Call)
	q.waiting.remove(c.key())
	q.unmet.remove(c.key())
	f.cancelTimer(o, &c.waitTimer)
	f.cancelTimer(o, &c.tellTimer)
	if q.waiting.len() == 0 {
		q.pace.lineGone()
	}
}

// left records and counts that a caller waits no more.
func (f *Floor) left(o *Out, at time.Time, c *caller, reason Reason, more call.Event) {
	waited := max(0, at.Sub(c.Joined))
	c.queue.counts.add(reason, waited, c.queue.QueueConfig)
	e := c.event(call.QueueLeft)
	if reason == Abandoned {
		e.Kind, e.Position = call.QueueAbandoned, more.Position
	} else {
		e.Reason, e.To, e.Agent = reason.recorded(), more.To, more.Agent
	}
	if e.Reason == "overflow" {
		e.Text = string(reason)
	}
	e.WaitMS = waited.Milliseconds()
	o.fact(e)
}

// promote records, once for each, who has come to be first in line. The places
// of all others are not recorded: they follow from who joined and who left.
func (f *Floor) promote(o *Out, q *queue) {
	c := q.waiting.first()
	if c == nil || c.first {
		return
	}
	c.first = true
	e := c.event(call.QueuePosition)
	e.Position = 1
	o.fact(e)
}
