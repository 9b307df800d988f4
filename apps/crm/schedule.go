package crm

import (
	"errors"
	"time"
)

// Act is what is to be done with an event after a try to deliver it.
type Act int

// The acts.
const (
	Done    Act = iota // acknowledge it
	Retry              // offer it again after a while; later events of its call wait
	Dead               // put it aside as a dead letter and go on
	Disable            // stop reading for this sink; the event stays
)

// String names the act as metrics and logs do.
func (a Act) String() string {
	return [...]string{"done", "retry", "dead", "disable"}[a]
}

// Verdict is a decision about one event.
type Verdict struct {
	Act   Act
	After time.Duration // for Retry: until the event is offered again
	Free  bool          // for Retry: this was no try; the count of tries stays
}

// Schedule is the time before each try, the first of which is 0.
type Schedule []time.Duration

// jitter is how far a wait strays from the schedule, either way.
const jitter = 0.2

// StandardSchedule is the schedule that Standard Webhooks 1.0 gives as its
// example ("Deliverability and reliability"): ten tries in 75 h 35 min.
func StandardSchedule() Schedule {
	const s, m, h = time.Second, time.Minute, time.Hour
	return Schedule{0, 5 * s, 5 * m, 30 * m, 2 * h, 5 * h, 10 * h, 14 * h, 20 * h, 24 * h}
}

// Wait is the time between the try of that number, from 1, and the next one,
// up to a fifth more or less by chance from [0, 1). It is false after the last.
func (s Schedule) Wait(attempt int, chance float64) (time.Duration, bool) {
	if attempt < 1 || attempt >= len(s) {
		return 0, false
	}
	return stray(s[attempt], chance), true
}

func stray(d time.Duration, chance float64) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*chance))
}

// Span is the time from the first try to the last.
func (s Schedule) Span() time.Duration {
	var sum time.Duration
	for _, d := range s {
		sum += d
	}
	return sum
}

// Decide says what becomes of an event whose try of that number, from 1,
// ended with err.
func (s Schedule) Decide(err error, attempt int, chance float64) Verdict {
	var wait *pause
	switch {
	case err == nil, errors.Is(err, ErrSkip):
		return Verdict{Act: Done}
	case errors.Is(err, ErrGone):
		return Verdict{Act: Disable}
	case errors.Is(err, ErrPermanent):
		return Verdict{Act: Dead}
	case errors.As(err, &wait) && wait.after > 0:
		// Never earlier than asked, and not all at the same moment.
		return Verdict{Act: Retry, After: time.Duration(float64(wait.after) * (1 + jitter*chance)), Free: true}
	}
	after, ok := s.Wait(attempt, chance)
	if !ok {
		return Verdict{Act: Dead}
	}
	return Verdict{Act: Retry, After: after}
}

func (s Schedule) faults() []error {
	if len(s) == 0 || s[0] != 0 {
		return []error{errors.New("schedule: want a list of times that begins with 0s")}
	}
	for _, d := range s {
		if d < 0 {
			return []error{errors.New("schedule: a time is negative")}
		}
	}
	return nil
}
