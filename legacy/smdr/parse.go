package smdr

import (
	"bytes"
	"encoding/binary"
)

// Parser reads lines of one exchange. Its zero value is not ready: Family and
// Order must be set.
type Parser struct {
	Family   Family
	Order    DateOrder
	Calendar Calendar
}

// Parse reads one line, without its end, into r, and reports whether it is a
// record; if not, r.Kind says what it is instead. It allocates nothing for a
// line whose number stands as it was dialled.
func (p *Parser) Parse(line []byte, r *Record) bool {
	r.reset()
	if line = trimRight(line); len(line) == 0 {
		r.Kind = KindBlank
		return false
	}
	at := p.findDate(line)
	switch at.found {
	case noDate:
		r.Kind = noise(line)
		return false
	case impossible:
		r.Kind, r.Text = KindBadDate, line
		return false
	}
	if p.Family == TA || !p.columns(line, at, r) {
		p.loose(line, at, r)
	}
	r.judge()
	return r.Kind.Dated()
}

// date is the date that a record begins with, and where it stands. It is
// small, so that it is handed on in registers.
type date struct {
	from  int // first byte of its eight; -1 if a leading blank was trimmed
	rest  int // first byte after it
	day   int // since 1970-01-01
	found finding
}

type finding uint8

const (
	noDate     finding = iota
	dated              // a date
	starred            // **/**/**: the clock was changed
	impossible         // three numbers that are no date in the order set
)

// findDate finds the date that a record begins with. Before it there may be
// blanks, and the asterisks of an echoed password.
func (p *Parser) findDate(line []byte) date {
	if len(line) > 8 && line[8] == ' ' {
		if a, b, c, ok := triple(line, 0, slashes); ok {
			return p.dateOf(a, b, c, 0, 8)
		}
	}
	i := 0
	for i < len(line) && (line[i] == ' ' || line[i] == '*') {
		i++
	}
	for j := i; j < len(line) && j <= i+2; j++ {
		if c := line[j]; c == '/' || c == '-' || c == '.' {
			return p.dateAt(line, j)
		}
	}
	return date{}
}

// dateAt reads the date whose first separator is line[s]: two digits, or a
// blank and a digit, at each of the three places.
func (p *Parser) dateAt(line []byte, s int) date {
	sep := line[s]
	if s >= 2 && hasPrefixAt(line, s-2, "**/**/**") {
		return date{from: s - 2, rest: s + 6, found: starred}
	}
	t := s + 3
	if t >= len(line) || line[t] != sep {
		t = s + 2 // a lone digit between the separators
		if t >= len(line) || line[t] != sep {
			return date{}
		}
	}
	a, okA := twoDigits(line, s-2)
	b, okB := twoDigits(line, t-2)
	c, okC := twoDigits(line, t+1)
	rest := t + 3
	if !okA || !okB || !okC || rest < len(line) && line[rest] != ' ' && line[rest] != '*' {
		return date{}
	}
	return p.dateOf(a, b, c, s-2, rest)
}

func hasPrefixAt(line []byte, i int, want string) bool {
	return i >= 0 && len(line)-i >= len(want) && string(line[i:i+len(want)]) == want
}

// twoDigits reads line[i:i+2]; a blank, or the edge of the line, may stand for
// a leading zero.
func twoDigits(line []byte, i int) (int, bool) {
	n, ok := oneDigit(line, i+1)
	if !ok {
		return 0, false
	}
	if i < 0 || line[i] == ' ' || line[i] == '*' || line[i] == '/' || line[i] == '-' || line[i] == '.' {
		return n, true
	}
	t, ok := oneDigit(line, i)
	return t*10 + n, ok
}

func oneDigit(line []byte, i int) (int, bool) {
	if i < 0 || i >= len(line) || line[i] < '0' || line[i] > '9' {
		return 0, false
	}
	return int(line[i] - '0'), true
}

// clock reads a time of day at the start of b: H:MM or HH:MM, perhaps seconds,
// perhaps AM or PM, or asterisks. It returns seconds of the day and how many
// bytes it took.
func clock(b []byte) (sec, n int, ok bool) {
	if hasPrefixAt(b, 0, "**:**") {
		for n < len(b) && (b[n] == '*' || b[n] == ':') {
			n++
		}
		return 0, n, true
	}
	h, ok := oneDigit(b, 0)
	if !ok {
		return 0, 0, false
	}
	n = 1
	if d, two := oneDigit(b, 1); two {
		h, n = h*10+d, 2
	}
	if n >= len(b) || b[n] != ':' {
		return 0, 0, false
	}
	m, ok := digitPair(b, n+1)
	if !ok || m > 59 || h > 23 {
		return 0, 0, false
	}
	n += 3
	if n < len(b) && b[n] == ':' { // some programs that relay lines add seconds
		s, ok := digitPair(b, n+1)
		if !ok || s > 59 {
			return 0, 0, false
		}
		sec = s
		n += 3
	}
	if n+1 < len(b) && b[n+1]|0x20 == 'm' && (b[n]|0x20 == 'a' || b[n]|0x20 == 'p') {
		if h == 0 || h > 12 {
			return 0, 0, false
		}
		h %= 12
		if b[n]|0x20 == 'p' {
			h += 12
		}
		n += 2
	}
	return sec + h*3600 + m*60, n, true
}

// digitPair reads the two digits b[i:i+2]. Both are checked at once: a digit
// has the high half 3, and adding 6 to its low half does not overflow.
func digitPair(b []byte, i int) (int, bool) {
	if i+2 > len(b) {
		return 0, false
	}
	v := binary.LittleEndian.Uint16(b[i:]) ^ 0x3030
	return int(v&0xff)*10 + int(v>>8), (v|(v+0x0606))&0xf0f0 == 0
}

// stamp sets the printed minute, unless asterisks stand for it.
func (r *Record) stamp(at date, sec int, lost bool) {
	if at.found == starred || lost {
		r.ClockChanged = true
		return
	}
	r.Printed, r.HasTime = int64(at.day)*86400+int64(sec), true
}

// noise tells what a line without a date is.
func noise(line []byte) Kind {
	line = trim(line)
	if len(line) == 0 {
		return KindBlank
	}
	if rule(line) {
		return KindHeader
	}
	for _, prompt := range []string{"-", "SMDR", "Enter Password", "Password", "Rejected", "Login"} {
		if len(line) >= len(prompt) && bytes.EqualFold(line[:len(prompt)], []byte(prompt)) {
			return KindPrompt
		}
	}
	if len(bytes.Trim(line, "*")) == 0 {
		return KindPrompt // the echoed password alone
	}
	if containsFold(line, "date") && containsFold(line, "time") {
		return KindHeader
	}
	return KindNoise
}

// rule reports whether a line is the dashes under a page's title.
func rule(line []byte) bool {
	return len(line) >= 8 && len(bytes.Trim(line, "-=_ ")) == 0
}

func containsFold(line []byte, word string) bool {
	for i := 0; i+len(word) <= len(line); i++ {
		if bytes.EqualFold(line[i:i+len(word)], []byte(word)) {
			return true
		}
	}
	return false
}
