package smdr

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// columns reads a line by its columns; false if its shape is not theirs. All
// patterns agree on date 0-7, time 9-15, extension 17-21 and trunk from 23
// (KX-TDA200 feature guide p. 234, KX-NS1000 feature guide p. 222), counted
// from the first byte of the date.
func (p *Parser) columns(line []byte, at date, r *Record) bool {
	if at.from < 0 || at.rest != at.from+8 {
		return false
	}
	l := line[at.from:]
	if len(l) < 24 || l[8] != ' ' || l[16] != ' ' || l[22] != ' ' || len(l) > 27 && l[25] != ' ' && l[27] != ' ' {
		return false
	}
	sec, ok := clockCell(l[9:17])
	ext := narrow(l, 16, 0x0000_ffffffffff_00)
	if !ok || (len(ext) == 0 || ext[0] == 'M') && alarm(trim(l[16:])) {
		return false
	}
	r.stamp(at, sec, l[9] == '*')
	r.Ext = ext
	switch choose(l) {
	case PatternA:
		p.patternA(l, r)
	case PatternB:
		p.patternB(l, r)
	case PatternC:
		p.patternC(l, r)
	}
	if r.Duration == NotPrinted {
		if bytes.IndexByte(l[23:], ':') < 0 { // usual: RC, AN and NA have none
			return true
		}
		if _, _, _, elsewhere := lastDuration(l[23:]); elsewhere {
			r.reset() // it looked like columns, and is not
			return false
		}
	}
	return true
}

// clockCell reads the seven bytes of a time and the blank after them:
// 10:03AM, or 15:11 at either side.
func clockCell(b []byte) (sec int, ok bool) {
	const pm = 'A' ^ 'P'
	v := binary.LittleEndian.Uint64(b) ^ 0x204d413030_3a3030 // 00:00AM and a blank
	if v>>40 == 0 || v>>40 == pm {
		half := int(v>>40) / pm * 12
		v &= 1<<40 - 1
		t := v*10 + v>>8
		h, m := int(t&0xff), int(t>>24&0xff)
		if (v|(v+0x06_06_00_06_06))&0xf0_f0_ff_f0_f0 == 0 && h-1 < 12 && h >= 1 && m < 60 {
			if h == 12 {
				h = 0
			}
			return (h+half)*3600 + m*60, true
		}
	}
	b = trim(b[:7])
	sec, n, ok := clock(b)
	return sec, ok && n == len(b)
}

// How dates and durations are written: two digits three times.
const (
	slashes   = 0x30302f30302f3030 // 00/00/00
	durations = 0x30302730303a3030 // 00:00'00
)

// triple reads the three numbers of b[i:i+8], which is written as shape, all
// at once. A digit less '0' has no high half, also after adding 6; ten times
// the first of a pair plus the second does not leave its byte.
func triple(b []byte, i int, shape uint64) (x, y, z int, ok bool) {
	if len(b)-i < 8 {
		return 0, 0, 0, false
	}
	v := binary.LittleEndian.Uint64(b[i:]) ^ shape
	t := v*10 + v>>8
	return int(t & 0xff), int(t >> 24 & 0xff), int(t >> 48 & 0xff),
		(v|(v+0x06_06_00_06_06_00_06_06))&0xf0_f0_ff_f0_f0_ff_f0_f0 == 0
}

// The patterns' fields after the extension. A duration whose hours have
// outgrown two digits pushes its neighbour aside, so each reader is told where
// the duration began and ended.

// patternA: dial number 26-50, ring 52-55, duration 57-64, account 66-75,
// condition 77-79.
func (p *Parser) patternA(l []byte, r *Record) {
	r.Pattern = PatternA
	from, to := r.timed(l, 57)
	switch {
	case len(l) < 56:
	case l[53] == '\'' && l[51] == ' ':
		r.Ring = ringTime(l[52:56])
	default:
		r.Ring = ringTime(trim(l[51:min(from, 56)]))
	}
	if len(l) > 66 {
		r.Account = field(l, max(66, to), 76)
		r.Condition = field(l, 77, 80)
	}
	p.trunkAndDial(l, 25, 51, r)
}

// patternB: dial number 26-45, duration 47-54, charge 56-65, account 67-76,
// condition 78-79.
func (p *Parser) patternB(l []byte, r *Record) {
	r.Pattern = PatternB
	from, to := r.timed(l, 47)
	r.Charge = field(l, max(56, to), 66)
	r.Account = field(l, 67, 77)
	r.Condition = field(l, 78, 80)
	p.trunkAndDial(l, 25, min(46, from), r)
}

// patternC: dial number 28-77, ring 79-82, duration 84-91, charge 93-103,
// account 105-114, condition 116-118.
func (p *Parser) patternC(l []byte, r *Record) {
	r.Pattern = PatternC
	from, to := r.timed(l, 84)
	r.Ring = ringTime(field(l, 78, min(from, 83)))
	r.Charge = field(l, max(93, to), 104)
	r.Account = field(l, 105, 115)
	r.Condition = field(l, 116, 119)
	p.trunkAndDial(l, 27, 78, r)
}

