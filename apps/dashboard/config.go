package dashboard

import (
	"errors"
	"fmt"
	"time"

	"markaz/call"
)

// Config is how the pages look, as written in YAML.
type Config struct {
	Zone   string   `yaml:"zone"`   // of the site, such as Asia/Tehran: days begin at its midnight; that of the machine if not said
	Pauses []string `yaml:"pauses"` // reasons for a pause; break, lunch, meeting, training and work have names in every language
}

// maxPauses is how many reasons one can choose among.
const maxPauses = 30

// Validate fills the defaults in and refuses what cannot work.
func (c *Config) Validate() error {
	var errs []error
	if _, err := c.Location(); err != nil {
		errs = append(errs, fmt.Errorf("zone: there is no time zone %q", c.Zone))
	}
	if len(c.Pauses) == 0 {
		c.Pauses = []string{"break", "lunch", "meeting", "training", "work"}
	}
	if len(c.Pauses) > maxPauses {
		errs = append(errs, fmt.Errorf("pauses: %d are more than anybody reads; %d at most", len(c.Pauses), maxPauses))
	}
	for i, p := range c.Pauses {
		if p == "" || p != call.Clean(p, 80) {
			errs = append(errs, fmt.Errorf("pauses[%d]: want 1 to 80 printable characters, have %q", i, p))
		}
	}
	return errors.Join(errs...)
}

// Location is the zone of the site.
func (c *Config) Location() (*time.Location, error) {
	if c.Zone == "" {
		return time.Local, nil
	}
	return time.LoadLocation(c.Zone)
}
