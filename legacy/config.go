package legacy

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/encoding/charmap"

	"markaz/call/number"
	"markaz/legacy/chain"
	"markaz/legacy/journal"
	"markaz/legacy/link"
	"markaz/legacy/monitor"
	"markaz/legacy/smdr"
	"markaz/legacy/telsa"
)

// Config is what the sidecar does.
type Config struct {
	Journal journal.Config `yaml:"journal"`
	State   string         `yaml:"state"` // file
	Sources []Source       `yaml:"sources"`
}

// Source is one exchange or one line monitor.
type Source struct {
	Key     string      `yaml:"key"`     // in every event: Latin letters and digits
	Model   string      `yaml:"model"`   // of a Panasonic exchange: KX-TDA200
	Profile string      `yaml:"profile"` // of a line monitor: a name that is shipped, or a file
	Link    link.Config `yaml:"connection"`

	Date     string      `yaml:"date"`     // order of printed dates: MM/DD/YY, DD/MM/YY, YY/MM/DD, YY/DD/MM
	Calendar string      `yaml:"calendar"` // gregorian, jalali
	Zone     string      `yaml:"zone"`     // IANA name of the exchange's zone
	Charset  string      `yaml:"charset"`  // of names: utf-8, latin1, cp437, cp866, windows-1251, windows-1256, koi8-r
	Number   number.Plan `yaml:"numbers"`

	DISA      []string `yaml:"disa"`      // extensions of DISA lines and voice mail
	Groups    []string `yaml:"groups"`    // extensions of ring groups
	Emergency []string `yaml:"emergency"` // numbers whose calls are logged twice

	RingHold     time.Duration `yaml:"ring_hold"` // a call that rang counts as missed after this
	LegHold      time.Duration `yaml:"leg_hold"`  // a caller of a DISA line whom nobody received, after this
	CorrectClock bool          `yaml:"correct_clock"`

	HookSwap *bool             `yaml:"hook_swap"` // instead of the profile's
	Lines    map[string]string `yaml:"lines"`     // by line of a monitor: the extension of the phone on it

	Hours Hours         `yaml:"hours"` // when the office works
	Quiet time.Duration `yaml:"quiet"` // no line for this long within the hours is reported

	Telsa *telsa.Config `yaml:"telsa"`
}

// Hours are the hours in which calls are expected.
type Hours struct {
	Days []string `yaml:"days"` // sat, sun, mon, tue, wed, thu, fri
	From string   `yaml:"from"` // 08:00
	To   string   `yaml:"to"`
}

// SetDefaults fills in what was left out.
func (c *Config) SetDefaults() {
	def(&c.Journal.Sync, journal.DefaultConfig().Sync)
	def(&c.Journal.Keep, journal.DefaultConfig().Keep)
	def(&c.Journal.MaxBytes, journal.DefaultConfig().MaxBytes)
	for i := range c.Sources {
		c.Sources[i].setDefaults()
	}
}

func (s *Source) setDefaults() {
	def(&s.Calendar, "gregorian")
	def(&s.Zone, "Local")
	def(&s.Charset, "latin1")
	def(&s.RingHold, chain.DefaultRingHold)
	def(&s.LegHold, chain.DefaultLegHold)
	def(&s.Quiet, time.Hour)
	s.Link.SetDefaults()
	if s.Telsa != nil {
		s.Telsa.SetDefaults()
	}
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault, each with its path.
func (c Config) Validate() error {
	var faults []error
	if err := c.Journal.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("journal: %w", err))
	}
	if c.State == "" {
		faults = append(faults, errors.New("state: want a file"))
	}
	if len(c.Sources) == 0 {
		faults = append(faults, errors.New("sources: none"))
	}
	keys := map[string]bool{}
	for i, s := range c.Sources {
		if keys[s.Key] {
			faults = append(faults, fmt.Errorf("sources[%d]: key: %q is taken", i, s.Key))
		}
		keys[s.Key] = true
		if err := s.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("sources[%d]: %w", i, err))
		}
	}
	return errors.Join(faults...)
}

