package queue

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"markaz/call"
)

// sim plays the application around a floor: it runs the timers, keeps the legs
// that ring and talk, writes the log, and holds the floor to its promises at
// every step.
type sim struct {
	floor *Floor
	cfg   Config
	fail  func(format string, args ...any)
	now   time.Time
	began time.Time // of this floor
	log   []call.Event

	timers  map[string]time.Time // when due
	usedIDs map[string]bool
	legs    map[string]string // agent → call his phone rings or talks for
	talks   map[string]string // agent → queue, of those legs that were answered
	waits   map[string]Caller // call → as last known
	offered map[string]int    // call → phones ringing for him
	free    map[string]int    // available agent → order of becoming so
	freeSeq int
	was     map[string]string    // agent → last recorded state
	wrapTo  map[string]time.Time // agent → no offer before
	misses  map[string]int       // agent → unanswered calls in a row
}

var simStart = time.Date(2026, 3, 21, 9, 0, 0, 0, time.UTC)

func newSim(cfg Config, fail func(string, ...any)) *sim {
	s := &sim{
		cfg: cfg, fail: fail, now: simStart,
		timers: map[string]time.Time{}, usedIDs: map[string]bool{}, legs: map[string]string{},
		talks: map[string]string{}, waits: map[string]Caller{}, offered: map[string]int{},
		free: map[string]int{}, was: map[string]string{}, wrapTo: map[string]time.Time{}, misses: map[string]int{},
	}
	s.floor = s.newFloor()
	return s
}

func (s *sim) newFloor() *Floor {
	f, err := New(s.cfg)
	if err != nil {
		s.fail("new floor: %v", err)
	}
	return f
}

// apply carries an answer of the floor out and checks it.
func (s *sim) apply(o Out) Out {
	for _, e := range o.Facts {
		e.At = s.now
		s.log = append(s.log, e)
		s.applyFact(e)
	}
	for _, d := range o.Decisions {
		s.applyDecision(d)
	}
	for id := range s.waits {
		c, ok := s.floor.Caller(id)
		if !ok {
			s.fail("%s waits by the facts, but not on the floor", id)
		}
		s.waits[id] = c
	}
	return o
}

func (s *sim) applyFact(e call.Event) {
	switch e.Kind {
	case call.QueueJoined:
		if w, ok := s.waits[e.Call]; ok {
			s.fail("%s joins %s while in %s", e.Call, e.Queue, w.Queue)
		}
		s.waits[e.Call] = Caller{Call: e.Call, Queue: e.Queue}
		if c, ok := s.floor.Caller(e.Call); ok {
			s.waits[e.Call] = Caller{Call: e.Call, Queue: e.Queue, Priority: c.Priority, Ticket: c.Ticket}
		}
	case call.QueueLeft, call.QueueAbandoned:
		if w, ok := s.waits[e.Call]; !ok || w.Queue != e.Queue {
			s.fail("%s leaves %s, where he is not", e.Call, e.Queue)
		}
		delete(s.waits, e.Call)
		delete(s.offered, e.Call)
	case call.QueueAnnounced:
		w := s.waits[e.Call]
		if w.Told != 0 && e.Position > w.Told {
			s.fail("%s is told %d after %d", e.Call, e.Position, w.Told)
		}
		w.Told = e.Position
		s.waits[e.Call] = w
	case call.AgentChanged:
		if e.State == "available" && s.was[e.Agent] != "ringing" || s.free[e.Agent] == 0 {
			s.freeSeq++
			s.free[e.Agent] = s.freeSeq
		}
		s.was[e.Agent] = e.State
	}
}

func (s *sim) applyDecision(d Decision) {
	switch d := d.(type) {
	case Offer:
		s.checkOffer(d)
		s.legs[d.Agent] = d.Call
		s.offered[d.Call]++
	case Withdraw:
		if d.Reason != NotOffered && d.Reason != RangTooLong && s.legs[d.Agent] != d.Call {
			s.fail("withdraws %s from %s, whom nobody rings", d.Call, d.Agent)
		}
	case Connect:
		s.talks[d.Agent] = d.Queue
	case SetTimer:
		if s.usedIDs[d.ID] || d.After < 0 {
			s.fail("timer %s of %s is used twice or negative", d.ID, d.After)
		}
		s.usedIDs[d.ID] = true
		s.timers[d.ID] = s.now.Add(d.After)
	case CancelTimer:
		if _, ok := s.timers[d.ID]; !ok {
			s.fail("cancels %s, which does not run", d.ID)
		}
		delete(s.timers, d.ID)
	}
}

