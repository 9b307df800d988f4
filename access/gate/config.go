package gate

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"markaz/access"
)

// Config is how people and programs come in, as written in YAML.
type Config struct {
	Password access.HashCost `yaml:"password"`
	Session  SessionConfig   `yaml:"session"`
	Login    LoginConfig     `yaml:"login"`
	OIDC     OIDCConfig      `yaml:"oidc"`

	// TrustedProxies are the networks of reverse proxies whose word on the
	// client's address and on HTTPS is taken.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// AuditKey is the file of the key of the audit log; beside it if not said.
	AuditKey string `yaml:"audit_key"`
}

// SessionConfig is how long a log-in lasts.
type SessionConfig struct {
	Idle     time.Duration `yaml:"idle"`     // without any request, an open page counting as one; 1 h if not said
	Absolute time.Duration `yaml:"absolute"` // at most; 16 h if not said
	Secure   bool          `yaml:"secure"`   // cookies by HTTPS only, also where this server does not see the HTTPS itself
	Strict   bool          `yaml:"strict"`   // SameSite=Strict: links from elsewhere ask for a log-in
}

// LoginConfig is how many wrong passwords are taken before each further one
// must wait, twice as long each time, from 2 s to 15 min.
type LoginConfig struct {
	PerAccount int `yaml:"per_account"` // 5 if not said
	PerAddress int `yaml:"per_address"` // 20 if not said
}

func (c *Config) setDefaults() {
	orElse(&c.Session.Idle, time.Hour)
	orElse(&c.Session.Absolute, 16*time.Hour)
	orElse(&c.Login.PerAccount, 5)
	orElse(&c.Login.PerAddress, 20)
	c.OIDC.setDefaults()
}

func orElse[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}

// Validate returns every fault, joined.
func (c Config) Validate() error {
	var errs []error
	if err := c.Password.Validate(); err != nil {
		errs = append(errs, fmt.Errorf("password: %w", err))
	}
	if c.Session.Idle < 0 || c.Session.Absolute < 0 {
		errs = append(errs, errors.New("session: idle and absolute must be positive"))
	}
	if c.Login.PerAccount < 0 || c.Login.PerAddress < 0 {
		errs = append(errs, errors.New("login: per_account and per_address must be positive"))
	}
	if _, err := c.proxies(); err != nil {
		errs = append(errs, err)
	}
	if err := c.OIDC.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c Config) proxies() ([]netip.Prefix, error) {
	var out []netip.Prefix
	for i, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			a, err2 := netip.ParseAddr(text)
			if err2 != nil {
				return nil, fmt.Errorf("trusted_proxies[%d]: %q is no network such as 10.0.0.0/8", i, text)
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}
