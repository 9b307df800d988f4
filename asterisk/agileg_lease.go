package asterisk

import (
	"strconv"
	"time"

	"markaz/asterisk/fastagi"
)

// agiLease is the dead-man's switch of a leg in FastAGI: TIMEOUT(absolute) on
// its channel. The loop renews it (call.Lease) while it lives. Nothing can be
// renewed while a prompt plays, so before one that would not leave enough of
// it, the lease is made longer by the length of the prompt: a frozen Markaz is
// still noticed one lease after the last word.
type agiLease struct {
	session *fastagi.Session
	now     func() time.Time
	length  time.Duration // 0: the dialplan gave none, and there is nothing to renew
	ends    time.Time
	lifted  bool
}

// newAGILease reads MARKAZ_LEASE, which the dialplan has put on the channel
// just before.
func newAGILease(s *fastagi.Session, seconds string, now func() time.Time) agiLease {
	n, _ := strconv.Atoi(seconds) // anything else is no lease
	l := agiLease{session: s, now: now, length: time.Duration(max(0, n)) * time.Second}
	l.ends = now().Add(l.length)
	return l
}

// renew starts the lease anew.
func (l *agiLease) renew() error {
	if l.length == 0 {
		return nil
	}
	l.lifted = false
	return l.set(l.length)
}

// lift stops the lease.
func (l *agiLease) lift() error {
	if l.length == 0 {
		return nil
	}
	l.lifted = true
	return l.session.SetVariable(timeoutVariable, "0")
}

// cover makes the lease last through something of a known length, and half of
// itself after it.
func (l *agiLease) cover(length time.Duration) error {
	if !l.running() || l.left() >= length+l.length/2 {
		return nil
	}
	return l.set(length + l.length)
}

// shorten takes back what cover added and was not needed, if it is worth it.
func (l *agiLease) shorten() error {
	if !l.running() || l.left() <= l.length+time.Second {
		return nil
	}
	return l.set(l.length)
}

// over reports whether the lease has run out, so that the dialplan has taken
// the channel back. Asterisk's clock started a moment before ours.
func (l *agiLease) over() bool { return l.running() && l.left() < time.Second/2 }

func (l *agiLease) running() bool       { return l.length > 0 && !l.lifted }
func (l *agiLease) left() time.Duration { return l.ends.Sub(l.now()) }

const timeoutVariable = "TIMEOUT(absolute)"

// set takes note of the new end only when Asterisk has: after a freeze the
// first thing to fail may be this, and the old end tells why.
func (l *agiLease) set(d time.Duration) error {
	ends := l.now().Add(d)
	if err := l.session.SetVariable(timeoutVariable, strconv.FormatFloat(d.Seconds(), 'f', 1, 64)); err != nil {
		return err
	}
	l.ends = ends
	return nil
}
