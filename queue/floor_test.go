package queue

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/call"
)

// histories asks rapid for n histories, unless the command line says how many.
func histories(t *testing.T, n int) {
	f := flag.Lookup("rapid.checks")
	if f.Value.String() != f.DefValue {
		return
	}
	if testing.Short() {
		n /= 20
	}
	if err := f.Value.Set(fmt.Sprint(n)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Value.Set(f.DefValue) })
}

// TestHistories plays random histories of a floor, restarts among them, and
// checks every promise at each step (see sim). At the end everybody is served
// and nothing is left.
func TestHistories(t *testing.T) {
	histories(t, 10_000)
	rapid.Check(t, func(t *rapid.T) {
		h := &history{sim: newSim(drawConfig(t), t.Fatalf), t: t}
		h.apply(h.floor.Open(h.now))
		t.Repeat(map[string]func(*rapid.T){
			"join":    h.join,
			"join2":   h.join,
			"leave":   h.leave,
			"key":     h.key,
			"answer":  h.answer,
			"end":     h.end,
			"end2":    h.end,
			"ask":     h.ask,
			"login":   h.login,
			"busy":    h.busy,
			"stray":   h.stray,
			"wait":    h.wait,
			"restart": h.crash,
			"":        func(*rapid.T) { h.check() },
		})
		h.serveAll()
	})
}

type history struct {
	*sim
	t     *rapid.T
	calls int
}

func drawConfig(t *rapid.T) Config {
	cfg := Config{MaxNoAnswers: rapid.SampledFrom([]int{0, 1, 2, -1}).Draw(t, "max no answers")}
	for i := range rapid.IntRange(1, 4).Draw(t, "agents") {
		cfg.Agents = append(cfg.Agents, AgentConfig{ID: fmt.Sprintf("a%d", i), Extension: fmt.Sprint(100 + i), AutoLogin: rapid.Bool().Draw(t, "auto")})
	}
	seconds := func(name string, from, to int) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, name)) * time.Second
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "queues") {
		q := QueueConfig{
			Name: fmt.Sprintf("q%d", i), Strategy: rapid.SampledFrom([]Strategy{LongestIdle, RingAll}).Draw(t, "strategy"),
			RingTimeout: seconds("ring", 1, 30), Retry: seconds("retry", 1, 10), Wrapup: seconds("wrapup", 0, 30),
			Announce: AnnounceConfig{
				AtJoin: true, Position: true, Wait: rapid.Bool().Draw(t, "tell wait"),
				Every: 10 * time.Second, MinImprovement: rapid.IntRange(0, 2).Draw(t, "improvement"),
			},
			RequestKey: "1", Exit: Exit{Key: "*", To: "hangup"},
		}
		for _, a := range cfg.Agents {
			if len(q.Agents) == 0 || rapid.Bool().Draw(t, "member") {
				q.Agents = append(q.Agents, a.ID)
			}
		}
		if rapid.Bool().Draw(t, "limits") {
			q.MaxWait = MaxWait{After: seconds("max wait", 1, 60), To: "menu:x"}
			q.MaxLength = MaxLength{Callers: rapid.IntRange(1, 4).Draw(t, "length"), To: "menu:y"}
			q.NoAgents = NoAgents{To: "hangup", Waiting: rapid.Bool().Draw(t, "evict")}
		}
		cfg.Queues = append(cfg.Queues, q)
	}
	return cfg
}

// some draws one of the keys of a map and skips if there is none.
func some[V any](t *rapid.T, m map[string]V) string {
	if len(m) == 0 {
		t.Skip("nobody")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m))).Draw(t, "who")
}

func (h *history) newcomer(t *rapid.T) Caller {
	h.calls++
	return Caller{
		Call: fmt.Sprintf("c%d", h.calls), Queue: rapid.SampledFrom(h.cfg.Queues).Draw(t, "queue").Name,
		Priority: rapid.SampledFrom([]int{0, 0, 0, 1, 2}).Draw(t, "priority"),
	}
}

func (h *history) join(t *rapid.T) {
	c := h.newcomer(t)
	if len(h.waits) > 0 && rapid.IntRange(0, 9).Draw(t, "again") == 0 {
		c.Call = some(t, h.waits)
	}
	o, err := h.floor.Join(h.now, c)
	if err != nil {
		t.Fatal(err)
	}
	h.apply(o)
}

func (h *history) leave(t *rapid.T) {
	reason := rapid.SampledFrom([]Reason{Abandoned, Abandoned, "callback"}).Draw(t, "reason")
	h.apply(h.floor.Leave(h.now, some(t, h.waits), reason))
}

func (h *history) key(t *rapid.T) {
	o, _ := h.floor.Key(h.now, some(t, h.waits), rapid.SampledFrom([]string{"1", "*", "7"}).Draw(t, "key"))
	h.apply(o)
}

// answer lets a phone be picked up, be it that its offer was withdrawn.
func (h *history) answer(t *rapid.T) {
	a := some(t, h.legs)
	talks, was := h.talks[a], h.floor.agentOf[a].caller
	o := h.apply(h.floor.Answered(h.now, a, h.legs[a]))
	for _, d := range o.Decisions {
		switch d := d.(type) {
		case Connect:
			h.misses[a] = 0
			if was == nil || d.Call != h.legs[a] || d.Agent != a {
				t.Fatalf("%s answered %s and gets %+v", a, h.legs[a], d)
			}
		case Withdraw:
			if d.Agent == a && was != nil {
				t.Fatalf("%s answered his caller and is withdrawn: %s", a, d.Reason)
			}
		}
	}
	if talks == "" && was != nil && h.talks[a] == "" {
		t.Fatalf("%s answered his caller and is not connected", a)
	}
}

func (h *history) end(t *rapid.T) {
	a := some(t, h.legs)
	r := rapid.SampledFrom([]call.Result{call.NoAnswer, call.NoAnswer, call.Busy, call.Rejected, call.Failed, call.Cancelled}).Draw(t, "result")
	blamed := h.talks[a] == "" && h.floor.agentOf[a].caller != nil && r == call.NoAnswer
	before := h.floor.agentOf[a].condition()
	h.ended(a, r)
	if now := h.floor.agentOf[a].shown; now.reason == NoAnswerPause && before.state == Ringing && !blamed {
		t.Fatalf("%s is paused for no answer, but did not miss a call", a)
	}
}

func (h *history) ask(t *rapid.T) {
	a := rapid.SampledFrom(h.cfg.Agents).Draw(t, "agent")
	w := rapid.SampledFrom([]Wish{WishAvailable, WishReady, WishPaused, WishOffline}).Draw(t, "wish")
	if w == WishReady {
		delete(h.wrapTo, a.ID)
	}
	o, err := h.floor.Ask(h.now, a.Extension, w, "tea")
	if err != nil {
		t.Fatal(err)
	}
	h.apply(o)
}

func (h *history) login(t *rapid.T) {
	o, err := h.floor.Ask(h.now, rapid.SampledFrom(h.cfg.Agents).Draw(t, "agent").ID, WishAvailable, "")
	if err != nil {
		t.Fatal(err)
	}
	h.apply(o)
}

func (h *history) busy(t *rapid.T) {
	h.apply(h.floor.Busy(h.now, rapid.SampledFrom(h.cfg.Agents).Draw(t, "agent").ID, rapid.Bool().Draw(t, "busy")))
}

// stray tells the floor what does not concern it.
func (h *history) stray(t *rapid.T) {
	a := rapid.SampledFrom(h.cfg.Agents).Draw(t, "agent").ID
	for _, o := range []Out{
		h.floor.Ended(h.now, a, "stranger", call.NoAnswer),
		h.floor.Ended(h.now, "nobody", "stranger", call.NoAnswer),
		h.floor.Leave(h.now, "stranger", Abandoned),
		h.floor.Fired(h.now, "wait:stranger:0"),
		h.floor.Open(h.now),
	} {
		if len(o.Facts)+len(o.Decisions) > 0 {
			t.Fatalf("answers %+v to what does not concern it", o)
		}
	}
	o := h.floor.Answered(h.now, a, "stranger")
	if len(o.Facts) != 0 || len(o.Decisions) != 1 || o.Decisions[0] != (Withdraw{Call: "stranger", Agent: a, Reason: NotOffered}) {
		t.Fatalf("a strange answer gives %+v", o)
	}
}

func (h *history) wait(t *rapid.T) {
	h.advance(time.Duration(rapid.IntRange(0, 40_000).Draw(t, "ms"))*time.Millisecond, nil)
}

// crash restarts, with or without somebody who comes meanwhile. Order, places
// told and talks must be as before, the newcomer behind all of his priority.
func (h *history) crash(t *rapid.T) {
	before := map[string][]Caller{}
	for _, q := range h.cfg.Queues {
		before[q.Name] = h.floor.Line(q.Name)
	}
	talks := maps.Clone(h.talks)
	h.now = h.now.Add(time.Duration(rapid.IntRange(0, 5000).Draw(t, "down")) * time.Millisecond)
	var newcomers []Caller
	if rapid.Bool().Draw(t, "newcomer") {
		newcomers = append(newcomers, h.newcomer(t))
	}
	h.restart(newcomers...)
	for _, q := range h.cfg.Queues {
		h.sameLine(t, before[q.Name], h.floor.Line(q.Name), newcomers)
	}
	if !maps.Equal(talks, h.talks) {
		t.Fatalf("talked %v, after the restart %v", talks, h.talks)
	}
}

// sameLine checks that those who still wait stand in the same order.
func (h *history) sameLine(t *rapid.T, before, after, newcomers []Caller) {
	at := 0
	for _, c := range after {
		if len(newcomers) > 0 && c.Call == newcomers[0].Call {
			continue
		}
		for at < len(before) && before[at].Call != c.Call {
			at++
		}
		if at == len(before) {
			t.Fatalf("stood %v, after the restart %v", before, after)
		}
		if b := before[at]; c.Ticket != b.Ticket || !c.Joined.Equal(b.Joined) || b.Told != 0 && c.Told > b.Told {
			t.Fatalf("was %+v, after the restart %+v", b, c)
		}
	}
}

// serveAll gives every agent to the callers until nobody waits, and then looks
// for anything left over.
func (h *history) serveAll() {
	for _, a := range h.cfg.Agents {
		delete(h.wrapTo, a.ID)
		h.apply(h.floor.Busy(h.now, a.ID, false))
		o, err := h.floor.Ask(h.now, a.ID, WishReady, "")
		if err != nil {
			h.t.Fatal(err)
		}
		h.apply(o)
		h.check()
	}
	for round := 0; len(h.waits)+len(h.legs) > 0; round++ {
		if round > 1000 {
			h.t.Fatalf("still waiting after %d rounds: %v", round, h.waits)
		}
		for _, a := range slices.Sorted(maps.Keys(h.legs)) {
			h.apply(h.floor.Answered(h.now, a, h.legs[a]))
			h.ended(a, call.Answered)
			h.check()
		}
		if _, due := h.nextTimer(); len(h.legs) == 0 && !due.IsZero() {
			h.advance(due.Sub(h.now), nil)
		}
	}
	h.advance(10*time.Minute, nil)
	h.check()
	for _, a := range h.floor.agents {
		if a.shown.state != Available || a.call != "" || a.timer != "" {
			h.t.Fatalf("%s is left %+v", a.ID, a.shown)
		}
	}
	for _, q := range h.floor.queues {
		if q.waiting.len()+q.unmet.len() > 0 || !q.pace.since.IsZero() {
			h.t.Fatalf("%s is not empty", q.Name)
		}
	}
	if len(h.timers)+len(h.floor.timers)+len(h.floor.callers) > 0 {
		h.t.Fatalf("timers %v are left", h.timers)
	}
}

// TestSameInputsSameAnswers plays one history twice.
func TestSameInputsSameAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		a, b := newSim(cfg, t.Fatalf), newSim(cfg, t.Fatalf)
		both := func(f func(*sim) Out) {
			if x, y := describe(a.apply(f(a))), describe(b.apply(f(b))); x != y {
				t.Fatalf("once:\n%s\nonce more:\n%s", x, y)
			}
		}
		both(func(s *sim) Out { return s.floor.Open(s.now) })
		for i := range rapid.IntRange(1, 20).Draw(t, "steps") {
			c := Caller{Call: fmt.Sprint("c", i), Queue: rapid.SampledFrom(cfg.Queues).Draw(t, "queue").Name}
			agent := rapid.SampledFrom(cfg.Agents).Draw(t, "agent").ID
			step := rapid.IntRange(0, 3).Draw(t, "step")
			both(func(s *sim) Out {
				switch step {
				case 0, 1:
					o, _ := s.floor.Join(s.now, c)
					return o
				case 2:
					o, _ := s.floor.Ask(s.now, agent, WishAvailable, "")
					return o
				}
				return s.floor.Leave(s.now, fmt.Sprint("c", i-1), Abandoned)
			})
		}
	})
}
