package chain

import (
	"strings"
	"time"

	"markaz/call"
	"markaz/legacy/ident"
	"markaz/legacy/smdr"
)

// notice takes what concerns no call: an agent logging in or out, an alarm.
func (m *Machine) notice(r *record, printed *smdr.Record) {
	e := call.Event{
		V: call.Schema, Source: m.cfg.Source, At: r.end, SeenAt: m.at.UTC(), GrainMS: r.grain, Live: r.live,
		ID: ident.Call(m.cfg.Source, ident.Key(r.key), r.end),
	}
	switch {
	case printed.Kind == smdr.KindAlarm:
		e.Kind, e.Reason, e.State = call.TrunkAlarm, r.text, "major"
		if strings.HasPrefix(r.text, "MN") {
			e.State = "minor"
		}
	case strings.EqualFold(r.text, "LOG IN"):
		e.Kind, e.Agent, e.Address, e.State = call.AgentChanged, r.ext, r.ext, "available"
	case strings.EqualFold(r.text, "LOG OUT"):
		e.Kind, e.Agent, e.Address, e.State = call.AgentChanged, r.ext, r.ext, "offline"
	default:
		return // presence texts are free
	}
	m.out = append(m.out, e)
}

// HungUp tells that a recorder of outside lines heard a line being hung up at
// a time of our clock: the end of a living call, long before its record.
func (m *Machine) HungUp(at time.Time, line string, when time.Time) []call.Event {
	m.begin(at)
	c := m.st.Lanes[lane(line, "")]
	if c == nil || c.Ended || when.Before(c.Started) {
		return m.out
	}
	c.Recorded = true
	if !c.talks() {
		m.wait(c, chainGap) // the records that say more are printed now
		return m.out
	}
	c.Guessed = true
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Answered && !l.Done {
			m.emit(c, call.Event{Kind: call.LegEnded, At: when, Leg: l.ID, Result: call.Answered}, 0, true)
		}
	}
	m.end(c, call.Event{At: when, Disposition: call.CallAnsweredD}, 0, true)
	m.schedule()
	return m.out
}
