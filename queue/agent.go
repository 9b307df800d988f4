package queue

import (
	"fmt"
	"time"

	"markaz/call"
)

// NoAnswerPause is the reason with which an agent is paused who left his
// phone ringing too often.
const NoAnswerPause = "no_answer"

const (
	ringGrace   = 3 * time.Second // beyond Offer.Timeout: for the switch to say that the phone gave up
	longestRest = 2 * time.Minute // of a phone that cannot be reached
)

type phase uint8

const (
	idle phase = iota
	ringing
	talking
	wrapping
	resting
)

type agent struct {
	AgentConfig
	queues []*queue

	wish        Wish
	pauseReason string
	phase       phase
	busy        bool   // on a call of his own
	timer       string // ends ringing, wrapping or resting

	call       string  // ringing, talking
	queue      *queue  // of that call; nil if it is not known
	caller     *caller // ringing; nil once the offer is withdrawn
	withdrawn  Withdrawal
	restReason string

	noAnswers int // in a row
	failures  int // in a row

	ticket int64 // order of having become available
	shown  condition
	since  time.Time // of shown.state
	wrapTo time.Time // end of the wrap-up
}

// condition is what a fact tells of an agent.
type condition struct {
	state   State
	reason  string // of a pause or rest
	pending Wish   // takes effect when the call is over
	call    string
	queue   string
}

func (a *agent) key() key { return key{ticket: a.ticket, id: a.ID} }

// condition derives what the agent is doing from what he wishes and what his
// phone does.
func (a *agent) condition() condition {
	c := condition{state: Available}
	switch {
	case a.phase == ringing || a.phase == talking:
		c.state, c.call = Ringing, a.call
		if a.phase == talking {
			c.state = Talking
		}
		if a.queue != nil {
			c.queue = a.queue.Name
		}
		if a.wish != WishAvailable {
			c.pending, c.reason = a.wish, a.pauseReason
		}
	case a.wish == WishOffline:
		c.state = Offline
	case a.wish == WishPaused:
		c.state, c.reason = Paused, a.pauseReason
	case a.phase == wrapping:
		c.state = Wrapup
	case a.busy:
		c.state = Busy
	case a.phase == resting:
		c.state, c.reason = Resting, a.restReason
	}
	return c
}

// wishes changes what the agent wants and counts who is logged in.
func (a *agent) wishes(w Wish) {
	for _, q := range a.queues {
		switch {
		case a.wish == WishOffline && w != WishOffline:
			q.present++
		case a.wish != WishOffline && w == WishOffline:
			q.present--
		}
	}
	a.wish = w
}

// Ask tells what an agent wants to be; reason is for a pause. It is a state
// and not a change of one, so that asking again is harmless. The error wraps
// ErrUnknown if there is no such agent or wish.
func (f *Floor) Ask(at time.Time, name string, w Wish, reason string) (Out, error) {
	var o Out
	a := f.agentOf[name]
	if a == nil {
		return o, fmt.Errorf("set state of agent %q: %w", name, ErrUnknown)
	}
	a.pauseReason = ""
	switch w {
	case WishOffline:
	case WishPaused:
		a.pauseReason = reason
	case WishAvailable, WishReady:
		a.noAnswers, a.failures = 0, 0
		if w == WishReady && (a.phase == wrapping || a.phase == resting) {
			f.cancelTimer(&o, &a.timer)
			a.phase = idle
		}
		w = WishAvailable
	default:
		return o, fmt.Errorf("set state of agent %q to %q: %w", name, w, ErrUnknown)
	}
	a.wishes(w)
	f.freed(&o, at, a)
	if w == WishOffline && f.open {
		for _, q := range a.queues {
			f.evict(&o, at, q)
		}
	}
	return o, nil
}

// Busy tells that an agent is on a call of his own, or no more.
func (f *Floor) Busy(at time.Time, name string, busy bool) Out {
	var o Out
	if a := f.agentOf[name]; a != nil {
		a.busy = busy
		f.freed(&o, at, a)
	}
	return o
}

