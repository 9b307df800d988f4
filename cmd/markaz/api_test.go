package main

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"markaz/access"
	"markaz/apps/dashboard/api"
	"markaz/apps/history"
	"markaz/call"
)

// The search of old calls finds exactly those that the rule lets a user see:
// on calls of all kinds, some of whose callers show numbers of extensions.
func TestTheSearchFindsWhatOneSees(t *testing.T) {
	store, err := history.Open(t.Context(), history.Config{File: filepath.Join(t.TempDir(), "history.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...string) string { return list[rnd.IntN(len(list))] }
	extensions := []string{"100", "101", "102", "1010"}
	book := call.Book{}
	for i := range 60 {
		id := call.NewID(time.Unix(1_800_000_000+int64(i), 0), [10]byte{byte(i)})
		events := []call.Event{{
			Kind: call.CallStarted, Leg: "a", Role: call.RoleCaller, From: pick("0912", "101", "1010"), To: "5000",
			Direction: call.Direction(pick("inbound", "outbound", "internal")),
		}}
		if rnd.IntN(3) == 0 {
			events = append(events, call.Event{Kind: call.CallIdentified, Identity: pick("contact-7", "contact-8")})
		}
		if rnd.IntN(2) == 0 {
			events = append(events, call.Event{Kind: call.QueueJoined, Queue: pick("sales", "support"), Position: 1})
		}
		for leg := range rnd.IntN(3) {
			events = append(events, call.Event{
				Kind: call.LegRinging, Leg: fmt.Sprint("b", leg), Role: call.Role(pick("agent", "external", "supervisor", "caller")),
				Address: pick(extensions...), Agent: pick("", "sara", "omid"), Queue: pick("", "sales", "support"),
			})
		}
		for n, e := range events {
			e.V, e.ID, e.Call, e.Source, e.Seq = call.Schema, fmt.Sprint(id, n), id, "pbx", uint64(n+1)
			e.At = time.Unix(1_800_000_000+int64(i), 0).UTC()
			e.SeenAt = e.At
			if err := store.Take(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			book.Apply(e)
		}
	}
	for _, extent := range []string{"own", "team", "queue", "profile", "own, not:100", "all", "all, not:1010", "queue:support, not:101", "no"} {
		e, err := access.ParseExtent(extent)
		if err != nil {
			t.Fatal(err)
		}
		p := access.NewPolicy(access.Config{Teams: []access.Team{{Name: "sales", Queues: []string{"sales"}, Extensions: []string{"102"}}}},
			[]access.Person{{ID: "sara", Extension: "101", Queues: []string{"sales"}}}, nil, nil)
		u := p.Make(access.Account{Name: "sara", Role: access.Agent, Teams: []string{"sales"}, Profiles: []string{"contact-7"}, Rights: map[access.Right]access.Extent{access.See: e}})
		page, err := past{store}.Calls(t.Context(), api.Search{Visible: u.Covers(access.See), Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		var found, seen []string
		for _, c := range page.Calls {
			found = append(found, c.ID)
		}
		for id, c := range book {
			if u.Sees(c).OK {
				seen = append(seen, id)
			}
		}
		slices.Sort(found)
		slices.Sort(seen)
		if !slices.Equal(found, seen) || (len(found) == 0) != (extent == "no") {
			t.Errorf("%s: the search finds %d calls, the rule permits %d", extent, len(found), len(seen))
		}
	}
}
