package clicktocall

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Config are the application's settings.
type Config struct {
	Off         bool          `yaml:"off"`          // nobody may dial from the page
	Trunk       string        `yaml:"trunk"`        // for numbers outside; default inbound.trunk
	Trunks      []string      `yaml:"trunks"`       // others that may be asked for
	CallerID    string        `yaml:"caller_id"`    // shown to whom is called; default what the trunk shows
	CallerIDs   []string      `yaml:"caller_ids"`   // others that may be asked for
	AutoAnswer  bool          `yaml:"auto_answer"`  // ask the agent's phone to answer by itself
	RingTimeout time.Duration `yaml:"ring_timeout"` // of the agent's phone; default 20 s
	DialTimeout time.Duration `yaml:"dial_timeout"` // of the number; default 45 s
	Hours       string        `yaml:"hours"`        // one of ivr.hours: outside of them nobody dials; default always
	Rules       Rules         `yaml:"rules"`
}

// Rules say which numbers may be dialled, by requests and by transfers. They are
// what stands between a stolen password and a telephone bill.
type Rules struct {
	// Prefixes: +98 is meant in E.164, 021 as it is dialled, without the
	// line-release code. What is forbidden is so whatever is allowed.
	Allow  []string `yaml:"allow"` // nothing else; default all
	Forbid []string `yaml:"forbid"`

	MaxLength int `yaml:"max_length"` // digits; default 15, the most that E.164 has
	PerMinute int `yaml:"per_minute"` // of one user; default 10
	PerHour   int `yaml:"per_hour"`   // default 60
	PerDay    int `yaml:"per_day"`    // default 300
}

// Validate fills the defaults in and reports every fault.
func (c *Config) Validate() error {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.RingTimeout, 20*time.Second)
	def(&c.DialTimeout, 45*time.Second)
	var errs []error
	for key, d := range map[string]time.Duration{"ring_timeout": c.RingTimeout, "dial_timeout": c.DialTimeout} {
		if d < time.Second || d > 5*time.Minute {
			errs = append(errs, fmt.Errorf("%s: want 1s to 5m, have %v", key, d))
		}
	}
	for _, trunk := range append([]string{c.Trunk}, c.Trunks...) {
		if strings.ContainsAny(trunk, "/@& ,") {
			errs = append(errs, fmt.Errorf("trunk: want the name of a trunk, have %q", trunk))
		}
	}
	for _, id := range append([]string{c.CallerID}, c.CallerIDs...) {
		if strings.Trim(strings.TrimPrefix(id, "+"), "0123456789") != "" || len(id) > 32 {
			errs = append(errs, fmt.Errorf("caller_id: want digits, have %q", id))
		}
	}
	if err := c.Rules.validate(); err != nil {
		errs = append(errs, fmt.Errorf("rules: %w", err))
	}
	return errors.Join(errs...)
}

func (r *Rules) validate() error {
	def := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&r.MaxLength, 15)
	def(&r.PerMinute, 10)
	def(&r.PerHour, 60)
	def(&r.PerDay, 300)
	var errs []error
	for _, p := range slices.Concat(r.Allow, r.Forbid) {
		if digits := strings.TrimPrefix(p, "+"); digits == "" || strings.Trim(digits, "0123456789") != "" {
			errs = append(errs, fmt.Errorf("want prefixes such as +98 or 021, have %q", p))
		}
	}
	if r.MaxLength < 3 || r.MaxLength > 32 {
		errs = append(errs, fmt.Errorf("max_length: want 3 to 32, have %d", r.MaxLength))
	}
	if r.PerMinute < 1 || r.PerHour < 1 || r.PerDay < 1 {
		errs = append(errs, errors.New("per_minute, per_hour, per_day: want at least 1"))
	}
	return errors.Join(errs...)
}
