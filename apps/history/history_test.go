package history_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"markaz/apps/history"
	"markaz/call"
)

var t0 = time.Date(2026, 3, 21, 8, 30, 0, 0, time.UTC)

func openStore(t *testing.T, file string) *history.Store {
	t.Helper()
	s, err := history.Open(t.Context(), history.Config{File: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func newStore(t *testing.T) *history.Store {
	return openStore(t, filepath.Join(t.TempDir(), "history #1.db"))
}

// log numbers events as the writer of the stream does.
func log(id string, begin time.Time, events ...call.Event) []call.Event {
	for i := range events {
		e := &events[i]
		e.V, e.Call, e.Source, e.Seq, e.Live = call.Schema, id, "pbx", uint64(i+1), true
		e.ID = fmt.Sprintf("%s-%d", id, i+1)
		e.At = begin.Add(time.Duration(i) * time.Second)
		e.SeenAt = e.At
	}
	return events
}

// answered is a call that waited in a queue for an agent.
func answered(id string, begin time.Time, from, name, queue, agent string) []call.Event {
	return log(id, begin,
		call.Event{Kind: call.CallStarted, Leg: "in" + id, From: from, FromName: name, To: "02112345678", Trunk: "trunk", Direction: call.Inbound},
		call.Event{Kind: call.QueueJoined, Queue: queue, Position: 1},
		call.Event{Kind: call.LegRinging, Leg: "a" + id, Role: call.RoleAgent, Address: "101", Agent: agent, Queue: queue},
		call.Event{Kind: call.LegAnswered, Leg: "a" + id},
		call.Event{Kind: call.QueueLeft, Queue: queue, Reason: "answered", WaitMS: 3000},
		call.Event{Kind: call.CallAnswered, Leg: "a" + id, Address: "101", Agent: agent},
		call.Event{Kind: call.LegJoined, Leg: "a" + id},
		call.Event{Kind: call.RecordingStarted, Recording: id + "-r1"},
		call.Event{Kind: call.LegEnded, Leg: "a" + id, Result: call.Answered, Cause: 16},
		call.Event{Kind: call.LegEnded, Leg: "in" + id, Result: call.Answered, By: call.ByCaller, Cause: 16},
		call.Event{Kind: call.CallEnded, Disposition: call.CallAnsweredD, By: call.ByCaller, Cause: 16},
		call.Event{Kind: call.CallAmended, Recording: id + "-r1", State: "done", File: id + ".wav", Revision: 1},
	)
}

// abandoned is a call of somebody who gave up in the queue.
func abandoned(id string, begin time.Time, from, queue string) []call.Event {
	return log(id, begin,
		call.Event{Kind: call.CallStarted, Leg: "in" + id, From: from, Trunk: "trunk2", Direction: call.Inbound},
		call.Event{Kind: call.QueueJoined, Queue: queue, Position: 1},
		call.Event{Kind: call.QueueAbandoned, Queue: queue, WaitMS: 1000},
		call.Event{Kind: call.LegEnded, Leg: "in" + id, By: call.ByCaller},
		call.Event{Kind: call.CallEnded, Disposition: call.AbandonedQueue, By: call.ByCaller},
	)
}

func take(t *testing.T, s *history.Store, events ...call.Event) {
	t.Helper()
	for _, e := range events {
		if err := s.Take(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

func ids(t *testing.T, s *history.Store, q history.Query) (out []string) {
	t.Helper()
	page, err := s.Calls(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range page.Calls {
		out = append(out, c.ID)
	}
	return out
}

func TestCallsAreFoundByWhatPeopleRemember(t *testing.T) {
	s := newStore(t)
	take(t, s, answered("c1", t0, "+989121234567", "علي كريمي", "sales", "sara")...)
	take(t, s, abandoned("c2", t0.Add(time.Hour), "02188880000", "support")...)
	take(t, s, log("c3", t0.Add(2*time.Hour),
		call.Event{Kind: call.CallStarted, Leg: "out", From: "102", To: "9001", Direction: call.Outbound},
		call.Event{Kind: call.LegRinging, Leg: "x", Role: call.RoleExternal, Address: "9001"})...)
	yes, no := true, false
	for name, tc := range map[string]struct {
		q    history.Query
		want []string
	}{
		"everything, the newest first":   {history.Query{}, []string{"c3", "c2", "c1"}},
		"national form":                  {history.Query{Number: "0912 123 45 67"}, []string{"c1"}},
		"Persian digits":                 {history.Query{Number: "۰۹۱۲۱۲۳۴۵۶۷"}, []string{"c1"}},
		"Arabic digits, end alone":       {history.Query{Number: "٢٣٤٥٦٧"}, []string{"c1"}},
		"international":                  {history.Query{Number: "00982188880000"}, []string{"c2"}},
		"the beginning":                  {history.Query{Number: "0912 123 45"}, []string{"c1"}},
		"the beginning of the beginning": {history.Query{Number: "0912"}, []string{"c1"}},
		"a piece":                        {history.Query{Number: "8888"}, []string{"c2"}},
		"no digit":                       {history.Query{Number: "%_"}, nil},
		"name by the other keyboard":     {history.Query{Name: "علی  کریم"}, []string{"c1"}},
		"name with a wild card":          {history.Query{Name: "%"}, nil},
		"extension":                      {history.Query{Extension: "101"}, []string{"c1"}},
		"the caller's extension":         {history.Query{Extension: "102"}, []string{"c3"}},
		"agent":                          {history.Query{Agent: "sara"}, []string{"c1"}},
		"queue":                          {history.Query{Queue: "support"}, []string{"c2"}},
		"line":                           {history.Query{Line: "trunk"}, []string{"c1"}},
		"direction":                      {history.Query{Direction: call.Outbound}, []string{"c3"}},
		"disposition":                    {history.Query{Disposition: []call.Disposition{call.AbandonedQueue, call.Missed}}, []string{"c2"}},
		"source":                         {history.Query{Source: "other"}, nil},
		"with a recording":               {history.Query{Recorded: &yes}, []string{"c1"}},
		"live":                           {history.Query{Live: &yes}, []string{"c3"}},
		"over":                           {history.Query{Live: &no}, []string{"c2", "c1"}},
		"from":                           {history.Query{From: t0.Add(time.Minute)}, []string{"c3", "c2"}},
		"until":                          {history.Query{To: t0.Add(time.Hour)}, []string{"c1"}},
		"seen by those of a queue":       {history.Query{Visible: &history.Visible{Queues: []string{"support"}}}, []string{"c2"}},
		"seen by an extension":           {history.Query{Visible: &history.Visible{Extensions: []string{"101", "102"}}}, []string{"c3", "c1"}},
		"seen by nobody in particular":   {history.Query{Visible: &history.Visible{Agents: []string{""}}}, nil},
		"SQL is text":                    {history.Query{Extension: "101' OR 1=1 --"}, nil},
		"SQL is text in a list":          {history.Query{Visible: &history.Visible{Agents: []string{`x"]') OR 1=1 --`}}}, nil},
		"SQL is text in a name and line": {history.Query{Name: "' OR ''='", Line: "';DROP TABLE calls"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ids(t, s, tc.q); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// Pages are full, whatever the visibility leaves out, and meet no call twice.
func TestPages(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() { // at the same time: they share transactions
			queue := []string{"sales", "support"}[i%2]
			at := t0.Add(time.Duration(i/6) * time.Minute) // some begin together
			for _, e := range abandoned(fmt.Sprintf("c%02d", i), at, "0912", queue) {
				if err := s.Take(context.Background(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	q := history.Query{Visible: &history.Visible{Queues: []string{"sales"}}, Limit: 7}
	pages := 0
	for ; ; pages++ {
		page, err := s.Calls(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Calls {
			if seen[c.ID] || c.Queues[0].Queue != "sales" {
				t.Errorf("%s again, or not to be seen", c.ID)
			}
			seen[c.ID] = true
		}
		if page.Next == "" {
			break
		}
		if len(page.Calls) != 7 {
			t.Errorf("page of %d", len(page.Calls))
		}
		q.Cursor = page.Next
	}
	if len(seen) != 30 || pages != 4 {
		t.Errorf("%d calls on %d pages", len(seen), pages+1)
	}
	for _, bad := range []string{"!", "eA", "MTo", "x:y"} {
		if _, err := s.Calls(t.Context(), history.Query{Cursor: bad}); bad != "MTo" && !errors.Is(err, history.ErrCursor) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
}

// However often and in whatever mixture the events come, and however often the
// store is opened again, it tells what the fold of the log tells.
func TestTheStoreIsTheFoldOfTheLog(t *testing.T) {
	logs := [][]call.Event{
		answered("c1", t0, "0912", "", "sales", "sara"),
		abandoned("c2", t0.Add(time.Second), "0913", "sales"),
		append(abandoned("c3", t0.Add(2*time.Second), "0914", "sales"), call.Event{
			ID: "late", Kind: call.CallAmended, Call: "c3", Disposition: call.CallAnsweredD, Leg: "x", Role: call.RoleAgent,
			Address: "207", DurationMS: 5000, TalkMS: 5000, At: t0.Add(time.Hour), Revision: 1,
		}),
	}
	want := call.Book{}
	for _, l := range logs {
		for _, e := range l {
			want.Apply(e)
		}
	}
	for round := range 5 {
		file := filepath.Join(t.TempDir(), "h.db")
		s := openStore(t, file)
		next := make([]int, len(logs))
		for left := 3; left > 0; {
			i := rand.IntN(len(logs))
			if next[i] == len(logs[i]) {
				continue
			}
			e := logs[i][next[i]]
			take(t, s, e)
			if rand.IntN(3) == 0 {
				take(t, s, e, logs[i][0]) // told again
			}
			if rand.IntN(6) == 0 {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				name := s.Name()
				if s = openStore(t, file); s.Name() != name {
					t.Error("the file has changed its name")
				}
			}
			if next[i]++; next[i] == len(logs[i]) {
				left--
			}
		}
		for id, w := range want {
			got, err := s.Call(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, *w)
			events, err := s.Events(t.Context(), id)
			if err != nil || len(events) == 0 {
				t.Fatalf("round %d: events of %s: %d, %v", round, id, len(events), err)
			}
			same(t, *history.Fold(id, events), *w)
		}
	}
}

func same(t *testing.T, got, want call.Call) {
	t.Helper()
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if string(a) != string(b) {
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

// Two calls found to be one are told as one, by the one that goes on.
func TestMergedCalls(t *testing.T) {
	s := newStore(t)
	take(t, s, answered("c1", t0, "0911", "", "sales", "sara")...)
	second := log("c2", t0.Add(time.Second),
		call.Event{Kind: call.CallStarted, Leg: "z", From: "0922", Direction: call.Inbound},
		call.Event{Kind: call.CallMerged, Into: "c1"})
	third := log("c3", t0.Add(2*time.Second),
		call.Event{Kind: call.CallStarted, Leg: "y", From: "103", Direction: call.Internal},
		call.Event{Kind: call.CallMerged, Into: "c2"})
	take(t, s, third...) // into one that is not there yet
	take(t, s, second...)
	for _, q := range []history.Query{{}, {Number: "0922"}, {Extension: "103"}, {Visible: &history.Visible{Extensions: []string{"103"}}}} {
		if got := ids(t, s, q); !reflect.DeepEqual(got, []string{"c1"}) {
			t.Errorf("%+v: got %v", q, got)
		}
	}
	for _, id := range []string{"c1", "c2", "c3"} {
		if c, err := s.Call(t.Context(), id); err != nil || c.ID != "c1" {
			t.Errorf("call %s is %s, %v", id, c.ID, err)
		}
		if events, err := s.Events(t.Context(), id); err != nil || len(events) != 16 {
			t.Errorf("call %s has %d events, %v", id, len(events), err)
		}
	}
	if _, err := s.Call(t.Context(), "c9"); !errors.Is(err, history.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsOldIsForgotten(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	for i := range 450 {
		wg.Go(func() {
			for _, e := range log(fmt.Sprintf("old%d", i), t0,
				call.Event{Kind: call.CallStarted, Leg: "l", From: "0911", Direction: call.Inbound},
				call.Event{Kind: call.CallEnded, Disposition: call.Missed}) {
				if err := s.Take(context.Background(), e); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	take(t, s, answered("new", t0.Add(time.Hour), "0912", "", "sales", "sara")...)
	take(t, s, log("live", t0, call.Event{Kind: call.CallStarted, Leg: "l", Direction: call.Inbound})...)
	for _, id := range []string{"old1", "new"} {
		if err := s.Heard(t.Context(), history.Listen{At: t0, Call: id, Recording: "r", Who: "boss", How: "play"}); err != nil {
			t.Fatal(err)
		}
	}
	n, err := s.Forget(t.Context(), t0.Add(time.Minute))
	if err != nil || n != 450 {
		t.Fatalf("forgot %d, %v", n, err)
	}
	if got := ids(t, s, history.Query{}); !reflect.DeepEqual(got, []string{"new", "live"}) {
		t.Errorf("left %v", got)
	}
	if events, err := s.Events(t.Context(), "old1"); err != nil || len(events) != 0 {
		t.Errorf("%d events left, %v", len(events), err)
	}
	for id, want := range map[string]int{"old1": 0, "new": 1} {
		if l, err := s.Listened(t.Context(), id); err != nil || len(l) != want || want > 0 && (l[0].Who != "boss" || !l[0].At.Equal(t0)) {
			t.Errorf("%s was listened to: %+v, %v", id, l, err)
		}
	}
}

// A batch that cannot be written is handed over again and then counted once.
func TestAFailedWriteIsHandedOverAgain(t *testing.T) {
	s := newStore(t)
	events := answered("c1", t0, "0911", "", "sales", "sara")
	take(t, s, events[:3]...)
	bad := events[3]
	bad.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) // no JSON has such a year
	if err := s.Take(t.Context(), bad); !errors.Is(err, history.ErrUnfit) {
		t.Fatal("written")
	}
	take(t, s, events...)
	c, err := s.Call(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	same(t, c, *history.Fold("c1", events))
}

// Events that are handed over together are written together or not at all.
func TestEventsTakenTogether(t *testing.T) {
	s := newStore(t)
	events := answered("c1", t0, "0911", "", "sales", "sara")
	others := abandoned("c2", t0, "0912", "sales")
	bad := slices.Clone(events)
	bad[5].At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) // no JSON has such a year
	var wg sync.WaitGroup
	wg.Go(func() { // may share the transaction and must not suffer
		if err := s.Take(context.Background(), others...); err != nil {
			t.Error(err)
		}
	})
	if err := s.Take(t.Context(), bad...); !errors.Is(err, history.ErrUnfit) {
		t.Fatal(err)
	}
	wg.Wait()
	if got, err := s.Events(t.Context(), "c1"); err != nil || len(got) != 0 {
		t.Fatalf("%d events were written, %v", len(got), err)
	}
	again := append(slices.Clone(events[:4]), events...) // as after a process that was killed
	again = append(again, call.Event{Kind: call.AgentChanged, ID: "a", Agent: "sara"})
	for range 2 {
		if err := s.Take(t.Context(), again...); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string][]call.Event{"c1": events, "c2": others} {
		c, err := s.Call(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		same(t, c, *history.Fold(id, want))
		got, err := s.Events(t.Context(), id)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d events of %s, %v", len(got), id, err)
		}
		for i := range got {
			if got[i].ID != want[i].ID {
				t.Errorf("%s comes as %d", got[i].ID, i)
			}
		}
	}
}
