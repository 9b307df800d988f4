package testbed

import (
	"fmt"
	"strings"
	"time"
)

// record is what the exchange prints of a call or a part of one.
type record struct {
	ext        string
	trunk      int
	dial       string
	ring, talk time.Duration
	talked     bool // the duration is printed, even if it is zero
	code       string
}

// Header is the title of a page and the rule under it.
func Header() []string {
	return []string{
		"  Date     Time    Ext CO        Dial Number        Ring Duration  Acc code  CD ",
		strings.Repeat("-", 80),
	}
}

// text prints a record in pattern A, B or C of the KX-TDA feature guide, dates
// as DD/MM/YY, blanks at the end left out.
func (r record) text(at time.Time, pattern byte) string {
	ring, talk, trunk := "", "", ""
	if r.ring > 0 {
		ring = fmt.Sprintf("%d'%02d", r.ring/time.Minute, r.ring%time.Minute/time.Second)
	}
	if r.talked {
		talk = fmt.Sprintf("%02d:%02d'%02d", r.talk/time.Hour, r.talk%time.Hour/time.Minute, r.talk%time.Minute/time.Second)
	}
	if r.trunk > 0 {
		trunk = fmt.Sprintf("%02d", r.trunk)
	}
	head := at.Format("02/01/06 03:04PM") + fmt.Sprintf(" %5s ", r.ext)
	var rest string
	switch pattern {
	case 'B':
		rest = fmt.Sprintf("%-2s %-20s %-8s %-10s %-10s %-2s", trunk, r.dial, talk, "", "", r.code)
	case 'C':
		if r.trunk > 0 {
			trunk = fmt.Sprintf("%04d", r.trunk)
		}
		rest = fmt.Sprintf("%-4s %-50s %4s %-8s %-11s %-10s %-3s", trunk, r.dial, ring, talk, "00000.00", "", r.code)
	default:
		rest = fmt.Sprintf("%-2s %-25s %4s %-8s %-10s %-3s", trunk, r.dial, ring, talk, "", r.code)
	}
	return strings.TrimRight(head+rest, " ")
}
