package apps

import (
	"cmp"
	"slices"

	"markaz/call"
)

// reconciler holds the calls that we believe in against the legs that the PBX
// really has, whenever it has told them all.
type reconciler struct {
	found    map[string]call.Event // by leg
	observed map[string]call.Event // by leg; told apart, for the two are told by two connections
}

// Step implements Machine.
func (r *reconciler) Step(e call.Event, calls Calls) call.Out {
	var out call.Out
	found := &r.found
	if e.Observed {
		found = &r.observed
	}
	switch e.Kind {
	case call.LegFound:
		if *found == nil {
			*found = map[string]call.Event{}
		}
		(*found)[e.Leg] = e
	case call.SwitchSynced:
		calls.Each(func(c *call.Call) {
			if c.Source == e.Source {
				compare(&out, e, c, *found)
			}
		})
		slices.SortStableFunc(out.Facts, func(a, b call.Event) int { return cmp.Compare(a.Call, b.Call) })
		*found = nil
	}
	return out
}

// compare states what has become of a call's legs meanwhile. When that was is
// not known: somewhere between the last event and now.
func compare(out *call.Out, e call.Event, c *call.Call, found map[string]call.Event) {
	for i := range c.Legs {
		leg := &c.Legs[i]
		f, alive := found[leg.ID]
		switch {
		case leg.Ended != nil, watched(c, leg) != e.Observed:
		case !alive:
			out.Fact(ended(c, leg, lostResult(leg), cmp.Or(e.Reason, call.Unseen)))
		case f.Call == "":
			out.Fact(ended(c, leg, call.Transferred, call.Fallback))
		case f.Ref != "" && leg.Talking == nil:
			out.Fact(call.Event{Kind: call.LegJoined, Call: c.ID, Leg: leg.ID, Source: c.Source, Ref: f.Ref})
		case f.Ref == "" && leg.Talking != nil:
			out.Fact(call.Event{Kind: call.LegLeft, Call: c.ID, Leg: leg.ID, Source: c.Source})
		}
	}
	if len(c.Legs) == 0 && c.Observed == e.Observed {
		out.Fact(call.Event{Kind: call.CallEnded, Call: c.ID, Source: c.Source, Disposition: call.CallLost, By: call.ByPBX, Reason: cmp.Or(e.Reason, call.Unseen)})
	}
}

// watched reports whether a leg is told by who observes calls. A supervisor's is
// ours to command, whosever call he listens to.
func watched(c *call.Call, leg *call.Leg) bool {
	return c.Observed && leg.Role != call.RoleSupervisor
}

func ended(c *call.Call, leg *call.Leg, how call.Result, why string) call.Event {
	return call.Event{Kind: call.LegEnded, Call: c.ID, Leg: leg.ID, Source: c.Source, Result: how, By: call.ByPBX, Reason: why}
}

func lostResult(l *call.Leg) call.Result {
	if l.Answered != nil {
		return call.Answered
	}
	return call.Lost
}

// ender states the end of a call when its last leg has ended.
type ender struct {
	why map[string]string // by call: why the caller's leg ended, while other legs live
}

// Step implements Machine.
func (m *ender) Step(e call.Event, calls Calls) call.Out {
	var out call.Out
	if e.Kind == call.CallEnded || e.Kind == call.CallMerged {
		delete(m.why, e.Call)
	}
	c := calls.Call(e.Call)
	if e.Kind != call.LegEnded || c == nil || c.Over() || e.Role == call.RoleSupervisor {
		return out
	}
	if l := c.Leg(e.Leg); l != nil && l.Role == call.RoleCaller && e.Reason != "" {
		m.why[c.ID] = e.Reason
	}
	for i := range c.Legs {
		if c.Legs[i].Ended == nil && c.Legs[i].Role != call.RoleSupervisor {
			return out
		}
	}
	why := cmp.Or(m.why[c.ID], e.Reason)
	if n := len(c.Queues); n > 0 && c.Queues[n-1].Left == "" { // nobody was there to see him leave
		out.Fact(call.Event{Kind: call.QueueLeft, Call: c.ID, Leg: e.Leg, Source: c.Source, Queue: c.Queues[n-1].Queue, Reason: cmp.Or(why, call.Unseen)})
	}
	end := c.Conclude()
	if why != "" && end.By == call.ByPBX {
		end.Reason = why
		if end.Disposition != call.CallAnsweredD {
			end.Disposition = call.CallLost
		}
	}
	out.Fact(end)
	return out
}
