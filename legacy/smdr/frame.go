package smdr

import (
	"encoding/binary"
	"math/bits"
)

// MaxLine is the longest line, in bytes; the widest pattern has 120 columns.
// What grows longer is cut there.
const MaxLine = 512

// Frame is one line of the stream.
type Frame struct {
	Raw  []byte // exactly what was sent, line ends and noise included
	Line []byte // the text: no line end, no telnet options, no control characters
}

// Framer cuts a stream into lines ended by CR, LF, both, or a form feed. The
// raw bytes of its frames, one after the other, are the stream. Frames are
// good until the next call.
//
// The zero value is ready.
type Framer struct {
	SevenBits bool // the link carries seven bits: the eighth is noise

	raw   []byte
	line  []byte
	state telnet
	skip  int // bytes of a telnet sub-negotiation so far
}

// telnet is how far into a telnet command the stream is (RFC 854). Only what
// has the shape of a command is skipped: a lone 0xFF is noise of a serial line.
type telnet uint8

const (
	plain telnet = iota
	iac
	option
	sub
	subIAC
)

const maxSub = 64 // longer than any sub-negotiation a PBX has reason to send

// Write takes the next bytes of the stream and hands out the lines they end.
func (f *Framer) Write(chunk []byte, emit func(Frame)) {
	for len(chunk) > 0 {
		if len(f.raw) == 0 && !f.SevenBits {
			if n := clean(chunk); n >= 0 {
				emit(Frame{Raw: chunk[:n+1], Line: chunk[:n]})
				chunk = chunk[n+1:]
				continue
			}
		}
		chunk = f.slow(chunk, emit)
	}
}

// clean is where a line of nothing but printable ASCII ends that begins and
// ends in this chunk; -1 if there is no such line. Such a line is handed out
// where it lies.
func clean(chunk []byte) int {
	chunk = chunk[:min(len(chunk), MaxLine-1)]
	i := 0
	for i+8 <= len(chunk) {
		bad := unprintable8(binary.LittleEndian.Uint64(chunk[i:]))
		if bad != 0 {
			return lineEnd(chunk, i+bits.TrailingZeros64(bad)/8)
		}
		i += 8
	}
	for ; i < len(chunk); i++ {
		if chunk[i]-0x20 >= 0x5f {
			return lineEnd(chunk, i)
		}
	}
	return -1
}

// lineEnd is i if a line ends there, else -1.
func lineEnd(chunk []byte, i int) int {
	if c := chunk[i]; c == '\r' || c == '\n' || c == '\f' {
		return i
	}
	return -1
}

// unprintable8 marks the high bit of bytes that are not between blank and
// tilde. The lowest mark is right and none is missing below it; above it a
// carry may have set another. 0 means that all eight are printable.
func unprintable8(x uint64) uint64 {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	return (x | (x - 0x20*ones) | (x + ones)) & high
}

// slow takes bytes up to the next line end and returns the rest.
func (f *Framer) slow(chunk []byte, emit func(Frame)) []byte {
	for i, c := range chunk {
		f.raw = append(f.raw, c)
		if f.SevenBits {
			c &= 0x7f
		}
		if f.state != plain && f.command(c) {
			continue
		}
		end := false
		switch {
		case c == '\r', c == '\n', c == '\f':
			end = true
		case c == 0xff:
			f.state = iac
		case c == '\t':
			f.line = append(f.line, ' ')
		case c >= 0x20 && c != 0x7f:
			f.line = append(f.line, c)
		}
		if end || len(f.raw) >= MaxLine {
			f.Flush(emit)
			return chunk[i+1:]
		}
	}
	return nil
}

// command takes a byte that may belong to a telnet command and reports whether
// it did.
func (f *Framer) command(c byte) bool {
	switch f.state {
	case iac:
		switch {
		case c == 0xfa:
			f.state, f.skip = sub, 0
		case c >= 0xfb && c != 0xff:
			f.state = option
		case c >= 0xf0 && c != 0xff:
			f.state = plain
		default:
			f.state = plain
			return false
		}
		return true
	case option:
		f.state = plain
		return c != '\r' && c != '\n'
	case sub, subIAC:
		if f.skip++; f.skip > maxSub || c == '\r' || c == '\n' || f.state == subIAC && c == 0xf0 {
			f.state = plain
			return c == 0xf0
		}
		f.state = sub
		if c == 0xff {
			f.state = subIAC
		}
		return true
	}
	return false
}

// Pending is what waits for the end of its line. Written to a new Framer it
// brings that to the same state.
func (f *Framer) Pending() []byte { return f.raw }

// Drop forgets what waits for the end of its line.
func (f *Framer) Drop() { f.raw, f.line, f.state = f.raw[:0], f.line[:0], plain }

// Flush hands out what has come since the last line end, if anything.
func (f *Framer) Flush(emit func(Frame)) {
	if len(f.raw) == 0 {
		return
	}
	frame := Frame{Raw: f.raw, Line: f.line}
	f.raw, f.line, f.state = f.raw[:0], f.line[:0], plain
	emit(frame)
}
