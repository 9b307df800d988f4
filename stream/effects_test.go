package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"markaz/call"
)

// effects is what handlers have done, as the world outside saw it.
type effects struct {
	mu      sync.Mutex
	byCall  map[string][]string
	atWork  map[string]bool
	overlap int
	n       int
}

func newEffects() *effects { return &effects{byCall: map[string][]string{}, atWork: map[string]bool{}} }

// do is the work on one event; inside is run while the call is at work.
func (f *effects) do(e call.Event, inside func() error) error {
	return f.doAll([]Delivery{{Event: e}}, inside)
}

// doAll is the work on events of one call, all of them or none.
func (f *effects) doAll(list []Delivery, inside func() error) error {
	id := list[0].Event.Call
	f.mu.Lock()
	if f.atWork[id] {
		f.overlap++
	}
	f.atWork[id] = true
	f.mu.Unlock()
	err := errors.New("panicked")
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.atWork[id] = false
		if err != nil {
			return
		}
		for _, d := range list {
			f.byCall[id] = append(f.byCall[id], d.Event.ID)
			f.n++
		}
	}()
	err = inside()
	return err
}

// handled is a handler that always succeeds.
func handled(f *effects) func(context.Context, Delivery) error {
	return func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { return nil })
	}
}

func (f *effects) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// want checks that the events of each call were done once and in order.
func (f *effects) want(t testing.TB, from, to int, but ...int) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	want := map[string][]string{}
	for n := from; n < to; n++ {
		if !slices.Contains(but, n) {
			want[event(n).Call] = append(want[event(n).Call], eventID(n))
		}
	}
	for c := range want {
		wantIDs(t, f.byCall[c], want[c])
	}
	if f.overlap > 0 {
		t.Fatalf("a call was worked on %d times by two at the same time", f.overlap)
	}
}

func newTestGroup(t testing.TB, c *Client, cfg GroupConfig) *Group {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "crm"
	}
	def(&cfg.Claim, 2*time.Second)
	if cfg.Backoff == nil {
		cfg.Backoff = func(int) time.Duration { return 5 * time.Millisecond }
	}
	g, err := NewGroup(c, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// runGroup runs a group until stop is called or the test ends; stop returns
// what Run did.
func runGroup(t testing.TB, g *Group) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() { cancel(); err = <-done })
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

// bench is a Redis, a running log and a client.
type bench struct {
	addr   string
	log    *Log
	client *Client
}

func newBench(t testing.TB) *bench {
	t.Helper()
	server := startRedis(t, "everysec")
	b := &bench{addr: server.Addr(), log: openLog(t, server.Addr(), t.TempDir()), client: connect(t, server.Addr())}
	runLog(t, b.log)
	return b
}

func (b *bench) status(t testing.TB, name string) GroupStatus {
	t.Helper()
	groups, err := b.client.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if g.Name == name {
			return g
		}
	}
	return GroupStatus{Lag: -1}
}

func (b *bench) idle(t testing.TB, name string) func() bool {
	return func() bool { st := b.status(t, name); return st.Lag == 0 && st.Open == 0 && st.Calls == 0 }
}

// nothingLeft checks that a group that has done everything keeps nothing.
func (b *bench) nothingLeft(t testing.TB, name string) {
	t.Helper()
	keys, err := b.client.rdb.Keys(t.Context(), "markaz:group:"+name+":*").Result()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(keys)
	if want := []string{"markaz:group:" + name + ":seen", "markaz:group:" + name + ":state"}; !slices.Equal(keys, want) {
		t.Fatal(keys)
	}
}
