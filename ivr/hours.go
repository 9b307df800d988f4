package ivr

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	// The zones come with the program, because a small container has none. A
	// zone database of the system goes first: it can be updated on its own.
	_ "time/tzdata"
)

// Hours is one set of opening hours.
type Hours struct {
	Zone     string      `yaml:"zone"` // such as Asia/Tehran
	Open     []string    `yaml:"open"` // such as "sat-wed 08:00-12:00,13:00-17:00", "daily 00:00-24:00"
	Holidays []Holiday   `yaml:"holidays"`
	Override string      `yaml:"override"` // open or closed, whatever the time
	Closed   Destination `yaml:"closed"`   // where callers go while closed
}

// Holiday is one day or a range of days with hours of its own, or none.
type Holiday struct {
	Date string   `yaml:"date"` // 2026-03-21, or 03-21 for every year
	To   string   `yaml:"to"`   // the last day; the same day when left out
	Name string   `yaml:"name"`
	Open []string `yaml:"open"` // such as "09:00-12:00"
}

// Values of Override.
const (
	AlwaysOpen   = "open"
	AlwaysClosed = "closed"
)

const minutesPerDay = 24 * 60

// stretch is a part of a day in minutes from midnight, the end not included.
type stretch struct{ from, to int }

// problem is something wrong with a part of the configuration: the path below
// that part, and what Check says of it.
type problem struct {
	path string
	code string
	args []any
}

// compile makes a schedule and tells everything that is wrong with the hours.
// The schedule is of use only if no problem is an error.
func (h Hours) compile() (*Schedule, []problem) {
	s := &Schedule{override: h.Override}
	var problems []problem
	tell := func(code, path, value string) {
		problems = append(problems, problem{path, code, []any{"value", value}})
	}
	zone, err := time.LoadLocation(h.Zone)
	// "Local" would give the hours of the machine, not those of the office, and
	// so would a zone that somebody forgot.
	if err != nil || h.Zone == "Local" || h.Zone == "" {
		tell("bad_zone", "zone", h.Zone)
		zone = time.UTC
	}
	s.zone = zone
	for i, line := range h.Open {
		path := index("open", i)
		switch err := s.addWeekly(line); {
		case errors.Is(err, errOverlap):
			tell("overlap", path, line)
		case err != nil:
			tell("bad_range", path, line)
		}
	}
	for i, day := range h.Holidays {
		path := index("holidays", i)
		switch err := s.addHoliday(day); {
		case errors.Is(err, errDate):
			tell("bad_date", path, strings.Trim(day.Date+" – "+day.To, " –"))
		case errors.Is(err, errOverlap):
			tell("same_day", path, day.Date)
		case err != nil:
			tell("bad_range", path+".open", strings.Join(day.Open, ","))
		}
	}
	switch h.Override {
	case "":
		if s.neverOpen() && len(problems) == 0 {
			tell("never_open", "", "")
		}
	case AlwaysOpen, AlwaysClosed:
	default:
		tell("bad_override", "override", h.Override)
	}
	return s, problems
}

var (
	errRange   = errors.New("no opening times")
	errDate    = errors.New("no date")
	errOverlap = errors.New("listed before")
)

// addWeekly adds a line such as "sat-wed 08:00-12:00,13:00-17:00". A range
// over midnight belongs to the day on which it starts.
func (s *Schedule) addWeekly(line string) error {
	days, times, ok := strings.Cut(strings.TrimSpace(line), " ")
	if !ok {
		return errRange
	}
	week, err := parseDays(days)
	if err != nil {
		return err
	}
	ranges, err := parseTimes(times)
	if err != nil {
		return err
	}
	var clash error
	for _, day := range week {
		for _, r := range ranges {
			today := stretch{r.from, min(r.to, minutesPerDay)}
			clash = errors.Join(clash, insert(&s.week[day], today))
			if rest := r.to - minutesPerDay; rest > 0 {
				clash = errors.Join(clash, insert(&s.week[(day+1)%7], stretch{0, rest}))
			}
		}
	}
	return clash
}

