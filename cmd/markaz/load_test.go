package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/call"
)

const (
	loadCalls    = 30
	loadAgents   = 10
	loadTalk     = 2500 * time.Millisecond
	loadSlack    = 1800 * time.Millisecond // until both are joined, and all know that they are not
	hookPatience = 5 * time.Second         // between an event and its web hook, on a machine that is busy with calls
)

// Thirty callers at once walk the menu, wait for ten agents, and are talked to
// one after the other: nobody is lost and nothing is told twice.
func TestThirtyCallsAtOnce(t *testing.T) {
	for name, entry := range map[string]string{"FastAGI": "markaz-inbound", "Stasis": "markaz-inbound-stasis"} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, office.Options{
				Bed:      testbed.Options{TrunkContext: entry, Robots: loadAgents},
				Sections: robotAgents(loadAgents, "record: true, announce: {at_join: true, every: 5s, position: true}"),
			})
			for place := 3; place <= loadCalls; place++ {
				h.prompt(fmt.Sprintf("position-%d", place))
			}
			ctx := h.within(75 * time.Second)
			robots, err := h.Bed.StartRobots(testbed.Robots{Ring: 100 * time.Millisecond, Talk: loadTalk})
			h.must(err)
			report, err := h.Bed.RunLoad(ctx, testbed.Load{
				Number: "02112345678", Calls: loadCalls, Rate: 20, UntilBye: true, Limit: 50 * time.Second,
				Steps: []testbed.Step{{Wait: 200 * time.Millisecond}, {Keys: "1"}},
			})
			h.must(err)
			if report.OK != loadCalls || report.Failed != 0 {
				t.Errorf("callers: %d well, %d failed\n%s", report.OK, report.Failed, report.Errors)
			}
			taken, err := robots.Stop()
			h.must(err)
			if taken.OK != loadCalls || taken.Failed != 0 || taken.Cancelled != 0 {
				t.Errorf("agents: %+v", taken)
			}
			records, err := h.AwaitCalls(ctx, func(all []call.Call) bool {
				return len(all) >= loadCalls && !slices.ContainsFunc(all, func(c call.Call) bool { return !c.Over() || !recorded(c) })
			})
			h.must(err)
			checkLoad(t, records)
			h.hookAgrees(ctx, records...)
			for _, e := range h.hook.Events() {
				if lag := e.At.Sub(e.Event.SeenAt); lag > hookPatience {
					t.Errorf("the web hook got %s %v late", e.Type, lag)
				}
			}
			h.Bed.NothingLeft(t)
			h.nothingHeld(ctx)
		})
	}
}

// robotAgents is a queue "sales" whose agents are the robots of the bed.
func robotAgents(n int, more string) map[string]string {
	var agents, names strings.Builder
	for i := range n {
		fmt.Fprintf(&agents, "\n  - {id: agent%d, extension: %q, auto_login: true}", i+1, testbed.Robot(i))
		fmt.Fprintf(&names, "agent%d, ", i+1)
	}
	return map[string]string{
		"agents": agents.String(),
		"queues": fmt.Sprintf("\n  - {name: sales, agents: [%s], ring_timeout: 20s, %s}", strings.TrimSuffix(names.String(), ", "), more),
	}
}

// checkLoad holds the records of all calls against what really happened.
func checkLoad(t *testing.T, records []call.Call) {
	t.Helper()
	if len(records) != loadCalls {
		t.Errorf("%d records of %d calls", len(records), loadCalls)
	}
	callers := map[string]bool{}
	for _, c := range records {
		if callers[c.From] {
			t.Errorf("two records of the call from %s", c.From)
		}
		callers[c.From] = true
		checkServed(t, c)
	}
	if n := atOnce(records); n != loadCalls {
		t.Errorf("at most %d calls were up at once, want %d", n, loadCalls)
	}
	checkAgents(t, records)
}

