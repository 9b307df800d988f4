package asterisk

import (
	"context"
	"slices"
	"strings"
	"time"

	"markaz/call"
	"markaz/dialplan"
)

// Nobody sits in silence with a Markaz that is frozen or gone for good:
//
//   - A caller's lease runs out, or he hangs up: the dialplan hangs up the
//     phones in MARKAZ_LEGS, whether they ring or talk.
//   - A phone hangs up: its hangup handler puts the caller under the lease
//     again. Markaz hangs up the caller too, or lifts it when he talks on.
//   - A phone that was called for no caller, or for one on whose channel nothing
//     can be noted now because he hears an announcement, may talk to nobody for
//     its time to ring and a lease; Markaz lifts that as soon as it sees the
//     phone answer.
//
// While two people talk none of it runs.

// ringVariables are set on a phone's channel before it is called.
func (s *Switch) ringVariables(a call.Ring, timeout time.Duration) map[string]string {
	vars := map[string]string{
		dialplan.VarCall: a.Call,
		hangupHandler:    dialplan.ContextLeft + ",s,1",
	}
	if !s.legs.notable(a.Call) {
		length := timeout + s.cfg.Lease
		vars[timeoutVariable] = seconds(length)
		s.legs.with(a.Leg, func(l *leg) { l.leaseEnds = s.now().Add(length) })
	}
	return vars
}

// hangupHandler has Asterisk go through a piece of dialplan at the end of a leg.
const hangupHandler = "CHANNEL(hangup_handler_push)"

// rings notes on the caller's channel that a phone is about to ring for him.
func (s *Switch) rings(a call.Ring) {
	for _, id := range s.legs.callersOf(a.Call) {
		s.setSoon(id, dialplan.VarLegs, strings.Join(s.legs.madeFor(a.Call), "&"))
	}
}

// hungUpWith notes that the dialplan hung up a phone because its caller had
// gone, ahead of us.
func (s *Switch) hungUpWith(l *leg) {
	if l.made && l.ending.soft && !l.ending.asked && !l.substitute && len(s.legs.callersOf(l.call)) == 0 {
		l.ending.asked, l.ending.askedCause = true, call.CauseNormal
	}
}

// leftAlone lifts the lease under which the end of a phone has put a caller,
// if he is still there a moment later and was under none before. Where Markaz
// hangs up or a transfer goes wrong he is gone by then.
func (s *Switch) leftAlone(gone *leg) {
	if !gone.made || !gone.answered {
		return
	}
	time.AfterFunc(leftPatience, func() {
		for _, id := range s.legs.callersOf(gone.call) {
			s.lanes.add(id, func(ctx context.Context) {
				off := false
				s.legs.with(id, func(l *leg) {
					if off = l.leaseEnds.IsZero(); off {
						l.set(timeoutVariable, seconds(0))
					}
				})
				if off {
					s.flush(ctx, id)
				}
			})
		}
	})
}

// leftPatience is well after the hangup handler and well within the shortest
// lease.
const leftPatience = time.Second

// isCaller reports whether a leg is a caller's, in Stasis or about to be.
func (l *leg) isCaller() bool { return !l.made && l.stage != held }

// callersOf returns the callers' legs of a call.
func (r *registry) callersOf(callID string) (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.calls[callID] {
		if l.isCaller() {
			ids = append(ids, l.id)
		}
	}
	return ids
}

// notable reports whether a variable can be set now on a caller's channel.
func (r *registry) notable(callID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.calls[callID], func(l *leg) bool { return l.isCaller() && len(l.plays) == 0 })
}

// madeFor returns the phones that were called for a call.
func (r *registry) madeFor(callID string) (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.calls[callID] {
		if l.made && !l.substitute {
			ids = append(ids, l.id)
		}
	}
	slices.Sort(ids)
	return ids
}
