package crm

import (
	"time"

	"markaz/call"
)

// Exchange is one request to a receiver.
type Exchange struct {
	At    time.Time     `json:"at"`
	Event string        `json:"event"`
	Kind  call.Kind     `json:"kind"`
	Call  string        `json:"call,omitempty"`
	Took  time.Duration `json:"took_ns"`
	Error string        `json:"error,omitempty"` // "": it was taken
}

// exchanges is how many of them a sink remembers.
const exchanges = 20

// Status is how a sink is doing.
type Status struct {
	Name      string     `json:"name"`
	Kind      string     `json:"kind"`
	State     string     `json:"state"` // ok, away, held (asked to pause), disabled
	Since     *time.Time `json:"since,omitempty"`
	NextTry   *time.Time `json:"next_try,omitempty"`
	LastError string     `json:"last_error,omitempty"`
	Waiting   int        `json:"waiting"` // events that were tried and not taken
	LagMS     int64      `json:"lag_ms"`  // age of the oldest of them
	Recent    []Exchange `json:"recent,omitempty"`
}

// Status tells how the sink is doing.
func (s *Sink) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.dep.Now()
	st := Status{
		Name: s.cfg.Name, Kind: s.cfg.Kind(), State: "ok", LastError: s.lastErr,
		Waiting: len(s.waiting), LagMS: s.lag(now).Milliseconds(),
		Recent: append([]Exchange(nil), s.recent...),
	}
	switch h := s.health; {
	case h.gone:
		st.State = "disabled"
	case !h.since.IsZero():
		st.State, st.Since = "away", &h.since
	case !h.until.IsZero():
		st.State = "held"
	}
	if until := s.health.until; !until.IsZero() && !s.health.gone {
		st.NextTry = &until
	}
	return st
}

// lag is the age of the oldest event that was tried and not taken.
func (s *Sink) lag(now time.Time) time.Duration {
	var lag time.Duration
	for _, w := range s.waiting {
		lag = max(lag, now.Sub(w.seen))
	}
	return lag
}

// note remembers a request.
func (s *Sink) note(e call.Event, begin, end time.Time, err error) {
	x := Exchange{At: begin, Event: e.ID, Kind: e.Kind, Call: e.Call, Took: end.Sub(begin)}
	s.stats.seconds.Observe(x.Took.Seconds())
	if err != nil {
		x.Error = err.Error()
		s.lastErr = x.Error
	} else {
		s.stats.behind.Set(max(0, end.Sub(e.SeenAt)).Seconds())
	}
	if len(s.recent) == exchanges {
		s.recent = append(s.recent[:0], s.recent[1:]...)
	}
	s.recent = append(s.recent, x)
}