// insert adds a stretch in order; where it overlaps another one, both count.
func insert(day *[]stretch, part stretch) error {
	var clash error
	for _, other := range *day {
		if part.from < other.to && other.from < part.to {
			clash = errOverlap
		}
	}
	*day = append(*day, part)
	slices.SortFunc(*day, func(a, b stretch) int { return cmp.Compare(a.from, b.from) })
	return clash
}

// parseDays reads "sat-wed", "mon,thu" or "daily".
func parseDays(s string) ([]time.Weekday, error) {
	if s == "daily" {
		s = "sun-sat"
	}
	var week []time.Weekday
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, ok := weekday(first)
		if !ok {
			return nil, errRange
		}
		to := from
		if isRange {
			if to, ok = weekday(last); !ok {
				return nil, errRange
			}
		}
		for d := from; ; d = (d + 1) % 7 {
			week = append(week, d)
			if d == to {
				break
			}
		}
	}
	return week, nil
}

func weekday(s string) (time.Weekday, bool) {
	for d := range time.Saturday + 1 {
		if strings.EqualFold(s, d.String()) || strings.EqualFold(s, d.String()[:3]) {
			return d, true
		}
	}
	return 0, false
}

// parseTimes reads "08:00-12:00,13:00-17:00". The end of a range that goes
// over midnight is past 24:00.
func parseTimes(s string) ([]stretch, error) {
	var ranges []stretch
	for part := range strings.SplitSeq(strings.ReplaceAll(s, " ", ""), ",") {
		first, last, ok := strings.Cut(part, "-")
		from, ok1 := clock(first)
		to, ok2 := clock(last)
		if !ok || !ok1 || !ok2 || from == minutesPerDay || from == to {
			return nil, errRange
		}
		if to < from {
			to += minutesPerDay
		}
		ranges = append(ranges, stretch{from, to})
	}
	return ranges, nil
}

// clock reads "8:00" or "24:00" as minutes from midnight.
func clock(s string) (minutes int, ok bool) {
	hour, minute, ok := strings.Cut(s, ":")
	h, err1 := strconv.ParseUint(hour, 10, 8)
	m, err2 := strconv.ParseUint(minute, 10, 8)
	if !ok || err1 != nil || err2 != nil || len(minute) != 2 || m > 59 {
		return 0, false
	}
	minutes = int(h)*60 + int(m)
	return minutes, minutes <= minutesPerDay
}

// addHoliday adds a day, or a range of days, with hours of its own.
func (s *Schedule) addHoliday(day Holiday) error {
	h := holiday{name: day.Name}
	var ok bool
	if h.from, ok = parseDate(day.Date); !ok {
		return errDate
	}
	h.to = h.from
	if day.To != "" {
		if h.to, ok = parseDate(day.To); !ok || h.to.yearly() != h.from.yearly() || h.to < h.from {
			return errDate
		}
	}
	for _, line := range day.Open {
		ranges, err := parseTimes(line)
		if err != nil {
			return err
		}
		for _, r := range ranges {
			if r.to > minutesPerDay {
				return errRange
			}
			if err := insert(&h.open, r); err != nil {
				return errRange
			}
		}
	}
	clash := slices.ContainsFunc(s.holidays, func(other holiday) bool {
		return h.from <= other.to && other.from <= h.to
	})
	s.holidays = append(s.holidays, h)
	if clash {
		return errOverlap
	}
	return nil
}

// date is a day as a number, yyyymmdd, or mmdd for a day of every year.
type date int

func (d date) yearly() bool { return d < 10000 }

// parseDate reads 2026-03-21 or 03-21. Years before 1900 are refused: they are
// years of another calendar.
func parseDate(s string) (date, bool) {
	if t, err := time.Parse(time.DateOnly, s); err == nil && t.Year() >= 1900 {
		return dateOf(t), true
	}
	// A leap year, so that 29 February is a day.
	if t, err := time.Parse(time.DateOnly, "2000-"+s); err == nil {
		return dateOf(t) % 10000, true
	}
	return 0, false
}

func dateOf(t time.Time) date {
	year, month, day := t.Date()
	return date(year*10000 + int(month)*100 + day)
}
