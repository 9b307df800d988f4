package call

import (
	"strings"
	"unicode"
)

// Clean makes a text that came from outside (a caller's name, a SIP header, a
// device's line) fit to be stored and shown: control characters, line breaks,
// invalid UTF-8 and the marks that change the direction of writing are
// removed, blanks are trimmed, and it is cut to max characters.
func Clean(s string, max int) string {
	n := 0
	out := strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || unicode.IsControl(r) || directional(r) || n >= max {
			return -1
		}
		n++
		return r
	}, s)
	return strings.TrimSpace(out)
}

// directional reports the marks, embeddings, overrides and isolates of UAX #9,
// the separators U+2028 and U+2029 and the byte order mark.
func directional(r rune) bool {
	switch {
	case r == 0x061C, r == 0x200E, r == 0x200F, r == 0xFEFF, r == 0x2028, r == 0x2029:
		return true
	case r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}
