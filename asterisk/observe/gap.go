package observe

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"markaz/call"
	"markaz/dialplan"
)

// span is a time in which nobody watched.
type span struct{ from, to time.Time }

// settled is how long after the end of a gap its records are taken over: then
// they have been written, and every call that was told since is known as told.
const settled = 2 * time.Second

// closeGap tells how calls ended that were going on before nobody watched, and
// marks the gap: calls that came and went are taken over later, if there are
// records, and else may be missing.
func (o *Observer) closeGap(snap Snapshot) (closed []call.Event, facts map[string]string) {
	if o.seen.IsZero() {
		return nil, nil
	}
	gap := span{from: o.seen, to: snap.Asked}
	facts = map[string]string{"gap_from": gap.from.UTC().Format(time.RFC3339Nano), "gap_to": gap.to.UTC().Format(time.RFC3339Nano), "gap": "unknown"}
	list, ok := o.records(gap)
	missing, err := o.machine.missing(snap)
	if !ok || err != nil {
		return nil, facts
	}
	facts["gap"] = "records"
	if o.owed.to.IsZero() {
		o.owed.from = gap.from
	}
	o.owed.to = gap.to
	for _, records := range group(list) {
		if v, _ := o.machine.toldOf(records); v != nil {
			closed = append(closed, o.machine.closeBy(v, records, missing)...)
		}
	}
	return closed, facts
}

// takeOver tells the calls that came and went unseen.
func (o *Observer) takeOver() {
	gap := o.owed
	if gap.to.IsZero() || o.dep.Now().Sub(gap.to) < settled {
		return
	}
	o.owed = span{}
	list, _ := o.records(gap)
	taken := 0
	for _, records := range group(list) {
		_, told := o.machine.toldOf(records)
		start := records[0].start
		before := start.Before(gap.from.Add(-time.Second)) && !o.machine.unsaidOf(records)
		if told || handled(records) || o.machine.ignored(records) || before || start.After(gap.to) {
			continue
		}
		o.tell(o.machine.takenOver(records))
		for _, r := range records {
			if r.unique != "" { // its events may still be on their way
				o.machine.recent[r.unique] = o.machine.at
			}
		}
		taken++
	}
	o.stats.taken.Add(float64(taken))
	o.dep.Log.Info("calls that nobody watched are taken over", "calls", taken, "from", gap.from, "to", gap.to)
}

// handled reports whether records are of a call that Markaz handled to its end,
// or of a phone that it called: the observer did not see it, but it has been told.
func handled(list []record) bool {
	return slices.ContainsFunc(list, func(r record) bool {
		return r.context == dialplan.ContextServe || ourChannel.MatchString(r.unique)
	})
}

// ignored reports whether records are of a call of a context that is to be ignored.
func (m *Machine) ignored(list []record) bool {
	return slices.ContainsFunc(list, func(r record) bool { return matches(m.names.ignore, r.context) })
}

// ourChannel is the unique id of a channel that Markaz made: the id of its leg,
// which begins with that of its call.
var ourChannel = regexp.MustCompile(`^[0-9A-HJKMNP-TV-Z]{26}-[\w-]+$`)

// records reads the call detail records of a gap; false if there are none to be
// had. They have whole seconds.
func (o *Observer) records(gap span) ([]record, bool) {
	if o.cfg.CDR == "" {
		return nil, false
	}
	list, bad, err := readRecords(o.cfg.CDR, o.zone, gap.from.Truncate(time.Second))
	if err != nil {
		o.dep.Log.Error("calls that nobody watched are not known", "err", err)
		return nil, false
	}
	o.stats.badRecords.Add(float64(bad))
	return list, true
}

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

// unsaidOf reports whether records are of a call that began before nobody
// watched, but of which nothing could be told yet.
func (m *Machine) unsaidOf(list []record) bool {
	return slices.ContainsFunc(list, func(r record) bool { return m.unsaid[r.unique] || m.unsaid[r.linked] })
}

