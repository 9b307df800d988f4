package ivr

import "time"

// lookAhead is how many days Next searches for a change. It is longer than any
// holiday, and than the year that a holiday of every year takes to come back.
const lookAhead = 400

// Schedule tells when it is open. It goes by the clock on the wall of its
// zone: an hour that the clock shows twice in autumn is open twice, and one
// that it leaves out in spring never comes.
type Schedule struct {
	zone     *time.Location
	week     [7][]stretch // by weekday, in order
	holidays []holiday    // the first that fits counts
	override string
}

type holiday struct {
	from, to date
	name     string
	open     []stretch
}

// Open reports whether it is open at t.
func (s *Schedule) Open(t time.Time) bool {
	if s.override != "" {
		return s.override == AlwaysOpen
	}
	local := t.In(s.zone)
	minute := local.Hour()*60 + local.Minute()
	for _, part := range s.day(local) {
		if part.from <= minute && minute < part.to {
			return true
		}
	}
	return false
}

// Holiday gives the name of the holiday that it is at t, if it is one.
func (s *Schedule) Holiday(t time.Time) (name string, ok bool) {
	if h := s.holiday(t.In(s.zone)); h != nil {
		return h.name, true
	}
	return "", false
}

// Next tells when it opens or closes next after t. Ok is false if that does
// not happen within a year.
func (s *Schedule) Next(t time.Time) (at time.Time, ok bool) {
	now := s.Open(t)
	changed := func(c time.Time) bool { return c.After(t) && s.Open(c) != now }
	limit := t.AddDate(0, 0, lookAhead)
	// Between two changes of the zone's offset the wall clock is regular.
	for from := t; s.override == "" && from.Before(limit); {
		if changed(from) {
			return from.In(s.zone), true
		}
		_, until := from.In(s.zone).ZoneBounds()
		if until.IsZero() || until.After(limit) {
			until = limit
		}
		if c, ok := s.nextWithin(from, until, changed); ok {
			return c.In(s.zone), true
		}
		from = until
	}
	return time.Time{}, false
}

// nextWithin looks at every start and end of a stretch from one instant to
// another, between which the zone's offset does not change.
func (s *Schedule) nextWithin(from, until time.Time, changed func(time.Time) bool) (time.Time, bool) {
	_, offset := from.In(s.zone).Zone()
	wall := func(t time.Time) time.Time { return t.UTC().Add(time.Duration(offset) * time.Second) }
	start, end := wall(from), wall(until)
	for day := start.Truncate(24 * time.Hour); day.Before(end); day = day.AddDate(0, 0, 1) {
		for _, part := range s.day(day) {
			for _, minute := range []int{part.from, part.to} {
				w := day.Add(time.Duration(minute) * time.Minute)
				c := w.Add(-time.Duration(offset) * time.Second)
				if !w.Before(start) && w.Before(end) && changed(c) {
					return c, true
				}
			}
		}
	}
	return time.Time{}, false
}

// day gives the stretches of the day that a wall clock shows.
func (s *Schedule) day(wall time.Time) []stretch {
	if h := s.holiday(wall); h != nil {
		return h.open
	}
	return s.week[wall.Weekday()]
}

func (s *Schedule) holiday(wall time.Time) *holiday {
	today := dateOf(wall)
	for i := range s.holidays {
		h := &s.holidays[i]
		day := today
		if h.from.yearly() {
			day %= 10000
		}
		if h.from <= day && day <= h.to {
			return h
		}
	}
	return nil
}

// neverOpen reports whether there is no opening time at all.
func (s *Schedule) neverOpen() bool {
	for _, day := range s.week {
		if len(day) > 0 {
			return false
		}
	}
	for _, h := range s.holidays {
		if len(h.open) > 0 {
			return false
		}
	}
	return true
}
