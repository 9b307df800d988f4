package recording

import (
	"slices"
	"testing"
	"time"

	"markaz/call"
)

type book map[string]*call.Call

func (b book) Call(id string) *call.Call { return b[id] }
func (b book) Each(func(*call.Call))     {}

type always bool

func (a always) Plan(call.Call) (bool, string) { return bool(a), "test" }

func answered(b book) call.Event {
	c := &call.Call{ID: "c"}
	c.Apply(call.Event{Call: "c", Kind: call.CallStarted, Leg: "l", At: time.Unix(1, 0)})
	e := call.Event{Call: "c", Kind: call.CallAnswered, Leg: "a", Address: "101", At: time.Unix(2, 0)}
	c.Apply(e)
	b["c"] = c
	return e
}

func TestARecordingIsAskedForOnce(t *testing.T) {
	b := book{}
	e := answered(b)
	if out := New(always(false)).Step(e, b); len(out.Actions) != 0 {
		t.Errorf("recorded against the policy: %v", out.Actions)
	}
	a := New(always(true))
	out := a.Step(e, b)
	if len(out.Actions) != 1 || out.Actions[0] != (call.Record{Call: "c", Bridge: "c", ID: "c-r1"}) {
		t.Fatalf("got %v", out.Actions)
	}
	b["c"].Apply(call.Event{Call: "c", Kind: call.RecordingStarted, Recording: "c-r1"})
	if out := a.Step(e, b); len(out.Actions) != 0 {
		t.Errorf("recorded twice: %v", out.Actions)
	}
}

// byAgent records the conversations of some agents.
type byAgent []string

func (p byAgent) Plan(c call.Call) (bool, string) { return slices.Contains(p, c.Agent), "test" }

// A call that is passed on is recorded with each person whom the policy names.
func TestEachConversationIsRecordedByItsRule(t *testing.T) {
	for name, tc := range map[string]struct {
		policy Policy
		want   []string // that are begun, by the conversation
	}{
		"all":        {always(true), []string{"c-r1", "", "c-r2", "c-r3"}},
		"the first":  {byAgent{"sara"}, []string{"c-r1", "", "", ""}},
		"the second": {byAgent{"reza"}, []string{"", "", "c-r1", ""}},
		"nobody":     {always(false), []string{"", "", "", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			b := book{"c": &call.Call{ID: "c"}}
			a := New(tc.policy)
			tell := func(e call.Event) call.Out {
				e.Call = "c"
				b["c"].Apply(e)
				return a.Step(e, b)
			}
			tell(call.Event{Kind: call.CallStarted, Leg: "in", At: time.Unix(1, 0)})
			running := ""
			for i, way := range []struct {
				agent, stops string // stops: what becomes of the running one before
			}{{"sara", ""}, {"boss", ""}, {"reza", "stopped"}, {"mina", "failed"}} {
				switch {
				case running == "" || way.stops == "":
				case way.stops == "failed":
					tell(call.Event{Kind: call.RecordingFailed, Recording: running})
					running = ""
				default:
					tell(call.Event{Kind: call.RecordingStopped, Recording: running})
					running = ""
				}
				out := tell(call.Event{Kind: call.CallAnswered, Leg: "l" + way.agent, Address: "1", Agent: way.agent, At: time.Unix(int64(10*i), 0)})
				began := ""
				for _, act := range out.Actions {
					began = act.(call.Record).ID
					running = began
					tell(call.Event{Kind: call.RecordingStarted, Recording: began})
				}
				if began != tc.want[i] {
					t.Errorf("conversation with %s: began %q, want %q", way.agent, began, tc.want[i])
				}
			}
		})
	}
}

func TestACallHasSoManyRecordings(t *testing.T) {
	b := book{}
	e := answered(b)
	for range most {
		b["c"].Recordings = append(b["c"].Recordings, call.Recording{State: "done"})
	}
	if out := New(always(true)).Step(e, b); len(out.Actions) != 0 {
		t.Errorf("got %v", out.Actions)
	}
}

func TestAFileThatComesAfterTheEndAmendsTheRecord(t *testing.T) {
	b := book{}
	answered(b)
	a := New(always(true))
	done := call.Event{Kind: call.RecordingAvailable, Call: "c", Recording: "c-r1", File: "f.wav", DurationMS: 5, Size: 7, SHA256: "ff"}
	if out := a.Step(done, b); len(out.Facts) != 0 {
		t.Errorf("an open record was amended: %v", out.Facts)
	}
	b["c"].Apply(call.Event{Call: "c", Kind: call.CallEnded})
	out := a.Step(done, b)
	if len(out.Facts) != 1 {
		t.Fatalf("got %v", out.Facts)
	}
	for range 2 { // told twice, applied once
		b["c"].Apply(out.Facts[0])
	}
	c := b["c"]
	if r := c.Recordings[0]; r.State != "done" || r.File != "f.wav" || r.SHA256 != "ff" || c.Revision != 1 {
		t.Errorf("record: %+v revision %d", r, c.Revision)
	}
	failed := a.Step(call.Event{Kind: call.RecordingFailed, Call: "c", Recording: "c-r2"}, b)
	b["c"].Apply(failed.Facts[0])
	if r := c.Recordings[1]; r.State != "failed" || c.Revision != 2 {
		t.Errorf("record: %+v revision %d", r, c.Revision)
	}
	gone := a.Step(call.Event{Kind: call.RecordingAvailable, Call: "old", Recording: "old-r1"}, b)
	if len(gone.Facts) != 1 || gone.Facts[0].Revision != 0 { // nobody here knows the last one
		t.Errorf("a file of a forgotten call: %v", gone.Facts)
	}
}

// The end of a recording is told by the switch, or, if that fails, stated a
// while after the end of its call; at once when the call ended unseen.
func TestARecordingEndsWithItsCall(t *testing.T) {
	end := call.Event{Kind: call.CallEnded, Call: "c", By: call.ByCaller}
	unseen := call.Event{Kind: call.CallEnded, Call: "c", By: call.ByPBX, Reason: call.Unseen}
	started := call.Event{Kind: call.RecordingStarted, Call: "c", Recording: "c-r1"}
	stopped := call.Event{Kind: call.RecordingStopped, Call: "c", Recording: "c-r1"}
	fired := call.Event{Kind: call.TimerFired, Ref: "recording:c"}
	for name, tc := range map[string]struct {
		events []call.Event
		want   int // ends that are stated
	}{
		"told before the call's end": {[]call.Event{started, stopped, end, fired}, 0},
		"told after it":              {[]call.Event{started, end, stopped, fired}, 0},
		"not told":                   {[]call.Event{started, end, fired, fired}, 1},
		"unseen":                     {[]call.Event{started, unseen, fired}, 1},
		"begun after the end":        {[]call.Event{end, started, fired}, 1},
		"not recorded":               {[]call.Event{end, fired}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := book{}
			answered(b)
			a := New(always(true))
			stated := 0
			for queue := tc.events; len(queue) > 0; queue = queue[1:] {
				b["c"].Apply(queue[0])
				for _, f := range a.Step(queue[0], b).Facts {
					if f.Kind == call.RecordingStopped && f.Recording == "c-r1" && f.Call == "c" {
						stated++
					}
					a.Step(f, b)
				}
			}
			if stated != tc.want || len(a.open) != 0 {
				t.Errorf("%d ends stated, want %d; left open: %v", stated, tc.want, a.open)
			}
		})
	}
}
