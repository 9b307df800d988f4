package lang

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// MaxSpoken is how many characters a text to be spoken may have: about a
// minute of speech, far more than a caller listens to.
const MaxSpoken = 1000

// Speakable tells what is wrong with a text that is to be given to a speech
// program, or nil: it must be valid UTF-8 of at most [MaxSpoken] characters,
// with at least one letter or digit and no control or direction-override
// characters.
func Speakable(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("text is not valid UTF-8")
	}
	if n := utf8.RuneCountInString(text); n > MaxSpoken {
		return fmt.Errorf("text has %d characters, at most %d can be spoken", n, MaxSpoken)
	}
	sound := false
	for _, r := range text {
		switch {
		case unicode.IsControl(r):
			return fmt.Errorf("text holds the control character %U", r)
		case override(r):
			return fmt.Errorf("text holds the direction mark %U", r)
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			sound = true
		}
	}
	if !sound {
		return errors.New("text has no letter or digit")
	}
	return nil
}

// override reports the marks that make text look different from what it is.
// The zero-width non-joiner, which Persian needs, is not among them.
func override(r rune) bool {
	return r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}
