package apps

import (
	"cmp"
	"slices"

	"markaz/call"
)

// reconciler holds the calls that we believe in against the legs that the PBX
// really has, whenever it has told them all.
type reconciler struct {
	found map[string]bool
}

// Step implements Machine.
func (r *reconciler) Step(e call.Event, calls Calls) call.Out {
	var out call.Out
	switch e.Kind {
	case call.LegFound:
		if r.found == nil {
			r.found = map[string]bool{}
		}
		r.found[e.Leg] = true
	case call.SwitchSynced:
		r.bury(&out, e, calls)
		r.found = nil
	}
	return out
}

// bury states the end of every leg that is gone. When it went is not known:
// somewhere between the last event and now.
func (r *reconciler) bury(out *call.Out, e call.Event, calls Calls) {
	calls.Each(func(c *call.Call) {
		if c.Source != e.Source {
			return
		}
		for i := range c.Legs {
			leg := &c.Legs[i]
			if leg.Ended == nil && !r.found[leg.ID] {
				out.Fact(call.Event{
					Kind: call.LegEnded, Call: c.ID, Leg: leg.ID, Source: c.Source,
					Result: lostResult(leg), By: call.ByPBX, Reason: cmp.Or(e.Reason, "unseen"),
				})
			}
		}
		if len(c.Legs) == 0 {
			out.Fact(call.Event{Kind: call.CallEnded, Call: c.ID, Source: c.Source, Disposition: call.CallLost, By: call.ByPBX, Reason: cmp.Or(e.Reason, "unseen")})
		}
	})
	slices.SortStableFunc(out.Facts, func(a, b call.Event) int { return cmp.Compare(a.Call, b.Call) })
}

func lostResult(l *call.Leg) call.Result {
	if l.Answered != nil {
		return call.Answered
	}
	return call.Lost
}

// ender states the end of a call when its last leg has ended.
type ender struct{}

// Step implements Machine.
func (ender) Step(e call.Event, calls Calls) call.Out {
	var out call.Out
	c := calls.Call(e.Call)
	if e.Kind != call.LegEnded || c == nil || c.Over() {
		return out
	}
	for i := range c.Legs {
		if c.Legs[i].Ended == nil {
			return out
		}
	}
	end := c.Conclude()
	if e.Reason != "" && end.By == call.ByPBX {
		end.Reason = e.Reason
		if end.Disposition != call.CallAnsweredD {
			end.Disposition = call.CallLost
		}
	}
	out.Fact(end)
	return out
}
