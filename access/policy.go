package access

import (
	"maps"
	"slices"
)

// Policy is the users, teams and rights at one moment. It never changes, so
// that any number of goroutines may use it.
type Policy struct {
	cfg       Config
	people    map[string]Person
	teams     map[string]*group
	accounts  map[string]Account
	protected map[string]bool
	profiles  func(user string) []string
}

// group is a team with all that belongs to it.
type group struct {
	rights     map[Right]Extent
	extensions []string
	agents     []string
	queues     []string
}

// NewPolicy joins the configuration with the agents, with accounts from
// elsewhere, of which those of the configuration come first, and with what the
// CRM knows of who is responsible for whom; profiles may be nil.
func NewPolicy(cfg Config, people []Person, more []Account, profiles func(user string) []string) *Policy {
	p := &Policy{
		cfg: cfg, people: map[string]Person{}, teams: map[string]*group{}, accounts: map[string]Account{},
		protected: set(cfg.Protected), profiles: profiles,
	}
	for _, person := range people {
		p.people[person.ID] = person
	}
	for _, t := range cfg.Teams {
		p.teams[t.Name] = &group{rights: t.Rights, extensions: slices.Clone(t.Extensions), queues: slices.Clone(t.Queues)}
	}
	for _, a := range slices.Concat(cfg.Users, more) {
		if _, twice := p.accounts[a.Name]; twice {
			continue
		}
		a = p.complete(a)
		p.accounts[a.Name] = a
		for _, t := range a.Teams {
			if g := p.teams[t]; g != nil && !a.Disabled {
				g.extensions = append(g.extensions, a.Extensions...)
				if a.Agent != "" {
					g.agents = append(g.agents, a.Agent)
				}
			}
		}
	}
	return p
}

// complete takes from the list of agents what an account leaves out.
func (p *Policy) complete(a Account) Account {
	if a.Agent == "" {
		if _, ok := p.people[a.Name]; ok {
			a.Agent = a.Name
		}
	}
	person, ok := p.people[a.Agent]
	if ok && len(a.Extensions) == 0 && person.Extension != "" {
		a.Extensions = []string{person.Extension}
	}
	if a.Display == "" {
		a.Display = person.Name
	}
	if a.Display == "" {
		a.Display = a.Name
	}
	return a
}

// Users lists the names of all users, sorted.
func (p *Policy) Users() []string { return slices.Sorted(maps.Keys(p.accounts)) }

// Account returns what is written down of a user.
func (p *Policy) Account(name string) (Account, bool) {
	a, ok := p.accounts[name]
	return a, ok
}

// User returns the user of that name with his rights; false if there is none
// or he is disabled.
func (p *Policy) User(name string) (*User, bool) {
	a, ok := p.accounts[name]
	if !ok || a.Disabled {
		return nil, false
	}
	return p.Make(a), true
}

// Make gives an account its rights without it being in the policy, as for a
// program's token.
func (p *Policy) Make(a Account) *User {
	a = p.complete(a)
	u := &User{
		Name: a.Name, Display: a.Display, Role: a.Role, Agent: a.Agent, Extensions: a.Extensions, Teams: a.Teams,
		Lang: a.Lang, protected: p.protected, reach: map[Right]*reach{}, rights: p.rights(a),
	}
	u.Queues = unique(a.Queues, p.people[a.Agent].Queues)
	profiles := a.Profiles
	if p.profiles != nil {
		profiles = unique(profiles, p.profiles(a.Name))
	}
	for right, e := range u.rights {
		if !e.None() {
			u.reach[right] = p.reach(u, e, profiles)
		}
	}
	return u
}

// rights are the defaults of the role, then what the configuration says of the
// role, of the teams, of the user, the last word being the strongest.
// Of several teams one that says no is the stronger.
func (p *Policy) rights(a Account) map[Right]Extent {
	out := defaults(a.Role)
	if out == nil {
		out = map[Right]Extent{}
	}
	maps.Copy(out, p.cfg.Roles[a.Role])
	byTeams := map[Right]Extent{}
	for _, name := range a.Teams {
		g := p.teams[name]
		if g == nil {
			continue
		}
		for right, e := range g.rights {
			before, told := byTeams[right]
			switch {
			case !told:
				byTeams[right] = e
			case before.None() || e.None():
				byTeams[right] = Extent{}
			default:
				byTeams[right] = before.join(e)
			}
		}
	}
	maps.Copy(out, byTeams)
	maps.Copy(out, a.Rights)
	return out
}

// reach names all that an extent covers for a user.
func (p *Policy) reach(u *User, e Extent, profiles []string) *reach {
	r := &reach{all: e.All, extensions: named{}, agents: named{}, queues: named{}, profiles: map[string]bool{}, not: set(e.Not)}
	if e.Own {
		r.extensions.add(basis{kind: "own"}, u.Extensions...)
		if u.Agent != "" {
			r.agents.add(basis{kind: "own"}, u.Agent)
		}
	}
	r.extensions.add(basis{kind: "extension"}, e.Extensions...)
	r.queues.add(basis{kind: "queue"}, e.Queues...)
	teams := slices.Clone(e.Teams)
	if e.Team {
		teams = append(teams, u.Teams...)
	}
	for _, name := range teams {
		if g := p.teams[name]; g != nil {
			b := basis{kind: "team", team: name}
			r.extensions.add(b, g.extensions...)
			r.agents.add(b, g.agents...)
			r.queues.add(b, g.queues...)
		}
	}
	if e.Queue {
		r.queues.add(basis{kind: "queue"}, u.Queues...)
	}
	if e.Profile {
		r.profiles = set(profiles)
	}
	return r
}

func set(list []string) map[string]bool {
	m := map[string]bool{}
	for _, s := range list {
		m[s] = true
	}
	return m
}

// unique joins lists, each word once, sorted.
func unique(lists ...[]string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(lists...))))
}
