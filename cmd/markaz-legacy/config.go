package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"markaz/legacy"
	"markaz/stream"
)

// config is the whole configuration file.
type config struct {
	Dir    string        `yaml:"dir"`    // journal, state and spool
	Listen string        `yaml:"listen"` // metrics, health, raw lines; "" for none
	Token  string        `yaml:"token"`  // asked for on Listen, if set
	Log    logConfig     `yaml:"log"`
	Stream stream.Config `yaml:"stream"`
	Legacy legacy.Config `yaml:",inline"`
}

type logConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

func (c logConfig) logger(con console) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // validated
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(con.err, opts))
	}
	return slog.New(slog.NewTextHandler(con.err, opts))
}

func (c logConfig) validate() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return fmt.Errorf("log.level: %q is not debug, info, warn or error", c.Level)
	}
	if c.Format != "text" && c.Format != "json" {
		return fmt.Errorf("log.format: %q is neither text nor json", c.Format)
	}
	return nil
}

// load reads a configuration strictly; every fault is reported with its line.
func load(path string) (*config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, exit(exitConfig, "read configuration: %w", err)
	}
	c := config{
		Dir: "/var/lib/markaz-legacy", Listen: "127.0.0.1:9171", Log: logConfig{Level: "info", Format: "text"},
	}
	if err := yaml.UnmarshalWithOptions(text, &c, yaml.Strict()); err != nil {
		return nil, exit(exitConfig, "%s: %s", path, yaml.FormatError(err, false, true))
	}
	c.setDefaults()
	if err := c.validate(); err != nil {
		return nil, exit(exitConfig, "%s", located(path, text, err))
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
	faults := []error{c.Log.validate(), c.Legacy.Validate()}
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

// located puts file and line before every fault, where its path is written.
func located(path string, text []byte, err error) string {
	file, parseErr := parser.ParseBytes(text, 0)
	place := regexp.MustCompile(`^(sources\[\d+\]) \S*: `)
	var out []string
	for _, line := range strings.Split(err.Error(), "\n") {
		where := path
		key, _, _ := strings.Cut(place.ReplaceAllString(line, "$1."), ": ")
		for parts := strings.ReplaceAll(key, ": ", "."); parseErr == nil && parts != ""; {
			if p, err := yaml.PathString("$." + parts); err == nil {
				if node, err := p.FilterFile(file); err == nil && node != nil {
					where = fmt.Sprintf("%s:%d", path, node.GetToken().Position.Line)
					break
				}
			}
			cut := strings.LastIndexByte(parts, '.')
			parts = parts[:max(cut, 0)]
		}
		out = append(out, where+": "+line)
	}
	return strings.Join(out, "\n")
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
