package ari

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"
)

// Config says where Asterisk's REST interface is and how long to wait for it.
type Config struct {
	URL      string `yaml:"url"`      // up to and with /ari, such as http://127.0.0.1:8088/ari
	Username string `yaml:"username"` // a section of ari.conf
	Password string `yaml:"password"`
	App      string `yaml:"app"` // name of the Stasis application

	// Watch makes an application that only looks on: it is told what happens
	// to all channels and bridges of Asterisk, as Event.Raw; see watch.go.
	Watch bool `yaml:"-"`

	Timeout     time.Duration `yaml:"timeout"`      // of one command
	Connections int           `yaml:"connections"`  // at most; below sessionlimit of http.conf
	Heartbeat   time.Duration `yaml:"heartbeat"`    // between two end-to-end beats; a beat lost for twice that drops the connection
	EventBuffer int           `yaml:"event_buffer"` // events held while the reader is busy; more drops the connection
}

// DefaultConfig is a local Asterisk with everything but the password.
func DefaultConfig() Config {
	return Config{
		URL:         "http://127.0.0.1:8088/ari",
		Username:    "markaz",
		App:         "markaz",
		Timeout:     3 * time.Second,
		Connections: 16,
		Heartbeat:   2 * time.Second,
		EventBuffer: 16384,
	}
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var faults []error
	fault := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: "+format, append([]any{key}, args...)...))
	}
	if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		fault("url", "want http://host:port/ari, have %q", c.URL)
	}
	if c.Username == "" {
		fault("username", "is empty: name the section of ari.conf")
	}
	if c.Password == "" {
		fault("password", "is empty")
	}
	// The name stands in the dialplan as an argument of Stasis() and in our paths.
	if !regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`).MatchString(c.App) {
		fault("app", "want letters, digits, dot, dash and underscore, have %q", c.App)
	}
	if c.Timeout < 100*time.Millisecond {
		fault("timeout", "want at least 100ms, have %v", c.Timeout)
	}
	if c.Connections < 2 || c.Connections > 90 {
		fault("connections", "want 2 to 90, have %d", c.Connections)
	}
	if c.Heartbeat < 100*time.Millisecond {
		fault("heartbeat", "want at least 100ms, have %v", c.Heartbeat)
	}
	if c.EventBuffer < 64 {
		fault("event_buffer", "want at least 64, have %d", c.EventBuffer)
	}
	return errors.Join(faults...)
}
