package crm

import "time"

const (
	// trip is how many failures of the receiver as a whole, one after the
	// other, make it away.
	trip = 2
	// firstProbe and lastProbe bound the time between two probes of a receiver
	// that is away; it doubles from one to the other.
	firstProbe = 5 * time.Second
	lastProbe  = time.Minute
)

// health is what a sink knows of its receiver. It opens the way for all
// events, or for one at a time as a probe, or for none.
type health struct {
	fails   int       // of the receiver as a whole, without a success between
	probes  int       // waits without a success between
	until   time.Time // nothing goes before, and one probe after; zero: the way is open
	probing bool
	first   time.Time // the first of the fails
	since   time.Time // begin of the outage; zero: there is none
	gone    bool      // it has answered 410
	dying   bool      // that events are given up in this outage has been told
}

// admit says whether an event may go now, as a probe or not, and if not, how
// long it waits.
func (h *health) admit(now time.Time) (probe bool, wait time.Duration) {
	switch {
	case h.until.IsZero():
		return false, 0
	case now.Before(h.until):
		return false, h.until.Sub(now)
	case h.probing:
		return false, firstProbe
	}
	h.probing = true
	return true, 0
}

// abandoned notes that an admitted event came to nothing either way.
func (h *health) abandoned(probe bool) {
	if probe {
		h.probing = false
	}
}

// succeeded opens the way; a success of an event that went before the way was
// closed does not. It returns the length of the outage that this ends.
func (h *health) succeeded(now time.Time, probe bool) (outage time.Duration, ended bool) {
	if !h.until.IsZero() && !probe {
		return 0, false
	}
	if !h.since.IsZero() {
		outage, ended = now.Sub(h.since), true
	}
	*h = health{}
	return outage, ended
}

// mourn reports whether to tell that an event was given up: each one, but only
// the first of an outage, since that has been told.
func (h *health) mourn() bool {
	if h.since.IsZero() {
		return true
	}
	first := !h.dying
	h.dying = true
	return first
}

// throttled notes that the receiver asked for a pause; asked is 0 if it did
// not say how long.
func (h *health) throttled(now time.Time, asked time.Duration, probe bool) {
	h.abandoned(probe)
	h.hold(now, asked, probe || h.until.IsZero())
}

// failed notes a failure of the receiver as a whole, and the pause it asked
// for. It reports whether this begins an outage. Of many requests that fail
// together only the first ones count.
func (h *health) failed(now time.Time, asked time.Duration, probe bool) (began bool) {
	h.abandoned(probe)
	counts := probe || h.until.IsZero()
	if counts {
		if h.fails == 0 {
			h.first = now
		}
		h.fails++
	}
	if h.fails >= trip && h.since.IsZero() {
		h.since, began = h.first, true
	}
	h.hold(now, asked, counts && h.fails >= trip)
	return began
}

// hold closes the way for the time asked, or else, if it should, for a time
// that doubles from probe to probe.
func (h *health) hold(now time.Time, asked time.Duration, should bool) {
	switch {
	case asked > 0:
	case should:
		asked = min(firstProbe<<min(h.probes, 8), lastProbe)
		h.probes++
	default:
		return
	}
	if until := now.Add(asked); until.After(h.until) {
		h.until = until
	}
}

// wait is how long an event that has just failed waits for the way to open;
// 0 if it is open.
func (h *health) wait(now time.Time) time.Duration {
	if h.until.IsZero() {
		return 0
	}
	return max(h.until.Sub(now), time.Second)
}
