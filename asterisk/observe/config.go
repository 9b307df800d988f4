package observe

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"time"

	"markaz/dialplan"
)

// Config says what is observed and how the office names things. Patterns are
// regular expressions (RE2).
type Config struct {
	Enabled bool   `yaml:"enabled"`
	App     string `yaml:"app"` // name of the ARI application; another than that of the calls that Markaz handles

	// Extension finds the extension in the name of a phone, such as 101 in
	// PJSIP/101 and SIP/101-softphone: its first group, else the whole match. A
	// channel whose name it does not fit is a trunk.
	Extension string `yaml:"extension"`
	// Trunks are names of trunks, such as ^SIP/carrier, that look like phones.
	Trunks []string `yaml:"trunks"`
	// Internal are numbers whose calls from a phone stay in the house;
	// anything else that a phone dials goes out.
	Internal string `yaml:"internal"`
	// Groups are extensions that are no person: ring groups, DISA. They are
	// held against the number alone, and against number@context.
	Groups []string `yaml:"groups"`
	// Menus are contexts of menus.
	Menus []string `yaml:"menus"`
	// Ignore are contexts whose new calls are not told of.
	Ignore []string `yaml:"ignore"`

	// CDR is Asterisk's Master.csv, if it can be read from here: from it come
	// the calls that nobody watched.
	CDR string `yaml:"cdr"`
	// CDRZone is the time zone of its times: "" for that of this machine, UTC
	// if cdr.conf has usegmtime=yes.
	CDRZone string `yaml:"cdr_zone"`
	// Recordings is the folder in which the dialplan records calls, if it can
	// be read from here.
	Recordings string `yaml:"recordings"`

	// Agents are the people at the extensions.
	Agents map[string]string `yaml:"-"`
	// Source is the key of the PBX in every event.
	Source string `yaml:"-"`
}

// DefaultConfig watches nothing until it is enabled, and fits FreePBX.
func DefaultConfig() Config {
	return Config{
		App:       "markaz-observe",
		Extension: `^(?:PJSIP|SIP|IAX2|SCCP|DAHDI)/(\d{2,6})(?:-\w+)?$`,
		Internal:  `^([*#].*|\d{1,6})$`,
		Groups:    []string{`^.*@ext-group$`},
		Menus:     []string{`^ivr-\d+$`},
		Ignore:    []string{"^" + dialplan.ContextInbound, "^" + dialplan.ContextCheck + "$"}, // whose callers Markaz handles
	}
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	if !regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`).MatchString(c.App) {
		faults = append(faults, fmt.Errorf("app: want letters, digits, dot, dash and underscore, have %q", c.App))
	}
	if _, err := c.compile(); err != nil {
		faults = append(faults, err)
	}
	for key, path := range map[string]string{"cdr": c.CDR, "recordings": c.Recordings} {
		if path != "" && !filepath.IsAbs(path) {
			faults = append(faults, fmt.Errorf("%s: want an absolute path, have %q", key, path))
		}
	}
	if _, err := c.zone(); err != nil {
		faults = append(faults, fmt.Errorf("cdr_zone: %w", err))
	}
	return errors.Join(faults...)
}

// zone is the time zone of the call detail records.
func (c Config) zone() (*time.Location, error) {
	if c.CDRZone == "" {
		return time.Local, nil
	}
	return time.LoadLocation(c.CDRZone)
}

// patterns are the compiled patterns of a Config.
type patterns struct {
	extension, internal           *regexp.Regexp
	trunks, groups, menus, ignore []*regexp.Regexp
}

func (c Config) compile() (p patterns, err error) {
	var faults []error
	one := func(key, text string) *regexp.Regexp {
		r, err := regexp.Compile(text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
		}
		return r
	}
	several := func(key string, texts []string) (list []*regexp.Regexp) {
		for i, text := range texts {
			list = append(list, one(fmt.Sprintf("%s: %d", key, i), text))
		}
		return list
	}
	p.extension, p.internal = one("extension", c.Extension), one("internal", c.Internal)
	p.trunks, p.groups = several("trunks", c.Trunks), several("groups", c.Groups)
	p.menus, p.ignore = several("menus", c.Menus), several("ignore", c.Ignore)
	return p, errors.Join(faults...)
}

func matches(list []*regexp.Regexp, text string) bool {
	for _, r := range list {
		if r.MatchString(text) {
			return true
		}
	}
	return false
}
