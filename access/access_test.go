package access

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/call"
	"markaz/lang"
)

// house is two teams, a boss and somebody who looks after all.
func house(t *testing.T) *Policy {
	t.Helper()
	cfg := Config{
		Teams: []Team{
			{Name: "sales", Queues: []string{"sales"}, Extensions: []string{"130"}},
			{Name: "support", Queues: []string{"support"}, Rights: map[Right]Extent{Download: {}}},
		},
		Users: []Account{
			{Name: "sara", Role: Agent, Teams: []string{"sales"}},
			{Name: "omid", Role: Agent, Teams: []string{"support"}, Extensions: []string{"1010"}, Profiles: []string{"contact-7"}, Rights: map[Right]Extent{See: must("own, profile")}},
			{Name: "leila", Role: Supervisor, Teams: []string{"sales"}, Extensions: []string{"110"}},
			{Name: "nima", Role: Supervisor, Teams: []string{"sales", "support"}, Extensions: []string{"111"}, Rights: map[Right]Extent{Listen: must("team, not:101"), Play: must("queue:support")}},
			{Name: "root", Role: Administrator},
			{Name: "gone", Role: Administrator, Disabled: true},
		},
		Protected: []string{"100"},
	}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	people := []Person{{ID: "sara", Name: "Sara", Extension: "101", Queues: []string{"sales"}}, {ID: "reza", Name: "Reza", Extension: "102"}}
	return NewPolicy(cfg, people, nil, nil)
}

func must(text string) Extent {
	e, err := ParseExtent(text)
	if err != nil {
		panic(err)
	}
	return e
}

func user(t *testing.T, p *Policy, name string) *User {
	t.Helper()
	u, ok := p.User(name)
	if !ok {
		t.Fatalf("no user %s", name)
	}
	return u
}

// talk is a call from outside that 101 answered while 102 rang too.
func talk() *call.Call {
	now := time.Now()
	return &call.Call{
		ID: "c1", Direction: call.Inbound, From: "+982112345678", Reached: "101", Agent: "sara",
		Queues: []call.QueueStay{{Queue: "sales"}},
		Legs: []call.Leg{
			{ID: "a", Role: call.RoleCaller, Address: "+982112345678", Answered: &now},
			{ID: "b", Role: call.RoleAgent, Address: "101", Agent: "sara", Queue: "sales", Talking: &now},
			{ID: "c", Role: call.RoleAgent, Address: "102", Agent: "reza", Queue: "sales", Result: call.AnsweredElsewhere},
		},
	}
}

func TestWhoSeesACall(t *testing.T) {
	p := house(t)
	for _, c := range []struct {
		user string
		ok   bool
		why  string
	}{
		{"sara", true, "access.yes.own"},
		{"omid", false, "access.no.elsewhere"},
		{"leila", true, "access.yes.team"},
		{"nima", true, "access.yes.team"},
		{"root", true, "access.yes.all"},
	} {
		if v := user(t, p, c.user).Sees(talk()); v.OK != c.ok || v.Why != c.why {
			t.Errorf("%s: %+v, want %v because %s", c.user, v, c.ok, c.why)
		}
	}
	if _, ok := p.User("gone"); ok {
		t.Error("a disabled user is let in")
	}
}

func TestNumberIsNeverAPrefix(t *testing.T) {
	p := house(t)
	c := &call.Call{Direction: call.Inbound, Legs: []call.Leg{{ID: "x", Role: call.RoleAgent, Address: "1010"}}}
	if user(t, p, "sara").Sees(c).OK {
		t.Error("101 sees a call of 1010")
	}
	if !user(t, p, "omid").Sees(c).OK {
		t.Error("1010 does not see his call")
	}
}

// Whoever calls may show any number as his own.
func TestShownNumberGivesNothing(t *testing.T) {
	p := house(t)
	c := &call.Call{Direction: call.Inbound, From: "101", Legs: []call.Leg{
		{ID: "x", Role: call.RoleCaller, Address: "101"}, {ID: "y", Role: call.RoleAgent, Address: "1010"},
	}}
	if user(t, p, "sara").Sees(c).OK {
		t.Error("a caller who shows 101 shows his call to 101")
	}
	c = &call.Call{Direction: call.Inbound, From: "100", Legs: []call.Leg{{ID: "x", Role: call.RoleCaller, Address: "100"}, {ID: "y", Role: call.RoleAgent, Address: "101"}}}
	if v := user(t, p, "root").Can(Listen, OfLeg(c, "y")); !v.OK {
		t.Errorf("a caller who shows a protected number cannot be heard: %+v", v)
	}
	c = &call.Call{Direction: call.Outbound, From: "1010", Reached: "101", Legs: []call.Leg{
		{ID: "x", Role: call.RoleCaller, Address: "1010"}, {ID: "y", Role: call.RoleExternal, Address: "101"},
	}}
	if user(t, p, "sara").Sees(c).OK {
		t.Error("an outside number 101 shows the call to extension 101")
	}
	if !user(t, p, "omid").Sees(c).OK {
		t.Error("who dials does not see his call")
	}
}

