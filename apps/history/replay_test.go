package history_test

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"markaz/apps/history"
	"markaz/call"
)

// A record that was decided by a rule since mended is corrected once, and the
// correction stands however often the log is replayed.
func TestAReplayCorrectsOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "h.db")
	s := openStore(t, file)
	wrong := log("c1", t0,
		call.Event{Kind: call.CallStarted, Leg: "in", From: "0912", Direction: call.Inbound},
		call.Event{Kind: call.LegRinging, Leg: "a", Role: call.RoleAgent, Address: "101"},
		call.Event{Kind: call.LegEnded, Leg: "a", Result: call.NoAnswer, By: call.BySystem, Cause: 19},
		call.Event{Kind: call.LegEnded, Leg: "in", Result: call.NoAnswer, By: call.BySystem, Cause: 19},
		call.Event{Kind: call.CallEnded, Disposition: call.CallAnsweredD, By: call.ByAgent, Cause: 16, Data: map[string]string{call.Decided: "1"}})
	stated := log("c2", t0.Add(time.Minute),
		call.Event{Kind: call.CallStarted, Leg: "in", From: "0912", Direction: call.Inbound},
		call.Event{Kind: call.CallEnded, Disposition: call.Blocked})
	take(t, s, wrong...)
	take(t, s, stated...)
	want := []history.Change{
		{Field: "disposition", Was: "answered", Is: "missed"},
		{Field: "ended_by", Was: "agent", Is: "system"},
		{Field: "cause", Was: "16", Is: "19"},
	}
	reader, err := history.OpenToRead(t.Context(), history.Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for round := range 3 {
		changed := map[string][]history.Change{}
		var fix call.Event
		err := reader.Each(t.Context(), t0, t0.Add(time.Hour), func(st history.Stored) error {
			fresh := history.Refold(st.Call.ID, st.Events)
			changes := history.Compare(&st.Call, fresh)
			if len(changes) > 0 {
				changed[st.Call.ID] = changes
				fix = history.Amendment(&st.Call, fresh, changes, t0.Add(time.Hour))
				if later := history.Amendment(&st.Call, fresh, changes, t0.Add(2*time.Hour)); later.ID != fix.ID {
					t.Errorf("the same correction is %s and %s", fix.ID, later.ID)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			if !reflect.DeepEqual(changed, map[string][]history.Change{"c1": want}) {
				t.Fatalf("got %+v", changed)
			}
			take(t, s, fix, fix)
			continue
		}
		if len(changed) > 0 {
			t.Errorf("round %d: %+v", round, changed)
		}
		c, err := reader.Call(t.Context(), "c1")
		if err != nil || c.Disposition != call.Missed || c.By != call.BySystem || c.Cause != 19 || c.Revision != 1 {
			t.Errorf("record %+v, %v", c, err)
		}
	}
	if err := reader.Take(t.Context(), wrong[0]); err == nil {
		t.Error("a store that was opened for reading takes events")
	}
}
