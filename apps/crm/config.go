package crm

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"markaz/lang"
)

// Config are the sinks: a list, each with a name, what it gets, and one
// section that chooses its kind.
type Config []SinkConfig

// SinkConfig are the settings of one sink.
type SinkConfig struct {
	Name     string   `yaml:"name"`     // its consumer group is crm-<name>
	Schedule Schedule `yaml:"schedule"` // default: that of Standard Webhooks
	Rate     float64  `yaml:"rate"`     // deliveries per second at most; 0: as many as it takes
	Keep     int      `yaml:"keep"`     // call records held in memory; default 5000
	Language string   `yaml:"language"` // of what is written into the CRM; default English
	LookUp   *bool    `yaml:"look_up"`  // false: callers are not looked up in this CRM
	Filter   `yaml:",inline"`

	Webhook     *Webhook     `yaml:"webhook"`
	Bitrix24    *Bitrix24    `yaml:"bitrix24"`
	PayamGostar *PayamGostar `yaml:"payamgostar"`
	OpenCRM     *OpenCRM     `yaml:"opencrm"`
	Odoo        *Odoo        `yaml:"odoo"`
}

// section is a part of a SinkConfig that chooses a kind of CRM.
type section struct {
	kind string
	set  bool
	settings
}

func (c *SinkConfig) sections() []section {
	return []section{
		{"webhook", c.Webhook != nil, c.Webhook},
		{"bitrix24", c.Bitrix24 != nil, c.Bitrix24},
		{"payamgostar", c.PayamGostar != nil, c.PayamGostar},
		{"opencrm", c.OpenCRM != nil, c.OpenCRM},
		{"odoo", c.Odoo != nil, c.Odoo},
	}
}

// chosen returns the sections that are there.
func (c *SinkConfig) chosen() []section {
	return slices.DeleteFunc(c.sections(), func(s section) bool { return !s.set })
}

// Kind is the key of the section that chooses the kind of CRM; "" if there is
// none.
func (c *SinkConfig) Kind() string {
	for _, s := range c.chosen() {
		return s.kind
	}
	return ""
}

// NeedsLinks reports that recordings must have an address of their own.
func (c *SinkConfig) NeedsLinks() bool {
	return c.Bitrix24 != nil && c.Bitrix24.Recording == "link" || c.Webhook != nil && c.Webhook.Links > 0 ||
		c.Odoo != nil && c.Odoo.Recording == "link"
}

// Validate reports every fault at once, each beginning with the path to it,
// such as [0].webhook.url.
func (c Config) Validate() error {
	var out []error
	names := map[string]bool{}
	for i := range c {
		for _, err := range c[i].faults() {
			out = append(out, fmt.Errorf("[%d].%w", i, err))
		}
		if names[c[i].Name] {
			out = append(out, fmt.Errorf("[%d].name: another sink is called %q", i, c[i].Name))
		}
		names[c[i].Name] = true
	}
	return errors.Join(out...)
}

func (c *SinkConfig) faults() []error {
	var out []error
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`).MatchString(c.Name) {
		out = append(out, fmt.Errorf("name: want small letters, digits and dashes, have %q", c.Name))
	}
	if c.Schedule != nil {
		out = append(out, c.Schedule.faults()...)
	}
	if c.Rate < 0 || c.Rate > 0 && c.Rate < 0.01 {
		out = append(out, fmt.Errorf("rate: want 0 or at least 0.01 per second, have %v", c.Rate))
	}
	out = append(out, languageFaults(c.Language)...)
	if c.Keep < 0 {
		out = append(out, fmt.Errorf("keep: is negative"))
	}
	out = append(out, c.Filter.faults()...)
	if extensions, lines := c.auto(); (extensions || lines) && c.PayamGostar == nil {
		out = append(out, errNoLearning)
	}
	chosen := c.chosen()
	if len(chosen) != 1 {
		var kinds []string
		for _, s := range c.sections() {
			kinds = append(kinds, s.kind)
		}
		out = append(out, fmt.Errorf("kind: want exactly one of the sections %s", strings.Join(kinds, ", ")))
	}
	for _, s := range chosen {
		for _, err := range s.faults() {
			out = append(out, fmt.Errorf("%s.%w", s.kind, err))
		}
	}
	return out
}

// languageFaults says what is wrong with the name of a language; "" is English.
func languageFaults(name string) []error {
	if name == "" {
		return nil
	}
	words := lang.New()
	if _, ok := words.Match(name); ok {
		return nil
	}
	return []error{fmt.Errorf("language: want one of %s, have %q", strings.Join(words.Languages(), ", "), name)}
}
