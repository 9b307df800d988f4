package smdr

import (
	"bytes"

	"markaz/call"
)

// Lines makes whole lines of frames: it splits a frame into which two records
// were glued, and joins two frames into which one was torn. A joined line
// holds the raw bytes of both.
//
// The zero value is not ready: Parser must be set.
type Lines struct {
	Parser Parser

	held    []byte // a record that may go on in the next frame
	heldRaw []byte
	joined  []byte
	probe   Record
}

// Add takes the next frame and hands out whole lines.
func (l *Lines) Add(f Frame, emit func(Frame)) {
	if len(l.held) == 0 && len(f.Line) == 0 { // what is between CR and LF
		emit(f)
		return
	}
	if len(l.held) > 0 {
		if len(trim(f.Line)) == 0 { // CR and LF are two frames, the second empty
			l.heldRaw = append(l.heldRaw, f.Raw...)
			return
		}
		if l.joins(f.Line) {
			l.heldRaw = append(l.heldRaw, f.Raw...)
			f = Frame{Raw: l.heldRaw, Line: l.joined}
			l.held, l.heldRaw = l.held[:0], nil
			emit(f)
			return
		}
		l.Flush(emit)
	}
	raw := f.Raw
	for {
		i := l.glued(f.Line)
		if i == 0 {
			break
		}
		emit(Frame{Raw: raw, Line: f.Line[:i]})
		raw, f.Line = nil, f.Line[i:] // the raw bytes go with the first of the glued lines
	}
	if l.torn(f.Line) {
		l.held = append(l.held[:0], f.Line...)
		l.heldRaw = append([]byte(nil), raw...)
		return
	}
	emit(Frame{Raw: raw, Line: f.Line})
}

// Held is the line that waits for its other half.
func (l *Lines) Held() []byte { return l.held }

// Hold puts back a line that waited.
func (l *Lines) Hold(line []byte) { l.held = append(l.held[:0], line...) }

// Flush hands out the line that waits for its other half.
func (l *Lines) Flush(emit func(Frame)) {
	if len(l.held) == 0 {
		return
	}
	f := Frame{Raw: l.heldRaw, Line: l.held}
	emit(f)
	l.held, l.heldRaw = l.held[:0], nil
}

// torn reports whether a line begins a record and lacks its end: a call to or
// from outside without a duration and without a code that explains why.
func (l *Lines) torn(line []byte) bool {
	if len(line) < 8 || len(line) > MaxLine/2 || whole(line) {
		return false
	}
	if at := l.Parser.findDate(trimRight(line)); at.found != dated {
		return false
	}
	if !l.Parser.Parse(line, &l.probe) {
		return l.probe.Kind == KindNoise || l.probe.Kind == KindUnknown
	}
	return !l.complete()
}

// whole is the quick answer for nearly every line: a duration or a condition
// stands where a pattern has it.
func whole(line []byte) bool {
	return quoted(line, 57) || quoted(line, 47) || quoted(line, 84) || len(line) > 78 && line[78] > ' '
}

func (l *Lines) complete() bool { return l.probe.Complete() }

// Complete reports whether a record carries what its kind should, so that
// nothing seems to be missing at its end.
func (r *Record) Complete() bool {
	if r.Kind != KindCall && !(r.Kind == KindRing && r.StartTime) {
		return true
	}
	return r.Duration != NotPrinted || len(r.Condition) > 0 || r.Direction == call.Internal
}

// joins reports whether a frame without a date makes the held line a whole
// record.
func (l *Lines) joins(line []byte) bool {
	if at := l.Parser.findDate(trimRight(line)); at.found != noDate || len(l.held)+len(line) > MaxLine {
		return false
	}
	if noise(line) != KindNoise && !rest(line) {
		return false
	}
	l.joined = append(append(l.joined[:0], l.held...), line...)
	return l.Parser.Parse(l.joined, &l.probe) && l.complete()
}

// rest reports whether a line could be the end of a record though it looks
// like a prompt or a rule, such as a lone hyphen.
func rest(line []byte) bool { return len(line) > 0 && line[0] == ' ' }

// glued finds where a second record begins in a line: a date and a time of
// day after the first. 0 means there is none.
func (l *Lines) glued(line []byte) int {
	i := 10
	if len(line) > 0 && (line[0] < '0' || line[0] > '9') && line[0] != ' ' && line[0] != '*' {
		i = 1 // the end of a line whose own end was lost
	}
	for i < len(line) {
		next := bytes.IndexByte(line[i:], '/')
		if next < 0 {
			break
		}
		i += next
		if from := l.recordAt(line, i); from > 0 {
			return from
		}
		i++
	}
	return 0
}

// recordAt reports where the record begins whose date has its first slash at
// i; 0 if there is none.
func (l *Lines) recordAt(line []byte, i int) int {
	at := l.Parser.dateAt(line, i)
	if at.found != dated && at.found != impossible {
		return 0
	}
	next := skipBlanks(line[at.rest:])
	if len(next) > 1 && next[0] == '*' {
		next = next[1:]
	}
	if _, _, ok := clock(next); !ok {
		return 0
	}
	from := max(i-2, 0)
	if c := line[from]; (c < '0' || c > '9') && c != ' ' {
		from++ // a lone digit: the month's padding was lost
	}
	return from
}
