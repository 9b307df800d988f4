package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Config is the users, teams and rights as written in YAML.
type Config struct {
	Users     []Account                 `yaml:"users"`
	Teams     []Team                    `yaml:"teams"`
	Roles     map[Role]map[Right]Extent `yaml:"roles"`     // overrides of a role's defaults
	Protected []string                  `yaml:"protected"` // extensions whose calls nobody may listen to, live or recorded
}

// Account is one person as written down. What is empty is taken from the agent
// of the same name, where there is one.
type Account struct {
	Name       string           `yaml:"name" json:"name"` // to log in with
	Display    string           `yaml:"display" json:"display,omitempty"`
	Role       Role             `yaml:"role" json:"role"`
	Password   string           `yaml:"password" json:"-"`                      // Argon2id, see markaz user hash; none: no log-in by password
	Agent      string           `yaml:"agent" json:"agent,omitempty"`           // id in the list of agents; the name if there is such an agent
	Extensions []string         `yaml:"extensions" json:"extensions,omitempty"` // the first is rung for what he asks for
	Teams      []string         `yaml:"teams" json:"teams,omitempty"`
	Queues     []string         `yaml:"queues" json:"queues,omitempty"`     // beside those in which he is an agent
	Profiles   []string         `yaml:"profiles" json:"profiles,omitempty"` // ids of the CRM for which he is responsible
	Lang       string           `yaml:"lang" json:"lang,omitempty"`
	Rights     map[Right]Extent `yaml:"rights" json:"rights,omitempty"` // overrides
	Disabled   bool             `yaml:"disabled" json:"disabled,omitempty"`
}

// Team is people who belong together. Users name their teams; extensions and
// queues may be added that belong to no user.
type Team struct {
	Name       string           `yaml:"name"`
	Extensions []string         `yaml:"extensions"`
	Queues     []string         `yaml:"queues"`
	Rights     map[Right]Extent `yaml:"rights"` // overrides for its members
}

// Person is an agent as the rest of the house knows him.
type Person struct {
	ID, Name, Extension string
	Queues              []string
}

// Validate returns every fault, joined; each reads "path: what is wrong".
func (c Config) Validate() error {
	var errs []error
	fault := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf(path+": "+format, args...))
	}
	teams := map[string]bool{}
	for i, t := range c.Teams {
		at := fmt.Sprintf("teams[%d]", i)
		switch {
		case t.Name == "":
			fault(at+".name", "is missing")
		case teams[t.Name]:
			fault(at+".name", "there is a team %q already", t.Name)
		}
		teams[t.Name] = true
		checkRights(t.Rights, at, fault)
	}
	for role, rights := range c.Roles {
		if !slices.Contains(Roles(), role) {
			fault("roles", "%q is none of %s", role, words(Roles()))
		}
		checkRights(rights, "roles."+string(role), fault)
	}
	names := map[string]bool{}
	for i, a := range c.Users {
		at := fmt.Sprintf("users[%d]", i)
		if names[a.Name] {
			fault(at+".name", "there is a user %q already", a.Name)
		}
		names[a.Name] = true
		for _, err := range a.check() {
			fault(at, "%w", err)
		}
		for _, t := range a.Teams {
			if !teams[t] {
				fault(at+".teams", "there is no team %q", t)
			}
		}
	}
	return errors.Join(errs...)
}

// HasTeam reports whether there is such a team.
func (c Config) HasTeam(name string) bool {
	return slices.ContainsFunc(c.Teams, func(t Team) bool { return t.Name == name })
}

// Check returns every fault of one account but those of its teams, joined.
func (a Account) Check() error { return errors.Join(a.check()...) }

func (a Account) check() []error {
	var errs []error
	fault := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf(path+": "+format, args...))
	}
	if err := checkName(a.Name); err != nil {
		fault("name", "%w", err)
	}
	if !slices.Contains(Roles(), a.Role) {
		fault("role", "%q is none of %s", a.Role, words(Roles()))
	}
	if a.Password != "" {
		if err := checkHash(a.Password); err != nil {
			fault("password", "%w", err)
		}
	}
	for _, n := range a.Extensions {
		if n == "" || len(n) > 20 || strings.ContainsFunc(n, func(r rune) bool { return !unicode.IsDigit(r) && !unicode.IsLetter(r) }) {
			fault("extensions", "%q is not an extension", n)
		}
	}
	checkRights(a.Rights, "", fault)
	return errs
}

// checkName refuses names that could be taken for another or break a line.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is missing")
	case len(name) > 100:
		return errors.New("is longer than 100 bytes")
	case strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || !unicode.IsPrint(r) || r == ':'
	}):
		return fmt.Errorf("%q holds a space, a colon or an unprintable character", name)
	}
	return nil
}

func checkRights(rights map[Right]Extent, at string, fault func(path, format string, args ...any)) {
	for r := range rights {
		if !r.Known() {
			fault(strings.TrimPrefix(at+".rights", "."), "%q is none of %s", r, words(Rights()))
		}
	}
}

func words[T ~string](list []T) string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return strings.Join(out, ", ")
}
