package crm

import (
	"errors"
	"time"
)

var (
	// ErrSkip is returned by a connector that had nothing to tell its CRM.
	ErrSkip = errors.New("nothing to tell")

	// ErrPermanent marks a delivery that no repetition can help.
	ErrPermanent = errors.New("will never be taken")

	// ErrAway marks a failure of the receiver as a whole.
	ErrAway = errors.New("receiver fails")

	// ErrGone marks a receiver that wants no more deliveries.
	ErrGone = errors.New("receiver is gone")
)

// RetryAfter wraps an error with a wait that does not count as a try of the
// event. From a connector it is the receiver's wish to be left alone, which
// the whole sink obeys; 0 leaves the time to the sink.
func RetryAfter(err error, after time.Duration) error { return &pause{err, after} }

type pause struct {
	err   error
	after time.Duration
}

func (p *pause) Error() string { return p.err.Error() }
func (p *pause) Unwrap() error { return p.err }