// checkOffer holds an offer to order, idleness, wish and wrap-up.
func (s *sim) checkOffer(d Offer) {
	if on, ok := s.legs[d.Agent]; ok {
		s.fail("%s is rung for %s while on %s", d.Agent, d.Call, on)
	}
	a := s.floor.agentOf[d.Agent]
	if a.wish != WishAvailable || a.busy {
		s.fail("%s is rung while %s, busy %v", d.Agent, a.wish, a.busy)
	}
	if to := s.wrapTo[d.Agent]; s.now.Before(to) {
		s.fail("%s is rung %s before his wrap-up ends", d.Agent, to.Sub(s.now))
	}
	c, ok := s.waits[d.Call]
	if !ok || c.Queue != d.Queue {
		s.fail("%s is rung for %s, who does not wait in %s", d.Agent, d.Call, d.Queue)
	}
	mine := map[string]bool{}
	for _, q := range a.queues {
		mine[q.Name] = true
	}
	for id, w := range s.waits {
		if id != d.Call && mine[w.Queue] && s.offered[id] == 0 && before(w, c) {
			s.fail("%s is rung for %s before %s", d.Agent, d.Call, id)
		}
	}
	if q := s.floor.queueOf[d.Queue]; q.Strategy == LongestIdle {
		for _, b := range q.agents {
			if b.shown.state == Available && s.free[b.ID] < s.free[a.ID] {
				s.fail("%s is rung though %s is idle longer", a.ID, b.ID)
			}
		}
	}
}

func before(a, b Caller) bool {
	if a.Priority != b.Priority {
		return a.Priority > b.Priority
	}
	return a.Ticket < b.Ticket
}

// ended tells the floor that a leg is gone.
func (s *sim) ended(agent string, r call.Result) Out {
	id := s.legs[agent]
	if q, ok := s.talks[agent]; ok {
		s.wrapTo[agent] = s.now.Add(s.floor.queueOf[q].Wrapup)
	} else if a := s.floor.agentOf[agent]; a.caller != nil {
		s.offered[id]--
	}
	delete(s.legs, agent)
	delete(s.talks, agent)
	return s.apply(s.floor.Ended(s.now, agent, id, r))
}

// advance lets time pass and runs the timers that fall due, in order.
func (s *sim) advance(d time.Duration, told func(id string, o Out)) {
	end := s.now.Add(d)
	for {
		id, due := s.nextTimer()
		if id == "" || due.After(end) {
			break
		}
		s.now = due
		delete(s.timers, id)
		if kind, _, _ := strings.Cut(id, ":"); kind == string(timerRing) {
			s.ringTimer(id)
		}
		o := s.apply(s.floor.Fired(s.now, id))
		if told != nil {
			told(id, o)
		}
	}
	s.now = end
}

// ringTimer forgets the leg of a phone that rang too long.
func (s *sim) ringTimer(id string) {
	a := s.floor.agentOf[strings.Split(id, ":")[1]]
	if a.caller != nil {
		s.offered[a.call]--
	}
	delete(s.legs, a.ID)
}

func (s *sim) nextTimer() (id string, due time.Time) {
	for t, at := range s.timers {
		if id == "" || at.Before(due) || at.Equal(due) && t < id {
			id, due = t, at
		}
	}
	return id, due
}

// restart throws the floor away and builds it from the log, the legs that are
// still there and what was remembered of the callers. Phones that rang are
// hung up. Newcomers may come before the waiting are adopted.
func (s *sim) restart(newcomers ...Caller) Out {
	counts := len(s.waits)
	s.floor, s.began = s.newFloor(), s.now
	s.timers, s.usedIDs, s.offered = map[string]time.Time{}, map[string]bool{}, map[string]int{}
	for _, e := range s.log {
		s.floor.Fold(e)
	}
	var all Out
	add := func(o Out, err error) {
		if err != nil {
			s.fail("restart: %v", err)
		}
		s.apply(o)
		all.Facts = append(all.Facts, o.Facts...)
		all.Decisions = append(all.Decisions, o.Decisions...)
	}
	waits := maps.Clone(s.waits)
	for agent := range s.legs {
		if _, talks := s.talks[agent]; !talks {
			delete(s.legs, agent)
		}
	}
	held := s.waits
	s.waits = map[string]Caller{}
	for _, c := range newcomers {
		add(s.floor.Join(s.now, c))
	}
	for _, id := range slices.Sorted(maps.Keys(held)) {
		o, err := s.floor.Join(s.now, waits[id])
		s.waits[id] = waits[id]
		add(o, err)
	}
	for _, agent := range slices.Sorted(maps.Keys(s.talks)) {
		add(s.floor.Adopt(s.now, agent, s.legs[agent], s.talks[agent]), nil)
	}
	add(s.floor.Open(s.now), nil)
	if len(s.waits) > counts+len(newcomers) {
		s.fail("restart made callers of nothing")
	}
	return all
}

