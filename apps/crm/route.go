package crm

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"markaz/call"
)

// Route is one way from sources of calls to a sink. What is left empty lets
// all pass.
type Route struct {
	Sources    []string         `yaml:"sources"`    // keys of PBXs and line monitors
	Directions []call.Direction `yaml:"directions"` // inbound, outbound, internal
	Internal   *bool            `yaml:"internal"`   // false: no internal calls
	Extensions Numbers          `yaml:"extensions"` // of calls that reached or came from one of these
	Lines      Numbers          `yaml:"lines"`      // trunks or dialled-in numbers
	Only       string           `yaml:"only"`       // "live": no backfill; "finished": only calls that have ended
	Recordings *bool            `yaml:"recordings"` // false: the sink is told of none
}

// The values of Route.Only.
const (
	OnlyLive     = "live"
	OnlyFinished = "finished"
)

// Numbers are extensions or lines: all, or those on a list, whose entries may
// be patterns such as 1??, 20* or 1[0-4]?. Auto are all, and the CRM is taught
// those that it does not know.
type Numbers struct {
	Auto bool
	List []string
}

// UnmarshalYAML takes the words all and auto, or a list.
func (n *Numbers) UnmarshalYAML(decode func(any) error) error {
	var word string
	if decode(&word) == nil {
		switch word {
		case "all", "":
			*n = Numbers{}
		case "auto":
			*n = Numbers{Auto: true}
		default:
			*n = Numbers{List: []string{word}}
		}
		return nil
	}
	return decode(&n.List)
}

func (n Numbers) empty() bool { return !n.Auto && len(n.List) == 0 }

// match reports whether one of the values is wanted.
func (n Numbers) match(values ...string) bool {
	return len(n.List) == 0 || slices.ContainsFunc(values, func(v string) bool {
		return v != "" && slices.ContainsFunc(n.List, func(p string) bool {
			ok, err := path.Match(p, v)
			return ok && err == nil
		})
	})
}

func (n Numbers) faults(key string) []error {
	var out []error
	for i, p := range n.List {
		_, err := path.Match(p, "")
		switch {
		case p == "all" || p == "auto":
			out = append(out, fmt.Errorf("%s[%d]: write %s: %s, or a list of numbers", key, i, key, p))
		case err != nil || p == "":
			out = append(out, fmt.Errorf("%s[%d]: want a number, or a pattern such as 1?? or 20*, have %q", key, i, p))
		case slices.Contains(n.List[:i], p):
			out = append(out, fmt.Errorf("%s[%d]: %q is on the list twice", key, i, p))
		}
	}
	return out
}

func (r Route) empty() bool {
	return len(r.Sources)+len(r.Directions) == 0 && r.Internal == nil && r.Extensions.empty() && r.Lines.empty() &&
		r.Only == "" && r.Recordings == nil
}

func (r Route) recordings() bool { return r.Recordings == nil || *r.Recordings }

func (r Route) match(e call.Event, record call.Call) bool {
	switch r.Only {
	case OnlyLive:
		if !e.Live {
			return false
		}
	case OnlyFinished:
		if e.Kind != call.CallEnded && e.Kind != call.CallAmended && e.Kind != call.CallMerged {
			return false
		}
	}
	if !anyOf(r.Sources, e.Source) {
		return false
	}
	if e.Call == "" {
		return true
	}
	return r.direction(record.Direction) && r.Lines.match(record.Line.Trunk, record.Line.DID) && r.Extensions.match(extensions(record)...)
}

func (r Route) direction(d call.Direction) bool {
	return anyOf(r.Directions, d) && (d != call.Internal || r.Internal == nil || *r.Internal)
}

// extensions are of everybody in the office whom the call came from or rang.
func extensions(c call.Call) []string {
	var out []string
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Role.Person() || l.Role == call.RoleCaller {
			out = append(out, l.Address)
		}
	}
	return out
}

// anyOf reports whether the value is among the allowed ones, or all are.
func anyOf[T comparable](allowed []T, v T) bool {
	return len(allowed) == 0 || slices.Contains(allowed, v)
}

func (r Route) faults() []error {
	var out []error
	key := regexp.MustCompile(`^[A-Za-z0-9]{1,32}$`)
	for i, s := range r.Sources {
		if !key.MatchString(s) {
			out = append(out, fmt.Errorf("sources[%d]: the key of a source has Latin letters and digits only, have %q", i, s))
		}
	}
	for i, d := range r.Directions {
		if d != call.Inbound && d != call.Outbound && d != call.Internal {
			out = append(out, fmt.Errorf("directions[%d]: want inbound, outbound or internal, have %q", i, d))
		}
	}
	if r.Internal != nil && len(r.Directions) > 0 && *r.Internal != slices.Contains(r.Directions, call.Internal) {
		out = append(out, fmt.Errorf("internal: %v contradicts directions: %s; leave one of them out", *r.Internal, words(r.Directions)))
	}
	if r.Only != "" && r.Only != OnlyLive && r.Only != OnlyFinished {
		out = append(out, fmt.Errorf("only: want live or finished, have %q", r.Only))
	}
	out = append(out, r.Extensions.faults("extensions")...)
	return append(out, r.Lines.faults("lines")...)
}

func words[T ~string](list []T) string {
	text := make([]string, len(list))
	for i, v := range list {
		text[i] = string(v)
	}
	return "[" + strings.Join(text, ", ") + "]"
}

// errNoLearning is why a CRM cannot be taught numbers.
var errNoLearning = errors.New("extensions: auto (for lines too) is for PayamGostar alone, the others are not taught numbers; use all, or a list")
