package access

import (
	"fmt"
	"slices"
	"strings"
)

// Extent says on what a right may be used. The zero extent covers nothing.
//
// As text it is a list such as "team, queue:support, not:100", or yes, no, all.
// Yes stands for own, team and queue together.
type Extent struct {
	All        bool     // everything
	Own        bool     // the user's own extensions
	Team       bool     // the members, extensions and queues of his teams
	Queue      bool     // his queues
	Profile    bool     // other parties for whose profile in the CRM he is responsible
	Extensions []string // these
	Queues     []string // these
	Teams      []string // these
	Not        []string // extensions that are excepted, whatever else covers them
}

// maxParts bounds a list that somebody writes.
const maxParts = 200

// ParseExtent reads the text form.
func ParseExtent(text string) (Extent, error) {
	var e Extent
	parts := strings.Split(text, ",")
	if len(parts) > maxParts {
		return e, fmt.Errorf("has %d parts, at most %d make sense", len(parts), maxParts)
	}
	for _, part := range parts {
		if err := e.add(strings.TrimSpace(part)); err != nil {
			return Extent{}, err
		}
	}
	return e, nil
}

func (e *Extent) add(part string) error {
	kind, name, named := strings.Cut(part, ":")
	if name = strings.TrimSpace(name); named && name == "" {
		return fmt.Errorf("%q: the name after the colon is missing", part)
	}
	if named {
		return e.addName(kind, name)
	}
	switch kind {
	case "no", "none", "false":
	case "yes", "true":
		e.Own, e.Team, e.Queue = true, true, true
	case "all":
		e.All = true
	case "own":
		e.Own = true
	case "team":
		e.Team = true
	case "queue":
		e.Queue = true
	case "profile":
		e.Profile = true
	default:
		return fmt.Errorf("%q is none of yes, no, all, own, team, queue, profile, team:NAME, queue:NAME, extension:NUMBER, not:NUMBER", part)
	}
	return nil
}

func (e *Extent) addName(kind, name string) error {
	switch kind {
	case "extension":
		e.Extensions = append(e.Extensions, name)
	case "queue":
		e.Queues = append(e.Queues, name)
	case "team":
		e.Teams = append(e.Teams, name)
	case "not":
		e.Not = append(e.Not, name)
	default:
		return fmt.Errorf("%q is none of team, queue, extension, not", kind)
	}
	return nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *Extent) UnmarshalText(text []byte) (err error) {
	*e, err = ParseExtent(string(text))
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (e Extent) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

func (e Extent) String() string {
	var parts []string
	for _, p := range []struct {
		on   bool
		word string
	}{{e.All, "all"}, {e.Own, "own"}, {e.Team, "team"}, {e.Queue, "queue"}, {e.Profile, "profile"}} {
		if p.on {
			parts = append(parts, p.word)
		}
	}
	for _, l := range []struct {
		word  string
		names []string
	}{{"team:", e.Teams}, {"queue:", e.Queues}, {"extension:", e.Extensions}, {"not:", e.Not}} {
		for _, name := range l.names {
			parts = append(parts, l.word+name)
		}
	}
	if len(parts) == 0 {
		return "no"
	}
	return strings.Join(parts, ", ")
}

// None reports whether the extent covers nothing.
func (e Extent) None() bool {
	return !e.All && !e.Own && !e.Team && !e.Queue && !e.Profile && len(e.Extensions)+len(e.Queues)+len(e.Teams) == 0
}

// join covers what either covers, and excepts what either excepts.
func (e Extent) join(f Extent) Extent {
	return Extent{
		All: e.All || f.All, Own: e.Own || f.Own, Team: e.Team || f.Team, Queue: e.Queue || f.Queue, Profile: e.Profile || f.Profile,
		Extensions: slices.Concat(e.Extensions, f.Extensions), Queues: slices.Concat(e.Queues, f.Queues),
		Teams: slices.Concat(e.Teams, f.Teams), Not: slices.Concat(e.Not, f.Not),
	}
}
