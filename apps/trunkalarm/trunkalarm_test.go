package trunkalarm_test

import (
	"testing"
	"time"

	"markaz/apps/trunkalarm"
	"markaz/call"
)

type book map[string]*call.Call

func (b book) Call(id string) *call.Call { return b[id] }
func (b book) Each(func(*call.Call))     {}

func TestAnEmptyAccountIsToldOnceAnHour(t *testing.T) {
	t0 := time.Date(2026, 3, 21, 9, 0, 0, 0, time.UTC)
	b, a := book{}, trunkalarm.New()
	fails := func(id, trunk string, role call.Role, after time.Duration, sip int, text string) []call.Event {
		c := &call.Call{ID: id}
		c.Apply(call.Event{Kind: call.CallStarted, Call: id, Source: "pbx", Leg: "in", Direction: call.Outbound})
		c.Apply(call.Event{Kind: call.LegRinging, Call: id, Leg: "x", Role: role, Trunk: trunk})
		b[id] = c
		return a.Step(call.Event{Kind: call.LegEnded, Call: id, Leg: "x", At: t0.Add(after), SIP: sip, Text: text, Cause: 21}, b).Facts
	}
	for i, tc := range []struct {
		trunk string
		role  call.Role
		after time.Duration
		sip   int
		text  string
		want  int
	}{
		{"t1", call.RoleExternal, 0, 403, "No Money Left on RFC Account", 1},
		{"t1", call.RoleExternal, 59 * time.Minute, 480, "No money left", 0},
		{"t2", call.RoleExternal, 59 * time.Minute, 402, "", 1},
		{"t1", call.RoleExternal, time.Hour, 480, "No money left", 1},
		{"t3", call.RoleExternal, 0, 403, "Forbidden", 0},
		{"t3", call.RoleExternal, 0, 0, "", 0},
		{"t3", call.RoleAgent, 0, 403, "No money left", 0},
	} {
		facts := fails("c", tc.trunk, tc.role, tc.after, tc.sip, tc.text)
		if len(facts) != tc.want {
			t.Errorf("%d: %v", i, facts)
			continue
		}
		if tc.want == 1 && (facts[0].Kind != call.TrunkAlarm || facts[0].Trunk != tc.trunk || facts[0].Call != "" || facts[0].Data["call"] != "c") {
			t.Errorf("%d: %+v", i, facts[0])
		}
	}
}