// checkServed is the record of a caller whom an agent took and said goodbye to.
func checkServed(t *testing.T, c call.Call) {
	t.Helper()
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf("call from %s: %s", c.From, fmt.Sprintf(format, args...))
	}
	if c.Direction != call.Inbound || !strings.HasPrefix(c.From, "0900") || c.To != "02112345678" || c.Line.Trunk != testbed.TrunkName {
		bad("%s to %s by %s", c.Direction, c.To, c.Line.Trunk)
	}
	if c.Disposition != call.CallAnsweredD || c.By != call.ByAgent || c.Cause != call.CauseNormal {
		bad("ended %s by %s, cause %d", c.Disposition, c.By, c.Cause)
	}
	if len(c.Menus) != 1 || c.Menus[0].Menu != "main" || !slices.Equal(c.Menus[0].Input, []string{"1"}) {
		bad("menus %+v", c.Menus)
	}
	if len(c.Queues) != 1 || c.Queues[0].Left != "answered" || c.Queues[0].Position < 1 || !slices.IsSortedFunc(c.Queues[0].Heard, func(a, b int) int { return b - a }) {
		bad("queues %+v", c.Queues)
	}
	if len(c.Legs) != 2 || c.Legs[0].Role != call.RoleCaller || c.Legs[1].Role != call.RoleAgent || c.Legs[1].Result != call.Answered {
		bad("legs %+v", c.Legs)
	}
	talk := time.Duration(c.TalkMS) * time.Millisecond
	if c.Agent == "" || c.Reached == "" || absolute(talk-loadTalk) > loadSlack {
		bad("agent %q at %q talked %v", c.Agent, c.Reached, talk)
	}
	for _, r := range c.Recordings {
		if r.State != "done" || r.Size == 0 || absolute(time.Duration(r.DurationMS)*time.Millisecond-talk) > loadSlack {
			bad("recording %+v of %v", r, talk)
		}
	}
}

// atOnce is the largest number of calls that were up at the same time.
func atOnce(records []call.Call) int {
	type change struct {
		at time.Time
		by int
	}
	var changes []change
	for _, c := range records {
		changes = append(changes, change{c.Started, 1}, change{*c.Ended, -1})
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), a.by-b.by) })
	most, now := 0, 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return most
}

// checkAgents makes sure that no phone was rung while it was in another call.
func checkAgents(t *testing.T, records []call.Call) {
	t.Helper()
	byAgent := map[string][]call.Leg{}
	for _, c := range records {
		for _, l := range c.Legs {
			if l.Agent != "" {
				byAgent[l.Agent] = append(byAgent[l.Agent], l)
			}
		}
	}
	for agent, legs := range byAgent {
		slices.SortFunc(legs, func(a, b call.Leg) int { return a.Started.Compare(b.Started) })
		for i := 1; i < len(legs); i++ {
			if legs[i].Started.Before(*legs[i-1].Ended) {
				t.Errorf("%s was rung at %v and in a call until %v", agent, legs[i].Started, legs[i-1].Ended)
			}
		}
	}
	if len(byAgent) != loadAgents {
		t.Errorf("%d of %d agents had calls", len(byAgent), loadAgents)
	}
}

// nothingHeld waits until Markaz itself has let go of every leg and session.
func (h *house) nothingHeld(ctx context.Context) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		legs, sessions := h.figure(ctx, "markaz_ari_legs"), h.figure(ctx, "markaz_agi_sessions")
		if legs == 0 && sessions == 0 {
			break
		}
		select {
		case <-ctx.Done():
			h.t.Fatalf("Markaz holds %v legs and %v FastAGI sessions", legs, sessions)
		case <-time.After(50 * time.Millisecond):
		}
	}
	for _, name := range []string{"markaz_loop_panics_total", "markaz_loop_events_unlogged_total", "markaz_agi_panics_total"} {
		if n := h.figure(ctx, name); n != 0 {
			h.t.Errorf("%s is %v", name, n)
		}
	}
}

// figure is a metric without labels.
func (h *house) figure(ctx context.Context, name string) float64 {
	h.t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.Web()+"/metrics", nil)
	h.must(err)
	res, err := http.DefaultClient.Do(req)
	h.must(err)
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(text, 64)
			h.must(err)
			return n
		}
	}
	h.t.Fatalf("there is no metric %s", name)
	return 0
}
