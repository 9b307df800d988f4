package telsa

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Config says where a recorder leaves its files.
type Config struct {
	// Mode is "folder" (every file stays in Dir; it is finished when it has not
	// grown for Stable) or "archive" (the recorder moves it into a folder of its
	// line after the hang-up).
	Mode string `yaml:"mode"`
	Dir  string `yaml:"dir"`
	// Pattern is an expression (RE2) on the path within Dir, with slashes. Its
	// named groups say what the path tells: line; y, mo, d, h, mi, s of the
	// start. Without a start, the file ended when it was last written.
	Pattern  string        `yaml:"pattern"`
	Calendar string        `yaml:"calendar"` // of the dates in paths: gregorian, jalali
	Zone     string        `yaml:"zone"`     // of those times; the source's if empty
	Stable   time.Duration `yaml:"stable"`
	Every    time.Duration `yaml:"every"` // how often the folder is looked at
	Wait     time.Duration `yaml:"wait"`  // for the records of a call to be printed after its end
	// Lines tells for lines of the recorder which lines of the exchange they
	// are, where the order differs.
	Lines map[string]string `yaml:"lines"`
	// NoHangUp keeps the end of a recording from ending a living call.
	NoHangUp bool `yaml:"no_hang_up"`
}

// SetDefaults fills in what was left out: the archive mode with a folder a
// line.
func (c *Config) SetDefaults() {
	def(&c.Mode, "archive")
	def(&c.Pattern, `^(?:Archive/)?0*(?P<line>\d+)/`)
	def(&c.Calendar, "gregorian")
	def(&c.Stable, 10*time.Second)
	def(&c.Every, 2*time.Second)
	def(&c.Wait, 3*time.Minute)
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports every fault, each named by its key.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Mode != "folder" && c.Mode != "archive" {
		fault("mode: %q is neither folder nor archive", c.Mode)
	}
	if c.Dir == "" {
		fault("dir: missing")
	}
	if c.Calendar != "gregorian" && c.Calendar != "jalali" {
		fault("calendar: %q is neither gregorian nor jalali", c.Calendar)
	}
	if _, err := time.LoadLocation(c.Zone); err != nil {
		fault("zone: %q is no time zone", c.Zone)
	}
	if c.Stable < time.Second || c.Every < 100*time.Millisecond {
		fault("stable, every: want at least 1s and 100ms")
	}
	if c.Wait < time.Second || c.Wait > time.Hour {
		fault("wait: %v is not between 1s and 1h", c.Wait)
	}
	re, err := regexp.Compile(c.Pattern)
	if err != nil {
		fault("pattern: %w", err)
		return errors.Join(faults...)
	}
	known := []string{"", "line", "y", "mo", "d", "h", "mi", "s"}
	for _, g := range re.SubexpNames() {
		if !slices.Contains(known, g) {
			fault("pattern: group %q is not one of %s", g, strings.Join(known[1:], ", "))
		}
	}
	if re.SubexpIndex("line") < 0 {
		fault("pattern: there is no group line")
	}
	if n := len(c.dated(re)); n != 0 && n < 5 {
		fault("pattern: a start wants the groups y, mo, d, h, mi")
	}
	return errors.Join(faults...)
}

// dated lists the groups of the start that an expression has.
func (c Config) dated(re *regexp.Regexp) []string {
	var have []string
	for _, g := range []string{"y", "mo", "d", "h", "mi"} {
		if re.SubexpIndex(g) >= 0 {
			have = append(have, g)
		}
	}
	return have
}
