package observe

import (
	"markaz/call"
)

// missing are the channels that the machine knows and a snapshot has not: they
// ended while nobody watched.
func (m *Machine) missing(s Snapshot) (map[string]bool, error) {
	p, err := s.read()
	gone := map[string]bool{}
	for id := range m.channels {
		gone[id] = true
	}
	for _, w := range p.channels {
		delete(gone, w.ID)
	}
	return gone, err
}

// toldOf finds the call that records are of among those that were told: one
// that was going on when nobody watched any more, or, with no call, one that
// had just ended.
func (m *Machine) toldOf(list []record) (v *conv, told bool) {
	for _, r := range list {
		for _, id := range []string{r.unique, r.linked} {
			if c := m.channels[id]; c != nil && c.conv != nil {
				return c.conv, true
			}
			if _, ended := m.recent[id]; ended {
				told = true
			}
		}
	}
	return nil, told
}

// closeBy tells how a call went on and ended while nobody watched, if it did,
// from its records. What they do not say is left to the owner of the calls, who
// closes it as unseen.
func (m *Machine) closeBy(v *conv, list []record, missing map[string]bool) []call.Event {
	if v.silent || !v.started {
		return nil
	}
	for _, c := range v.channels {
		if !missing[c.id] {
			return nil // it goes on
		}
	}
	end := list[0].end
	for _, r := range list {
		if r.end.After(end) {
			end = r.end
		}
	}
	say := func(c *channel, e call.Event) {
		m.tell(c, e)
		m.out[len(m.out)-1].GrainMS = 1000
	}
	for _, c := range v.channels {
		if c.leg == nil || !c.leg.told || c.leg.answered {
			continue
		}
		for _, r := range list {
			if r.answer.IsZero() || r.disposition != "ANSWERED" || c.name != r.partner {
				continue
			}
			c.leg.answered = true
			say(c, call.Event{Kind: call.LegAnswered, At: r.answer})
			if !v.answered && c.leg.role.Person() {
				v.answered = true
				say(c, call.Event{Kind: call.CallAnswered, At: r.answer})
			}
			say(c, call.Event{Kind: call.LegJoined, At: r.answer})
		}
	}
	for _, c := range v.channels {
		if c.leg != nil && c.leg.told {
			say(c, call.Event{Kind: call.LegEnded, At: end, Result: c.afterwards(v), By: call.BySystem, Reason: call.Unseen})
		}
	}
	return m.told()
}

// afterwards is how a party's part ended that nobody saw end.
func (c *channel) afterwards(v *conv) call.Result {
	switch {
	case c.leg.answered:
		return call.Answered
	case c == v.caller && v.answered:
		return call.Answered
	case v.answered:
		return call.AnsweredElsewhere
	}
	return call.NoAnswer
}
