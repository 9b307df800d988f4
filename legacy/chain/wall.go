package chain

import "time"

// utc finds the instant that a wall clock in a zone showed as local (seconds
// since 1970 as if it were UTC). Of the two instants of a repeated hour it
// takes the one nearer to near.
func utc(local int64, zone *time.Location, near time.Time) time.Time {
	w := time.Unix(local, 0).UTC()
	t := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, zone)
	best := t
	for _, shift := range [...]time.Duration{-time.Hour, time.Hour} {
		o := t.Add(shift)
		if o.Hour() == t.Hour() && o.Minute() == t.Minute() && near.Sub(o).Abs() < near.Sub(best).Abs() {
			best = o
		}
	}
	return best.UTC()
}
