package history

import (
	"strings"
	"unicode"
)

// numberMost bounds a number that is looked for or found by.
const numberMost = 32

// FoldNumber leaves of a telephone number its digits, whichever script they
// are written in, and its * and #, so that "+98 (912) ۱۲۳-4567" and
// "989121234567" are the same.
func FoldNumber(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case b.Len() == numberMost:
			return b.String()
		case r == '*', r == '#':
			b.WriteByte(byte(r))
		default:
			if d := digit(r); d >= 0 {
				b.WriteByte('0' + byte(d))
			}
		}
	}
	return b.String()
}

// digit is the value of an ASCII, Arabic or Persian digit, -1 for other
// characters.
func digit(r rune) int {
	switch {
	case r >= '0' && r <= '9':
		return int(r - '0')
	case r >= '٠' && r <= '٩':
		return int(r - '٠')
	case r >= '۰' && r <= '۹':
		return int(r - '۰')
	}
	return -1
}

// FoldName makes of a name what it is looked for by: small letters; one form
// of the letters that Arabic and Persian keyboards write differently; no
// diacritics and joiners; ASCII digits; single blanks.
func FoldName(s string) string {
	var b strings.Builder
	blank := false
	for _, r := range s {
		r = letter(r)
		if unicode.IsSpace(r) {
			blank = b.Len() > 0
			continue
		}
		if r < 0 {
			continue
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// letter folds one letter; -1 drops it.
func letter(r rune) rune {
	if d := digit(r); d >= 0 {
		return '0' + rune(d)
	}
	switch r {
	case 'ي', 'ى', 'ئ':
		return 'ی'
	case 'ك':
		return 'ک'
	case 'ة', 'ۀ':
		return 'ه'
	case 'أ', 'إ', 'آ', 'ٱ':
		return 'ا'
	case 'ؤ':
		return 'و'
	case 'ё', 'Ё':
		return 'е'
	case '\u200c', '\u00a0': // zero-width non-joiner, no-break space
		return ' '
	case '\u200d', 'ـ': // joiner, stretching
		return -1
	}
	if unicode.Is(unicode.Mn, r) {
		return -1
	}
	return unicode.ToLower(r)
}
