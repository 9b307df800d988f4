package stream

import (
	"errors"
	"time"
)

var (
	// ErrPermanent, wrapped by a handler's error, says that no repetition
	// will help: the event becomes a dead letter.
	ErrPermanent = errors.New("permanent failure")
	// ErrStop, wrapped by a handler's error, ends the group's Run with that
	// error. The event stays the next one of its call.
	ErrStop = errors.New("stop the group")
)

// RetryAfter wraps a handler's error with the time until the next try.
func RetryAfter(err error, after time.Duration) error { return &retry{err: err, after: after} }

// RetryFree is RetryAfter for a failure that is not the event's own: it does
// not count as a try.
func RetryFree(err error, after time.Duration) error {
	return &retry{err: err, after: after, free: true}
}

type retry struct {
	err   error
	after time.Duration
	free  bool
}

func (r *retry) Error() string { return r.err.Error() }
func (r *retry) Unwrap() error { return r.err }

// outcome is what becomes of an event after a try.
type outcome struct {
	what   string // done, dead, retry, free
	after  time.Duration
	reason string
}

// decide turns a handler's error into an outcome; attempt is the number of the
// try, from 1. A group without a limit of tries never gives up by itself.
func decide(err error, attempt, limit int, wait func(attempt int) time.Duration) outcome {
	var r *retry
	switch {
	case err == nil:
		return outcome{what: "done"}
	case errors.Is(err, ErrPermanent):
		return outcome{what: "dead", reason: err.Error()}
	case errors.As(err, &r) && r.free:
		return outcome{what: "free", after: r.after, reason: err.Error()}
	case limit > 0 && attempt >= limit:
		return outcome{what: "dead", reason: err.Error()}
	case r != nil:
		return outcome{what: "retry", after: r.after, reason: err.Error()}
	}
	return outcome{what: "retry", after: wait(attempt), reason: err.Error()}
}
