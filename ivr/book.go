package ivr

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"markaz/lang"
)

// Book holds the routes, hours, menus and messages of a configuration, ready
// for calls. It never changes, so that any number of goroutines may use it.
type Book struct {
	languages []string
	sounds    Sounds // only while the book is made
	words     *lang.Catalogue

	routes    []route
	schedules map[string]*Schedule
	menus     map[string]*menu
	messages  map[string]*message
	main      Destination // "" for no main menu
	mainKey   string
	personKey string
	person    door
}

// door is a destination that may be closed.
type door struct {
	to     Destination
	hours  *Schedule // nil for always open
	closed Destination
}

type route struct {
	door
	every    bool // fits every number
	number   pattern
	language string
}

type menu struct {
	door
	prompt, wrongKey, silence utterance

	bargeIn    bool
	keys       map[string]Option
	extension  *pattern
	allowed    []pattern
	timeout    time.Duration
	interDigit time.Duration
	attempts   int
	after      Destination
	language   string
}

type message struct {
	prompt utterance
	then   Destination
}

// NewBook makes a book. It refuses a configuration in which [Check] finds an
// error, and a prompt for which there is no sound.
func NewBook(c Config, sounds Sounds, words *lang.Catalogue) (*Book, error) {
	if err := c.Validate(words); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	b := &Book{
		languages: c.Languages, sounds: sounds, words: words,
		schedules: map[string]*Schedule{}, menus: map[string]*menu{}, messages: map[string]*message{},
		mainKey: c.Main.Key, personKey: c.Person.Key,
	}
	if c.Main.Menu != "" {
		b.main = destination(ToMenu, c.Main.Menu)
	}
	for name, h := range c.Hours {
		b.schedules[name], _ = h.compile()
	}
	b.person = b.door(c, c.Person.To, c.Person.Hours, c.Person.Closed)
	for _, r := range c.Routes {
		b.addRoute(c, r)
	}
	var errs []error
	for name, m := range sorted(c.Messages) {
		errs = append(errs, b.addMessage(name, m))
	}
	for name, m := range sorted(c.Menus) {
		errs = append(errs, b.addMenu(c, name, m))
	}
	b.sounds = nil
	return b, errors.Join(errs...)
}

// Validate tells the errors that [Check] finds without knowing anything
// outside the configuration, in English, or nil.
func (c Config) Validate(words *lang.Catalogue) error {
	var errs []error
	for _, f := range Check(c, Known{}, words.In(lang.Default)) {
		if f.Severity == Error {
			errs = append(errs, fmt.Errorf("%s: %s %s", f.Path, f.Message, f.Fix))
		}
	}
	return errors.Join(errs...)
}

// Hours gives a set of opening hours by its name.
func (b *Book) Hours(name string) (*Schedule, bool) {
	s, ok := b.schedules[name]
	return s, ok
}

// Languages lists the configured languages; the first is the default.
func (b *Book) Languages() []string { return slices.Clone(b.languages) }

// has reports whether the book holds a menu or message.
func (b *Book) has(d Destination) bool {
	switch d.Kind() {
	case ToMenu:
		return b.menus[d.Target()] != nil
	case ToMessage:
		return b.messages[d.Target()] != nil
	}
	return false
}

// language gives l if it is configured, else the default.
func (b *Book) language(l string) string {
	if slices.Contains(b.languages, l) {
		return l
	}
	return b.languages[0]
}

func (b *Book) door(c Config, to Destination, hours string, closed Destination) door {
	fill(&closed, c.Hours[hours].Closed)
	return door{to: to, hours: b.schedules[hours], closed: closed}
}

func (b *Book) addRoute(c Config, r Route) {
	number, _ := parsePattern(r.Number)
	b.routes = append(b.routes, route{
		door:  b.door(c, r.To, r.Hours, r.Closed),
		every: r.Number == "", number: number, language: r.Language,
	})
}

func (b *Book) addMessage(name string, m Message) error {
	prompt, ok := b.utterance(m.Prompt)
	if !ok {
		return fmt.Errorf("%s: no sound for the prompt", join("messages", name))
	}
	fill(&m.Then, Hangup)
	b.messages[name] = &message{prompt: prompt, then: m.Then}
	return nil
}

func (b *Book) addMenu(c Config, name string, m Menu) error {
	m = m.withDefaults(c)
	n := &menu{
		door:    b.door(c, destination(ToMenu, name), m.Hours, m.Closed),
		bargeIn: m.bargeIn(), keys: maps.Clone(m.Keys),
		timeout: m.Timeout, interDigit: m.InterDigit, attempts: m.Attempts, after: m.After,
		language: m.Language,
	}
	if x := m.Extension; x != nil {
		shape, _ := x.shape()
		n.extension = &shape
		for _, a := range x.Allowed {
			p, _ := parsePattern(a)
			n.allowed = append(n.allowed, p)
		}
	}
	b.menus[name] = n
	var ok1, ok2, ok3 bool
	n.prompt, ok1 = b.utterance(m.Prompt)
	n.wrongKey, ok2 = b.fault(m.WrongKey, phraseWrongKey)
	n.silence, ok3 = b.fault(m.Silence, phraseSilence)
	if !ok1 || !ok2 || !ok3 {
		return fmt.Errorf("%s: no sound for the prompt", join("menus", name))
	}
	return nil
}

// fault is what callers hear when they did wrong: the configured pieces, else
// a built-in phrase, else, where no speech program is there, only the menu
// again.
func (b *Book) fault(pieces []Piece, builtin string) (utterance, bool) {
	if pieces != nil {
		return b.utterance(pieces)
	}
	u, _ := b.utterance([]Piece{{Phrase: builtin}})
	return u, true
}

// shape is the pattern that every extension fits.
func (x Extension) shape() (pattern, error) {
	written := x.Pattern
	if x.Length > 0 && x.Length <= maxExtension {
		written += strings.Repeat("X", x.Length)
	}
	p, err := parsePattern(written)
	if err == nil && (p.open || len(p.sets) > maxExtension || x.Length < 0 || x.Length > 0 && x.Pattern != "") {
		err = errors.New("not one length or pattern")
	}
	return p, err
}