// closeBy tells how a call went on and ended while nobody watched, if it did,
// from its records. What they do not say is left to the owner of the calls, who
// closes it as unseen.
func (m *Machine) closeBy(v *conv, list []record, missing map[string]bool) []call.Event {
	if v.silent || !v.started {
		return nil
	}
	if slices.ContainsFunc(v.channels, func(c *channel) bool { return !missing[c.id] }) {
		return nil // it goes on
	}
	t := &taking{m: m, id: v.id, key: v.id}
	strangers := slices.DeleteFunc(slices.Clone(list), func(r record) bool {
		return slices.Contains(v.left, r.partner) || slices.ContainsFunc(v.channels, func(c *channel) bool { return c.name == r.partner })
	})
	end := t.partners(strangers)
	for _, r := range list {
		if r.end.After(end) {
			end = r.end
		}
	}
	m.out = append(m.out, t.out...)
	v.answered = v.answered || len(t.joined) > 0
	say := func(c *channel, e call.Event) {
		if e.At.Before(c.leg.from) { // records have whole seconds
			e.At = c.leg.from
		}
		m.tell(c, e)
		m.out[len(m.out)-1].GrainMS = 1000
	}
	for _, c := range v.channels {
		if c.leg == nil || !c.leg.told || c.leg.answered && v.answered {
			continue
		}
		for _, r := range list {
			if r.answer.IsZero() || r.disposition != "ANSWERED" || c.name != r.partner {
				continue
			}
			if !c.leg.answered {
				c.leg.answered = true
				say(c, call.Event{Kind: call.LegAnswered, At: r.answer})
			}
			if !v.answered && c.leg.role.Person() {
				v.answered = true
				say(c, call.Event{Kind: call.CallAnswered, At: r.answer})
			}
			say(c, call.Event{Kind: call.LegJoined, At: r.answer})
		}
	}
	m.endGroup(v, v.outcome())
	for _, c := range v.channels {
		if c.leg != nil && c.leg.told {
			say(c, call.Event{Kind: call.LegEnded, At: end, Result: c.afterwards(v, list), By: call.BySystem, Reason: call.Unseen})
		}
	}
	return m.told()
}

// afterwards is how a party's part ended that nobody saw end.
func (c *channel) afterwards(v *conv, list []record) call.Result {
	busy := func(r record) bool { return r.partner == c.name && r.disposition == "BUSY" }
	switch {
	case c.leg.answered:
		return call.Answered
	case c == v.caller && v.answered:
		return call.Answered
	case slices.ContainsFunc(list, busy):
		return call.Busy
	case v.answered:
		return call.AnsweredElsewhere
	}
	return call.NoAnswer
}

// outcome is what a ring group comes to.
func (v *conv) outcome() call.Result {
	if v.answered {
		return call.Answered
	}
	return call.NoAnswer
}

// amend corrects the records of calls that went on while nobody watched, and
// seem not to have been answered: the PBX knows whether somebody was, until he
// had left again before anybody looked.
func (o *Observer) amend() {
	m := o.machine
	for len(m.spanned) > 0 && o.dep.Now().Sub(m.spanned[0].over) > settled {
		v := m.spanned[0]
		m.spanned = m.spanned[1:]
		list, ok := o.records(span{from: v.began})
		if !ok {
			continue
		}
		for _, records := range group(list) {
			if slices.ContainsFunc(records, func(r record) bool { return v.had(r.unique) }) {
				o.tell(m.corrected(v, records))
			}
		}
	}
}

func (v *conv) had(id string) bool {
	return slices.ContainsFunc(v.past, func(c *channel) bool { return c.id == id })
}

// corrected tells of the persons who answered a call according to its records.
func (m *Machine) corrected(v *conv, list []record) (events []call.Event) {
	talk := int64(0)
	for i, r := range list {
		c := &channel{id: fmt.Sprintf("%s-b%d", v.id, i)}
		m.names.identify(c, r.partner)
		if c.sort == trunk {
			c.address = digitsOf(r.dst)
		}
		if role := m.role(c); c.party() && role.Person() && r.disposition == "ANSWERED" && !r.answer.IsZero() {
			ms := max(1, r.end.Sub(r.answer).Milliseconds())
			talk += ms
			events = append(events, m.stamped(call.Event{
				Kind: call.CallAmended, Call: v.id, Leg: c.id, Role: role, Address: c.address, Agent: m.cfg.Agents[c.address], Trunk: c.trunk,
				Result: call.Answered, At: r.end, GrainMS: 1000,
				RingMS: r.answer.Sub(r.start).Milliseconds(), DurationMS: ms,
			}))
		}
	}
	if len(events) > 0 {
		events = append(events, m.stamped(call.Event{Kind: call.CallAmended, Call: v.id, Disposition: call.CallAnsweredD, TalkMS: talk}))
	}
	return events
}