func TestOnlyWhoTalkedMayHear(t *testing.T) {
	p := NewPolicy(Config{Users: []Account{{Name: "reza", Role: Agent}, {Name: "sara", Role: Agent}}},
		[]Person{{ID: "reza", Extension: "102"}, {ID: "sara", Extension: "101"}}, nil, nil)
	c := talk()
	reza, sara := user(t, p, "reza"), user(t, p, "sara")
	if !reza.Sees(c).OK || reza.Can(Play, OfTalk(c)).OK {
		t.Error("a phone that only rang must see the call and not hear it")
	}
	if !sara.Can(Play, OfTalk(c)).OK || sara.Can(Download, OfTalk(c)).OK {
		t.Error("who talked may hear the recording, not take it away")
	}
}

func TestListening(t *testing.T) {
	p := house(t)
	c := talk()
	check := func(name string, r Right, target Target, ok bool, why string) {
		t.Helper()
		if v := user(t, p, name).Can(r, target); v.OK != ok || v.Why != why {
			t.Errorf("%s %s: %+v, want %v because %s", name, r, v, ok, why)
		}
	}
	check("sara", Listen, OfLeg(c, "b"), false, "access.no.right")
	check("leila", Listen, OfLeg(c, "b"), true, "access.yes.team")
	check("nima", Listen, OfLeg(c, "b"), false, "access.no.excepted")
	check("nima", Whisper, OfLeg(c, "b"), true, "access.yes.team")
	check("nima", Play, OfTalk(c), false, "access.no.elsewhere")
	check("root", Listen, OfLeg(c, "b"), true, "access.yes.all")
	c.Legs = append(c.Legs, call.Leg{ID: "d", Role: call.RoleAgent, Address: "100"})
	check("leila", Listen, OfLeg(c, "b"), false, "access.no.protected")
	check("root", Listen, OfLeg(c, "b"), false, "access.no.protected")
	check("root", Play, OfTalk(c), false, "access.no.protected")
	check("root", See, OfCall(c), true, "access.yes.all")
}

func TestProfiles(t *testing.T) {
	cfg := Config{Users: []Account{{Name: "omid", Role: Agent, Profiles: []string{"7"}, Rights: map[Right]Extent{See: must("profile")}}}}
	p := NewPolicy(cfg, nil, nil, func(name string) []string { return []string{name + "-8"} })
	u := user(t, p, "omid")
	for id, want := range map[string]bool{"7": true, "omid-8": true, "9": false, "": false} {
		if v := u.Sees(&call.Call{Identity: id}); v.OK != want {
			t.Errorf("profile %q: %+v", id, v)
		}
	}
}

func TestTeamsOverride(t *testing.T) {
	cfg := Config{
		Roles: map[Role]map[Right]Extent{Agent: {Download: must("own")}},
		Teams: []Team{
			{Name: "a", Rights: map[Right]Extent{Listen: must("extension:1"), Play: must("own")}},
			{Name: "b", Rights: map[Right]Extent{Listen: must("extension:2"), Play: {}}},
		},
		Users: []Account{{Name: "x", Role: Agent, Teams: []string{"a", "b"}, Rights: map[Right]Extent{Dial: {}}}},
	}
	u := user(t, NewPolicy(cfg, nil, nil, nil), "x")
	if got := u.Covers(Listen).Extensions; !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("listen covers %v", got)
	}
	if u.Has(Play) || u.Has(Dial) || !u.Has(Download) || !u.Has(See) {
		t.Errorf("rights are %v", u.Rights())
	}
}

func TestDefaultsOfRoles(t *testing.T) {
	for role, want := range map[Role]string{
		Kiosk:         "board",
		Agent:         "board dial hangup hold pause play record reports see transfer",
		Supervisor:    "barge board dial hangup hold listen pause play record reports see takeover transfer whisper",
		Administrator: "audit barge board dial download hangup hold listen pause play record reports see settings takeover tokens transfer whisper",
	} {
		var have []string
		for r := range NewPolicy(Config{}, nil, nil, nil).Make(Account{Name: "x", Role: role}).Rights() {
			have = append(have, string(r))
		}
		slices.Sort(have)
		if got := strings.Join(have, " "); got != want {
			t.Errorf("%s has %s, want %s", role, got, want)
		}
	}
}

func TestLimit(t *testing.T) {
	u := user(t, house(t), "leila").Limit([]Right{See, Audit})
	if !u.Has(See) || u.Has(Listen) || u.Has(Audit) {
		t.Errorf("a limited user has %v", u.Rights())
	}
}

