package crm

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"markaz/call"
	"markaz/lang"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 3, 21, 8, 30, 0, 0, time.UTC)

const (
	secretA = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // of the vectors of Standard Webhooks
	secretB = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVowMTIz"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// reach moves the clock to a time, unless it is later already.
func (c *clock) reach(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.at) {
		c.at = at
	}
}

// facts collects what sinks report.
type facts struct {
	mu  sync.Mutex
	all []call.Event
}

func (f *facts) report(e call.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, e)
}

// told lists the facts as "kind state".
func (f *facts) told() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []string{}
	for _, e := range f.all {
		out = append(out, string(e.Kind)+" "+e.State)
	}
	return out
}

// logbook is a log that gives events back by call.
type logbook map[string][]call.Event

func (l logbook) history(_ context.Context, id string) ([]call.Event, error) { return l[id], nil }

func (l logbook) add(events []call.Event) {
	for _, e := range events {
		l[e.Call] = append(l[e.Call], e)
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// sentences reads the catalogue once: the tests open sinks by the thousand.
var sentences = sync.OnceValue(lang.New)

func deps(l logbook, c *clock, f *facts) Deps {
	return Deps{
		Catalogue: sentences(),
		History:   l.history, Report: f.report, Now: c.now, Logger: quiet(),
		Chance: func() float64 { return 0.5 }, Local: iranian,
	}
}

// iranian writes numbers as they are written in Iran.
func iranian(e164 string) string {
	if rest, ok := strings.CutPrefix(e164, "+98"); ok {
		return "0" + rest
	}
	return "00" + e164[1:]
}

// queued is the log of a caller who waits, talks to an agent, and is recorded.
func queued(id string) []call.Event {
	log := []call.Event{
		{Kind: call.CallStarted, Leg: "in", From: "09121234567", To: "02112345678", Trunk: "trunk", Direction: call.Inbound},
		{Kind: call.QueueJoined, Leg: "in", Queue: "sales", Position: 1},
		{Kind: call.LegRinging, Leg: "a1", Role: call.RoleAgent, Address: "101", Agent: "sara", Queue: "sales"},
		{Kind: call.LegRinging, Leg: "a2", Role: call.RoleAgent, Address: "102", Agent: "reza", Queue: "sales"},
		{Kind: call.LegAnswered, Leg: "a1"},
		{Kind: call.LegEnded, Leg: "a2", Result: call.AnsweredElsewhere, Cause: 26},
		{Kind: call.QueueLeft, Leg: "in", Queue: "sales", Reason: "answered"},
		{Kind: call.CallAnswered, Leg: "a1", Address: "101", Agent: "sara"},
		{Kind: call.LegJoined, Leg: "in"},
		{Kind: call.LegJoined, Leg: "a1"},
		{Kind: call.RecordingStarted, Recording: id + "r"},
		{Kind: call.LegEnded, Leg: "in", By: call.ByCaller, Cause: 16},
		{Kind: call.RecordingStopped, Recording: id + "r"},
		{Kind: call.LegEnded, Leg: "a1", By: call.BySystem, Cause: 16},
		{Kind: call.CallEnded, By: call.ByCaller, Cause: 16},
		{Kind: call.CallAmended, Recording: id + "r", State: "done", File: "2026/03/21/x.wav", DurationMS: 60000, Revision: 1},
	}
	return numbered(id, log)
}

// numbered completes the events of a call, one second apart.
func numbered(id string, log []call.Event) []call.Event {
	for i := range log {
		at := t0.Add(time.Duration(i) * time.Second)
		log[i].V, log[i].Call, log[i].Source, log[i].Seq = call.Schema, id, "pbx", uint64(i+1)
		log[i].At, log[i].SeenAt, log[i].Live = at, at, true
		log[i].ID = fmt.Sprintf("%s-%d", id, i+1)
	}
	return log
}
