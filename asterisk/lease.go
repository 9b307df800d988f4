package asterisk

import (
	"context"
	"strconv"
	"time"

	"markaz/call"
)

// The dead-man's switch of a leg in Stasis is TIMEOUT(absolute) on its channel,
// renewed while the loop lives. While a channel plays something Asterisk 22
// lets a request to set a variable wait for the end of the playback, and 16
// sets it without effect (both seen). So nothing is set during a playback;
// before one that the lease would not outlast, it is made longer by the length
// of what is to be heard: a frozen Markaz is noticed one lease after the last
// word.

// setLease starts the switch anew (on) or lifts it. A leg in FastAGI does that
// over its session: REST sets no variables of channels that are not in Stasis.
func (s *Switch) setLease(ctx context.Context, id string, on bool) error {
	playing, length := false, time.Duration(0)
	s.legs.with(id, func(l *leg) {
		playing = len(l.plays) > 0
		l.liftLater = playing && !on
		switch {
		case !on:
			l.leaseEnds = time.Time{}
		case !playing:
			l.leaseEnds, length = s.now().Add(s.cfg.Lease), s.cfg.Lease
		}
	})
	if playing {
		return nil // it was made long enough before the playback, and is seen to after it
	}
	return s.setTimeout(ctx, id, length)
}

func (s *Switch) setTimeout(ctx context.Context, id string, d time.Duration) error {
	value := strconv.FormatFloat(d.Seconds(), 'f', 1, 64)
	s.leaseSnoop(ctx, id, value)
	return s.ari.SetVariable(ctx, id, timeoutVariable, value)
}

// cover makes the lease last through a Play, and half of itself after it.
func (s *Switch) cover(ctx context.Context, a call.Play) error {
	length := s.lengthOf(a)
	short := false
	s.legs.with(a.Leg, func(l *leg) {
		now := s.now()
		if short = !l.leaseEnds.IsZero() && l.leaseEnds.Sub(now) < length+s.cfg.Lease/2; short {
			l.leaseEnds = now.Add(length + s.cfg.Lease)
		}
	})
	if !short {
		return nil
	}
	return s.setTimeout(ctx, a.Leg, length+s.cfg.Lease)
}
