package queue

import "time"

// How a wait is estimated. Whenever an agent takes a caller while others are
// waiting, the time since the one before him was taken, or since the line
// formed, is one sample. It is kept as work: interval times the agents who
// share the queue. The estimate for position p is
//
//	p × mean work of the recent samples ÷ agents who share the queue now
//
// so it is different for each place in the line and follows agents who come
// and go. An interval still running that is longer than the mean counts as a
// sample too: when nothing moves, the estimate grows. Idle times are no
// samples, neither is last week. With fewer than minSamples, or nobody there,
// or a phone already ringing for the caller, nothing is said.
const (
	keepSamples  = 20
	minSamples   = 5
	recentSample = time.Hour
)

type pace struct {
	samples [keepSamples]sample
	taken   int
	since   time.Time // somebody has waited in vain from here on; zero if nobody does
}

type sample struct {
	at   time.Time
	work time.Duration
}

// lineFormed tells that the first caller waits for whom there is no agent.
func (p *pace) lineFormed(at time.Time) { p.since = at }

// lineGone tells that nobody waits any more.
func (p *pace) lineGone() { p.since = time.Time{} }

// handedOver tells that an agent took a caller; lineGone follows if he was the
// last.
func (p *pace) handedOver(at time.Time, agents int) {
	if !p.since.IsZero() {
		work := max(0, at.Sub(p.since)) * time.Duration(max(1, agents))
		p.samples[p.taken%keepSamples] = sample{at, work}
		p.taken++
	}
	p.since = at
}

// interval is the expected time between hand-overs; false if it is not known.
func (p *pace) interval(at time.Time, agents int) (time.Duration, bool) {
	var sum time.Duration
	n := 0
	for _, s := range p.samples[:min(p.taken, keepSamples)] {
		if at.Sub(s.at) <= recentSample {
			sum, n = sum+s.work, n+1
		}
	}
	if n < minSamples || agents < 1 {
		return 0, false
	}
	mean := sum / time.Duration(n) / time.Duration(agents)
	if !p.since.IsZero() {
		if open := at.Sub(p.since); open > mean {
			mean = (mean*time.Duration(n) + open) / time.Duration(n+1)
		}
	}
	return mean, true
}

// estimate is what a caller at a position may be told; zero if nothing.
func (c *caller) estimate(at time.Time, position int) Wait {
	if len(c.offers) > 0 {
		return Wait{}
	}
	return c.queue.estimate(at, position)
}

func (q *queue) estimate(at time.Time, position int) Wait {
	interval, ok := q.pace.interval(at, q.staffed())
	if !ok {
		return Wait{}
	}
	const most = 24 * time.Hour // keeps the product from running over
	return band(min(interval, most) * time.Duration(min(position, 1000)))
}

// Wait is an estimate as it is told: between Min and Max. A Max of zero is
// "more than Min"; a zero Wait is nothing known.
type Wait struct {
	Min time.Duration `json:"min"`
	Max time.Duration `json:"max"`
}

// band rounds an estimate to what can honestly be told: single minutes up to
// three, then ever wider, and nothing exact beyond an hour.
func band(d time.Duration) Wait {
	from := time.Duration(0)
	for _, minutes := range []int{1, 2, 3, 5, 10, 15, 20, 30, 45, 60} {
		to := time.Duration(minutes) * time.Minute
		if d <= to {
			return Wait{Min: from, Max: to}
		}
		from = to
	}
	return Wait{Min: from}
}

// longer reports whether w would disappoint one who was told before; nothing
// told disappoints nobody.
func (w Wait) longer(before Wait) bool { return before != (Wait{}) && w.Min > before.Min }

// longest is the far end of what was told.
func (w Wait) longest() time.Duration { return max(w.Min, w.Max) }
