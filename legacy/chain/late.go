package chain

import (
	"strconv"

	"markaz/call"
)

// late takes a leg of a call that was told to be over: somebody received it by
// transfer, and the exchange prints that leg when he hangs up; or the call was
// settled before its record came.
func (m *Machine) late(c *opened, r *record) {
	l := c.unanswered(r.ext)
	if l == nil {
		c.Legs = append(c.Legs, leg{ID: strconv.Itoa(len(c.Legs) + 1), Ext: r.ext, Role: r.role})
		l = &c.Legs[len(c.Legs)-1]
	}
	l.Done = true
	e := call.Event{At: r.end, Role: r.role, Address: r.ext, Leg: l.ID, RingMS: r.ring.Milliseconds(), Result: call.NoAnswer, Data: r.extras()}
	if !r.missed && r.talkKnown {
		l.Answered = true
		e.Result, e.DurationMS = call.Answered, r.talk.Milliseconds()
		if r.role.Person() {
			c.Talk += r.talk
			e.Disposition = call.CallAnsweredD
			c.Answered, c.Guessed = true, false
		}
	}
	if c.Recorded && r.end.Sub(c.Last).Abs() < chainGap {
		e.At = c.Last // the recorder knew the second
	}
	m.amend(c, e, r.grain, r.live)
	if r.printedEnd.After(c.PrintedEnd) {
		c.PrintedEnd = r.printedEnd
	}
	m.onForward(c, r)
}

// unanswered finds a leg of an extension whose talk has not been told.
func (c *opened) unanswered(ext string) *leg {
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Ext == ext && (!l.Answered || !l.Done) {
			return l
		}
	}
	return nil
}

// amend corrects a call that is over.
func (m *Machine) amend(c *opened, e call.Event, grain int64, live bool) {
	c.Revision++
	e.Kind, e.Revision, e.TalkMS = call.CallAmended, c.Revision, c.Talk.Milliseconds()
	m.emit(c, e, grain, live)
}

// settle ends a call of which no more is expected: its line is in use again,
// or it was waited for long enough. What is told then may be amended.
func (m *Machine) settle(c *opened) {
	if c.Ended {
		return
	}
	e := call.Event{At: c.Last, Disposition: call.Missed}
	switch {
	case c.Answered:
		e.Disposition, e.Reason = call.CallAnsweredD, "no end record"
	case c.Recorded && c.Phase == ringing: // what rings is not recorded
		e.Disposition, e.Reason = call.CallAnsweredD, "recorded, no end record"
	}
	c.Guessed = true
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Answered && !l.Done {
			m.emit(c, call.Event{Kind: call.LegEnded, At: c.Last, Leg: l.ID, Result: call.Lost}, printedGrain, c.Live)
		}
	}
	m.end(c, e, printedGrain, c.Live)
}
