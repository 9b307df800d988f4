package smdr

import "bytes"

// loose reads a line by tokens: KX-TA and its kin, and lines of the others
// whose blanks were lost on the way. It is anchored on the date and time at
// the start and on the duration at the end, so that a name between them may
// hold anything.
func (p *Parser) loose(line []byte, at date, r *Record) {
	r.Pattern, r.StartTime = Loose, p.Family.PrintsStart()
	rest := skipBlanks(line[at.rest:])
	if len(rest) > 1 && rest[0] == '*' && rest[1] != '*' {
		r.Transferred = true // *12:54PM
		rest = skipBlanks(rest[1:])
	}
	sec, n, ok := clock(rest)
	if !ok || n < len(rest) && rest[n] != ' ' {
		r.Kind = KindNoise
		if at.found == starred {
			r.Kind, r.ClockChanged = KindUnknown, true
		}
		return
	}
	r.stamp(at, sec, rest[0] == '*')
	rest = skipBlanks(rest[n:])
	if alarm(rest) {
		r.Kind, r.Text = KindAlarm, rest
		return
	}
	r.Ext, rest = token(rest)
	trunk, after := token(rest)
	outside := isTrunk(trunk) && (len(after) > 0 || p.Family == TA)
	switch {
	case outside:
		r.Trunk, rest = known(trunk), after
	case p.Family == TA && isTrunk(r.Ext) && len(trunk) > 0 && trunk[0] == '<':
		r.Trunk, r.Ext, outside = known(r.Ext), nil, true // nobody has the call yet
		p.dial(p.looseTail(rest, r), outside, r)
		return
	}
	if len(r.Ext) == 0 {
		r.Kind, r.Ext = KindUnknown, nil
		return
	}
	p.dial(p.looseTail(rest, r), outside, r)
}

// looseTail takes the ring time, the duration and what follows them off the
// end of a line and returns the dial number field before them.
func (p *Parser) looseTail(b []byte, r *Record) []byte {
	if from, to, sec, ok := lastDuration(b); ok {
		r.Duration = sec
		p.after(b[to:], r)
		b = trimRight(b[:from])
	} else {
		b = p.withoutDuration(b, r)
	}
	if i := lastToken(b); p.Family != TA {
		if ring := ringTime(b[i:]); ring != NotPrinted {
			r.Ring = ring
			b = trimRight(b[:i])
		}
	}
	return b
}

// withoutDuration takes a condition code, or the beginning of a duration that
// was cut off, from the end of a line.
func (p *Parser) withoutDuration(b []byte, r *Record) []byte {
	i := lastToken(b)
	apart := i >= 2 && b[i-1] == ' ' && b[i-2] == ' '
	last := b[i:]
	switch {
	case p.Family != TA && knownCondition(last) && (apart || ringTime(b[lastToken(trimRight(b[:i])):len(trimRight(b[:i]))]) != NotPrinted):
		r.Condition = last
	case apart && bytes.IndexByte(last, ':') >= 0 && len(bytes.Trim(last, "0123456789:'")) == 0:
	default:
		return b
	}
	return trimRight(b[:i])
}

// after reads what follows the duration: charge, account code, condition.
func (p *Parser) after(b []byte, r *Record) {
	if len(b) > 0 && b[0] == '"' {
		b = b[1:]
	}
	for {
		var t []byte
		if t, b = token(b); len(t) == 0 {
			return
		}
		switch {
		case len(bytes.Trim(t, ".")) == 0: // .... stands for no account code
		case p.Family != TA && isCondition(t):
			r.Condition = t
		case t[0] >= '0' && t[0] <= '9' && (bytes.IndexByte(t, '.') >= 0 || t[len(t)-1] >= 'A'):
			r.Charge = t
		default:
			r.Account = t
		}
	}
}

// lastDuration finds the last H:MM'SS of a line.
func lastDuration(b []byte) (from, to, sec int, ok bool) {
	for i := len(b) - 3; i >= 4; i-- {
		if b[i] != '\'' || b[i-3] != ':' {
			continue
		}
		from = i - 3
		for from > 0 && i-3-from < 3 && b[from-1] >= '0' && b[from-1] <= '9' {
			from--
		}
		if sec, ok = duration(b[from : i+3]); ok {
			return from, i + 3, sec, true
		}
	}
	return 0, 0, 0, false
}

func alarm(b []byte) bool {
	return hasPrefixAt(b, 0, "MJ ALM") || hasPrefixAt(b, 0, "MN ALM")
}

// knownCondition reports whether a word is a condition code of the manuals.
// Where no duration was printed, only these are believed: the word may be the
// end of a name.
func knownCondition(t []byte) bool {
	switch string(t) {
	case "RC", "AN", "NA", "TR", "FW", "D0", "D1", "D2", "D3", "D4", "RM", "VR", "VA", "CL":
		return true
	}
	return false
}

// isCondition reports whether a word has the shape of a condition code.
func isCondition(t []byte) bool {
	if len(t) > 3 || t[0] < 'A' || t[0] > 'Z' {
		return false
	}
	for _, c := range t {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// isTrunk reports whether a word is the number of an outside line.
func isTrunk(t []byte) bool {
	if len(t) == 0 || len(t) > 4 {
		return false
	}
	for _, c := range t {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func skipBlanks(b []byte) []byte {
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// token splits off the first word.
func token(b []byte) (word, rest []byte) {
	b = skipBlanks(b)
	i := 0
	for i < len(b) && b[i] != ' ' {
		i++
	}
	return b[:i], skipBlanks(b[i:])
}

// lastToken is where the last word of a line begins.
func lastToken(b []byte) int {
	i := len(b)
	for i > 0 && b[i-1] != ' ' {
		i--
	}
	return i
}
