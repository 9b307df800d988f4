package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"markaz/legacy"
	"markaz/operator"
	"markaz/stream"
)

// config is the whole configuration file.
type config struct {
	Dir       string             `yaml:"dir"`        // journal, state and spool
	Listen    string             `yaml:"listen"`     // metrics, health, raw lines; "" for none
	Token     operator.Secret    `yaml:"token"`      // asked for on Listen, if set
	TokenFile string             `yaml:"token_file"` // holds it, instead
	Log       operator.LogConfig `yaml:"log"`
	Stream    stream.Config      `yaml:"stream"`
	Legacy    legacy.Config      `yaml:",inline"`
}

// load reads a configuration strictly; every fault is reported with its line.
func load(path string) (*config, error) {
	text, err := operator.ReadFile(path)
	if err != nil {
		return nil, exit(exitConfig, "%w", err)
	}
	c := config{
		Dir: "/var/lib/markaz-legacy", Listen: "127.0.0.1:9171", Log: operator.LogConfig{Level: "info", Format: "text"},
	}
	tree, err := operator.Decode(path, text, &c)
	if err != nil {
		return nil, err
	}
	if err := operator.Override(os.Environ(), &c); err != nil {
		return nil, exit(exitConfig, "%w", err)
	}
	c.setDefaults()
	if err := errors.Join(c.reveal(), c.validate()); err != nil {
		return nil, operator.FaultsOf(path, tree, err)
	}
	return &c, nil
}

func (c *config) setDefaults() {
	under := func(field *string, name string) {
		if *field == "" {
			*field = filepath.Join(c.Dir, name)
		}
	}
	under(&c.Legacy.Journal.Dir, "journal")
	under(&c.Legacy.State, "state.db")
	under(&c.Stream.Spool.Dir, "spool")
	c.Legacy.SetDefaults()
}

func (c *config) validate() error {
	faults := []error{c.Legacy.Validate()}
	if err := c.Log.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("log: %w", err))
	}
	if err := c.Stream.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("stream: %w", err))
	}
	if c.Listen != "" {
		host, _, err := net.SplitHostPort(c.Listen)
		addr, notIP := netip.ParseAddr(host)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("listen: want host:port, have %q", c.Listen))
		case c.Token == "" && host != "localhost" && (notIP != nil || !addr.IsLoopback()):
			faults = append(faults, errors.New("token: wanted, for others can reach the address of listen"))
		}
	}
	return errors.Join(faults...)
}

// reveal reads what is kept in files of its own.
func (c *config) reveal() error {
	if c.TokenFile == "" {
		return nil
	}
	if c.Token != "" {
		return errors.New("token_file: give token or token_file, not both")
	}
	text, err := os.ReadFile(c.TokenFile)
	if err != nil {
		return fmt.Errorf("token_file: %w", err)
	}
	if c.Token = operator.Secret(strings.TrimSpace(string(text))); c.Token == "" {
		return fmt.Errorf("token_file: %s is empty", c.TokenFile)
	}
	return nil
}

// source finds a source by its key.
func (c *config) source(key string) (legacy.Source, error) {
	var keys []string
	for _, s := range c.Legacy.Sources {
		if s.Key == key {
			return s, nil
		}
		keys = append(keys, s.Key)
	}
	return legacy.Source{}, exit(exitConfig, "there is no source %q; there are %s", key, strings.Join(keys, ", "))
}

type checkCmd struct{}

// Run checks the configuration.
func (checkCmd) Run(c *cli, con console) error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	for _, s := range cfg.Legacy.Sources {
		fmt.Fprintf(con.out, "%s: %s%s by %s\n", s.Key, s.Model, s.Profile, s.Link.Type)
	}
	return nil
}
