package asterisk

import (
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
func (s *Switch) setLease(id string, on bool) {
	length := time.Duration(0)
	set := false
	s.legs.with(id, func(l *leg) {
		if !on {
			l.leaseEnds, set = time.Time{}, true
			return
		}
		// While it plays the lease was made long enough before, and is seen to
		// after it. One that was just begun, by the dialplan, is as good.
		if set = len(l.plays) == 0 && l.leaseEnds.Sub(s.now()) < s.cfg.Lease-leaseFresh; set {
			l.leaseEnds, length = s.now().Add(s.cfg.Lease), s.cfg.Lease
		}
	})
	if set {
		s.setSoon(id, timeoutVariable, seconds(length))
	}
}

// leaseFresh is how old a lease may be that is not renewed.
const leaseFresh = 500 * time.Millisecond

// seconds is a duration as TIMEOUT(absolute) takes it.
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) }

// cover makes the lease last through a Play, and half of itself after it.
func (s *Switch) cover(a call.Play) {
	length := s.lengthOf(a)
	s.legs.with(a.Leg, func(l *leg) {
		now := s.now()
		if !l.leaseEnds.IsZero() && l.leaseEnds.Sub(now) < length+s.cfg.Lease/2 {
			l.leaseEnds = now.Add(length + s.cfg.Lease)
			l.set(timeoutVariable, seconds(length+s.cfg.Lease))
		}
	})
}
