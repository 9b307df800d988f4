package telsa

import "time"

// Call is a call that a file may be of.
type Call struct {
	ID         string
	Start, End time.Time
}

// grain is how well the times of an exchange that prints minutes are known.
const grain = time.Minute

// Match finds the calls that a sound may be of: those that share at least half
// of the shorter one's time with it. One is the answer; several are a question
// for people.
func Match(s Sound, calls []Call) []Call {
	var fit []Call
	for _, c := range calls {
		from, to := c.Start.Add(-grain/2), c.End.Add(grain/2)
		shared := earlier(s.End, to).Sub(later(s.Start, from))
		shorter := min(s.End.Sub(s.Start), to.Sub(from))
		if shared > 0 && shared >= shorter/2 {
			fit = append(fit, c)
		}
	}
	return fit
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
