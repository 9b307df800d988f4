package history

import (
	"errors"
	"fmt"
)

// Config is where the history is and how long it is kept.
type Config struct {
	File string `yaml:"file"` // the SQLite file; its folder must be there
	Days int    `yaml:"days"` // calls are forgotten this many days after their start; 730 if not said, -1: never
	// InTime is the wait in seconds within which an answer is in time, for
	// the service level of reports that do not say it; 20 if not said.
	InTime int `yaml:"in_time"`
}

// Validate fills the defaults in and refuses what cannot work.
func (c *Config) Validate() error {
	if c.Days == 0 {
		c.Days = 730
	}
	if c.InTime == 0 {
		c.InTime = 20
	}
	var errs []error
	if c.Days < -1 || c.Days > 36500 {
		errs = append(errs, fmt.Errorf("days: want 1 to 36500, or -1 for never, have %d", c.Days))
	}
	if c.InTime < 0 || c.InTime > 3600 {
		errs = append(errs, fmt.Errorf("in_time: want 1 to 3600 seconds, have %d", c.InTime))
	}
	return errors.Join(errs...)
}
