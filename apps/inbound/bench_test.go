package inbound

import (
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"markaz/apps"
	"markaz/call"
	"markaz/ivr"
	"markaz/lang"
	"markaz/queue"
)

// exchange is the application in its loop with a crowd of living calls; as log
// and switch it only notes which phone was rung and what is played.
type exchange struct {
	now        time.Time
	loop       *apps.Loop
	events     int
	rung, said string
	made       int
}

func (x *exchange) Append(call.Event) error { x.events++; return nil }

func (x *exchange) Do(a call.Action) {
	switch a := a.(type) {
	case call.Ring:
		x.rung = a.Leg
	case call.Play:
		x.said = a.ID
	}
}

// newExchange has live calls, half of them in the menu and half in a queue
// whose agent is away.
func newExchange(b *testing.B, live int) *exchange {
	b.Helper()
	menus, floor := office()
	menus.Routes = append([]ivr.Route{{Number: "0219", To: "queue:crowd"}}, menus.Routes...)
	floor.Agents = append(floor.Agents, queue.AgentConfig{ID: "away", Extension: "109"})
	floor.Queues[0].Wrapup = 0
	crowd := floor.Queues[0]
	crowd.Name, crowd.Agents = "crowd", []string{"away"}
	floor.Queues = append(floor.Queues, crowd)
	book, err := ivr.NewBook(menus, noSpeech{}, lang.New())
	if err != nil {
		b.Fatal(err)
	}
	agents, err := queue.New(floor)
	if err != nil {
		b.Fatal(err)
	}
	cfg := Config{Trunk: "trunk"}
	if err := cfg.Validate(); err != nil {
		b.Fatal(err)
	}
	x := &exchange{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	x.loop, err = apps.NewLoop(apps.Config{}, apps.Deps{
		Log: x, Switch: x, Machines: []apps.Machine{New(cfg, book, agents, voice{})},
		Now: func() time.Time { return x.now }, Logger: slog.New(slog.DiscardHandler), Source: "pbx",
		NewID: func() string { return "e" },
	})
	if err != nil {
		b.Fatal(err)
	}
	x.take(call.Event{Kind: call.SwitchSynced})
	for i := range live {
		x.arrive(fmt.Sprintf("live%d", i), []string{"0210", "0219"}[i%2])
	}
	return x
}

func (x *exchange) take(e call.Event) {
	x.now = x.now.Add(time.Millisecond)
	e.Source = "pbx"
	if e.Kind.Transient() {
		x.events++ // the others are counted by Append
	}
	x.loop.Take(e)
}

func (x *exchange) arrive(id, to string) {
	x.take(call.Event{Kind: call.CallStarted, Call: id, Leg: id + "-in", Direction: call.Inbound, From: "0912", To: to})
}

// whole is a call from the first ring over menu, queue and talk to the end.
func (x *exchange) whole(b *testing.B) {
	x.made++
	id := "c" + strconv.Itoa(x.made)
	in := id + "-in"
	x.arrive(id, "02112345678")
	x.take(call.Event{Kind: call.LegAnswered, Call: id, Leg: in})
	x.take(call.Event{Kind: call.LegDigit, Call: id, Leg: in, Digits: "1"})
	agent := x.rung
	x.take(call.Event{Kind: call.LegRinging, Call: id, Leg: agent, Role: call.RoleAgent})
	x.take(call.Event{Kind: call.PlayDone, Call: id, Leg: in, Ref: x.said, Reason: "ok"})
	x.take(call.Event{Kind: call.LegAnswered, Call: id, Leg: agent})
	x.take(call.Event{Kind: call.LegJoined, Call: id, Leg: in, Ref: id})
	x.take(call.Event{Kind: call.LegJoined, Call: id, Leg: agent, Ref: id})
	x.take(call.Event{Kind: call.LegEnded, Call: id, Leg: in, By: call.ByCaller, Cause: call.CauseNormal})
	x.take(call.Event{Kind: call.LegEnded, Call: id, Leg: agent, By: call.BySystem, Cause: call.CauseNormal})
	if c := x.loop.Call(id); !c.Over() || c.Disposition != call.CallAnsweredD {
		b.Fatalf("the call did not run its course: %+v", c)
	}
}

// round is some whole calls; it returns the time for each of their events.
func (x *exchange) round(b *testing.B) float64 {
	const calls = 200
	before, begun := x.events, time.Now()
	for range calls {
		x.whole(b)
	}
	return float64(time.Since(begun).Nanoseconds()) / float64(x.events-before)
}

// BenchmarkCall is the machine time for each event of whole calls, while a
// thousand and while ten thousand others live. Rounds of the two take turns, so
// that their ratio holds on a busy machine.
func BenchmarkCall(b *testing.B) {
	few, many := newExchange(b, 1000), newExchange(b, 10_000)
	few.round(b)
	many.round(b)
	var small, large, ratios []float64
	for b.Loop() {
		s, l := few.round(b), many.round(b)
		small, large, ratios = append(small, s), append(large, l), append(ratios, l/s)
	}
	b.ReportMetric(median(small), "ns/event-1000")
	b.ReportMetric(median(large), "ns/event-10000")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(0, "ns/op")
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}
