package main

import (
	"fmt"
	"io"
	"log/slog"
)

// secret is text that does not show itself.
type secret string

// String hides the secret.
func (s secret) String() string {
	if s == "" {
		return ""
	}
	return "****"
}

// LogValue hides the secret.
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret.
func (s secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// logConfig says how logs are written, to standard error.
type logConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text or json
}

// Validate refuses unknown words.
func (c logConfig) Validate() error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.Level)); err != nil {
		return fmt.Errorf("level: want debug, info, warn or error, have %q", c.Level)
	}
	if c.Format != "text" && c.Format != "json" {
		return fmt.Errorf("format: want text or json, have %q", c.Format)
	}
	return nil
}

func (c logConfig) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // validated
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