// Validate reports every fault of a source, each named by its key.
func (s Source) Validate() error {
	var faults []error
	add := func(key string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
		}
	}
	if !regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`).MatchString(s.Key) {
		add("key", fmt.Errorf("want Latin letters and digits, have %q", s.Key))
	}
	if (s.Model == "") == (s.Profile == "") {
		add("model", errors.New("want either a model or a profile"))
	}
	if s.Model != "" {
		_, err := smdr.FamilyOf(s.Model)
		add("model", err)
		_, err = smdr.ParseDateOrder(s.Date)
		add("date", err)
	}
	if s.Profile != "" {
		_, err := s.profile()
		add("profile", err)
	}
	_, err := s.location()
	add("zone", err)
	_, err = s.decoder()
	add("charset", err)
	if !slices.Contains([]string{"gregorian", "jalali"}, s.Calendar) {
		add("calendar", fmt.Errorf("%q is neither gregorian nor jalali", s.Calendar))
	}
	add("connection", s.Link.Validate())
	add("numbers", s.Number.Validate())
	add("hours", s.Hours.validate())
	for key, d := range map[string]time.Duration{"ring_hold": s.RingHold, "leg_hold": s.LegHold, "quiet": s.Quiet} {
		if d < time.Second {
			add(key, fmt.Errorf("%v is less than a second", d))
		}
	}
	if s.Telsa != nil {
		add("telsa", s.Telsa.Validate())
	}
	return errors.Join(faults...)
}

// profile finds the profile of a line monitor.
func (s Source) profile() (*monitor.Profile, error) {
	var p *monitor.Profile
	var err error
	if strings.ContainsAny(s.Profile, `./\`) {
		p, err = ReadProfile(s.Profile)
	} else {
		p, err = monitor.Shipped(s.Profile)
	}
	if err == nil && s.HookSwap != nil {
		p.HookSwap = *s.HookSwap
	}
	return p, err
}

// ReadProfile reads a profile from a file.
func ReadProfile(path string) (*monitor.Profile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read profile: %w", err)
	}
	return monitor.Parse(text)
}

func (s Source) location() (*time.Location, error) {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return nil, fmt.Errorf("%q is no time zone: %w", s.Zone, err)
	}
	return zone, nil
}

// decoder finds how to read the exchange's characters. It never fails on a
// byte.
func (s Source) decoder() (func([]byte) string, error) {
	return Decoder(s.Charset)
}

// Decoder returns a function that reads text of a character set.
func Decoder(charset string) (func([]byte) string, error) {
	sets := map[string]*charmap.Charmap{
		"latin1": charmap.ISO8859_1, "cp437": charmap.CodePage437, "cp866": charmap.CodePage866,
		"windows-1251": charmap.Windows1251, "windows-1256": charmap.Windows1256, "koi8-r": charmap.KOI8R,
	}
	if charset == "utf-8" {
		return func(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }, nil // a column's edge may cut a letter
	}
	set := sets[charset]
	if set == nil {
		return nil, fmt.Errorf("%q is not one of utf-8, latin1, cp437, cp866, windows-1251, windows-1256, koi8-r", charset)
	}
	return func(b []byte) string {
		out := make([]rune, len(b))
		for i, c := range b {
			out[i] = set.DecodeByte(c)
		}
		return string(out)
	}, nil
}

func (h Hours) validate() error {
	if len(h.Days) == 0 && h.From == "" && h.To == "" {
		return nil
	}
	var faults []error
	for _, d := range h.Days {
		if !slices.Contains(weekdays(), d) {
			faults = append(faults, fmt.Errorf("days: %q is not one of %s", d, strings.Join(weekdays(), ", ")))
		}
	}
	for _, clock := range []string{h.From, h.To} {
		if _, err := time.Parse("15:04", clock); err != nil {
			faults = append(faults, fmt.Errorf("from, to: %q is no time of day", clock))
		}
	}
	return errors.Join(faults...)
}

func weekdays() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

// open reports whether the office works at a time.
func (h Hours) open(t time.Time) bool {
	if !slices.Contains(h.Days, weekdays()[t.Weekday()]) {
		return false
	}
	clock := t.Format("15:04")
	return clock >= h.From && clock < h.To
}
