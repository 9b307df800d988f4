package asterisk

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"markaz/asterisk/ari"
	"markaz/asterisk/fastagi"
	"markaz/asterisk/observe"
)

// Config says how one Asterisk server is attached.
type Config struct {
	Source  string         `yaml:"source"` // key of this PBX in every event: Latin letters and digits
	ARI     ari.Config     `yaml:"ari"`
	Observe observe.Config `yaml:"observe"` // calls that somebody else's dialplan handles
	AGI     fastagi.Config `yaml:"agi"`     // its drain is not used: [Switch.Drain] is how calls are waited for

	// Where a phone of ours and an outside number are reached. {address},
	// {number} and {trunk} are replaced.
	ExtensionEndpoint string `yaml:"extension_endpoint"`
	TrunkEndpoint     string `yaml:"trunk_endpoint"`

	// Lease is how long a caller may stay with a silent Markaz before the
	// dialplan takes the call back.
	Lease time.Duration `yaml:"lease"`

	// Sounds is Asterisk's folder of sounds, if it can be read from here: then
	// it is known how long a prompt lasts before it is first played.
	Sounds string `yaml:"sounds"`

	// Phones is how often it is asked which extensions can be reached; 0: never.
	Phones time.Duration `yaml:"phones"`

	// Mailbox is how many actions of one leg may wait to be done; one more is
	// refused with an event.
	Mailbox int `yaml:"mailbox"`
}

// DefaultConfig is a local Asterisk with PJSIP phones, and no password.
func DefaultConfig() Config {
	return Config{
		Source:            "asterisk",
		ARI:               ari.DefaultConfig(),
		AGI:               fastagi.DefaultConfig(),
		Observe:           observe.DefaultConfig(),
		ExtensionEndpoint: "PJSIP/{address}",
		TrunkEndpoint:     "PJSIP/{number}@{trunk}",
		Lease:             10 * time.Second,
		Sounds:            "/var/lib/asterisk/sounds",
		Phones:            10 * time.Second,
		Mailbox:           64,
	}
}

// Validate reports every fault at once, each under its key.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`).MatchString(c.Source) {
		fault("source: want Latin letters and digits, have %q", c.Source)
	}
	if err := c.ARI.Validate(); err != nil {
		fault("ari: %w", err)
	}
	if err := c.Observe.Validate(); err != nil {
		fault("observe: %w", err)
	}
	if c.Observe.Enabled && c.Observe.App == c.ARI.App {
		fault("observe: app: want another name than that of ari.app, have %q", c.Observe.App)
	}
	if err := c.AGI.Validate(); err != nil {
		fault("agi: %w", err)
	}
	if !strings.Contains(c.ExtensionEndpoint, "{address}") {
		fault("extension_endpoint: want {address} in it, have %q", c.ExtensionEndpoint)
	}
	if !strings.Contains(c.TrunkEndpoint, "{number}") || !strings.Contains(c.TrunkEndpoint, "{trunk}") {
		fault("trunk_endpoint: want {number} and {trunk} in it, have %q", c.TrunkEndpoint)
	}
	if c.Lease < 3*time.Second || c.Lease%time.Second != 0 {
		fault("lease: want whole seconds, at least 3s, have %v", c.Lease)
	}
	if c.Phones < 0 || c.Phones > 0 && c.Phones < 100*time.Millisecond {
		fault("phones: want at least 100ms, or 0, have %v", c.Phones)
	}
	if c.Mailbox < 8 {
		fault("mailbox: want at least 8, have %d", c.Mailbox)
	}
	return errors.Join(faults...)
}
