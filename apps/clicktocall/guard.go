package clicktocall

import (
	"slices"
	"strings"
	"time"
)

// Numbers reads numbers as people write them.
type Numbers interface {
	// Outside gives a number in E.164 ("" where that cannot be told), as it is
	// dialled in this country, and as the exchange wants it, with the
	// line-release code. ok is false for what is no number.
	Outside(number string) (e164, shown, dial string, ok bool)
	// Office reports whether it is an extension of the office.
	Office(number string) bool
}

// Guard decides which numbers may be dialled, by whom and when. It is not for
// use by several goroutines.
type Guard struct {
	cfg  Config
	nums Numbers
	open func(time.Time) bool
	past map[string][]time.Time // calls of each user in the last day, oldest first
}

// NewGuard makes a guard; open tells the hours in which numbers may be dialled.
func NewGuard(cfg Config, nums Numbers, open func(time.Time) bool) *Guard {
	return &Guard{cfg: cfg, nums: nums, open: open, past: map[string][]time.Time{}}
}

// Number is where a call may go.
type Number struct {
	Shown, E164, Dial string
	Inside            bool // an extension of the office
}

// Check says where a number leads, or why it must not be dialled: the end of a
// key of the catalogue. A number that may be dialled is counted.
func (g *Guard) Check(user, number string, at time.Time) (n Number, why string) {
	number = tidy(number)
	if g.nums.Office(number) {
		return Number{Shown: number, Dial: number, Inside: true}, g.count(user, at)
	}
	if g.cfg.Off {
		return n, "off"
	}
	var ok bool
	if n.E164, n.Shown, n.Dial, ok = g.nums.Outside(number); !ok {
		return n, "number"
	}
	if why = g.rules(n, at); why == "" {
		why = g.count(user, at)
	}
	return n, why
}

// Dial is [Guard.Check] in plain terms, for who transfers.
func (g *Guard) Dial(user, number string, at time.Time) (dial, shown string, inside bool, why string) {
	n, why := g.Check(user, number, at)
	return n.Dial, n.Shown, n.Inside, why
}

func (g *Guard) rules(n Number, at time.Time) string {
	r := &g.cfg.Rules
	digits := len(strings.TrimPrefix(n.Shown, "+"))
	fits := func(prefix string) bool {
		if strings.HasPrefix(prefix, "+") {
			return strings.HasPrefix(n.E164, prefix)
		}
		return strings.HasPrefix(n.Shown, prefix)
	}
	international := func(prefix string) bool { return strings.HasPrefix(prefix, "+") }
	switch {
	case digits > r.MaxLength || len(n.Dial) > 32:
		return "length"
	case slices.ContainsFunc(r.Forbid, fits):
		return "forbidden"
	case n.E164 == "" && slices.ContainsFunc(r.Forbid, international) && !slices.ContainsFunc(r.Allow, fits):
		return "forbidden" // it might be one of those
	case len(r.Allow) > 0 && !slices.ContainsFunc(r.Allow, fits):
		return "forbidden"
	case !g.open(at):
		return "hours"
	}
	return ""
}

// count takes note of a call, or says that there were too many.
func (g *Guard) count(user string, at time.Time) string {
	past := g.past[user]
	for len(past) > 0 && at.Sub(past[0]) >= 24*time.Hour {
		past = past[1:]
	}
	g.past[user] = past
	r := &g.cfg.Rules
	since := func(d time.Duration) (n int) {
		for i := len(past) - 1; i >= 0 && at.Sub(past[i]) < d; i-- {
			n++
		}
		return n
	}
	if len(past) >= r.PerDay || since(time.Hour) >= r.PerHour || since(time.Minute) >= r.PerMinute {
		return "rate"
	}
	g.past[user] = append(past, at)
	return ""
}

// tidy takes out what people put between digits.
func tidy(number string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -().\u200e\u200f\u202a\u202c\u00a0", r) {
			return -1
		}
		switch {
		case r >= '۰' && r <= '۹':
			return '0' + r - '۰'
		case r >= '٠' && r <= '٩':
			return '0' + r - '٠'
		}
		return r
	}, number)
}
