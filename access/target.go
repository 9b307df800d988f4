package access

import (
	"encoding/json"
	"slices"

	"markaz/call"
)

// Target is what a right would be used on.
type Target struct {
	Extensions []string
	Agents     []string
	Queues     []string
	Profile    string   // id of the other party in the CRM
	Present    []string // extensions that are there too: they can forbid, but not permit
}

// OfCall is everybody who took part in a call or was rung for it.
func OfCall(c *call.Call) Target { return ofCall(c, func(*call.Leg) bool { return true }) }

// OfTalk is those alone who talked in a call: a phone that only rang gives its
// owner no claim to what others said.
func OfTalk(c *call.Call) Target {
	return ofCall(c, func(l *call.Leg) bool {
		return l.TalkMS > 0 || l.Talking != nil || l.Result == call.Answered || l.Result == call.Transferred
	})
}

// OfLeg is the one party of a call. The others are present.
func OfLeg(c *call.Call, leg string) Target {
	t := Target{Queues: queuesOf(c)}
	for i := range c.Legs {
		l := &c.Legs[i]
		if !ours(c, l) {
			continue
		}
		if l.ID == leg {
			t.add(l)
		} else {
			t.Present = append(t.Present, l.Address)
		}
	}
	return t
}

// OfAgent is a person with his phone and his queues.
func OfAgent(p Person) Target {
	t := Target{Agents: []string{p.ID}, Queues: p.Queues}
	if p.Extension != "" {
		t.Extensions = []string{p.Extension}
	}
	return t
}

// OfExtension is a phone.
func OfExtension(number string) Target { return Target{Extensions: []string{number}} }

// OfQueue is a queue.
func OfQueue(name string) Target { return Target{Queues: []string{name}} }

func ofCall(c *call.Call, wanted func(*call.Leg) bool) Target {
	t := Target{Profile: c.Identity, Queues: queuesOf(c)}
	for i := range c.Legs {
		l := &c.Legs[i]
		switch {
		case !ours(c, l):
		case wanted(l):
			t.add(l)
		default:
			t.Present = append(t.Present, l.Address)
		}
	}
	return t
}

func (t *Target) add(l *call.Leg) {
	if l.Address != "" {
		t.Extensions = append(t.Extensions, l.Address)
	}
	if l.Agent != "" {
		t.Agents = append(t.Agents, l.Agent)
	}
	if l.Queue != "" {
		t.Queues = append(t.Queues, l.Queue)
	}
}

// ours reports whether a leg is a phone of the house. The number of an outside
// party says nothing: whoever calls may show the number of an extension.
func ours(c *call.Call, l *call.Leg) bool {
	switch l.Role {
	case call.RoleExternal:
		return l.Agent != "" // an agent at a phone outside
	case call.RoleCaller:
		return c.Direction == call.Outbound || c.Direction == call.Internal
	}
	return true
}

func queuesOf(c *call.Call) []string {
	var out []string
	for _, q := range c.Queues {
		out = append(out, q.Queue)
	}
	return out
}

// basis is why something is covered.
type basis struct {
	kind string // own, team, queue, extension
	team string
}

type named map[string]basis

// add keeps the first basis of each name: the nearest to the user.
func (n named) add(b basis, names ...string) {
	for _, name := range names {
		if _, ok := n[name]; !ok && name != "" {
			n[name] = b
		}
	}
}

// reach is an extent with everything named.
type reach struct {
	all        bool
	extensions named
	agents     named
	queues     named
	profiles   map[string]bool
	not        map[string]bool
}

func (r *reach) covers(right Right, t Target) Verdict {
	if r.all {
		return permit("access.yes.all", "right", right)
	}
	for _, ext := range t.Extensions {
		if b, ok := r.extensions[ext]; ok {
			return permit("access.yes."+b.kind, "right", right, "extension", ext, "team", b.team)
		}
	}
	for _, agent := range t.Agents {
		if b, ok := r.agents[agent]; ok {
			return permit("access.yes."+b.kind, "right", right, "extension", agent, "team", b.team)
		}
	}
	for _, q := range t.Queues {
		if b, ok := r.queues[q]; ok && b.kind == "team" {
			return permit("access.yes.team_queue", "right", right, "queue", q, "team", b.team)
		} else if ok {
			return permit("access.yes.queue", "right", right, "queue", q)
		}
	}
	if t.Profile != "" && r.profiles[t.Profile] {
		return permit("access.yes.profile", "right", right, "profile", t.Profile)
	}
	return refuse("access.no.elsewhere", "right", right)
}

// Condition is what a right covers, as a condition on data: all of it, or what
// touches any of the lists; never what touches Not. The zero condition is true
// of nothing. The lists are sorted.
type Condition struct {
	All        bool     `json:"all,omitempty"`
	Extensions []string `json:"extensions,omitempty"`
	Agents     []string `json:"agents,omitempty"`
	Queues     []string `json:"queues,omitempty"`
	Profiles   []string `json:"profiles,omitempty"`
	Not        []string `json:"not,omitempty"` // extensions
}

// Nothing reports whether the condition is true of nothing.
func (c Condition) Nothing() bool {
	return !c.All && len(c.Extensions)+len(c.Agents)+len(c.Queues)+len(c.Profiles) == 0
}

// Key is the same for conditions that are true of the same data, so that what
// is made for one user can be given to another.
func (c Condition) Key() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // lists of strings always encode
	}
	return string(text)
}

// True reports whether the condition is true of a target.
func (c Condition) True(t Target) bool {
	touches := func(list, of []string) bool {
		return slices.ContainsFunc(of, func(s string) bool { _, ok := slices.BinarySearch(list, s); return ok })
	}
	if touches(c.Not, t.Extensions) || touches(c.Not, t.Present) {
		return false
	}
	return c.All || touches(c.Extensions, t.Extensions) || touches(c.Agents, t.Agents) ||
		touches(c.Queues, t.Queues) || t.Profile != "" && touches(c.Profiles, []string{t.Profile})
}
