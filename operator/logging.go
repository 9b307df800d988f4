package operator

import (
	"fmt"
	"io"
	"log/slog"
)

// LogConfig says how logs are written, to standard error.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text or json
}

// Validate refuses unknown words.
func (c LogConfig) Validate() error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.Level)); err != nil {
		return fmt.Errorf("level: want debug, info, warn or error, have %q", c.Level)
	}
	if c.Format != "text" && c.Format != "json" {
		return fmt.Errorf("format: want text or json, have %q", c.Format)
	}
	return nil
}

// Logger makes the logger of a valid configuration.
func (c LogConfig) Logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // validated
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
