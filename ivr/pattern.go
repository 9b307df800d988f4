package ivr

import (
	"errors"
	"fmt"
	"strings"
)

// keys are what a telephone can send, in the order of their bits in a set; a
// number may hold a plus sign besides.
const (
	keys    = "0123456789*#"
	symbols = keys + "+"
)

// set is a set of symbols, one bit each.
type set uint16

func (s set) has(symbol byte) bool {
	i := strings.IndexByte(symbols, symbol)
	return i >= 0 && s&(1<<i) != 0
}

// pattern is a number pattern as dialplans have it: digits, X for 0-9, Z for
// 1-9, N for 2-9, [25-7] for one of a set, and a dot at the end for one or
// more of anything.
type pattern struct {
	sets []set
	open bool // ends in a dot
}

// parsePattern reads a pattern. Spaces and hyphens between digits, and the
// underscore that dialplans put in front, mean nothing.
func parsePattern(s string) (pattern, error) {
	var p pattern
	s = strings.TrimPrefix(s, "_")
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '-':
		case 'X', 'x':
			p.sets = append(p.sets, span('0', '9'))
		case 'Z', 'z':
			p.sets = append(p.sets, span('1', '9'))
		case 'N', 'n':
			p.sets = append(p.sets, span('2', '9'))
		case '.':
			if i != len(s)-1 {
				return pattern{}, errors.New("a dot may only stand at the end")
			}
			p.open = true
		case '[':
			end := strings.IndexByte(s[i:], ']')
			if end < 0 {
				return pattern{}, errors.New("a bracket is not closed")
			}
			choice, err := parseSet(s[i+1 : i+end])
			if err != nil {
				return pattern{}, err
			}
			p.sets = append(p.sets, choice)
			i += end
		default:
			one := span(c, c)
			if one == 0 {
				return pattern{}, fmt.Errorf("%q is no digit", c)
			}
			p.sets = append(p.sets, one)
		}
	}
	if len(p.sets) == 0 && !p.open {
		return pattern{}, errors.New("the pattern is empty")
	}
	return p, nil
}

func parseSet(s string) (set, error) {
	var choice set
	for i := 0; i < len(s); i++ {
		from, to := s[i], s[i]
		if i+2 < len(s) && s[i+1] == '-' {
			to = s[i+2]
			i += 2
		}
		some := span(from, to)
		if some == 0 {
			return 0, fmt.Errorf("[%s] is no set of digits", s)
		}
		choice |= some
	}
	if choice == 0 {
		return 0, errors.New("a set is empty")
	}
	return choice, nil
}

// span is the set of the symbols from one to another, or nothing.
func span(from, to byte) set {
	i, j := strings.IndexByte(symbols, from), strings.IndexByte(symbols, to)
	if i < 0 || j < i || i != j && j > 9 {
		return 0
	}
	return set(1<<(j+1) - 1<<i)
}

// match reports whether the whole number fits.
func (p pattern) match(number string) bool {
	if len(number) < len(p.sets) || !p.open && len(number) > len(p.sets) || p.open && len(number) == len(p.sets) {
		return false
	}
	return p.begins(number)
}

// extends reports whether more keys could make the number fit, or fit anew.
func (p pattern) extends(number string) bool {
	return (p.open || len(number) < len(p.sets)) && p.begins(number)
}

// begins reports whether the sets accept the number as far as both go.
func (p pattern) begins(number string) bool {
	for i := range min(len(number), len(p.sets)) {
		if !p.sets[i].has(number[i]) {
			return false
		}
	}
	return true
}

// within reports whether everything that fits p fits q too.
func (p pattern) within(q pattern) bool {
	switch {
	case q.open && len(p.sets) < len(q.sets),
		q.open && len(p.sets) == len(q.sets) && !p.open,
		!q.open && (p.open || len(p.sets) != len(q.sets)):
		return false
	}
	for i := range q.sets {
		if p.sets[i]&^q.sets[i] != 0 {
			return false
		}
	}
	return true
}

// meets reports whether some number fits both of two patterns without a dot.
func (p pattern) meets(q pattern) bool {
	if len(p.sets) != len(q.sets) {
		return false
	}
	for i := range p.sets {
		if p.sets[i]&q.sets[i] == 0 {
			return false
		}
	}
	return true
}
