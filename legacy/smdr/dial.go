package smdr

import (
	"bytes"
	"encoding/binary"

	"markaz/call"
)

// dial reads the Dial Number field: what was dialled, or who called, or a
// text. outside says that the record names a trunk.
func (p *Parser) dial(b []byte, outside bool, r *Record) {
	r.Kind = KindCall
	switch {
	case outside && len(b) > 3 && b[0] == '<' && b[1] == 'I' && b[2] == '>': // the usual case, and the same as incoming
		r.Direction = call.Inbound
		r.caller(skipBlanks(b[3:]), p.Family)
	case len(b) > 0 && b[0] == '<':
		p.incoming(b, outside, r)
	case internal(b):
		r.Direction = call.Internal
		r.Number = r.dialled(trim(b[3:]), p.Family)
	case outside:
		r.Direction = call.Outbound
		p.outgoing(b, r)
	case len(b) == 0:
		r.Kind = KindUnknown
	default:
		r.Kind, r.Text = textKind(b), b
	}
}

// internal reports whether the field is EXT and the extension dialled.
func internal(b []byte) bool {
	return len(b) > 3 && string(b[:3]) == "EXT" && (isDial(b[3]) || b[3] == ' ' && len(b) > 4 && isDial(b[4]))
}

// textKind tells apart what an extension printed without a call.
func textKind(b []byte) Kind {
	for _, word := range []string{"LOG IN", "LOG OUT", "IN THE OFFICE", "OUT OF", "AT ", "BACK AT", "GONE", "WILL RETURN", "IN A MEETING", "OUT UNTIL"} {
		if len(b) >= len(word) && bytes.EqualFold(b[:len(word)], []byte(word)) {
			return KindAgent
		}
	}
	return KindRoom
}

// incoming reads <I>, <D>, and the words that older exchanges print between
// the brackets, whatever their language: it is the brackets that mark an
// incoming call.
func (p *Parser) incoming(b []byte, outside bool, r *Record) {
	word, rest, ok := bracket(b)
	if !ok {
		r.Kind, r.Text = KindUnknown, b
		return
	}
	if marker(word) == 'D' {
		r.DID = rest
		if i := bytes.IndexByte(rest, '<'); i >= 0 {
			r.DID = trim(rest[:i])
			if word, rest, ok = bracket(rest[i:]); !ok {
				rest = nil
			}
		} else {
			rest = nil
		}
	}
	if !outside && p.Family != TA {
		r.Kind, r.Text = KindUnknown, b // <I>S003 with a blank trunk: no manual explains it
		return
	}
	r.Direction = call.Inbound
	r.DISA = wordHas(word, "disa")
	r.Waiting = wordHas(word, "waiting")
	r.caller(trim(rest), p.Family)
}

// bracket splits <word>rest.
func bracket(b []byte) (word, rest []byte, ok bool) {
	end := bytes.IndexByte(b, '>')
	if len(b) == 0 || b[0] != '<' || end < 0 {
		return nil, nil, false
	}
	return trim(b[1:end]), b[end+1:], true
}

// marker is the letter of a one-letter word, or 0.
func marker(word []byte) byte {
	if len(word) != 1 {
		return 0
	}
	return word[0] &^ 0x20
}

// wordHas looks for a lower-case word between the brackets, whatever blanks
// and letter case stand there.
func wordHas(word []byte, want string) bool {
	if len(word) <= 1 {
		return false
	}
	return containsFold(word, want)
}

// outgoing reads what was dialled, or a name with its number.
func (p *Parser) outgoing(b []byte, r *Record) {
	if digits(b) == len(b) {
		r.Number = b
		return
	}
	plain := true
	for _, c := range b {
		if isDial(c) {
			continue
		}
		plain = false
		if c != 'P' && c != 'F' && c != 'X' && c != '=' && c != '.' && c != '-' && c != ' ' {
			r.caller(b, p.Family)
			return
		}
	}
	if plain {
		r.Number = b
		return
	}
	r.Number = r.dialled(b, p.Family)
}

// dialled takes blanks, pauses (P), flashes (F) and everything up to the host
// exchange's code (=) out of a dialled number and stops at the first hidden
// digit (. or X). A hyphen is a pause on KX-TA; elsewhere the call was
// transferred, and what follows was dialled by the one who received it.
func (r *Record) dialled(b []byte, f Family) []byte {
	start := 0
	clean := true
	for i, c := range b {
		switch {
		case isDial(c):
			if !clean {
				r.scratch = append(r.scratch, c)
			}
			continue
		case c == '=':
			start, clean, r.scratch = i+1, true, r.scratch[:0]
			continue
		case c == '.' || c == 'X':
			r.Hidden = true
			return r.taken(b[start:i], clean)
		case c == '-' && f != TA:
			r.Transferred = true
			return r.taken(b[start:i], clean)
		}
		if clean {
			r.scratch = append(r.scratch[:0], b[start:i]...)
			clean = false
		}
	}
	return r.taken(b[start:], clean)
}

func (r *Record) taken(b []byte, clean bool) []byte {
	if !clean {
		b = r.scratch
	}
	if len(b) == 0 {
		return nil
	}
	return b
}

// caller reads a name and a number that share a field with nothing between
// them. KX-TDA puts the name first, KX-TD the number.
func (r *Record) caller(b []byte, f Family) {
	head := digits(b)
	for head < len(b) && isDial(b[head]) {
		head++
	}
	if head == len(b) {
		r.Number = b
		if i := bytes.Index(b, []byte("**")); i > 0 { // nobody's number: 0912***0039 is a mask
			r.Number, r.Hidden = b[:i], true
		}
		return
	}
	if onlyNumber(b) {
		r.Number = r.dialled(b, TA)
		return
	}
	if tail := b[head:]; head > 0 && len(bytes.Trim(tail, ".X")) == 0 {
		r.Number, r.Hidden = b[:head], true
		return
	}
	end := len(b)
	for end > 0 && isDial(b[end-1]) {
		end--
	}
	const short = 3 // fewer digits than these belong to a name: CAFE 24, 3M
	first, last := head >= short, len(b)-end >= short
	switch {
	case first && (f == TD || !last):
		r.Number, r.Name = b[:head], trim(b[head:])
	case last:
		r.Number, r.Name = b[end:], trim(b[:end])
	default:
		r.Name = b
	}
}

// onlyNumber reports whether a field is digits set apart by blanks or hyphens.
func onlyNumber(b []byte) bool {
	digits := 0
	for _, c := range b {
		if isDial(c) {
			digits++
		} else if c != ' ' && c != '-' {
			return false
		}
	}
	return digits > 0
}

func isDial(c byte) bool { return c >= '0' && c <= '9' || c == '*' || c == '#' || c == '+' }

// digits counts the digits that b begins with, eight at a time; when others
// follow, it may count up to seven too few.
func digits(b []byte) int {
	const zeros, sixes, high = 0x3030303030303030, 0x0606060606060606, 0xf0f0f0f0f0f0f0f0
	i := 0
	for i < len(b) {
		at := i
		if i+8 > len(b) {
			if at = len(b) - 8; at < 0 {
				return i
			}
		}
		v := binary.LittleEndian.Uint64(b[at:]) ^ zeros
		if (v|(v+sixes))&high != 0 {
			return i
		}
		i = at + 8
	}
	return i
}
