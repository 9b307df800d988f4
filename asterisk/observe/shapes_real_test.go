package observe_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/apps"
	"markaz/asterisk/observe"
	"markaz/asterisk/testbed"
	"markaz/call"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// watch is an Observer at work, with the loop that owns the calls.
type watch struct {
	t    testing.TB
	loop *apps.Loop
	mem  *journal
	bed  *testbed.Asterisk
	ctx  context.Context

	endObserver func()
}

// journal is a log that several may read.
type journal struct {
	mu     sync.Mutex
	events []call.Event
}

func (j *journal) Append(e call.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return nil
}

func (j *journal) Do(a call.Action) { panic(fmt.Sprintf("an observed call was acted upon: %T", a)) }

func (j *journal) all() []call.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.events)
}

func startWatch(t testing.TB, bed *testbed.Asterisk, change ...func(*observe.Config, *observe.Deps)) *watch {
	t.Helper()
	w := &watch{t: t, bed: bed, mem: &journal{}}
	var err error
	n := 0
	w.loop, err = apps.NewLoop(apps.Config{}, apps.Deps{
		Log: w.mem, Switch: w.mem, Logger: slog.New(slog.DiscardHandler), Source: "pbx", Now: time.Now,
		NewID: func() string { n++; return fmt.Sprint("event-", n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.ctx = ctx
	var working sync.WaitGroup
	working.Go(func() { _ = w.loop.Run(ctx) })
	t.Cleanup(func() { w.endObserver(); cancel(); working.Wait() })
	w.startObserver(change...)
	return w
}

// startObserver begins to observe, as a new process would.
func (w *watch) startObserver(change ...func(*observe.Config, *observe.Deps)) {
	w.t.Helper()
	cfg := testConfig()
	log := slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	dep := observe.Deps{ARI: ariConfig(w.bed), Log: log, Now: time.Now, Sink: func(e call.Event) { w.loop.Post(w.ctx, e) }}
	for _, e := range w.mem.all() {
		if e.Observed && e.Live && e.At.After(dep.Last) {
			dep.Last = e.At
		}
		if e.Kind == call.LegEnded {
			dep.Told = append(dep.Told, e.Leg)
		}
	}
	_ = w.loop.View(w.ctx, func(b call.Book) {
		for _, c := range b {
			if !c.Over() {
				dep.Open = append(dep.Open, c)
			}
		}
	})
	for _, c := range change {
		c(&cfg, &dep)
	}
	obs, err := observe.New(cfg, dep)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- obs.Run(ctx) }()
	w.endObserver = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	})
}

// await waits until the condition holds for what was told so far.
func (w *watch) await(ctx context.Context, what string, ok func([]call.Event) bool) {
	w.t.Helper()
	for !ok(w.mem.all()) {
		select {
		case <-ctx.Done():
			w.t.Fatalf("%s did not come", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (w *watch) synced(ctx context.Context) {
	w.t.Helper()
	w.await(ctx, "the first look at the PBX", func(list []call.Event) bool {
		return slices.ContainsFunc(list, func(e call.Event) bool { return e.Kind == call.SwitchSynced })
	})
}

// records are the calls of a block of extensions, in the order in which they
// began; nil while one of them goes on.
func (w *watch) records(s *stage) []*call.Call {
	ours := map[string]bool{}
	book := call.Book{}
	var order []*call.Call
	for _, e := range w.mem.all() {
		c, _ := book.Apply(e)
		if e.Kind != call.CallStarted || c == nil {
			continue
		}
		from := e.From
		if from == s.number() || len(from) == 3 && from >= s.ext(0) && from <= s.ext(4) {
			ours[c.ID] = true
			order = append(order, c)
		}
	}
	for _, c := range order {
		if !c.Over() {
			return nil
		}
	}
	slices.SortStableFunc(order, func(a, b *call.Call) int { return a.Started.Compare(b.Started) })
	return order
}

// check compares the records of a shape with what its phones did.
func (w *watch) check(s *stage, want []truth) {
	s.t.Helper()
	var got []*call.Call
	deadline := time.After(15 * time.Second)
	for got = w.records(s); len(got) < len(want) && len(want) > 0; got = w.records(s) {
		select {
		case <-deadline:
			s.t.Errorf("%d records, want %d\n%s", len(got), len(want), w.told(s))
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
	if len(got) != len(want) {
		s.t.Errorf("%d records, want %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		compare(s.t, got[i], want[i])
	}
	if s.t.Failed() {
		s.t.Log(w.told(s))
	}
}

func (w *watch) told(s *stage) string {
	short := map[string]string{}
	var b strings.Builder
	for _, e := range w.mem.all() {
		if e.Kind == call.CallStarted && (e.From == s.number() || len(e.From) == 3 && e.From >= s.ext(0) && e.From <= s.ext(4)) {
			short[e.Call] = fmt.Sprintf("call-%d", len(short)+1)
		}
		if short[e.Call] != "" {
			b.WriteString(line(s.t, e, short) + "\n")
		}
	}
	return b.String()
}

func compare(t *testing.T, c *call.Call, want truth) {
	t.Helper()
	same := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	same("direction", c.Direction, want.direction)
	same("from", c.From, want.from)
	same("merged", c.MergedInto != "", want.merged)
	if want.to != "" {
		same("to", c.To, want.to)
	}
	if want.merged {
		return
	}
	same("result", c.Disposition, want.result)
	same("reached", c.Reached, want.reached)
	if want.by != "" {
		same("ended by", c.By, want.by)
	}
	people(t, c, want)
	if want.queue != "" {
		if len(c.Queues) != 1 {
			t.Errorf("%d stays in queues, want one", len(c.Queues))
		} else {
			same("queue", c.Queues[0].Queue+" "+c.Queues[0].Left, want.queue)
		}
	}
	if want.menu != "" && len(c.Menus) > 0 {
		same("menu", strings.TrimSpace(c.Menus[0].Menu+" "+strings.Join(c.Menus[0].Input, "")), want.menu)
	} else if want.menu != "" {
		t.Error("no menu")
	}
	same("recorded", len(c.Recordings) > 0, want.recording)
	same("observed", c.Observed, true)
}

// people compares everybody who was rung: a second leg of the same address is
// "101 2".
func people(t *testing.T, c *call.Call, want truth) {
	t.Helper()
	got := map[string]call.Result{}
	for _, l := range c.Legs {
		if !l.Role.Person() {
			continue
		}
		name := l.Address
		if _, twice := got[name]; twice {
			name += " 2"
			if l.Result == call.Answered { // of two phones the one that answered comes first
				got[name], l.Result = got[l.Address], call.Answered
				got[l.Address] = l.Result
				continue
			}
		}
		got[name] = l.Result
		d, timed := want.talk[l.Address]
		if timed && l.Result == call.Answered && (d-time.Duration(l.TalkMS)*time.Millisecond).Abs() > 500*time.Millisecond {
			t.Errorf("%s talked %d ms, the phone says %v", l.Address, l.TalkMS, d)
		}
	}
	if !maps.Equal(got, want.people) && len(got)+len(want.people) > 0 {
		t.Errorf("people: %v, want %v", got, want.people)
	}
}

// TestShapes plays every shape of call by telephones on somebody else's
// dialplan, all side by side, and compares the records with what the phones
// did.
func TestShapes(t *testing.T) {
	bed := pbx(t, testbed.Options{Calls: 400})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	twoContacts(t, ctx, bed)
	out := newProvider(t, bed)
	w := startWatch(t, bed)
	w.synced(ctx)
	turn := make(chan struct{}, 6) // more at once than two cores can play upsets the phones' timing
	t.Run("all", func(t *testing.T) {
		for i, sh := range allShapes() {
			if sh.only != "" && sh.only != version() {
				continue
			}
			t.Run(sh.name, func(t *testing.T) {
				t.Parallel()
				turn <- struct{}{}
				defer func() { <-turn }()
				short, cancel := context.WithTimeout(ctx, 40*time.Second)
				defer cancel()
				s := &stage{t: t, ctx: short, bed: bed, out: out, first: 101 + 5*i}
				w.check(s, sh.play(s))
			})
		}
	})
	bed.NothingLeft(t)
}

func version() string {
	if v := os.Getenv("ASTERISK"); v != "" {
		return v
	}
	return "22"
}