// What a search finds and what a look at the single call permits is the same.
func TestConditionIsTheSameRule(t *testing.T) {
	p := house(t)
	numbers := []string{"100", "101", "102", "1010", "110", "130", "999"}
	rapid.Check(t, func(t *rapid.T) {
		u, _ := p.User(rapid.SampledFrom([]string{"sara", "omid", "leila", "nima", "root"}).Draw(t, "user"))
		r := rapid.SampledFrom([]Right{See, Board, Listen, Play, Download, Hangup, Pause}).Draw(t, "right")
		target := Target{
			Extensions: rapid.SliceOfN(rapid.SampledFrom(numbers), 0, 3).Draw(t, "extensions"),
			Present:    rapid.SliceOfN(rapid.SampledFrom(numbers), 0, 2).Draw(t, "present"),
			Agents:     rapid.SliceOfN(rapid.SampledFrom([]string{"sara", "reza"}), 0, 2).Draw(t, "agents"),
			Queues:     rapid.SliceOfN(rapid.SampledFrom([]string{"sales", "support"}), 0, 2).Draw(t, "queues"),
			Profile:    rapid.SampledFrom([]string{"", "contact-7", "contact-8"}).Draw(t, "profile"),
		}
		if can, covers := u.Can(r, target), u.Covers(r).True(target); can.OK != covers {
			t.Fatalf("%s %s on %+v: Can says %+v, Covers says %v", u.Name, r, target, can, covers)
		}
	})
}

func TestConditionKeys(t *testing.T) {
	p := house(t)
	if user(t, p, "sara").Covers(See).Key() == user(t, p, "leila").Covers(See).Key() {
		t.Error("different users share a key")
	}
	if !user(t, p, "sara").Covers(Audit).Nothing() || user(t, p, "root").Covers(See).Nothing() {
		t.Error("Nothing is wrong")
	}
}

func TestExtentText(t *testing.T) {
	for _, text := range []string{"no", "all", "own", "own, team, queue", "team:x, queue:a b, extension:101, not:100", "profile"} {
		if got := must(text).String(); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if must("yes").String() != "own, team, queue" {
		t.Error("yes is", must("yes"))
	}
	for _, text := range []string{"", "everything", "team:", "room:7", strings.Repeat("own,", 300)} {
		if _, err := ParseExtent(text); err == nil {
			t.Errorf("%.20q is taken", text)
		}
	}
}

func TestValidate(t *testing.T) {
	cfg := Config{
		Teams: []Team{{Name: "a"}, {Name: "a"}},
		Roles: map[Role]map[Right]Extent{"king": {}, Agent: {"fly": {}}},
		Users: []Account{
			{Name: "x", Role: "king"},
			{Name: "x", Role: Agent, Teams: []string{"b"}, Password: "secret", Extensions: []string{"1 1"}},
			{Name: "a b", Role: Agent, Rights: map[Right]Extent{"fly": {}}},
		},
	}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("nothing wrong found")
	}
	for _, want := range []string{
		"teams[1].name: ", "roles: \"king\"", "roles.agent.rights: \"fly\"", "users[0]: role: ", "users[1].name: ",
		"users[1].teams: ", "users[1]: password: ", "users[1]: extensions: ", "users[2]: name: ", "users[2]: rights: ",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in:\n%v", want, err)
		}
	}
}

// Every answer can be said in every language.
func TestVerdictsHaveWords(t *testing.T) {
	c := lang.New()
	for _, key := range []string{"yes.all", "yes.own", "yes.team", "yes.extension", "yes.queue", "yes.team_queue", "yes.profile", "no.right", "no.elsewhere", "no.excepted", "no.protected"} {
		if !c.Has("access." + key) {
			t.Errorf("no words for %s", key)
		}
	}
	for _, r := range Rights() {
		if !c.Has("access.right." + string(r)) {
			t.Errorf("no words for right %s", r)
		}
	}
	for _, r := range Roles() {
		if !c.Has("access.role." + string(r)) {
			t.Errorf("no words for role %s", r)
		}
	}
	p := house(t)
	v := user(t, p, "leila").Sees(talk())
	if got, want := v.In(c.In("en")), "You have the right “see calls” for team sales, to which 101 belongs."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, l := range c.Languages() {
		if s := v.In(c.In(l)); strings.Contains(s, "{") || strings.Contains(s, "access.") {
			t.Errorf("%s: %s", l, s)
		}
	}
}

func TestPasswords(t *testing.T) {
	cost := HashCost{MemoryKiB: 64, Passes: 1}
	hash, err := cost.Hash("correct horse")
	if err != nil || !Matches(hash, "correct horse") || Matches(hash, "correct hors") || Matches(hash, "") {
		t.Fatalf("%s %v", hash, err)
	}
	if again, _ := cost.Hash("correct horse"); again == hash {
		t.Error("no salt")
	}
	if _, err := cost.Hash(strings.Repeat("x", MaxPassword+1)); err == nil {
		t.Error("an endless password is hashed")
	}
	for _, bad := range []string{"", "x", "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=99999999,t=1,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=64,t=1,p=0$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		if Matches(bad, "x") || checkHash(bad) == nil {
			t.Errorf("%q is taken for a hash", bad)
		}
	}
}
