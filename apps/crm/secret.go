package crm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Secret is a password or key, or better the place where it is kept: env:NAME,
// file:PATH, or credential:NAME for one that systemd hands over. Whatever
// prints, logs or marshals it gets asterisks.
type Secret struct{ text string }

// NewSecret makes a secret from its text in the settings.
func NewSecret(text string) Secret { return Secret{text} }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Secret) UnmarshalText(b []byte) error { s.text = string(b); return nil }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String hides the secret.
func (s Secret) String() string {
	if s.text == "" {
		return ""
	}
	return "****"
}

// Format hides the secret from every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// Set reports whether there is a secret.
func (s Secret) Set() bool { return s.text != "" }

// Reveal reads the secret from where it is kept. Its errors name the place and
// never the secret.
func (s Secret) Reveal() (string, error) {
	kind, place, ok := strings.Cut(s.text, ":")
	if !ok {
		return s.text, nil
	}
	switch kind {
	case "env":
		v, ok := os.LookupEnv(place)
		if !ok || v == "" {
			return "", fmt.Errorf("environment variable %s is not set", place)
		}
		return v, nil
	case "file":
		return readSecret(place)
	case "credential":
		dir := os.Getenv("CREDENTIALS_DIRECTORY")
		if dir == "" {
			return "", fmt.Errorf("credential %s: systemd has handed no credentials over", place)
		}
		return readSecret(filepath.Join(dir, filepath.Base(place)))
	}
	return s.text, nil
}

func readSecret(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return "", fmt.Errorf("secret file %s is empty", path)
	}
	return v, nil
}
