package chain

import (
	"cmp"
	"slices"
	"time"

	"markaz/call"
	"markaz/legacy/smdr"
)

// How near a leg must begin to where the leg before it ended. Both are printed
// in whole minutes, and an extension rings before it answers.
const (
	chainGap = 90 * time.Second
	ringMost = 5 * time.Minute // of ringing, where the ring time is not printed
)

func sortByStart(list []*opened) {
	slices.SortFunc(list, func(a, b *opened) int {
		if c := a.PrintedStart.Compare(b.PrintedStart); c != 0 {
			return c
		}
		return cmp.Compare(a.ID, b.ID)
	})
}

// take finds the call of a record, or begins one.
func (m *Machine) take(r *record) {
	if r.dir == call.Internal {
		m.internal(r)
		return
	}
	c := m.st.Lanes[r.lane]
	mine := c != nil && c.takes(r)
	if !mine && c != nil {
		m.settle(c) // its line is in use again
		c = nil
	}
	switch {
	case r.dir == call.Outbound && r.kind == smdr.KindCall:
		m.outgoing(c, r)
	case r.dir != call.Inbound:
	case r.kind == smdr.KindRing:
		m.ring(c, r)
	case r.kind == smdr.KindAnswer:
		m.answer(c, r)
	case c != nil && c.Ended:
		m.late(c, r)
	default:
		m.incoming(c, r)
	}
	m.schedule()
}

// takes reports whether a record belongs to this call, the last of its line.
func (c *opened) takes(r *record) bool {
	if c.Dir != r.dir || r.number != "" && c.Number != "" && r.number != c.Number {
		return false
	}
	near := func(t, u time.Time, most time.Duration) bool {
		d := t.Sub(u)
		return d >= -chainGap && d <= most
	}
	if r.kind == smdr.KindRing {
		return !c.Ended && c.Phase == ringing && c.leg(r.ext) == nil && near(r.printedEnd, c.PrintedEnd, chainGap)
	}
	if c.Ended && r.kind == smdr.KindAnswer {
		return false
	}
	if c.sure() {
		return r.transferred && near(r.printedStart, c.PrintedEnd, chainGap)
	}
	if l := c.leg(r.ext); l != nil && l.Answered {
		return near(r.printedEnd.Add(-r.talk), l.At, ringMost)
	}
	if c.Phase == ringing {
		return near(r.printedStart, c.PrintedStart, ringMost)
	}
	return (r.transferred || c.machine() && r.role != call.RoleIVR) && near(r.printedStart, c.PrintedEnd, chainGap)
}

// machine reports whether the latest leg was no person. A transfer by a group
// or a DISA line is not marked as one (KX-NS700 feature guide p. 269), but
// only a new call begins at a DISA line.
func (c *opened) machine() bool {
	n := len(c.Legs)
	return n > 0 && !c.Legs[n-1].Role.Person()
}

// ring takes a call that has arrived.
func (m *Machine) ring(c *opened, r *record) {
	if c == nil {
		c = m.start(r, r.live)
	}
	m.add(c, r, r.end, r.live)
	c.PrintedEnd = r.printedEnd
	m.wait(c, m.cfg.RingHold)
}

// answer takes a call that was answered.
func (m *Machine) answer(c *opened, r *record) {
	if c == nil {
		c = m.start(r, r.live)
	}
	l := c.leg(r.ext)
	if l == nil {
		l = m.add(c, r, r.start, r.live)
	}
	if l.Answered {
		return
	}
	l.Rings = r.ring.Milliseconds()
	m.pickUp(c, l, r, r.live)
	m.others(c, l, r.answer, call.AnsweredElsewhere, r.grain, r.live)
	c.PrintedEnd = r.printedEnd
	c.Phase = between
	hold := m.cfg.LegHold
	if l.Role.Person() {
		c.Phase, hold = talking, talkHold
	}
	m.wait(c, hold)
}

// incoming takes a leg of a call from outside that has ended.
func (m *Machine) incoming(c *opened, r *record) {
	if c == nil {
		c = m.start(r, false) // told when it is over: nothing may pop up
	}
	l := c.leg(r.ext)
	if l == nil {
		l = m.add(c, r, r.start, false)
	}
	unanswered := r.missed || !r.talkKnown && !l.Answered
	if !unanswered && !l.Answered {
		m.pickUp(c, l, r, false)
		if l.Role.Person() {
			m.others(c, l, r.answer, call.AnsweredElsewhere, r.grain, false)
		}
	}
	m.endLeg(c, l, r, unanswered)
	if !m.onForward(c, r) {
		m.next(c, l, r, unanswered)
	}
}

// endLeg states the end of a leg.
func (m *Machine) endLeg(c *opened, l *leg, r *record, unanswered bool) {
	e := call.Event{Kind: call.LegEnded, At: r.end, Leg: l.ID, RingMS: r.ring.Milliseconds(), Result: call.NoAnswer}
	if !unanswered {
		e.Result, e.TalkMS = call.Answered, r.talk.Milliseconds()
		if l.Role.Person() {
			c.Talk += r.talk
		}
	}
	l.Done = true
	m.emit(c, e, r.grain, r.live)
	if r.printedEnd.After(c.PrintedEnd) || r.kind == smdr.KindCall {
		c.PrintedEnd = r.printedEnd
	}
}

// next decides whether a call goes on after a leg of it has ended.
func (m *Machine) next(c *opened, l *leg, r *record, unanswered bool) {
	e := call.Event{At: r.end, Disposition: call.Missed, Data: r.extras()}
	switch {
	case c.talks():
		return // somebody else is still on the line
	case c.Answered:
		e.Disposition = call.CallAnsweredD
	case l.Role == call.RoleVoicemail && !unanswered:
		e.Disposition = call.Voicemail
	case unanswered && (r.cond == "TR" || r.role == call.RoleQueue) || !unanswered && !l.Role.Person():
		c.Phase = between
		m.wait(c, m.cfg.LegHold)
		return
	}
	m.end(c, e, r.grain, r.live)
}

// talks reports whether an answered leg has not ended.
func (c *opened) talks() bool {
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Answered && !l.Done && l.Role.Person() {
			return true
		}
	}
	return false
}

// extras is what a record carries besides the call.
func (r *record) extras() map[string]string {
	var data map[string]string
	for k, v := range map[string]string{"account": r.account, "charge": r.charge} {
		if v == "" {
			continue
		}
		if data == nil {
			data = map[string]string{}
		}
		data[k] = v
	}
	return data
}
