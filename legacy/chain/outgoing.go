package chain

import (
	"strings"
	"time"

	"markaz/call"
	"markaz/legacy/smdr"
)

// outgoing takes a call to outside, told when it is over. An exchange counts
// the talk of an analogue line from some seconds after dialling: that somebody
// answered is an assumption, which the source's caps do not promise.
func (m *Machine) outgoing(c *opened, r *record) {
	if c != nil && c.Ended && r.transferred {
		m.late(c, r) // received by transfer from the extension that dialled
		return
	}
	if old := m.emergency(r); old != nil {
		m.twice(old, r)
		return
	}
	if m.forwarded(r) {
		return
	}
	c = m.start(r, false)
	m.remote(c, r, call.RoleExternal)
}

const remoteLeg = "1" // the first that is added

// remote tells of the party that was called, and of the end.
func (m *Machine) remote(c *opened, r *record, role call.Role) {
	other := *r
	other.ext, other.role = r.number, role
	l := m.add(c, &other, r.start, false)
	e := call.Event{Kind: call.LegEnded, At: r.end, Leg: l.ID, Result: call.Cancelled}
	end := call.Event{At: r.end, Disposition: call.CallCancelled, Data: r.extras()}
	switch {
	case r.talk > 0:
		c.Talk, c.Answered, l.Answered = r.talk, true, true
		m.emit(c, call.Event{Kind: call.LegAnswered, At: r.answer, Leg: l.ID}, r.grain, false)
		m.emit(c, call.Event{Kind: call.CallAnswered, At: r.answer, Leg: l.ID, Address: r.number}, r.grain, false)
		e.Result, e.TalkMS = call.Answered, r.talk.Milliseconds()
		end.Disposition = call.CallAnsweredD
	case !r.talkKnown:
		e.Result, end.Disposition, end.Reason = call.Lost, call.CallLost, "no duration printed"
	}
	l.Done = true
	m.emit(c, e, r.grain, r.live)
	c.PrintedEnd = r.printedEnd
	m.end(c, end, r.grain, r.live)
}

// internal takes a call between extensions, of which the exchange prints the
// caller's side only.
func (m *Machine) internal(r *record) {
	if r.kind != smdr.KindCall {
		return
	}
	r.lane = "i" + r.ext
	c := m.start(r, false)
	m.remote(c, r, call.RoleAgent)
}

// emergency finds the call that this record tells of for a second time: the
// exchange may log an emergency call right after dialling and again at its end
// (KX-NCP1000 feature guide p. 317).
func (m *Machine) emergency(r *record) *opened {
	c := m.st.Lanes[r.lane]
	if c == nil || !c.Ended || c.Dir != call.Outbound || c.Number != r.number || !contains(m.cfg.Emergency, r.number) {
		return nil
	}
	if d := r.printedStart.Sub(c.PrintedEnd); d > time.Minute || d < -time.Minute || c.Revision > 0 {
		return nil
	}
	return c
}

func (m *Machine) twice(c *opened, r *record) {
	e := call.Event{At: r.end, Leg: remoteLeg, Role: call.RoleExternal, Address: r.number, Data: r.extras()}
	if r.talk > 0 {
		c.Talk, c.Answered = r.talk, true
		e.Result, e.DurationMS, e.Disposition = call.Answered, r.talk.Milliseconds(), call.CallAnsweredD
	}
	c.PrintedEnd = r.printedEnd
	m.amend(c, e, r.grain, r.live)
}

// A call from trunk to trunk is logged twice, as one that came and as one that
// went (KX-NS700 feature guide p. 269); FW marks the latter, on KX-TA the
// extension C-02 says which line the former is on.

// forwarded joins the outgoing half of such a call to the incoming one, if
// that is already known; otherwise the half is kept for a while.
func (m *Machine) forwarded(r *record) bool {
	line, conference := strings.CutPrefix(r.ext, "C-")
	if r.cond != "FW" && !conference {
		return false
	}
	var found *opened
	for _, c := range m.st.Lanes {
		if c.Dir != call.Inbound || conference && c.Lane != lane(line, "") || !sameTime(c, r) {
			continue
		}
		if found != nil {
			return false // it may be either
		}
		found = c
	}
	if found != nil {
		m.passed(found, r)
		return true
	}
	half := m.start(r, false)
	m.remote(half, r, call.RoleExternal)
	m.st.Forwards = append(m.st.Forwards, half)
	if len(m.st.Forwards) > 16 {
		m.st.Forwards = m.st.Forwards[1:]
	}
	return true
}

// sameTime reports whether a record ended when a call did, or while it lasts.
func sameTime(c *opened, r *record) bool {
	d := r.printedEnd.Sub(c.PrintedEnd)
	return d.Abs() <= chainGap || !c.Ended && d > 0
}

// passed adds the outside party to which an incoming call was passed on.
func (m *Machine) passed(c *opened, r *record) {
	other := *r
	other.ext, other.role = r.number, call.RoleExternal
	if c.Ended {
		m.late(c, &other)
		return
	}
	l := m.add(c, &other, r.start, false)
	if r.talk > 0 {
		m.pickUp(c, l, &other, false)
	}
	m.endLeg(c, l, &other, r.talk == 0)
	m.next(c, l, &other, r.talk == 0)
}

// onForward joins an incoming call to its outgoing half that was told before:
// the half goes on in this call. It reports whether there was one.
func (m *Machine) onForward(c *opened, r *record) bool {
	for i, half := range m.st.Forwards {
		if half.PrintedEnd.Sub(r.printedEnd).Abs() > chainGap || r.cond != "FW" {
			continue
		}
		m.st.Forwards = append(m.st.Forwards[:i:i], m.st.Forwards[i+1:]...)
		other := *r
		other.number, other.talk, other.cond = half.Number, half.Talk, ""
		other.answer = r.end.Add(-half.Talk)
		m.passed(c, &other)
		half.Revision++
		m.emit(half, call.Event{Kind: call.CallMerged, At: r.end, Into: c.ID, Revision: half.Revision}, r.grain, r.live)
		return true
	}
	return false
}
