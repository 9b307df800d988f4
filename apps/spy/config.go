package spy

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"markaz/call"
)

// Config are the application's settings.
type Config struct {
	Off           bool          `yaml:"off"`              // nobody may listen
	Modes         []string      `yaml:"modes"`            // that are in use here; default spy, whisper, barge, takeover
	RingTimeout   time.Duration `yaml:"ring_timeout"`     // of the supervisor's phone; default 20 s
	AutoAnswer    bool          `yaml:"auto_answer"`      // ask his phone to answer by itself
	Follow        bool          `yaml:"follow_transfers"` // go on listening when the agent has given the call to somebody else
	MaxDuration   time.Duration `yaml:"max_duration"`     // of one listening; default 1 h
	MaxPerCall    int           `yaml:"max_per_call"`     // supervisors on one call at a time; default 3
	RequireReason bool          `yaml:"require_reason"`   // who gives none is refused
	Beep          string        `yaml:"beep"`             // a sound that the agent hears when it begins; default none
	BeepEvery     time.Duration `yaml:"beep_every"`       // and again; default once
}

// Validate fills the defaults in and reports every fault.
func (c *Config) Validate() error {
	if len(c.Modes) == 0 {
		c.Modes = []string{call.Spy, call.Whisper, call.Barge, call.Takeover}
	}
	if c.RingTimeout == 0 {
		c.RingTimeout = 20 * time.Second
	}
	if c.MaxDuration == 0 {
		c.MaxDuration = time.Hour
	}
	if c.MaxPerCall == 0 {
		c.MaxPerCall = 3
	}
	var errs []error
	for _, m := range c.Modes {
		if !slices.Contains([]string{call.Spy, call.Whisper, call.Barge, call.Takeover}, m) {
			errs = append(errs, fmt.Errorf("modes: want spy, whisper, barge or takeover, have %q", m))
		}
	}
	if c.RingTimeout < time.Second || c.RingTimeout > 5*time.Minute {
		errs = append(errs, fmt.Errorf("ring_timeout: want 1s to 5m, have %v", c.RingTimeout))
	}
	if c.MaxDuration < time.Second {
		errs = append(errs, fmt.Errorf("max_duration: want at least 1s, have %v", c.MaxDuration))
	}
	if c.MaxPerCall < 1 || c.MaxPerCall > 10 {
		errs = append(errs, fmt.Errorf("max_per_call: want 1 to 10, have %d", c.MaxPerCall))
	}
	if c.BeepEvery != 0 && c.BeepEvery < 5*time.Second {
		errs = append(errs, fmt.Errorf("beep_every: want at least 5s, have %v", c.BeepEvery))
	}
	return errors.Join(errs...)
}