// Ended tells that an agent's leg of a call is gone, whether it rang or
// talked; r says how it ended if it rang.
func (f *Floor) Ended(at time.Time, name, id string, r call.Result) Out {
	var o Out
	a := f.agentOf[name]
	if a == nil || a.call != id {
		return o
	}
	switch a.phase {
	case ringing:
		f.rangOut(&o, at, a, r)
	case talking:
		f.hungUp(&o, at, a)
	}
	return o
}

// hungUp begins the wrap-up, which is the one of the queue whose call it was.
func (f *Floor) hungUp(o *Out, at time.Time, a *agent) {
	wrapup := time.Duration(0)
	if a.queue != nil {
		wrapup = a.queue.Wrapup
	}
	a.call, a.queue, a.phase = "", nil, idle
	if wrapup > 0 {
		a.wrapTo = at.Add(wrapup)
		f.pauseFor(o, a, wrapping, wrapup)
	}
	f.freed(o, at, a)
}

// pauseFor lets the agent wrap up or rest for a while.
func (f *Floor) pauseFor(o *Out, a *agent, p phase, d time.Duration) {
	a.phase = p
	a.timer = f.setTimer(o, timer{kind: timerPause, agent: a}, d)
}

// rest keeps a phone silent that did not take a call, longer each time if it
// cannot be reached, and pauses an agent who does not answer.
func (f *Floor) rest(o *Out, a *agent, r call.Result, retry time.Duration) {
	if r == "" || r == call.Answered { // nobody told that he picked up
		r = call.Failed
	}
	a.restReason = string(r)
	switch r {
	case call.NoAnswer:
		a.noAnswers++
		if f.maxNoAnswers > 0 && a.noAnswers >= f.maxNoAnswers && a.wish == WishAvailable {
			a.noAnswers = 0
			a.pauseReason = NoAnswerPause
			a.wishes(WishPaused)
		}
	case call.Failed, call.Lost:
		retry = min(retry<<min(a.failures, 10), longestRest)
		a.failures++
	}
	f.pauseFor(o, a, resting, retry)
}

// freed shows what the agent is now and, if he is free, finds him a caller.
func (f *Floor) freed(o *Out, at time.Time, a *agent) {
	f.show(o, at, a, a.condition())
	f.serve(o, at, a)
}

// show records a condition that differs from the last.
func (f *Floor) show(o *Out, at time.Time, a *agent, now condition) {
	if now == a.shown {
		return
	}
	f.change(at, a, now)
	e := call.Event{
		Kind: call.AgentChanged, Agent: a.ID, Address: a.Extension,
		State: now.state.String(), Reason: now.reason, Mode: string(now.pending),
		Queue: now.queue, Ref: now.call,
	}
	if a.phase == wrapping { // behind a pause too, so that a restart does not cut it short
		e.DurationMS = (a.wrapTo.Sub(at) + time.Millisecond - 1).Milliseconds()
	}
	o.fact(e)
}

// change brings an agent into a condition and keeps the queues' counts and
// their lists of the idle. Who becomes available stands at the end of the
// idle, but for one whose offer was withdrawn: he keeps his place.
func (f *Floor) change(at time.Time, a *agent, now condition) {
	was := a.shown.state
	if now.state == was {
		a.shown = now
		return
	}
	a.leaveGroups()
	if now.state == Available && (was != Ringing || a.ticket == 0) {
		a.ticket = f.frees.next(at)
	}
	a.shown, a.since = now, at
	a.enterGroups()
}

func (a *agent) leaveGroups() {
	for _, q := range a.queues {
		q.states[a.shown.state]--
		if a.shown.state == Available {
			q.idle.remove(a.key())
		}
	}
}

func (a *agent) enterGroups() {
	for _, q := range a.queues {
		q.states[a.shown.state]++
		if a.shown.state == Available {
			q.idle.insert(a.key(), a)
		}
	}
}
