package chain

import (
	"slices"
	"time"
)

// Skew measures how far the exchange's clock is behind ours. The exchange
// prints whole minutes, so a record received with a difference d to its
// printed minute says that the clock is behind by something above d-60 s and
// not above d. Fifty such statements together are good to a second or two.
type Skew struct {
	Window []int64 `json:"w,omitempty"` // differences of the last live records, s
	Odd    []int64 `json:"o,omitempty"` // those of the last records that looked old
	LastAt int64   `json:"l,omitempty"` // when the last record came, Unix s
	Known  int64   `json:"k,omitempty"` // the estimate, s
}

const (
	skewWindow = 50
	liveWithin = 120 // s: a record further from now than this is late
	steadyGap  = 3   // s between records that do not come in a burst
	enough     = 5   // records that agree before the estimate moves
)

// judge takes a record's arrival and its printed minute and says whether the
// record tells of something that has just happened.
func (s *Skew) judge(at, printed time.Time) (live bool) {
	d := at.Unix() - printed.Unix()
	steady := at.Unix()-s.LastAt >= steadyGap
	s.LastAt = at.Unix()
	residual := d - s.Known
	if residual >= -liveWithin+60 && residual <= liveWithin {
		s.Window = push(s.Window, d, skewWindow)
		s.Odd = nil
		s.estimate()
		return true
	}
	if steady {
		s.jump(d)
	}
	return false
}

// jump notices that the clock was set: several records that come one by one,
// all off by the same.
func (s *Skew) jump(d int64) {
	s.Odd = push(s.Odd, d, enough)
	if len(s.Odd) < enough || slices.Max(s.Odd)-slices.Min(s.Odd) > 75 {
		return
	}
	s.Window, s.Odd = s.Odd, nil
	s.estimate()
}

func (s *Skew) estimate() {
	if len(s.Window) < enough {
		return
	}
	low, high := slices.Max(s.Window)-60, slices.Min(s.Window)
	if low <= high { // the estimate stays if it agrees with all, and it begins at none
		s.Known = min(max(s.Known, low), high)
		return
	}
	sorted := slices.Sorted(slices.Values(s.Window)) // delays have spoilt the bounds
	s.Known = sorted[len(sorted)/2] - 30
}

// Measured tells the estimate and whether there is one.
func (s *Skew) Measured() (time.Duration, bool) {
	return time.Duration(s.Known) * time.Second, len(s.Window) >= enough
}

func push(w []int64, v int64, most int) []int64 {
	if len(w) >= most {
		w = w[len(w)-most+1:]
	}
	return append(slices.Clone(w), v)
}
