// Package trunkalarm tells when a trunk's account is empty: an alarm of its
// own, for somebody has to pay and no repetition of a call will help. It is
// pure, and tells of each trunk at most once an hour.
package trunkalarm

import (
	"cmp"
	"time"

	"markaz/apps"
	"markaz/call"
	"markaz/call/cause"
)

// every is how often a trunk's alarm is repeated while calls go on failing.
const every = time.Hour

// trunksMost bounds what is remembered; names of trunks come with calls.
const trunksMost = 1000

// App is the application. It is not for use by several goroutines.
type App struct {
	table *cause.Table
	told  map[string]time.Time // by source and trunk
}

// New makes the application.
func New() *App { return &App{table: cause.New(), told: map[string]time.Time{}} }

// Step implements apps.Machine.
func (a *App) Step(e call.Event, calls apps.Calls) call.Out {
	var out call.Out
	if e.Kind != call.LegEnded || e.SIP < 400 && e.Text == "" {
		return out
	}
	m := a.table.Of(e.SIP, e.Cause, e.Text)
	c := calls.Call(e.Call)
	if !m.Money || c == nil {
		return out
	}
	l := c.Leg(e.Leg)
	if l == nil || l.Role != call.RoleExternal { // a phone inside may say what it likes
		return out
	}
	trunk := cmp.Or(l.Trunk, c.Line.Trunk)
	key := c.Source + " " + trunk
	if at, known := a.told[key]; known && e.At.Sub(at) < every {
		return out
	}
	if len(a.told) >= trunksMost {
		clear(a.told)
	}
	a.told[key] = e.At
	out.Fact(call.Event{
		Kind: call.TrunkAlarm, Source: c.Source, Trunk: trunk, State: "no_money", Reason: m.Key,
		SIP: e.SIP, Cause: e.Cause, Text: e.Text, Data: map[string]string{"call": c.ID},
	})
	return out
}
