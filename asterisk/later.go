package asterisk

import (
	"context"
	"errors"
	"time"

	"markaz/call"
	"markaz/dialplan"
)

// While a channel plays, nothing can be set on it (see setLease). What is asked
// meanwhile is done when the last playback has ended.

// stateLimit bounds what is remembered on a channel, in bytes.
const stateLimit = 1024

// remember writes a state on a leg, or notes it for later.
func (s *Switch) remember(ctx context.Context, a call.Remember) error {
	if len(a.State) > stateLimit {
		return errors.New("state is longer than 1 kB")
	}
	playing := false
	s.legs.with(a.Leg, func(l *leg) {
		if playing = len(l.plays) > 0; playing {
			l.state = &a.State
		} else {
			l.state = nil
		}
	})
	if playing {
		return nil
	}
	return s.ari.SetVariable(ctx, a.Leg, dialplan.VarState, a.State)
}

// later is what waits for the end of a playback.
type later struct {
	state *string // to be remembered
	lift  bool    // the lease is to be lifted
	renew bool    // the lease, made long for a playback that was cut short, is to be its usual length
}

// takeLater takes what waits; nothing while something plays, or when the leg ends.
func (s *Switch) takeLater(id string) (w later) {
	s.legs.with(id, func(l *leg) {
		if len(l.plays) > 0 || l.ending.seen || l.ending.asked {
			return
		}
		w.state, l.state = l.state, nil
		w.lift, l.liftLater = l.liftLater, false
		w.renew = !l.leaseEnds.IsZero() && l.leaseEnds.Sub(s.now()) > s.cfg.Lease+time.Second
	})
	return w
}

// afterPlay does in the leg's lane what waited.
func (s *Switch) afterPlay(id string) {
	s.lanes.add(id, func(ctx context.Context) {
		w := s.takeLater(id)
		var faults []error
		switch {
		case w.lift:
			faults = append(faults, s.setTimeout(ctx, id, 0))
		case w.renew:
			faults = append(faults, s.setLease(ctx, id, true))
		}
		if w.state != nil {
			faults = append(faults, s.ari.SetVariable(ctx, id, dialplan.VarState, *w.state))
		}
		for _, err := range faults {
			if err = ignoreGone(err); err != nil {
				s.log.Warn("cannot set what waited for the end of a playback", "leg", id, "err", err)
			}
		}
	})
}
