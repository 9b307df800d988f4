package recorder

import (
	"errors"
	"fmt"
	"time"

	"markaz/call"
)

// Config is what is recorded, where to, and for how long.
type Config struct {
	Dir    string `yaml:"dir"`     // folder of the recordings
	Zone   string `yaml:"zone"`    // of folders and names, such as Asia/Tehran; the machine's if not said
	Policy Policy `yaml:",inline"` // never, rules

	// Tolerance is how much a file may be shorter or longer than the talk and
	// still be called complete; 500 ms if not said.
	Tolerance time.Duration `yaml:"tolerance"`
	Retention Retention     `yaml:"retention"`
	Disk      DiskLimits    `yaml:"disk"`
}

// Retention is how long recordings are kept.
type Retention struct {
	Days int `yaml:"days"` // after the day of the recording; 0: for ever
	// Hold lists calls, recordings and numbers whose recordings stay whatever
	// their age, for as long as they are listed.
	Hold []string `yaml:"hold"`
}

// DiskLimits are in per cent of the space or inodes used, whichever is worse.
type DiskLimits struct {
	Warn   int `yaml:"warn"`   // 85 if not said
	Stop   int `yaml:"stop"`   // no new recordings from here on; 95 if not said
	Resume int `yaml:"resume"` // and again below this; 85 if not said
}

const defaultTolerance = 500 * time.Millisecond

func (c *Config) setDefaults() {
	orElse(&c.Zone, "Local")
	orElse(&c.Tolerance, defaultTolerance)
	c.Disk.setDefaults()
}

func (d *DiskLimits) setDefaults() {
	orElse(&d.Warn, 85)
	orElse(&d.Stop, 95)
	orElse(&d.Resume, min(85, d.Stop))
}

func orElse[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}

// Validate returns every fault of the configuration, joined; each reads
// "path: what is wrong".
func (c Config) Validate() error {
	var faults []error
	fault := func(path, format string, args ...any) {
		faults = append(faults, fmt.Errorf(path+": "+format, args...))
	}
	if c.Dir == "" {
		fault("dir", "is missing")
	}
	c.setDefaults()
	if _, err := time.LoadLocation(c.Zone); err != nil {
		fault("zone", "there is no time zone %q", c.Zone)
	}
	if c.Tolerance < 0 {
		fault("tolerance", "%s is negative", c.Tolerance)
	}
	if c.Retention.Days < 0 {
		fault("retention.days", "%d is negative", c.Retention.Days)
	}
	for _, p := range []struct {
		path  string
		value int
	}{{"disk.warn", c.Disk.Warn}, {"disk.stop", c.Disk.Stop}, {"disk.resume", c.Disk.Resume}} {
		if p.value < 1 || p.value > 100 {
			fault(p.path, "%d is not a percentage from 1 to 100", p.value)
		}
	}
	if c.Disk.Resume > c.Disk.Stop {
		fault("disk.resume", "%d is above disk.stop, which is %d", c.Disk.Resume, c.Disk.Stop)
	}
	c.Policy.validate(fault)
	return errors.Join(faults...)
}

func (p Policy) validate(fault func(path, format string, args ...any)) {
	for i, n := range p.Never {
		if !isPattern(n) {
			fault(fmt.Sprintf("never[%d]", i), "%q is not a number; digits, a leading +, * and ? for any digits", n)
		}
	}
	for i, r := range p.Rules {
		at := fmt.Sprintf("rules[%d]", i)
		switch r.Direction {
		case "", call.Inbound, call.Outbound, call.Internal:
		default:
			fault(at+".direction", "%q is not %s, %s or %s", r.Direction, call.Inbound, call.Outbound, call.Internal)
		}
		if r.Number != "" && !isPattern(r.Number) {
			fault(at+".number", "%q is not a number; digits, a leading +, * and ? for any digits", r.Number)
		}
		if r.Percent != nil && (*r.Percent < 1 || *r.Percent > 100) {
			fault(at+".percent", "%d is not a percentage from 1 to 100; skip: true records none", *r.Percent)
		}
		if r.Skip && r.Percent != nil {
			fault(at+".skip", "a rule that records nothing has no percent")
		}
	}
}
