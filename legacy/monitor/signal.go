package monitor

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signal is a frame that was understood.
type Signal struct {
	Event      Event
	Line       string // as the device names it: 1, POTS; "1" if it does not
	Number     string
	Name       string
	Restricted bool // a number that may not be shown, or none at all
	Count      int
	Digit      string
	Dialled    string
	Printed    string // the duration as printed
	Code       string
	Stamp      time.Time // printed time, with the nearest year if none is printed; zero if there is none
	Rule       int       // index of the rule, -1 if none matched
}

// Match finds the first rule that a frame matches. At is when it came: it
// supplies the year, which hardly any device prints.
func (p *Profile) Match(at time.Time, frame []byte) Signal {
	for i := range p.Rules {
		r := &p.Rules[i]
		m := r.re.FindSubmatch(frame)
		if m == nil {
			continue
		}
		s := Signal{Event: r.Event, Line: "1", Rule: i}
		for g, name := range r.re.SubexpNames() {
			if name != "" && m[g] != nil {
				s.set(p, name, strings.TrimSpace(string(m[g])))
			}
		}
		s.Stamp = stamp(at, r.re.SubexpNames(), m)
		return s
	}
	return Signal{Event: Unknown, Line: "1", Rule: -1}
}

func (s *Signal) set(p *Profile, group, text string) {
	switch group {
	case "line":
		if text = strings.TrimLeft(text, "0"); text != "" {
			s.Line = text
		}
	case "number":
		s.Number = text
		if slices.ContainsFunc(p.Number.Masked, func(m string) bool { return strings.EqualFold(m, text) }) || text == "" {
			s.Number, s.Restricted = "", true
		}
	case "name":
		s.Name = text
	case "count":
		s.Count, _ = strconv.Atoi(text)
	case "digit":
		s.Digit = text
	case "dialled":
		s.Dialled = text
	case "duration", "seconds":
		s.Printed = text
	case "code":
		s.Code = text
	case "state":
		off := strings.EqualFold(text, "off")
		s.Event = OnHook
		if off != p.HookSwap {
			s.Event = OffHook
		}
	}
}

// stamp reads a printed time; where the year is missing it takes the one that
// brings it nearest to the time of arrival.
func stamp(at time.Time, names []string, m [][]byte) time.Time {
	n := map[string]int{}
	pm, am := false, false
	for g, name := range names {
		if len(m[g]) == 0 {
			continue
		}
		if name == "ampm" {
			pm, am = m[g][0]|0x20 == 'p', m[g][0]|0x20 == 'a'
			continue
		}
		if v, err := strconv.Atoi(string(m[g])); err == nil {
			n[name] = v
		}
	}
	if n["month"] < 1 || n["month"] > 12 || n["day"] < 1 || n["day"] > 31 {
		return time.Time{}
	}
	hour := n["hour"]
	if am || pm {
		hour %= 12
		if pm {
			hour += 12
		}
	}
	var best time.Time
	first, last := at.Year()-1, at.Year()+1
	if y := n["year"]; y > 0 {
		if y < 100 {
			y += 2000
		}
		first, last = y, y
	}
	for year := first; year <= last; year++ {
		t := time.Date(year, time.Month(n["month"]), n["day"], hour, n["minute"], n["second"], 0, at.Location())
		if t.Day() == n["day"] && (best.IsZero() || t.Sub(at).Abs() < best.Sub(at).Abs()) {
			best = t
		}
	}
	return best
}

// String is the signal as text: the event, then what it carries.
func (s Signal) String() string {
	var b strings.Builder
	b.WriteString(s.Line + " " + string(s.Event))
	for _, f := range []struct{ name, value string }{
		{"number", s.Number}, {"name", s.Name}, {"digit", s.Digit}, {"dialled", s.Dialled}, {"duration", s.Printed}, {"code", s.Code},
	} {
		if f.value != "" {
			b.WriteString(" " + f.name + "=" + strconv.Quote(f.value))
		}
	}
	if s.Count != 0 {
		b.WriteString(" count=" + strconv.Itoa(s.Count))
	}
	if s.Restricted {
		b.WriteString(" restricted")
	}
	if !s.Stamp.IsZero() {
		b.WriteString(" printed=" + s.Stamp.Format("2006-01-02T15:04:05"))
	}
	return b.String()
}

// Seconds reads a duration as it is printed; nil if there is none. Where the
// profile leaves the format to comparison with our clock, and there is none
// to compare with, minutes and seconds are assumed.
func (p *Profile) Seconds(printed string) *int {
	formats := []string{p.Duration.Format}
	if p.Duration.Format == "auto" {
		formats = []string{"mmss", "seconds"}
	}
	for _, format := range formats {
		if n, ok := readDuration(printed, format); ok {
			return &n
		}
	}
	return nil
}

// readDuration reads a printed duration in seconds, in a format.
func readDuration(printed, format string) (int, bool) {
	n, err := strconv.Atoi(printed)
	if err != nil || n < 0 {
		return 0, false
	}
	if format != "mmss" {
		return n, true
	}
	if n%100 > 59 {
		return 0, false
	}
	return n/100*60 + n%100, true
}
