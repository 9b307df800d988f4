package crm

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"markaz/call"
)

const routesYAML = `
name: erp
routes:
  - {sources: [pbx], internal: false, extensions: [101, 2??], lines: all}
  - {sources: [old, danjeh], directions: [inbound], only: finished, lines: ["021*"], recordings: false}
webhook: {url: "https://erp.example.com/hook", secrets: [` + secretA + `]}
`

func readRoutes(t *testing.T) SinkConfig {
	t.Helper()
	var c SinkConfig
	if err := yaml.UnmarshalWithOptions([]byte(routesYAML), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if err := (Config{c}).Validate(); err != nil {
		t.Fatal(err)
	}
	return c
}

// Ensure several sources go their own ways to one sink.
func TestRoutes(t *testing.T) {
	c := readRoutes(t)
	office := func(extension string, d call.Direction) call.Call {
		return call.Call{ID: "c", Direction: d, Line: call.Line{Trunk: "t1", DID: "02112"}, Legs: []call.Leg{{Role: call.RoleAgent, Address: extension}}}
	}
	for name, tc := range map[string]struct {
		e          call.Event
		record     call.Call
		ok, sounds bool
	}{
		"on the list":           {call.Event{Kind: call.LegRinging, Source: "pbx"}, office("101", call.Inbound), true, true},
		"by the pattern":        {call.Event{Kind: call.LegRinging, Source: "pbx"}, office("250", call.Outbound), true, true},
		"not on the list":       {call.Event{Kind: call.LegRinging, Source: "pbx"}, office("301", call.Inbound), false, false},
		"internal":              {call.Event{Kind: call.LegRinging, Source: "pbx"}, office("101", call.Internal), false, false},
		"unknown source":        {call.Event{Kind: call.CallEnded, Source: "new"}, office("101", call.Inbound), false, false},
		"old PBX, going on":     {call.Event{Kind: call.LegRinging, Source: "old"}, office("301", call.Inbound), false, false},
		"old PBX, finished":     {call.Event{Kind: call.CallEnded, Source: "old"}, office("301", call.Inbound), true, false},
		"old PBX, outgoing":     {call.Event{Kind: call.CallEnded, Source: "old"}, office("301", call.Outbound), false, false},
		"line monitor":          {call.Event{Kind: call.CallEnded, Source: "danjeh"}, office("", call.Inbound), true, false},
		"its recording":         {call.Event{Kind: call.CallAmended, Source: "danjeh", Recording: "r"}, office("", call.Inbound), false, false},
		"its correction":        {call.Event{Kind: call.CallAmended, Source: "danjeh"}, office("", call.Inbound), true, false},
		"recording of ours":     {call.Event{Kind: call.RecordingAvailable, Source: "pbx", Recording: "r"}, office("101", call.Inbound), true, true},
		"refusal is not public": {call.Event{Kind: call.RequestRefused, Source: "pbx"}, office("101", call.Inbound), false, false},
	} {
		tc.e.Call = "c"
		if ok, sounds := c.Match(tc.e, tc.record); ok != tc.ok || sounds != tc.sounds {
			t.Errorf("%s: passes %v, recordings %v", name, ok, sounds)
		}
	}
}

// told is a connector that keeps what it was given.
type told struct {
	records []call.Call
}

func (*told) Caps() []Cap                { return nil }
func (*told) Test(context.Context) error { return nil }
func (c *told) Deliver(_ context.Context, _ call.Event, r call.Call) error {
	c.records = append(c.records, r)
	return nil
}

// Ensure a route without recordings gives a record without them, and that
// nothing wakes the sink when one comes late.
func TestRouteWithoutRecordings(t *testing.T) {
	no, conn, log := false, &told{}, logbook{}
	events := queued("c1")
	log.add(events)
	c := &clock{at: t0}
	s := newSink(SinkConfig{Name: "a", Filter: Filter{Route: Route{Recordings: &no}}}, conn, deps(log, c, &facts{}))
	for _, e := range events {
		c.reach(e.SeenAt)
		if v, err := s.Deliver(context.Background(), e, 1); v.Act != Done {
			t.Fatal(e.Kind, v, err)
		}
	}
	if len(conn.records) != len(events)-3 {
		t.Errorf("told %d times of %d events", len(conn.records), len(events))
	}
	if slices.ContainsFunc(conn.records, func(r call.Call) bool { return len(r.Recordings) > 0 }) {
		t.Error("told of a recording")
	}
}

func TestRouteFaults(t *testing.T) {
	for want, text := range map[string]string{
		"sources[0]: the key of a source":                       "sources: [old-pbx]",
		"directions[1]: want inbound":                           "directions: [inbound, incoming]",
		"internal: true contradicts directions: [inbound]":      "directions: [inbound]\ninternal: true",
		"internal: false contradicts":                           "directions: [internal]\ninternal: false",
		"extensions[1]: want a number, or a pattern":            "extensions: [101, '1[']",
		"extensions[2]: \"101\" is on the list twice":           "extensions: [101, 102, 101]",
		"lines[0]: write lines: auto":                           "lines: [auto]",
		"extensions: auto (for lines too) is for PayamGostar":   "lines: auto",
		"routes: want either routes, or the settings of one":    "only: live\nroutes: [{internal: false}]",
		"routes[1]: is the same as routes[0]":                   "routes: [{internal: false}, {internal: false}]",
		"routes[0].only: want live or finished, have \"ended\"": "routes: [{only: ended}]",
	} {
		c := SinkConfig{}
		text += "\nname: a\nwebhook: {url: 'https://a.example/h', secrets: [" + secretA + "]}\n"
		if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
			t.Fatal(err)
		}
		if err := (Config{c}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "[0]."+want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q, have %v", want, err)
		}
	}
}

// Ensure that of a route's numbers only those to be learnt are registered.
func TestRouteTeaches(t *testing.T) {
	extensions, lines := Filter{Routes: []Route{{Lines: Numbers{Auto: true}}, {Extensions: Numbers{List: []string{"1"}}}}}.auto()
	if extensions || !lines {
		t.Error(extensions, lines)
	}
	c := SinkConfig{Name: "a", Filter: Filter{Route: Route{Extensions: Numbers{Auto: true}}}, PayamGostar: &PayamGostar{
		URL: "https://a.example", Username: "u", Password: NewSecret("p"), Key: "k", Net: Net{Timeout: time.Second},
	}}
	if err := (Config{c}).Validate(); err != nil {
		t.Error(err)
	}
}
