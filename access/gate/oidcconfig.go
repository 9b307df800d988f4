package gate

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	"markaz/access"
)

// OIDCConfig is the provider of OpenID Connect by which people log in.
type OIDCConfig struct {
	Name     string   `yaml:"name"`   // as the log-in page shows it
	Issuer   string   `yaml:"issuer"` // its address; empty switches it off
	ClientID string   `yaml:"client_id"`
	Secret   string   `yaml:"client_secret"`
	Redirect string   `yaml:"redirect"` // address of /login/back as browsers reach it
	Scopes   []string `yaml:"scopes"`   // beside openid; profile, email if not said

	NameClaim string                 `yaml:"name_claim"` // one that people cannot change themselves; preferred_username if not said
	RoleClaim string                 `yaml:"role_claim"` // a word or a list of words; groups if not said
	Roles     map[string]access.Role `yaml:"roles"`      // of a word of that claim; of several the highest role counts
	TeamClaim string                 `yaml:"team_claim"` // a word or a list of names of teams
}

func (c *OIDCConfig) setDefaults() {
	orElse(&c.Name, "OpenID Connect")
	orElse(&c.NameClaim, "preferred_username")
	orElse(&c.RoleClaim, "groups")
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"profile", "email"}
	}
}

// Validate returns every fault, joined.
func (c OIDCConfig) Validate() error {
	if c.Issuer == "" {
		return nil
	}
	var errs []error
	for _, u := range []struct{ key, value string }{{"issuer", c.Issuer}, {"redirect", c.Redirect}} {
		if p, err := url.Parse(u.value); err != nil || p.Host == "" || p.Scheme != "https" && !(p.Scheme == "http" && loopback(p.Hostname())) {
			errs = append(errs, fmt.Errorf("oidc: %s: want an https address, have %q", u.key, u.value))
		}
	}
	if c.ClientID == "" {
		errs = append(errs, errors.New("oidc: client_id: is missing"))
	}
	if len(c.Roles) == 0 {
		errs = append(errs, errors.New("oidc: roles: is empty: nobody would have a role"))
	}
	for _, role := range c.Roles {
		if !slices.Contains(access.Roles(), role) {
			errs = append(errs, fmt.Errorf("oidc: roles: %q is not a role", role))
		}
	}
	return errors.Join(errs...)
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }
