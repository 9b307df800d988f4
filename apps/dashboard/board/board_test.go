package board

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/call"
)

var noon = time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)

func office() Config {
	return Config{
		People: []Person{
			{Agent: "sara", Name: "Sara", Number: "101", Queues: []string{"sales"}, Teams: []string{"north"}},
			{Agent: "reza", Name: "Reza", Number: "102", Queues: []string{"sales"}},
			{Name: "Boss", Number: "100"},
		},
		Queues: []QueueTarget{{Name: "sales", ServiceLevel: 10 * time.Second}},
	}
}

// film gives events ids, sequence numbers and times one second apart.
type film struct {
	t   time.Time
	n   int
	seq map[string]uint64
}

func (f *film) shot(e call.Event) call.Event {
	if f.seq == nil {
		f.seq, f.t = map[string]uint64{}, noon
	}
	f.n++
	f.t = f.t.Add(time.Second)
	e.V, e.ID, e.At, e.SeenAt, e.Live, e.Source = call.Schema, fmt.Sprintf("e%d", f.n), f.t, f.t, true, "pbx"
	if e.Call != "" {
		f.seq[e.Call]++
		e.Seq = f.seq[e.Call]
	}
	return e
}

// queued is a call of the queue sales, up to the talk with Sara.
func queued(f *film, id string) []call.Event {
	caller, agent := id+"-c", id+"-a"
	return []call.Event{
		f.shot(call.Event{Kind: call.CallStarted, Call: id, Leg: caller, Direction: call.Inbound, From: "0912" + id, FromName: "<b>Ali</b>", To: "021", Trunk: "trunk"}),
		f.shot(call.Event{Kind: call.LegAnswered, Call: id, Leg: caller}),
		f.shot(call.Event{Kind: call.QueueJoined, Call: id, Leg: caller, Queue: "sales", Position: 1}),
		f.shot(call.Event{Kind: call.LegRinging, Call: id, Leg: agent, Role: call.RoleAgent, Address: "101", Agent: "sara", Queue: "sales"}),
		f.shot(call.Event{Kind: call.LegAnswered, Call: id, Leg: agent}),
		f.shot(call.Event{Kind: call.QueueLeft, Call: id, Leg: caller, Queue: "sales", Reason: "answered", WaitMS: 4000}),
		f.shot(call.Event{Kind: call.CallAnswered, Call: id, Leg: agent, Address: "101", Agent: "sara"}),
		f.shot(call.Event{Kind: call.LegJoined, Call: id, Leg: agent}),
	}
}

func finish(f *film, id string) []call.Event {
	return []call.Event{
		f.shot(call.Event{Kind: call.LegEnded, Call: id, Leg: id + "-a", Result: call.Answered, By: call.ByAgent}),
		f.shot(call.Event{Kind: call.LegEnded, Call: id, Leg: id + "-c", By: call.BySystem}),
		f.shot(call.Event{Kind: call.CallEnded, Call: id, Disposition: call.CallAnsweredD, By: call.ByAgent}),
	}
}

// screen is the rows that a page has.
type screen map[string]any

func (s screen) take(b *Board) {
	for _, r := range b.Take() {
		if r.Body == nil {
			delete(s, r.Key)
			continue
		}
		s[r.Key] = r.Body
	}
}

func (s screen) play(b *Board, events ...call.Event) {
	for _, e := range events {
		b.Apply(e)
	}
	s.take(b)
}

func TestACallOfAQueue(t *testing.T) {
	b, s, f := New(office()), screen{}, &film{}
	all := queued(f, "1")
	s.play(b, f.shot(call.Event{Kind: call.AgentChanged, Agent: "sara", Address: "101", State: "available"}))
	s.play(b, all[:3]...)
	if q := s["q:sales"].(Queue); q.Waiting != 1 || q.Oldest != milli(all[2].At) || !slices.Equal(q.Line, []string{"1"}) || q.Joined != 1 {
		t.Errorf("waiting: %+v", q)
	}
	if c := s["c:1"].(Call); c.State != "queued" || c.Since != milli(all[2].At) || c.Name != "<b>Ali</b>" {
		t.Errorf("waiting: %+v", c)
	}
	s.play(b, all[3])
	x := s["x:101"].(Extension)
	if x.State != "ringing" || len(x.On) != 1 || x.On[0].Peer != "09121" || x.On[0].Queue != "sales" {
		t.Errorf("ringing: %+v", x)
	}
	if c := s["c:1"].(Call); !slices.Equal(c.Rings, []string{"101"}) {
		t.Errorf("ringing: %+v", c)
	}
	s.play(b, all[4:]...)
	if x := s["x:101"].(Extension); x.State != "talking" || x.Since != milli(all[7].At) {
		t.Errorf("talking: %+v", x)
	}
	if c := s["c:1"].(Call); c.State != "talking" || c.Leg != "1-a" || c.Ext != "101" || c.Agent != "sara" {
		t.Errorf("talking: %+v", c)
	}
	if q := s["q:sales"].(Queue); q.Waiting != 0 || q.Answered != 1 || q.InTime != 1 || q.WaitMS != 4000 || q.Agents["talking"] != 1 {
		t.Errorf("answered: %+v", q)
	}
	if l := s["l:pbx/trunk"].(Line); l.In != 1 || l.InDay != 1 {
		t.Errorf("line: %+v", l)
	}
	s.play(b, finish(f, "1")...)
	s.play(b, f.shot(call.Event{Kind: call.AgentChanged, Agent: "sara", Address: "101", State: "wrapup"}))
	x = s["x:101"].(Extension)
	if x.State != "wrapup" || x.Handled != 1 || x.TalkMS == 0 || len(x.On) != 0 {
		t.Errorf("after: %+v", x)
	}
	if _, there := s["c:1"]; there || s["e:1"].(Call).State != "answered" {
		t.Errorf("after: %v", s)
	}
	if l := s["l:pbx/trunk"].(Line); l.In != 0 || l.InDay != 1 {
		t.Errorf("line: %+v", l)
	}
}

func TestStatesOfAnExtension(t *testing.T) {
	f := &film{}
	on := func(e ...call.Event) []call.Event { return e }
	started := func(id string) call.Event {
		return f.shot(call.Event{Kind: call.CallStarted, Call: id, Leg: id + "-c", Direction: call.Internal, From: "102", To: "100"})
	}
	for _, c := range []struct {
		want   string
		events []call.Event
	}{
		{"offline", on()},
		{"free", on(f.shot(call.Event{Kind: call.AgentChanged, Agent: "reza", State: "available"}))},
		{"paused", on(f.shot(call.Event{Kind: call.AgentChanged, Agent: "reza", State: "paused", Reason: "tea"}))},
		{"unreachable", on(f.shot(call.Event{Kind: call.ExtensionChanged, Address: "102", State: "unreachable"}))},
		{"dialling", on(started("d"))},
		{"talking", on(started("t"), f.shot(call.Event{Kind: call.CallAnswered, Call: "t", Leg: "x"}), f.shot(call.Event{Kind: call.LegJoined, Call: "t", Leg: "t-c"}))},
		{"held", on(started("h"), f.shot(call.Event{Kind: call.LegJoined, Call: "h", Leg: "h-c"}), f.shot(call.Event{Kind: call.CallHeld, Call: "h", Leg: "h-c"}))},
		{"monitoring", on(started("m"), f.shot(call.Event{Kind: call.LegEnded, Call: "m", Leg: "m-c"}),
			f.shot(call.Event{Kind: call.LegRinging, Call: "m", Leg: "s", Role: call.RoleSupervisor, Address: "102"}),
			f.shot(call.Event{Kind: call.LegAnswered, Call: "m", Leg: "s"}))},
	} {
		b, s := New(office()), screen{}
		s.play(b, c.events...)
		if got := s["x:102"].(Extension).State; got != c.want {
			t.Errorf("%s: got %s", c.want, got)
		}
	}
}

// Extensions that nobody has configured are shown once they are met; the names
// of ring groups and outside numbers are not extensions.
func TestExtensionsAreFound(t *testing.T) {
	b, s, f := New(Config{}), screen{}, &film{}
	s.play(b, f.shot(call.Event{Kind: call.CallStarted, Call: "1", Leg: "c", Direction: call.Inbound, From: "09121111111"}),
		f.shot(call.Event{Kind: call.LegRinging, Call: "1", Leg: "g", Role: call.RoleGroup, Address: "600"}),
		f.shot(call.Event{Kind: call.LegRinging, Call: "1", Leg: "m", Role: call.RoleExternal, Address: "09123"}),
		f.shot(call.Event{Kind: call.LegRinging, Call: "1", Leg: "w", Role: call.RoleAgent, Address: "09123334444"}),
		f.shot(call.Event{Kind: call.LegRinging, Call: "1", Leg: "a", Role: call.RoleAgent, Address: "1010"}))
	var exts []string
	for key := range s {
		if key[0] == 'x' {
			exts = append(exts, key)
		}
	}
	if !slices.Equal(exts, []string{"x:1010"}) {
		t.Errorf("extensions: %v", exts)
	}
}

// Whoever whispers must not be heard by the customer: of an outgoing call the
// leg to listen to is that of the extension.
func TestTheLegToListenToIsOfTheHouse(t *testing.T) {
	b, s, f := New(office()), screen{}, &film{}
	s.play(b, f.shot(call.Event{Kind: call.CallStarted, Call: "o", Leg: "own", Direction: call.Outbound, From: "102", To: "0912"}),
		f.shot(call.Event{Kind: call.LegRinging, Call: "o", Leg: "out", Role: call.RoleExternal, Address: "0912"}),
		f.shot(call.Event{Kind: call.LegAnswered, Call: "o", Leg: "out"}),
		f.shot(call.Event{Kind: call.CallAnswered, Call: "o", Leg: "out", Address: "0912"}))
	if c := s["c:o"].(Call); c.Leg != "own" {
		t.Errorf("%+v", c)
	}
	s.play(b, f.shot(call.Event{Kind: call.CallStarted, Call: "i", Leg: "cust", Direction: call.Inbound, From: "0913"}),
		f.shot(call.Event{Kind: call.LegRinging, Call: "i", Leg: "mobile", Role: call.RoleExternal, Address: "0935"}),
		f.shot(call.Event{Kind: call.LegAnswered, Call: "i", Leg: "mobile"}))
	if c := s["c:i"].(Call); c.Leg != "" {
		t.Errorf("%+v", c)
	}
}

func TestTheDayBeginsAnew(t *testing.T) {
	b, s, f := New(office()), screen{}, &film{}
	s.play(b, queued(f, "1")...)
	b.Tick(noon.Add(13 * time.Hour))
	s.take(b)
	if q := s["q:sales"].(Queue); q.Answered != 0 || q.Joined != 0 {
		t.Errorf("%+v", q)
	}
}

func TestARefusalIsToldToTheOneWhoAsked(t *testing.T) {
	b, f := New(office()), &film{}
	b.Take()
	b.Apply(f.shot(call.Event{Kind: call.RequestRefused, Ref: "r", Agent: "boss", Reason: "spy.refused.gone"}))
	rows := b.Take()
	var got *Row
	for i := range rows {
		if rows[i].For != "" {
			got = &rows[i]
		}
	}
	if got == nil || got.For != "boss" || got.Body.(Notice).Ref != "r" {
		t.Fatalf("%+v", rows)
	}
	b.Tick(noon.Add(time.Hour))
	if rows := b.Take(); !slices.ContainsFunc(rows, func(r Row) bool { return r.Key == got.Key && r.Body == nil }) {
		t.Errorf("the notice stays: %+v", rows)
	}
}

// A call that this process has folded further than the log tells is shown as it stands.
func TestAdopt(t *testing.T) {
	b, s, f := New(office()), screen{}, &film{}
	all := queued(f, "1")
	c := &call.Call{ID: "1"}
	for _, e := range all {
		c.Apply(e)
	}
	s.play(b, all[:2]...)
	b.Adopt(c)
	s.play(b, all[2:5]...) // told late
	if x := s["x:101"].(Extension); x.State != "talking" {
		t.Errorf("%+v", x)
	}
	s.play(b, finish(f, "1")...)
	if _, there := s["c:1"]; there {
		t.Error("the call goes on")
	}
}

// However calls are interleaved and however often events are told, and whenever
// the page looks, it ends with the same rows.
func TestInterleavingAndRepeats(t *testing.T) {
	f := &film{}
	var scripts [][]call.Event
	for i := range 4 {
		id := fmt.Sprint(i)
		scripts = append(scripts, append(queued(f, id), finish(f, id)...))
	}
	want := screen{}
	ref := New(office())
	for _, script := range scripts {
		want.play(ref, script...)
	}
	rapid.Check(t, func(t *rapid.T) {
		b, s := New(office()), screen{}
		next := make([]int, len(scripts))
		for {
			i := rapid.IntRange(0, len(scripts)-1).Draw(t, "call")
			if slices.EqualFunc(next, scripts, func(n int, script []call.Event) bool { return n == len(script) }) {
				break
			}
			if next[i] == len(scripts[i]) {
				continue
			}
			b.Apply(scripts[i][next[i]])
			next[i]++
			if rapid.Bool().Draw(t, "repeat") {
				b.Apply(scripts[i][rapid.IntRange(0, next[i]-1).Draw(t, "which")])
			}
			if rapid.Bool().Draw(t, "look") {
				s.take(b)
			}
		}
		s.take(b)
		if got, want := figuresOf(s), figuresOf(want); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// figuresOf leaves out since when somebody has been free, which depends on the order.
func figuresOf(s screen) string {
	s = maps.Clone(s)
	for key, row := range s {
		if x, ok := row.(Extension); ok {
			x.Since = 0
			s[key] = x
		}
	}
	text, _ := json.Marshal(s)
	return string(text)
}

// The price of an event does not depend on how many calls there are.
func BenchmarkApply(b *testing.B) {
	for _, live := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("live=%d", live), func(b *testing.B) {
			board, f := New(office()), &film{}
			for i := range live {
				id := fmt.Sprintf("old%d", i)
				board.Apply(f.shot(call.Event{Kind: call.CallStarted, Call: id, Leg: id, Direction: call.Inbound, From: "0912"}))
			}
			board.Take()
			var script []call.Event
			for i := 0; b.Loop(); i++ {
				if len(script) == 0 {
					id := fmt.Sprint(i)
					script = append(queued(f, id), finish(f, id)...)
				}
				board.Apply(script[0])
				script = script[1:]
				if i%8 == 0 {
					board.Take()
				}
			}
		})
	}
}
