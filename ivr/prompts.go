package ivr

import (
	"strconv"

	"markaz/call"
	"markaz/lang"
)

// Sounds turns what must be made before it can be played into sounds. Both
// give the path as the PBX sees it, without extension; ok is false if there is
// no such sound.
type Sounds interface {
	Text(lang, text string) (path string, ok bool)
	Tone(spec string) (path string, ok bool)
}

// Speech is something that must be made into a sound before a Book can use it:
// a text in a language, or a tone.
type Speech struct {
	Path     string // where it stands in the configuration
	Lang     string
	Text     string
	Tone     string
	Optional bool // a built-in phrase that callers can do without
}

// Built-in phrases that are said when the configuration has no words for it.
const (
	phraseWrongKey = "wrong_key"
	phraseSilence  = "silence"
)

// phraseKey is where a phrase stands in the catalogue.
func phraseKey(phrase string) string { return "spoken." + phrase }

// Speech lists every text and tone of the configuration, in the order in which
// the sections stand.
func (c Config) Speech(words *lang.Catalogue) []Speech {
	c = c.withDefaults()
	var list []Speech
	add := func(path string, pieces []Piece, builtin string) {
		optional := pieces == nil && builtin != ""
		if optional {
			pieces = []Piece{{Phrase: builtin}}
		}
		for i, p := range pieces {
			for _, s := range p.speech(c, words) {
				s.Path, s.Optional = index(path, i), optional
				list = append(list, s)
			}
		}
	}
	add("wrong_key", c.WrongKey, phraseWrongKey)
	add("silence", c.Silence, phraseSilence)
	for name, m := range sorted(c.Messages) {
		add(join("messages", name, "prompt"), m.Prompt, "")
	}
	for name, m := range sorted(c.Menus) {
		path := join("menus", name)
		add(join(path, "prompt"), m.Prompt, "")
		add(join(path, "wrong_key"), m.WrongKey, "")
		add(join(path, "silence"), m.Silence, "")
	}
	return list
}

// speech lists what must be made for a piece, in every configured language.
func (p Piece) speech(c Config, words *lang.Catalogue) []Speech {
	if p.Tone != "" {
		return []Speech{{Tone: p.Tone}}
	}
	var list []Speech
	for _, l := range c.Languages {
		if text := p.text(l, words); text != "" {
			list = append(list, Speech{Lang: l, Text: text})
		}
	}
	return list
}

// text gives the words of a piece in one language, "" if it has none.
func (p Piece) text(l string, words *lang.Catalogue) string {
	if p.Phrase != "" {
		if _, ok := words.Match(l); ok {
			return words.T(l, phraseKey(p.Phrase))
		}
		return ""
	}
	return p.Text[l]
}

// utterance is a prompt ready to be played, by language.
type utterance map[string][]call.Prompt

// utterance makes a prompt from its pieces. A piece that has no sound in a
// language is played in the first language that has one.
func (b *Book) utterance(pieces []Piece) (utterance, bool) {
	u := utterance{}
	complete := true
	for _, l := range b.languages {
		for _, p := range pieces {
			prompt, ok := b.prompt(p, l)
			complete = complete && ok
			if ok {
				u[l] = append(u[l], prompt)
			}
		}
	}
	return u, complete
}

// prompt makes one piece into a prompt in a language.
func (b *Book) prompt(p Piece, l string) (call.Prompt, bool) {
	switch {
	case p.Sound != "":
		return call.Prompt{Kind: call.Sound, Value: p.Sound}, true
	case p.Number != nil:
		return call.Prompt{Kind: call.Number, Value: strconv.Itoa(*p.Number)}, true
	case p.Digits != "":
		return call.Prompt{Kind: call.Digits, Value: p.Digits}, true
	case p.Tone != "":
		path, ok := b.sounds.Tone(p.Tone)
		return call.Prompt{Kind: call.Sound, Value: path}, ok
	}
	for _, l := range append([]string{l}, b.languages...) {
		if text := p.text(l, b.words); text != "" {
			path, ok := b.sounds.Text(l, text)
			return call.Prompt{Kind: call.Sound, Value: path}, ok
		}
	}
	return call.Prompt{}, false
}
