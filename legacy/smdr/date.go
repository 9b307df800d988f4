package smdr

import (
	"fmt"
	"strings"

	"github.com/jalaali/go-jalaali"
)

// DateOrder says how an exchange was programmed to print dates. It is never
// guessed from a line.
type DateOrder uint8

// The four orders of the TDA and NS feature guides.
const (
	MDY DateOrder = iota + 1
	DMY
	YMD
	YDM
)

// Orders lists all four.
func Orders() []DateOrder { return []DateOrder{MDY, DMY, YMD, YDM} }

// String is the order as the manuals write it.
func (o DateOrder) String() string {
	switch o {
	case MDY:
		return "MM/DD/YY"
	case DMY:
		return "DD/MM/YY"
	case YMD:
		return "YY/MM/DD"
	case YDM:
		return "YY/DD/MM"
	}
	return "unset"
}

// ParseDateOrder reads an order as the manuals write it.
func ParseDateOrder(s string) (DateOrder, error) {
	for _, o := range Orders() {
		if strings.EqualFold(o.String(), strings.TrimSpace(s)) {
			return o, nil
		}
	}
	return 0, fmt.Errorf("date order %q is not one of MM/DD/YY, DD/MM/YY, YY/MM/DD, YY/DD/MM", s)
}

// Calendar is the calendar that the exchange's clock was set in.
type Calendar uint8

// The calendars. Panasonic knows the Gregorian only; an installer may have set
// Jalali digits, which two-digit years hide.
const (
	Gregorian Calendar = iota
	Jalali
)

// Possible reports whether three printed numbers can be a date in this order.
func (o DateOrder) Possible(a, b, c int) bool {
	p := Parser{Order: o}
	return p.dateOf(a, b, c, 0, 0).found == dated
}

// PossibleOrders lists the orders in which every dated line has a date, and
// how many lines are dated. A line is one as [Parser.Parse] takes it.
func (p Parser) PossibleOrders(lines [][]byte) (orders []DateOrder, dated int) {
	var r Record
	for _, p.Order = range Orders() {
		n, wrong := 0, false
		for _, line := range lines {
			if p.Parse(line, &r) && r.HasTime {
				n++
			}
			wrong = wrong || r.Kind == KindBadDate
		}
		if dated = max(dated, n); !wrong {
			orders = append(orders, p.Order)
		}
	}
	return orders, dated
}

// dateOf makes a date of three printed numbers.
func (p *Parser) dateOf(a, b, c, from, rest int) date {
	y, m, d := c, a, b
	switch p.Order {
	case DMY:
		y, m, d = c, b, a
	case YMD:
		y, m, d = a, b, c
	case YDM:
		y, m, d = a, c, b
	}
	if uint(m-1) > 11 || uint(d-1) > 30 {
		return date{from: from, rest: rest, found: impossible}
	}
	if p.Calendar == Jalali {
		return jalaliDate(y, m, d, from, rest)
	}
	if y += 2000; y >= 2080 { // 80 to 99 are the years of the eldest exchanges
		y -= 100
	}
	if d > 28 && d > daysIn(y, m) {
		return date{from: from, rest: rest, found: impossible}
	}
	return date{from: from, rest: rest, day: civilDay(y, m, d), found: dated}
}

func jalaliDate(y, m, d, from, rest int) date {
	at := date{from: from, rest: rest, found: impossible}
	if y += 1400; y >= 1480 { // 1380 to 1399, else 14xx
		y -= 100
	}
	gy, gm, gd, err := jalaali.ToGregorian(y, jalaali.Month(m), d)
	if err != nil {
		return at
	}
	by, bm, bd, err := jalaali.ToJalaali(gy, gm, gd)
	if err == nil && by == y && int(bm) == m && bd == d { // else 30 Esfand of a common year, 31 of a short month
		at.day, at.found = civilDay(gy, int(gm), gd), dated
	}
	return at
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 { // so it is from 1901 to 2099
			return 29
		}
		return 28
	}
	return 31
}

// civilDay counts days from 1970-01-01 in the Gregorian calendar, for the
// years 1901 to 2099, in which every fourth is a leap year. Its years begin
// with March, so that the day that some lack is their last.
func civilDay(y, m, d int) int {
	if m -= 3; m < 0 {
		m += 12
		y--
	}
	return y*365 + y>>2 + (m*153+2)/5 + d - 719484
}
