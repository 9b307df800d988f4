package call_test

import (
	"testing"
	"time"

	"markaz/call"
)

// A transfer that is learnt of after the end becomes a leg of the call.
func TestAmendAddsALateLeg(t *testing.T) {
	at := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	c := call.Call{ID: "c"}
	for i, e := range []call.Event{
		{Kind: call.CallStarted, At: at, Leg: "caller", From: "0912", Direction: call.Inbound},
		{Kind: call.LegRinging, At: at, Leg: "1", Role: call.RoleIVR, Address: "9204"},
		{Kind: call.LegEnded, At: at.Add(30 * time.Second), Leg: "1", Result: call.Answered, TalkMS: 30000},
		{Kind: call.CallEnded, At: at.Add(30 * time.Second), Disposition: call.Missed},
		{
			Kind: call.CallAmended, At: at.Add(3 * time.Minute), Leg: "2", Role: call.RoleAgent, Address: "207", Result: call.Answered,
			RingMS: 6000, DurationMS: 120000, TalkMS: 120000, Disposition: call.CallAnsweredD, Revision: 1,
		},
	} {
		e.Call, e.Seq = "c", uint64(i+1)
		if !c.Apply(e) {
			t.Fatalf("event %d changed nothing", i+1)
		}
	}
	l := c.Leg("2")
	switch {
	case l == nil || l.TalkMS != 120000 || l.RingMS != 6000 || l.Result != call.Answered:
		t.Errorf("leg %+v", l)
	case !l.Started.Equal(at.Add(54*time.Second)) || !l.Answered.Equal(at.Add(time.Minute)) || !l.Ended.Equal(at.Add(3*time.Minute)):
		t.Errorf("leg from %v over %v to %v", l.Started, l.Answered, l.Ended)
	}
	if c.Disposition != call.CallAnsweredD || c.Reached != "207" || c.TalkMS != 120000 || !c.Answered.Equal(at.Add(time.Minute)) || !c.Ended.Equal(at.Add(3*time.Minute)) {
		t.Errorf("call %+v", c)
	}
}
