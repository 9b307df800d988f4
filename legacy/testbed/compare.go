package testbed

import (
	"fmt"
	"strconv"
	"time"

	"markaz/call"
)

// grain is how exactly an exchange that prints minutes tells a time.
const grain = 61 * time.Second

// Compare lists in words how calls that were told differ from those that were
// made up: missing ones, ones too many, and what is wrong with the others.
func Compare(truth []Truth, calls []call.Call) []string {
	byKey := map[string][]*call.Call{}
	for i := range calls {
		c := &calls[i]
		if c.MergedInto != "" {
			continue
		}
		k := key(c.Direction, other(c), trunkOf(c))
		byKey[k] = append(byKey[k], c)
	}
	var faults []string
	for _, t := range truth {
		k := key(t.Direction, t.Number, t.Trunk)
		i := nearest(t, byKey[k])
		if i < 0 {
			faults = append(faults, fmt.Sprintf("missing: %s %s at %s", k, t.Disposition, t.Start.Format(time.TimeOnly)))
			continue
		}
		c := byKey[k][i]
		byKey[k] = append(byKey[k][:i:i], byKey[k][i+1:]...)
		if why := differs(t, c); why != "" {
			faults = append(faults, fmt.Sprintf("wrong: %s at %s: %s", k, t.Start.Format(time.TimeOnly), why))
		}
	}
	for k, left := range byKey {
		for _, c := range left {
			faults = append(faults, fmt.Sprintf("too many: %s %s at %s", k, c.Disposition, c.Started.Format(time.TimeOnly)))
		}
	}
	return faults
}

func key(d call.Direction, number string, trunk int) string {
	return fmt.Sprintf("%s %s on %d", d, number, trunk)
}

func other(c *call.Call) string {
	if c.Direction == call.Inbound {
		return c.From
	}
	return c.To
}

func trunkOf(c *call.Call) int {
	n, _ := strconv.Atoi(c.Line.Trunk) // none: internal
	return n
}

// nearest is the call that began nearest to the true one, if near enough. One
// that fits in everything goes first: two calls of a minute may be of the same
// parties.
func nearest(t Truth, calls []*call.Call) int {
	best, at, fit := grain, -1, false
	for i, c := range calls {
		d := c.Started.Sub(t.Start).Abs()
		if d > grain {
			continue
		}
		if fits := differs(t, c) == ""; at < 0 || fits && !fit || fits == fit && d < best {
			best, at, fit = d, i, fits
		}
	}
	return at
}

func differs(t Truth, c *call.Call) string {
	switch {
	case !c.Over():
		return "has not ended"
	case c.Disposition != t.Disposition:
		return fmt.Sprintf("is %s, was %s", c.Disposition, t.Disposition)
	case c.TalkMS != t.Talk().Milliseconds():
		return fmt.Sprintf("talk %d ms, was %v", c.TalkMS, t.Talk())
	case c.Ended.Sub(t.End).Abs() > grain:
		return fmt.Sprintf("ended %v, was %v", c.Ended, t.End)
	case t.Ext != "" && c.From != t.Ext:
		return fmt.Sprintf("from %s, was %s", c.From, t.Ext)
	}
	var legs []call.Leg
	for _, l := range c.Legs {
		if l.Role != call.RoleCaller {
			legs = append(legs, l)
		}
	}
	if len(legs) != len(t.Legs) {
		return fmt.Sprintf("%d legs, was %d: %+v", len(legs), len(t.Legs), legs)
	}
	for i, l := range legs {
		want := t.Legs[i]
		if l.Address != want.Ext || l.Role != want.Role || l.TalkMS != want.Talk.Milliseconds() || (l.Result == call.Answered) != want.Answered {
			return fmt.Sprintf("leg %d is %s %s %s %d ms, was %+v", i+1, l.Role, l.Address, l.Result, l.TalkMS, want)
		}
	}
	return ""
}
