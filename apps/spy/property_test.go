package spy

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/apps"
	"markaz/call"
)

// judge is a PBX of the test that knows who is who.
type judge struct {
	t       *rapid.T
	loop    *apps.Loop
	log     []call.Event
	rung    map[string]bool   // supervisors' legs that live
	hears   map[string]string // by supervisor: the snoop that is his
	unsaid  map[string]string // by request that is not recorded yet: who asked
	pending []call.Event      // what the PBX will tell
}

func (j *judge) Append(e call.Event) error {
	j.log = append(j.log, e)
	return nil
}

// Do checks each action: whom nobody may hear, nobody hears.
func (j *judge) Do(a call.Action) {
	switch a := a.(type) {
	case call.Ring:
		j.rung[a.Leg] = true
	case call.Snoop:
		if !j.rung[a.Supervisor] {
			j.t.Fatalf("listens by %s, which nobody rang", a.Supervisor)
		}
		if ref := strings.TrimSuffix(a.Supervisor, "-s"); j.unsaid[ref] != "" {
			j.t.Fatalf("%s listens before that is recorded", ref)
		}
		l := j.loop.Call(a.Call).Leg(a.Leg)
		if l == nil || l.Ended != nil || l.Role == call.RoleSupervisor {
			j.t.Fatalf("listens to %+v", l)
		}
		if a.Mode != call.Spy && l.Role != call.RoleAgent {
			j.t.Fatalf("%s to %+v", a.Mode, l)
		}
		j.hears[a.Supervisor] = a.ID
		j.pending = append(j.pending, call.Event{Kind: call.SnoopUp, Call: a.Call, Ref: a.ID, Leg: a.Leg, Mode: a.Mode})
	case call.Hangup:
		delete(j.rung, a.Leg)
	}
}

// Whatever is asked for and happens, in whatever order: only people of the
// office are ever spoken to, no supervisor is left when the call is over, and
// every listening that began has ended.
func TestNobodyIsLeftAndNobodyElseHears(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j := &judge{t: t, rung: map[string]bool{}, hears: map[string]string{}, unsaid: map[string]string{}}
		cfg := Config{Follow: rapid.Bool().Draw(t, "follow")}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		now, n := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), 0
		var err error
		j.loop, err = apps.NewLoop(apps.Config{}, apps.Deps{
			Log: j, Switch: j, Machines: []apps.Machine{New(cfg, func(string) bool { return false })},
			Now: func() time.Time { return now }, Logger: slog.New(slog.DiscardHandler), Source: "pbx",
			NewID: func() string { n++; return strconv.Itoa(n) },
		})
		if err != nil {
			t.Fatal(err)
		}
		take := func(e call.Event) {
			now = now.Add(time.Second)
			e.Source, e.SeenAt = "pbx", now
			j.loop.Take(e)
		}
		take(call.Event{Kind: call.CallStarted, Call: "c", Leg: "in", Direction: call.Inbound, Caps: []call.Cap{call.CapSpy}})
		living := map[string]call.Role{"in": call.RoleCaller}
		for i := range rapid.IntRange(5, 60).Draw(t, "steps") {
			j.step(i, living, take)
		}
		for _, id := range slices.Sorted(maps.Keys(living)) {
			role := living[id]
			take(legEvent(call.LegEnded, id, role))
		}
		if c := j.loop.Call("c"); !c.Over() || len(j.rung) > 0 {
			t.Fatalf("over: %v, left: %v", c.Over(), j.rung)
		}
		j.balanced()
	})
}

// balanced makes sure that each listening that began has ended.
func (j *judge) balanced() {
	open := map[string]int{}
	for _, e := range j.log {
		switch e.Kind {
		case call.MonitorStarted:
			open[e.Ref]++
		case call.MonitorEnded:
			open[e.Ref]--
		}
	}
	for id, n := range open {
		if n != 0 {
			j.t.Fatalf("monitor %s: %d beginnings without an end", id, n)
		}
	}
}

func legEvent(kind call.Kind, id string, role call.Role) call.Event {
	return call.Event{Kind: kind, Call: "c", Leg: id, Role: role, Ref: "c"}
}

// step lets something happen.
func (j *judge) step(i int, living map[string]call.Role, take func(call.Event)) {
	switch what := rapid.IntRange(0, 9).Draw(j.t, "what"); what {
	case 0, 1:
		id := fmt.Sprintf("l%d", i)
		role := rapid.SampledFrom([]call.Role{call.RoleAgent, call.RoleExternal}).Draw(j.t, "role")
		living[id] = role
		take(legEvent(call.LegRinging, id, role))
		take(legEvent(call.LegAnswered, id, role))
		take(call.Event{Kind: call.CallAnswered, Call: "c", Leg: id})
		take(legEvent(call.LegJoined, id, role))
	case 2:
		for _, id := range slices.Sorted(maps.Keys(living)) {
			role := living[id]
			if id != "in" {
				delete(living, id)
				take(legEvent(call.LegEnded, id, role))
				break
			}
		}
	case 3:
		for _, id := range slices.Sorted(maps.Keys(j.rung)) {
			take(legEvent(call.LegAnswered, id, call.RoleSupervisor))
		}
	case 4:
		for _, id := range slices.Sorted(maps.Keys(j.rung)) {
			delete(j.rung, id)
			take(legEvent(call.LegEnded, id, call.RoleSupervisor))
			break
		}
	case 5:
		for _, id := range slices.Sorted(maps.Keys(j.rung)) {
			e := legEvent(call.LegDigit, id, call.RoleSupervisor)
			e.Digits = rapid.SampledFrom([]string{"4", "5", "6", "1"}).Draw(j.t, "key")
			take(e)
		}
	case 6:
		for _, e := range j.pending {
			if rapid.IntRange(0, 4).Draw(j.t, "fails") == 0 {
				e.Kind, e.Reason = call.SnoopDown, rapid.SampledFrom([]string{"ended", "broken"}).Draw(j.t, "why")
			}
			take(e)
		}
		j.pending = nil
	case 7:
		for _, ref := range slices.Sorted(maps.Keys(j.unsaid)) {
			e := call.Event{Kind: call.MonitorAsked, Ref: ref, Call: "c", Agent: j.unsaid[ref]}
			e.State = rapid.SampledFrom([]string{call.MonitorRecorded, call.MonitorUnrecorded}).Draw(j.t, "recorded")
			delete(j.unsaid, ref)
			take(e)
		}
	default:
		j.ask(i, take)
	}
}

// ask lets one of two supervisors want something.
func (j *judge) ask(i int, take func(call.Event)) {
	who := rapid.SampledFrom([]string{"boss", "chief"}).Draw(j.t, "who")
	ref, state := fmt.Sprintf("r%d", i), rapid.SampledFrom([]string{"", call.MonitorPending}).Draw(j.t, "state")
	if state != "" {
		j.unsaid[ref] = who
	}
	take(call.Event{
		Kind: call.MonitorAsked, Ref: ref, State: state, Call: "c", Agent: who, Address: map[string]string{"boss": "105", "chief": "106"}[who],
		Mode: rapid.SampledFrom([]string{call.Spy, call.Whisper, call.Barge, call.StopSpy}).Draw(j.t, "mode"),
		Leg:  rapid.SampledFrom([]string{"", "", "in", "l1", "l2", "nobody"}).Draw(j.t, "leg"),
		Data: map[string]string{"modes": "spy,whisper,barge"},
	})
}
