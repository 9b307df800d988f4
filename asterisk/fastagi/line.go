package fastagi

import (
	"fmt"
	"strconv"
	"strings"
)

// maxLine is the longest command, without its line end. Asterisk reads into
// 2048 bytes (AGI_BUF_LEN in res_agi.c) and takes what is beyond for a command
// of its own, so a longer one must never be sent.
const maxLine = 2046

// line is a command being written. It is the one place where arguments get
// onto the wire: each is quoted as parse_args in res_agi.c undoes it, and what
// would end the line or the string is refused.
type line struct {
	b   []byte
	err error
}

func command(buf []byte, words string) line { return line{b: append(buf[:0], words...)} }

// arg adds a quoted argument.
func (l line) arg(s string) line {
	if l.err != nil {
		return l
	}
	if i := strings.IndexAny(s, "\r\n\x00"); i >= 0 {
		l.err = fmt.Errorf("%w: control character %q at byte %d", ErrArgument, s[i], i)
		return l
	}
	l.b = append(l.b, ' ', '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			l.b = append(l.b, '\\')
		}
		l.b = append(l.b, s[i])
	}
	l.b = append(l.b, '"')
	return l
}

// num adds a whole number.
func (l line) num(n int64) line {
	l.b = strconv.AppendInt(append(l.b, ' '), n, 10)
	return l
}

// done returns the command with its line end, or why it cannot be sent.
func (l line) done() ([]byte, error) {
	if l.err != nil {
		return nil, l.err
	}
	if len(l.b) > maxLine {
		return nil, fmt.Errorf("%w: %d bytes, Asterisk reads %d", ErrArgument, len(l.b), maxLine)
	}
	return append(l.b, '\n'), nil
}

// variable reports whether a name is one of a channel variable or a dialplan
// function with a plain argument: it is put between ${ and }.
func variable(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '_', c == '(', c == ')':
		default:
			return false
		}
	}
	return name != ""
}
