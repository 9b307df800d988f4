package dashboard

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	jalaali "github.com/jalaali/go-jalaali"

	"markaz/access"
)

// N writes digits as the person wants to see them.
func (p *page) N(v any) string {
	text := fmt.Sprint(v)
	if p.Digits != "fa" {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '۰'
		}
		return r
	}, text)
}

// number is a telephone number within a sentence: left to right, whatever stands
// around it, so that its + stays before its digits.
func (p *page) number(v string) string {
	if v == "" || p.Dir != "rtl" || strings.Trim(v, "+0123456789*#") != "" {
		return p.N(v)
	}
	return "\u2066" + p.N(v) + "\u2069"
}

// Dur writes a length of milliseconds as 1:05 or 1:02:05.
func (p *page) Dur(ms int64) string {
	s := max(0, ms/1000)
	if s >= 3600 {
		return p.N(fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60))
	}
	return p.N(fmt.Sprintf("%d:%02d", s/60, s%60))
}

// Sec writes a length with tenths of a second.
func (p *page) Sec(d time.Duration) string {
	if d < time.Minute {
		return p.N(strconv.FormatFloat(d.Seconds(), 'f', 1, 64)) + " " + p.T("web.unit.s")
	}
	return p.Dur(d.Milliseconds())
}

// Clock writes the time of day with seconds.
func (p *page) Clock(t time.Time) string { return p.N(t.In(p.web.dep.Zone).Format(time.TimeOnly)) }

// Millis writes the time of day with thousandths.
func (p *page) Millis(t time.Time) string { return p.N(t.In(p.web.dep.Zone).Format("15:04:05.000")) }

// Date writes a day, in Persian by the Persian calendar.
func (p *page) Date(t time.Time) string {
	t = t.In(p.web.dep.Zone)
	if p.Lang != "fa" {
		return p.N(t.Format(time.DateOnly))
	}
	j := jalaali.From(t)
	y, m, d, err := jalaali.ToJalaali(t.Date())
	if err != nil {
		return p.N(t.Format(time.DateOnly))
	}
	_ = j
	return p.N(fmt.Sprintf("%04d/%02d/%02d", y, int(m), d))
}

// Stamp writes day and time of day.
func (p *page) Stamp(t time.Time) string { return p.Date(t) + " " + p.Clock(t) }

// Percent writes a share of 0 to 1. The Persian sign stands left of its digits:
// a mark keeps it from being taken for a part of the number.
func (p *page) Percent(f float64) string {
	sign := "%"
	if p.Digits == "fa" && p.Dir == "rtl" {
		sign = "\u200f٪"
	}
	return p.N(int(f*100+0.5)) + sign
}

// verdict says why somebody may do something, extensions in the digits that he
// wants to see.
func (p *page) verdict(v access.Verdict) string {
	v.Args = slices.Clone(v.Args)
	for i := 1; i < len(v.Args); i += 2 {
		if text, ok := v.Args[i].(string); ok && strings.Trim(text, "0123456789") == "" {
			v.Args[i] = p.N(text)
		}
	}
	return v.In(p.w)
}

// day reads a date as people of the language write it: 2026-03-21, or
// 1405/01/01, whose year tells the calendar. The zero time if it is none.
func (p *page) day(text string) time.Time {
	text = latin(strings.TrimSpace(text))
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '-' || r == '/' || r == '.' })
	if len(parts) != 3 {
		return time.Time{}
	}
	var n [3]int
	for i, part := range parts {
		v, err := strconv.Atoi(part)
		if err != nil || v < 1 || v > 9999 {
			return time.Time{}
		}
		n[i] = v
	}
	y, m, d := n[0], time.Month(n[1]), n[2]
	if y < 1700 {
		if !jalaali.IsValidDate(y, n[1], n[2]) {
			return time.Time{}
		}
		var err error
		if y, m, d, err = jalaali.ToGregorian(n[0], jalaali.Month(n[1]), n[2]); err != nil {
			return time.Time{}
		}
	}
	t := time.Date(y, m, d, 0, 0, 0, 0, p.web.dep.Zone)
	if t.Month() != m {
		return time.Time{} // the 31st of a month that has none
	}
	return t
}

// latin turns Persian and Arabic digits into those that exchanges dial.
func latin(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '۰' && r <= '۹':
			return r - '۰' + '0'
		case r >= '٠' && r <= '٩':
			return r - '٠' + '0'
		}
		return r
	}, text)
}
