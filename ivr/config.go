package ivr

import (
	"time"
)

// Defaults of a menu, and bounds that no configuration can lift.
const (
	DefaultTimeout    = 5 * time.Second // silence after the prompt
	DefaultInterDigit = 3 * time.Second // between the keys of one input
	DefaultAttempts   = 3               // wrong keys and silences together
	DefaultPersonKey  = "0"
	DefaultMainKey    = "*"
	NoKey             = "none" // switches a global key off

	// MostOptions is how many options people remember.
	MostOptions = 5
)

// Config is the part ivr of the configuration file. Names of menus, messages
// and hours are the user's own.
type Config struct {
	Languages []string           `yaml:"languages"` // the first is the default; [en] when left out
	Main      Main               `yaml:"main"`
	Person    Person             `yaml:"person"`
	WrongKey  []Piece            `yaml:"wrong_key"` // for all menus; a built-in phrase when left out
	Silence   []Piece            `yaml:"silence"`   // likewise
	Routes    []Route            `yaml:"routes"`    // the first that fits counts
	Hours     map[string]Hours   `yaml:"hours"`
	Messages  map[string]Message `yaml:"messages"`
	Menus     map[string]Menu    `yaml:"menus"`
}

// Main is the key that leads to the main menu, from everywhere.
type Main struct {
	Key  string `yaml:"key"`  // "*" when left out, none for no key
	Menu string `yaml:"menu"` // "main" when left out
}

// Person is the key that leads to a person, from everywhere; callers who
// choose nothing are led there too.
type Person struct {
	Key    string      `yaml:"key"` // "0" when left out, none for no key
	To     Destination `yaml:"to"`  // "" for no person
	Hours  string      `yaml:"hours"`
	Closed Destination `yaml:"closed"`
}

// Route leads the calls to a number to a destination.
type Route struct {
	Number   string      `yaml:"number"` // pattern of the dialled number or the DID; "" fits every call
	To       Destination `yaml:"to"`
	Hours    string      `yaml:"hours"`
	Closed   Destination `yaml:"closed"` // of the hours when left out
	Language string      `yaml:"language"`
}

// Menu says something and takes keys.
type Menu struct {
	Prompt   []Piece `yaml:"prompt"`
	BargeIn  *bool   `yaml:"barge_in"` // whether a key stops the prompt; true when left out
	WrongKey []Piece `yaml:"wrong_key"`
	Silence  []Piece `yaml:"silence"`

	Keys      map[string]Option `yaml:"keys"` // of one key or several; write them in quotes
	Extension *Extension        `yaml:"dial_extension"`

	Timeout    time.Duration `yaml:"timeout"`
	InterDigit time.Duration `yaml:"inter_digit"`
	Attempts   int           `yaml:"attempts"`
	After      Destination   `yaml:"after"` // when the attempts are used up; person.to when left out

	Language string      `yaml:"language"` // callers hear this language from here on
	Hours    string      `yaml:"hours"`
	Closed   Destination `yaml:"closed"` // of the hours when left out
}

// Option is what a key leads to. In the file it is a destination, or a mapping
// of to and language.
type Option struct {
	To       Destination `yaml:"to"`
	Language string      `yaml:"language"` // callers hear this language from here on
}

// UnmarshalYAML takes both forms.
func (o *Option) UnmarshalYAML(decode func(any) error) error {
	if decode(&o.To) == nil {
		return nil
	}
	type mapping Option
	return decode((*mapping)(o))
}

// Extension lets callers dial an extension in a menu.
type Extension struct {
	Length  int      `yaml:"length"`  // digits of every extension, or else
	Pattern string   `yaml:"pattern"` // such as 1XX
	Allowed []string `yaml:"allowed"` // extensions or patterns; all that fit when left out
}

// Message says something and goes on.
type Message struct {
	Prompt []Piece     `yaml:"prompt"`
	Then   Destination `yaml:"then"` // hangup when left out; back for the menu before it
}

// Piece is a part of a prompt: exactly one of its fields is set.
type Piece struct {
	Sound  string            `yaml:"sound"`  // path without extension, as the PBX sees it
	Tone   string            `yaml:"tone"`   // such as 425 or 425+480/500ms
	Text   map[string]string `yaml:"text"`   // by language, spoken by the speech program
	Phrase string            `yaml:"phrase"` // name of a built-in sentence, spoken likewise
	Number *int              `yaml:"number"` // said as a number by the PBX
	Digits string            `yaml:"digits"` // said digit by digit by the PBX
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if len(c.Languages) == 0 {
		c.Languages = []string{"en"}
	}
	fill(&c.Main.Key, DefaultMainKey)
	fill(&c.Person.Key, DefaultPersonKey)
	if _, ok := c.Menus["main"]; ok {
		fill(&c.Main.Menu, "main")
	}
	if c.Main.Menu == "" {
		c.Main.Key = NoKey
	}
	if c.Person.To == "" {
		c.Person.Key = NoKey
	}
	return c
}

// withDefaults fills in what was left out of a menu.
func (m Menu) withDefaults(c Config) Menu {
	fill(&m.Timeout, DefaultTimeout)
	fill(&m.InterDigit, DefaultInterDigit)
	fill(&m.Attempts, DefaultAttempts)
	fill(&m.After, c.Person.To)
	if m.WrongKey == nil {
		m.WrongKey = c.WrongKey
	}
	if m.Silence == nil {
		m.Silence = c.Silence
	}
	return m
}

// bargeIn reports whether keys stop the prompt.
func (m Menu) bargeIn() bool { return m.BargeIn == nil || *m.BargeIn }

func fill[T comparable](dst *T, v T) {
	var zero T
	if *dst == zero {
		*dst = v
	}
}
