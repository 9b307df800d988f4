package call_test

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/call"
)

var t0 = time.Date(2026, 3, 21, 8, 30, 0, 0, time.UTC)

// queued is the log of a caller who walks a menu, waits, and talks to an agent.
func queued(id string) []call.Event {
	at := func(s float64) time.Time { return t0.Add(time.Duration(s * float64(time.Second))) }
	log := []call.Event{
		{Kind: call.CallStarted, Leg: "in", At: at(0), From: "09121234567", To: "02112345678", Trunk: "trunk", Direction: call.Inbound, Live: true},
		{Kind: call.IVREntered, Leg: "in", At: at(1), Menu: "main"},
		{Kind: call.IVRInput, Leg: "in", At: at(3), Menu: "main", Digits: "1", Reason: "ok"},
		{Kind: call.IVRLeft, Leg: "in", At: at(3), Menu: "main", Reason: "choice", To: "queue:sales"},
		{Kind: call.QueueJoined, Leg: "in", At: at(3), Queue: "sales", Position: 2},
		{Kind: call.QueueAnnounced, Leg: "in", At: at(4), Queue: "sales", Position: 2},
		{Kind: call.LegRinging, Leg: "a1", At: at(10), Role: call.RoleAgent, Address: "101", Agent: "sara", Queue: "sales"},
		{Kind: call.LegRinging, Leg: "a2", At: at(10), Role: call.RoleAgent, Address: "102", Agent: "reza", Queue: "sales"},
		{Kind: call.LegAnswered, Leg: "a1", At: at(14)},
		{Kind: call.LegEnded, Leg: "a2", At: at(14), Result: call.AnsweredElsewhere, Cause: 26},
		{Kind: call.QueueLeft, Leg: "in", At: at(14), Queue: "sales", Reason: "answered", WaitMS: 11000},
		{Kind: call.CallAnswered, Leg: "a1", At: at(14), Address: "101", Agent: "sara"},
		{Kind: call.LegJoined, Leg: "in", At: at(14)},
		{Kind: call.LegJoined, Leg: "a1", At: at(14)},
		{Kind: call.RecordingStarted, At: at(14), Recording: id + "-r"},
		{Kind: call.LegEnded, Leg: "in", At: at(74), By: call.ByCaller, Cause: 16},
		{Kind: call.RecordingStopped, At: at(74), Recording: id + "-r"},
		{Kind: call.LegEnded, Leg: "a1", At: at(74), By: call.BySystem, Cause: 16},
		{Kind: call.CallEnded, At: at(74), By: call.ByCaller, Cause: 16},
		{Kind: call.CallAmended, At: at(75), Recording: id + "-r", State: "done", File: "2026/03/21/x.wav", DurationMS: 60000, Size: 960044, SHA256: "ab", Revision: 1},
	}
	for i := range log {
		log[i].V, log[i].Call, log[i].Source, log[i].Seq = call.Schema, id, "pbx", uint64(i+1)
		log[i].ID = fmt.Sprintf("%s-%d", id, i+1)
	}
	return log
}

func fold(events []call.Event) call.Book {
	b := call.Book{}
	for _, e := range events {
		b.Apply(e)
	}
	return b
}

func TestRecordOfAQueuedCall(t *testing.T) {
	c := fold(queued("c"))["c"]
	if c.Disposition != call.CallAnsweredD || c.By != call.ByCaller || c.Cause != 16 {
		t.Errorf("end: %s by %s cause %d", c.Disposition, c.By, c.Cause)
	}
	if c.TalkMS != 60000 || c.Reached != "101" || c.Agent != "sara" || c.To != "02112345678" {
		t.Errorf("talk %d, reached %s %s, requested %s", c.TalkMS, c.Reached, c.Agent, c.To)
	}
	if q := c.Queues[0]; q.Position != 2 || q.WaitMS != 11000 || q.Left != "answered" || q.Heard[0] != 2 {
		t.Errorf("queue stay: %+v", q)
	}
	if l := c.Leg("a2"); l.Result != call.AnsweredElsewhere || l.TalkMS != 0 {
		t.Errorf("the other phone: %+v", l)
	}
	if r := c.Recordings[0]; r.State != "done" || r.DurationMS != 60000 || c.Revision != 1 {
		t.Errorf("recording: %+v revision %d", r, c.Revision)
	}
}

func TestMissedIsDecidedOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		events []call.Event
		want   call.Disposition
	}{
		"hung up in the menu":     {[]call.Event{{Kind: call.CallStarted, Leg: "in", Direction: call.Inbound}, {Kind: call.IVREntered, Menu: "m"}}, call.AbandonedIVR},
		"heard that it is closed": {[]call.Event{{Kind: call.CallStarted, Leg: "in", Direction: call.Inbound}, {Kind: call.IVREntered, Menu: "message:closed", Reason: "closed"}}, call.AfterHours},
		"hung up in the queue": {[]call.Event{
			{Kind: call.CallStarted, Leg: "in", Direction: call.Inbound},
			{Kind: call.QueueJoined, Queue: "q"},
			{Kind: call.LegRinging, Leg: "a", Role: call.RoleAgent},
			{Kind: call.LegEnded, Leg: "a", Cause: 19},
			{Kind: call.QueueAbandoned, Queue: "q"},
		}, call.AbandonedQueue},
		"nobody answered": {[]call.Event{
			{Kind: call.CallStarted, Leg: "in", Direction: call.Inbound},
			{Kind: call.LegRinging, Leg: "a", Role: call.RoleAgent},
			{Kind: call.LegEnded, Leg: "a", Cause: 19, Result: call.NoAnswer},
		}, call.Missed},
		"a group is nobody": {[]call.Event{
			{Kind: call.CallStarted, Leg: "in", Direction: call.Inbound},
			{Kind: call.IVREntered, Menu: "m"},
			{Kind: call.LegRinging, Leg: "g", Role: call.RoleGroup},
			{Kind: call.LegAnswered, Leg: "g"},
		}, call.AbandonedIVR},
		"outbound busy": {[]call.Event{
			{Kind: call.CallStarted, Leg: "in", Direction: call.Outbound},
			{Kind: call.LegRinging, Leg: "x", Role: call.RoleExternal},
			{Kind: call.LegEnded, Leg: "x", Cause: 17, Result: call.Busy},
		}, call.CallBusy},
	} {
		t.Run(name, func(t *testing.T) {
			c := call.Call{ID: "c"}
			for i, e := range append(tc.events, call.Event{Kind: call.CallEnded}) {
				e.Call, e.Seq, e.At = "c", uint64(i+1), t0.Add(time.Duration(i)*time.Second)
				c.Apply(e)
			}
			if c.Disposition != tc.want {
				t.Errorf("got %s, want %s", c.Disposition, tc.want)
			}
			c.Apply(call.Event{Call: "c", Seq: 99, At: t0, Kind: call.CallAnswered, Leg: "late"})
			if c.Disposition != tc.want || c.Answered != nil {
				t.Error("a late leg changed an ended call")
			}
		})
	}
}

// Any interleaving of calls, with repeats of single events and of whole
// stretches, folds to the same calls.
func TestFoldIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "calls")
		var logs [][]call.Event
		var plain []call.Event
		for i := range n {
			l := queued(fmt.Sprintf("c%d", i))
			l = l[:rapid.IntRange(1, len(l)).Draw(t, "cut")]
			logs, plain = append(logs, l), append(plain, l...)
		}
		want := fold(plain)

		rnd := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		var mixed []call.Event
		next := make([]int, n)
		for len(mixed) < 400 {
			open := []int{}
			for i := range n {
				if next[i] < len(logs[i]) {
					open = append(open, i)
				}
			}
			if len(open) == 0 {
				break
			}
			i := open[rnd.Intn(len(open))]
			mixed = append(mixed, logs[i][next[i]])
			next[i]++
			if rnd.Intn(4) == 0 { // a stretch of what was already told is told again
				from := rnd.Intn(next[i])
				mixed = append(mixed, logs[i][from:next[i]]...)
			}
		}
		if got := fold(mixed); !reflect.DeepEqual(got, want) {
			t.Fatalf("fold differs:\n%s\n%s", asJSON(got), asJSON(want))
		}
		// and the same through JSON
		var again call.Book
		if err := json.Unmarshal([]byte(asJSON(want)), &again); err != nil || !reflect.DeepEqual(again, want) {
			t.Fatalf("JSON round trip: %v\n%s\n%s", err, asJSON(again), asJSON(want))
		}
	})
}

// After the end only amendments and merges change a call, whatever comes.
func TestEndedCallsAreFinal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := fold(queued("c"))["c"]
		before := asJSON(c)
		kinds := []call.Kind{
			call.CallStarted, call.CallAnswered, call.LegRinging, call.LegEnded, call.QueueJoined, call.IVREntered,
			call.RecordingFailed, call.CallEnded, call.CallHeld, call.LegJoined, call.LegDigit,
		}
		k := rapid.SampledFrom(kinds).Draw(t, "kind")
		c.Apply(call.Event{Kind: k, Call: "c", Leg: "z", At: t0.Add(time.Hour), Seq: 0, Queue: "q", Menu: "m", Recording: "r"})
		if after := asJSON(c); after != before {
			t.Fatalf("%s changed an ended call:\n%s\n%s", k, before, after)
		}
	})
}

func TestIDsAreOrderedAndTellTheirTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(0, 1<<47).Draw(t, "ms")
		var a, b [10]byte
		copy(a[:], rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "a"))
		copy(b[:], rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "b"))
		x, y := call.NewID(time.UnixMilli(ms), a), call.NewID(time.UnixMilli(ms+1), b)
		if x >= y || len(x) != 26 {
			t.Fatalf("%s is not before %s", x, y)
		}
		if at, ok := call.TimeOf(x); !ok || at.UnixMilli() != ms {
			t.Fatalf("%s says %v", x, at)
		}
	})
}

func asJSON(v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// What became of a call is read from what happened to it, in every direction.
func TestDispositions(t *testing.T) {
	in := func(d call.Direction) call.Event {
		return call.Event{Kind: call.CallStarted, Leg: "in", Direction: d, From: "101"}
	}
	ring := func(leg string, r call.Role) call.Event { return call.Event{Kind: call.LegRinging, Leg: leg, Role: r} }
	over := func(leg string, result call.Result, by call.Party, cause, sip int, text string) call.Event {
		return call.Event{Kind: call.LegEnded, Leg: leg, Result: result, By: by, Cause: cause, SIP: sip, Text: text}
	}
	caller := over("in", call.Cancelled, call.ByCaller, 16, 0, "")
	pause := call.Event{Kind: call.CallHeld}
	for name, tc := range map[string]struct {
		events []call.Event
		want   call.Disposition
		by     call.Party
		cause  int
		phrase string
	}{
		"gave up while phones rang": {
			[]call.Event{in(call.Inbound), ring("a", call.RoleAgent), ring("b", call.RoleAgent), over("a", call.Busy, call.ByAgent, 17, 486, ""), caller, over("b", call.Cancelled, call.BySystem, 16, 0, "")},
			call.AbandonedRinging, call.ByCaller, 16, "",
		},
		"gave up, the phone's end is told first": {
			[]call.Event{in(call.Inbound), ring("a", call.RoleAgent), over("a", call.Cancelled, call.ByPBX, 0, 0, ""), caller},
			call.AbandonedRinging, call.ByCaller, 16, "",
		},
		"gave up long after the last phone rang": {
			[]call.Event{in(call.Inbound), ring("a", call.RoleAgent), over("a", call.Cancelled, call.BySystem, 0, 0, ""), pause, pause, caller},
			call.Missed, call.ByCaller, 16, "",
		},
		"left a voice message": {
			[]call.Event{in(call.Inbound), ring("a", call.RoleAgent), over("a", call.NoAnswer, call.BySystem, 19, 0, ""), ring("v", call.RoleVoicemail), {Kind: call.VoicemailLeft, File: "m.wav"}, caller},
			call.Voicemail, call.ByCaller, 16, "",
		},
		"spoke to somebody who then took a message": {
			[]call.Event{in(call.Inbound), ring("a", call.RoleAgent), {Kind: call.CallAnswered, Leg: "a"}, {Kind: call.VoicemailLeft, File: "m.wav"}, caller},
			call.CallAnsweredD, call.ByCaller, 16, "",
		},
		"is called back": {
			[]call.Event{in(call.Inbound), {Kind: call.QueueJoined, Queue: "q"}, {Kind: call.CallbackRequested}, {Kind: call.QueueAbandoned, Queue: "q"}, caller},
			call.CallbackScheduled, call.ByCaller, 16, "",
		},
		"no credit": {
			[]call.Event{in(call.Outbound), ring("x", call.RoleExternal), over("x", call.Failed, call.ByRemote, 21, 403, "No Money Left"), caller},
			call.CallFailed, call.ByRemote, 21, "No Money Left",
		},
		"a colleague is busy": {
			[]call.Event{in(call.Internal), ring("x", call.RoleAgent), over("x", call.Busy, call.ByAgent, 17, 486, "Busy Here"), caller},
			call.CallBusy, call.ByAgent, 17, "Busy Here",
		},
		"a colleague does not answer":   {[]call.Event{in(call.Internal), ring("x", call.RoleAgent), over("x", call.NoAnswer, call.BySystem, 19, 480, ""), caller}, call.Missed, call.ByCaller, 16, ""},
		"changed his mind":              {[]call.Event{in(call.Outbound), ring("x", call.RoleExternal), over("x", call.Cancelled, call.BySystem, 16, 0, ""), caller}, call.CallCancelled, call.ByCaller, 16, ""},
		"a group picks up, nobody else": {[]call.Event{in(call.Inbound), ring("g", call.RoleGroup), {Kind: call.LegAnswered, Leg: "g"}, caller}, call.Missed, call.ByCaller, 16, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := call.Call{ID: "c"}
			for i, e := range tc.events {
				e.Call, e.Seq, e.At = "c", uint64(i+1), t0.Add(time.Duration(i)*700*time.Millisecond)
				c.Apply(e)
			}
			end := c.Conclude()
			if end.Disposition != tc.want || end.By != tc.by || end.Cause != tc.cause || end.Text != tc.phrase || end.Data[call.Decided] == "" {
				t.Errorf("got %+v", end)
			}
		})
	}
}
