package ivr

import (
	"maps"
	"slices"
	"strings"

	"markaz/lang"
)

// mostDigits is how many digits may be said one by one.
const mostDigits = 32

// checkPrompt checks a prompt that there must be.
func (k *checker) checkPrompt(path string, pieces []Piece) {
	if len(pieces) == 0 {
		k.fail(path, "no_prompt")
	}
	k.checkPieces(path, pieces)
}

func (k *checker) checkPieces(path string, pieces []Piece) {
	for i, p := range pieces {
		k.checkPiece(index(path, i), p)
	}
}

func (k *checker) checkPiece(path string, p Piece) {
	if p.fields() != 1 {
		k.fail(path, "bad_piece")
		return
	}
	switch {
	case p.Sound != "":
		k.checkSound(join(path, "sound"), p.Sound)
	case p.Tone != "":
		if ask := k.known.Tone; ask != nil {
			if err := ask(p.Tone); err != nil {
				k.fail(join(path, "tone"), "bad_tone", "value", p.Tone, "error", err)
			}
		}
	case p.Digits != "":
		if len(p.Digits) > mostDigits || strings.Trim(p.Digits, keys) != "" {
			k.fail(join(path, "digits"), "bad_digits", "value", p.Digits)
		}
	case p.Phrase != "":
		k.checkPhrase(join(path, "phrase"), p.Phrase)
	case p.Text != nil:
		k.checkText(join(path, "text"), p.Text)
	}
}

// fields counts the fields that are set.
func (p Piece) fields() int {
	n := 0
	for _, set := range []bool{p.Sound != "", p.Tone != "", len(p.Text) > 0, p.Phrase != "", p.Number != nil, p.Digits != ""} {
		if set {
			n++
		}
	}
	return n
}

// checkSound checks a sound's path. A PBX takes a path with a colon for the
// address of something to fetch, and one with a comma or an ampersand for
// several.
func (k *checker) checkSound(path, sound string) {
	plain := !strings.ContainsFunc(sound, func(r rune) bool { return notPlain(r) && r != '/' && r != '.' })
	switch {
	case !plain || slices.Contains(strings.Split(sound, "/"), ".."):
		k.fail(path, "bad_sound", "value", sound)
	case k.known.Sound != nil && !k.known.Sound(sound):
		k.fail(path, "missing_sound", "value", sound)
	}
}

// checkPhrase checks the name of a built-in sentence. Those with a placeholder
// cannot be said in a menu.
func (k *checker) checkPhrase(path, phrase string) {
	catalogue := k.words.Catalogue()
	var known []string
	for _, key := range catalogue.Keys(phraseKey("")) {
		if !strings.Contains(catalogue.T(lang.Default, key), "{") {
			known = append(known, strings.TrimPrefix(key, phraseKey("")))
		}
	}
	if !slices.Contains(known, phrase) {
		k.fail(path, "unknown_phrase", "value", phrase, "known", strings.Join(known, ", "))
	}
}

func (k *checker) checkText(path string, text map[string]string) {
	for _, l := range slices.Sorted(maps.Keys(text)) {
		k.checkLanguage(join(path, l), l)
		if err := lang.Speakable(text[l]); err != nil {
			k.fail(join(path, l), "bad_text", "language", l, "error", err)
		}
	}
	var missing []string
	for _, l := range k.Languages {
		if _, ok := text[l]; !ok {
			missing = append(missing, l)
		}
	}
	switch {
	case len(missing) == len(k.Languages):
		k.fail(path, "text_language", "languages", strings.Join(missing, ", "))
	case len(missing) > 0:
		k.warn(path, "text_language", "languages", strings.Join(missing, ", "))
	}
}