func (p *Parser) trunkAndDial(l []byte, trunkEnd, dialEnd int, r *Record) {
	var trunk []byte
	if len(l) >= 31 {
		trunk = narrow(l, 23, 1<<(8*(trunkEnd-23))-1)
	} else {
		trunk = cell(l[23:min(trunkEnd, len(l))])
	}
	r.Trunk = known(trunk)
	var dial []byte
	if dialEnd = min(dialEnd, len(l)); trunkEnd < dialEnd {
		dial = trim(l[trunkEnd+1 : dialEnd])
	}
	p.dial(dial, len(trunk) > 0, r)
}

// choose tells the pattern of a line by its shape: how wide the trunk is, else
// where the duration stands, else where the condition stands.
func choose(l []byte) Pattern {
	switch {
	case len(l) > 28 && (l[25] != ' ' || l[26] == ' ' && l[27] == ' ' && l[28] != ' '):
		return PatternC
	case quoted(l, 57):
		return PatternA
	case quoted(l, 47), quoted(l, 46), quoted(l, 48):
		return PatternB
	case len(l) > 78 && l[77] == ' ' && l[78] != ' ' && !quoted(l, 58) && !quoted(l, 56):
		return PatternB
	}
	return PatternA
}

// quoted reports whether HH:MM'SS stands at i.
func quoted(l []byte, i int) bool {
	return len(l) >= i+8 && l[i+5] == '\'' && l[i+2] == ':'
}

// timed reads the duration that should stand at i, or a byte beside it when
// its hours have outgrown two digits, and returns its place.
func (r *Record) timed(l []byte, i int) (from, to int) {
	from, to = i, i+8
	if h, m, s, ok := triple(l, i, durations); ok && m < 60 && s < 60 && l[i-1] == ' ' {
		r.Duration = h*3600 + m*60 + s
		return from, to
	}
	switch {
	case quoted(l, i):
		if l[i-1] >= '0' && l[i-1] <= '9' { // 100:00'00, grown to the left
			from--
		}
	case quoted(l, i+1): // grown to the right
		to++
	default:
		return i, i
	}
	if sec, ok := duration(l[from:to]); ok {
		r.Duration = sec
	}
	return from, to
}

// duration reads HH:MM'SS with one to three digits of hours.
func duration(b []byte) (int, bool) {
	n := len(b)
	if n < 7 || b[n-6] != ':' || b[n-3] != '\'' {
		return 0, false
	}
	m, okM := digitPair(b, n-5)
	s, okS := digitPair(b, n-2)
	h, okH := 0, false
	if n == 8 {
		h, okH = digitPair(b, 0)
	}
	if !okH {
		h, okH = number(trim(b[:n-6]))
	}
	return h*3600 + m*60 + s, okH && okM && okS && m < 60 && s < 60
}

// ringTime reads M'SS with one to three digits of minutes.
func ringTime(b []byte) int {
	n := len(b)
	if n == 4 && b[1] == '\'' && b[0]-'0' < 10 {
		if s, ok := digitPair(b, 2); ok && s < 60 {
			return int(b[0]-'0')*60 + s
		}
	}
	if n < 4 || b[n-3] != '\'' {
		return NotPrinted
	}
	m, okM := number(b[:n-3])
	s, okS := digitPair(b, n-2)
	if !okM || !okS || s > 59 {
		return NotPrinted
	}
	return m*60 + s
}

// number reads one to three digits.
func number(b []byte) (int, bool) {
	if len(b) < 1 || len(b) > 3 {
		return 0, false
	}
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

// field is the trimmed text of l[from:to], as far as the line reaches; nil if
// blank.
func field(l []byte, from, to int) []byte {
	to = min(to, len(l))
	if from >= to {
		return nil
	}
	b := l[from:to]
	if n := len(b); n >= 8 && n <= 16 && binary.LittleEndian.Uint64(b) == blanks8 && binary.LittleEndian.Uint64(b[n-8:]) == blanks8 {
		return nil
	}
	return cell(b)
}

// cell trims a field; nil if it is blank.
func cell(b []byte) []byte {
	b = trim(b)
	if len(b) == 0 {
		return nil
	}
	return b
}

// narrow is the field that mask selects of the eight bytes from l[i], trimmed;
// nil if blank.
func narrow(l []byte, i int, mask uint64) []byte {
	x := (binary.LittleEndian.Uint64(l[i:]) ^ blanks8) & mask
	if x == 0 {
		return nil
	}
	return l[i+bits.TrailingZeros64(x)/8 : i+8-bits.LeadingZeros64(x)/8]
}

const blanks8 = 0x2020202020202020

// trimRight drops blanks eight at a time.
func trimRight(b []byte) []byte {
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b[len(b)-8:]) ^ blanks8
		if x != 0 {
			return b[:len(b)-bits.LeadingZeros64(x)/8]
		}
		b = b[:len(b)-8]
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return b
}

func trim(b []byte) []byte {
	b = trimRight(b)
	for len(b) > 0 && b[0] == ' ' {
		b = b[1:]
	}
	return b
}

// known drops a trunk number that says nothing: in patterns A and B "00"
// stands for every trunk over 99.
func known(trunk []byte) []byte {
	for _, c := range trunk {
		if c != '0' {
			return trunk
		}
	}
	return nil
}