// check holds the floor as a whole to its promises.
func (s *sim) check() {
	f := s.floor
	waiting := 0
	for _, q := range f.queues {
		waiting += q.waiting.len()
		s.checkQueue(q)
	}
	if waiting != len(s.waits) || len(f.callers) != waiting {
		s.fail("%d wait on the floor, %d are known, %d by the facts", waiting, len(f.callers), len(s.waits))
	}
	if !maps.EqualFunc(f.timers, s.timers, func(timer, time.Time) bool { return true }) {
		s.fail("timers of the floor %v, of the loop %v", slices.Sorted(maps.Keys(f.timers)), slices.Sorted(maps.Keys(s.timers)))
	}
	for _, a := range f.agents {
		if a.shown != a.condition() && f.open {
			s.fail("%s is %+v and shown as %+v", a.ID, a.condition(), a.shown)
		}
		if s.was[a.ID] != "" && s.was[a.ID] != a.shown.state.String() {
			s.fail("%s is %s, the facts say %s", a.ID, a.shown.state, s.was[a.ID])
		}
	}
}

func (s *sim) checkQueue(q *queue) {
	c := q.counts
	if sum := c.Answered + c.Abandoned + c.TimedOut + c.Exited + c.Full + c.Unstaffed + c.Other + uint64(q.waiting.len()); sum != c.Joined {
		s.fail("%s: %d joined, %d accounted for", q.Name, c.Joined, sum)
	}
	var states [stateCount]int
	present := 0
	for _, a := range q.agents {
		states[a.shown.state]++
		if a.wish != WishOffline {
			present++
		}
	}
	if states != q.states || present != q.present || q.idle.len() != states[Available] {
		s.fail("%s: counts of agents %v, %d present, %d idle; are %v, %d", q.Name, q.states, q.present, q.idle.len(), states, present)
	}
	if q.idle.len() > 0 && q.unmet.len() > 0 {
		s.fail("%s: %s is free while %s waits", q.Name, q.idle.first().ID, q.unmet.first().Call)
	}
	rank := 0
	for c := range q.waiting.all() {
		if rank++; c.position() != rank {
			s.fail("%s: %s is at %d, counted %d", q.Name, c.Call, rank, c.position())
		}
		due := c.Joined.Add(q.MaxWait.After)
		if due.Before(s.began) {
			due = s.began // what ran out while we were away
		}
		if q.MaxWait.After > 0 && s.now.Sub(due) > q.RingTimeout+ringGrace {
			s.fail("%s: %s waits for %s", q.Name, c.Call, s.now.Sub(c.Joined))
		}
	}
}

// String forms for transcripts.
func describe(o Out) string {
	var b strings.Builder
	for _, e := range o.Facts {
		fmt.Fprintf(&b, "  fact %s", e.Kind)
		for _, f := range []struct {
			name  string
			value any
		}{
			{"call", e.Call},
			{"agent", e.Agent},
			{"queue", e.Queue},
			{"state", e.State},
			{"mode", e.Mode},
			{"reason", e.Reason},
			{"text", e.Text},
			{"to", e.To},
			{"position", e.Position},
			{"wait", ms(e.WaitMS)},
			{"for", ms(e.DurationMS)},
			{"ref", e.Ref},
		} {
			if text := fmt.Sprint(f.value); text != "" && text != "0" && text != "0s" {
				fmt.Fprintf(&b, " %s=%s", f.name, text)
			}
		}
		b.WriteByte('\n')
	}
	for _, d := range o.Decisions {
		switch d := d.(type) {
		case SetTimer, CancelTimer:
		case Offer:
			fmt.Fprintf(&b, "  offer %s to %s at %s for %s\n", d.Call, d.Agent, d.Extension, d.Timeout)
		case Withdraw:
			fmt.Fprintf(&b, "  withdraw %s from %s: %s\n", d.Call, d.Agent, d.Reason)
		case Connect:
			fmt.Fprintf(&b, "  connect %s with %s\n", d.Call, d.Agent)
		case Announce:
			fmt.Fprintf(&b, "  announce to %s: position %d, wait %s to %s, on request %v\n", d.Call, d.Position, d.Wait.Min, d.Wait.Max, d.OnRequest)
		case Overflow:
			fmt.Fprintf(&b, "  send %s to %s: %s\n", d.Call, d.Destination, d.Reason)
		}
	}
	return b.String()
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
