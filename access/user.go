package access

import (
	"maps"
	"slices"

	"markaz/call"
)

// User is somebody, or a program, with all rights worked out as they were at
// one moment. It never changes: who keeps it for long asks for it anew.
type User struct {
	Name       string   `json:"name"`
	Display    string   `json:"display"`
	Role       Role     `json:"role"`
	Agent      string   `json:"agent,omitempty"` // id in the list of agents
	Extensions []string `json:"extensions"`      // the first is rung for what he asks for
	Teams      []string `json:"teams"`
	Queues     []string `json:"queues"`
	Lang       string   `json:"lang,omitempty"`
	Token      string   `json:"token,omitempty"` // id of the token by which he came; "" for a session

	rights    map[Right]Extent
	reach     map[Right]*reach
	protected map[string]bool
}

// Extension is the phone that rings for what the user asks for; "" if he has
// none.
func (u *User) Extension() string {
	if len(u.Extensions) == 0 {
		return ""
	}
	return u.Extensions[0]
}

// Rights tells the extent of each right that the user has.
func (u *User) Rights() map[Right]Extent {
	out := map[Right]Extent{}
	for right := range u.reach {
		out[right] = u.rights[right]
	}
	return out
}

// Has reports whether the user has a right at all, on whatever.
func (u *User) Has(r Right) bool { return u.reach[r] != nil }

// Limit returns the user with these rights alone, of those that he has.
func (u *User) Limit(only []Right) *User {
	v := *u
	v.reach = map[Right]*reach{}
	for _, r := range only {
		if x := u.reach[r]; x != nil {
			v.reach[r] = x
		}
	}
	return &v
}

// Can says whether the user may use a right on a target. A right without
// extent, such as Audit, asks for no target.
func (u *User) Can(r Right, t Target) Verdict {
	reach := u.reach[r]
	if reach == nil {
		return refuse("access.no.right", "right", r)
	}
	if r.Plain() {
		return permit("access.yes.all", "right", r)
	}
	for _, ext := range slices.Concat(t.Extensions, t.Present) {
		if r.eavesdrops() && u.protected[ext] {
			return refuse("access.no.protected", "right", r, "extension", ext)
		}
		if reach.not[ext] {
			return refuse("access.no.excepted", "right", r, "extension", ext)
		}
	}
	return reach.covers(r, t)
}

// Sees says whether the user sees a call, live or finished, in whatever form.
func (u *User) Sees(c *call.Call) Verdict { return u.Can(See, OfCall(c)) }

// Covers is what a right covers, as a condition on data: the same rule as Can,
// for searches.
func (u *User) Covers(r Right) Condition {
	reach := u.reach[r]
	if reach == nil {
		return Condition{}
	}
	c := Condition{
		All: reach.all, Extensions: keys(reach.extensions), Agents: keys(reach.agents),
		Queues: keys(reach.queues), Profiles: keys(reach.profiles),
	}
	not := maps.Clone(reach.not)
	if r.eavesdrops() {
		maps.Copy(not, u.protected)
	}
	c.Not = keys(not)
	return c
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
