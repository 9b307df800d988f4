package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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
	f.mu.Lock()
	if f.atWork[e.Call] {
		f.overlap++
	}
	f.atWork[e.Call] = true
	f.mu.Unlock()
	err := errors.New("panicked")
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.atWork[e.Call] = false
		if err == nil {
			f.byCall[e.Call] = append(f.byCall[e.Call], e.ID)
			f.n++
		}
	}()
	err = inside()
	return err
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

func TestGroupDoesEachEventOnceAndInOrder(t *testing.T) {
	b, f := newBench(t), newEffects()
	for range 3 { // three processes
		runGroup(t, newTestGroup(t, connect(t, b.addr), GroupConfig{Parallel: 4, Handle: func(_ context.Context, d Delivery) error {
			return f.do(d.Event, func() error { return nil })
		}}))
	}
	appendEvents(t, b.log, 0, 2000)
	eventually(t, "all is done", func() bool { return f.count() == 2000 && b.idle(t, "crm")() })
	f.want(t, 0, 2000)
	b.nothingLeft(t, "crm")
}

// Failures at random, in two processes: the order of each call holds.
func TestOrderOfACallHoldsUnderRetries(t *testing.T) {
	b, f := newBench(t), newEffects()
	handle := func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			switch rand.IntN(10) {
			case 0:
				return errors.New("not now")
			case 1:
				return RetryAfter(errors.New("later"), time.Duration(rand.IntN(20))*time.Millisecond)
			case 2:
				return RetryFree(errors.New("away"), time.Duration(rand.IntN(20))*time.Millisecond)
			case 3:
				if d.Attempt < 3 {
					panic("a bug")
				}
			}
			return nil
		})
	}
	for range 2 {
		runGroup(t, newTestGroup(t, connect(t, b.addr), GroupConfig{MaxAttempts: -1, Handle: handle}))
	}
	appendEvents(t, b.log, 0, 700)
	eventually(t, "all is done", func() bool { return f.count() == 700 && b.idle(t, "crm")() })
	f.want(t, 0, 700)
	b.nothingLeft(t, "crm")
}

func TestPoisonBecomesADeadLetterAndBlocksNobody(t *testing.T) {
	b, f := newBench(t), newEffects()
	poison, rotten := eventID(10), eventID(11)
	var healed bool
	var mu sync.Mutex
	attempts := 0
	g := newTestGroup(t, b.client, GroupConfig{MaxAttempts: 3, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case healed:
			case d.Event.ID == poison:
				attempts++
				panic("poison")
			case d.Event.ID == rotten:
				return fmt.Errorf("%w: 422", ErrPermanent)
			}
			return nil
		})
	}})
	runGroup(t, g)
	appendEvents(t, b.log, 0, 140)
	eventually(t, "all but two are done", func() bool { return f.count() == 138 && b.idle(t, "crm")() })
	f.want(t, 0, 140, 10, 11)
	dead, err := b.client.DeadLetters(t.Context(), "crm", "", 10)
	if err != nil || len(dead) != 2 {
		t.Fatal(dead, err)
	}
	slices.SortFunc(dead, func(a, b DeadLetter) int { return strings.Compare(a.Event.ID, b.Event.ID) })
	if d := dead[0]; d.Event.ID != poison || d.Attempts != 3 || attempts != 3 || !strings.Contains(d.Reason, "panicked: poison") || time.Since(d.At).Abs() > time.Minute || d.Entry == "" {
		t.Fatalf("%+v", d)
	}
	if d := dead[1]; d.Event.ID != rotten || d.Attempts != 1 || !strings.Contains(d.Reason, "422") || d.Event.Call != event(11).Call {
		t.Fatalf("%+v", d)
	}
	// Still poison: it comes back. Then healed: it goes through.
	if n, err := b.client.Replay(t.Context(), "crm", dead[0].ID, "1-1"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	eventually(t, "it is dead again", func() bool { return b.status(t, "crm").Dead == 2 && b.idle(t, "crm")() })
	mu.Lock()
	healed = true
	mu.Unlock()
	dead, err = b.client.DeadLetters(t.Context(), "crm", "", 1)
	if err != nil || len(dead) != 1 || dead[0].Event.ID != rotten {
		t.Fatal(dead, err)
	}
	if n, err := b.client.Drop(t.Context(), "crm", dead[0].ID); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	dead, err = b.client.DeadLetters(t.Context(), "crm", dead[0].ID, 9)
	if err != nil || len(dead) != 1 || dead[0].Event.ID != poison {
		t.Fatal(dead, err)
	}
	if _, err := b.client.Replay(t.Context(), "crm", dead[0].ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it goes through", func() bool { return f.count() == 139 && b.idle(t, "crm")() })
	if st := b.status(t, "crm"); st.Dead != 0 {
		t.Fatalf("%+v", st)
	}
	b.nothingLeft(t, "crm")
}

// One call waits for an hour: the others pass, its own events wait, and the
// count of tries survives a restart.
func TestLongWaitOfOneCall(t *testing.T) {
	b, f := newBench(t), newEffects()
	var mu sync.Mutex
	wait, tries := time.Hour, []int{}
	cfg := GroupConfig{Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			mu.Lock()
			defer mu.Unlock()
			if d.Event.ID == eventID(3) {
				tries = append(tries, d.Attempt)
				if len(tries) < 3 {
					return RetryAfter(errors.New("CRM says 429"), wait)
				}
			}
			return nil
		})
	}}
	stop := runGroup(t, newTestGroup(t, b.client, cfg))
	appendEvents(t, b.log, 0, 700)
	eventually(t, "the other calls are done", func() bool { return f.count() == 600 })
	list, err := b.client.Waiting(t.Context(), "crm", 10)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	w := list[0]
	if w.Call != event(3).Call || w.Events != 100 || w.Attempts != 1 || w.Reason != "CRM says 429" || time.Until(w.Due) < 59*time.Minute {
		t.Fatalf("%+v", w)
	}
	if st := b.status(t, "crm"); st.Open != 100 || st.Calls != 1 || st.Oldest.IsZero() {
		t.Fatalf("%+v", st)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// An hour later.
	wait = time.Millisecond
	if err := b.client.rdb.ZIncrBy(t.Context(), "markaz:group:crm:calls", -4e6, w.Call).Err(); err != nil {
		t.Fatal(err)
	}
	runGroup(t, newTestGroup(t, b.client, cfg))
	eventually(t, "all is done", func() bool { return f.count() == 700 && b.idle(t, "crm")() })
	f.want(t, 0, 700)
	if !slices.Equal(tries, []int{1, 2, 3}) {
		t.Fatal(tries)
	}
	b.nothingLeft(t, "crm")
}

func TestFreeTriesAreNotCounted(t *testing.T) {
	b, f := newBench(t), newEffects()
	var mu sync.Mutex
	tries := []int{}
	runGroup(t, newTestGroup(t, b.client, GroupConfig{MaxAttempts: 2, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			mu.Lock()
			defer mu.Unlock()
			tries = append(tries, d.Attempt)
			if len(tries) < 6 {
				return RetryFree(errors.New("circuit open"), time.Millisecond)
			}
			return nil
		})
	}}))
	appendEvents(t, b.log, 0, 1)
	eventually(t, "it is done", func() bool { return f.count() == 1 })
	if !slices.Equal(tries, []int{1, 1, 1, 1, 1, 1}) {
		t.Fatal(tries)
	}
}

func TestRepeatsAreDropped(t *testing.T) {
	b, f := newBench(t), newEffects()
	for _, n := range []int{0, 1, 0, 2, 1, 0} {
		if err := b.log.Append(event(n)); err != nil {
			t.Fatal(err)
		}
	}
	runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { return nil })
	}}))
	appendEvents(t, b.log, 3, 4)
	eventually(t, "all is done", func() bool { return f.count() == 4 && b.idle(t, "crm")() })
	f.want(t, 0, 4)
	if n := b.client.rdb.ZCard(t.Context(), "markaz:group:crm:seen").Val(); n != 4 {
		t.Fatal(n)
	}
}

func TestMemoryOfRepeatsIsBounded(t *testing.T) {
	b, f := newBench(t), newEffects()
	runGroup(t, newTestGroup(t, b.client, GroupConfig{RememberMost: 50, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { return nil })
	}}))
	appendEvents(t, b.log, 0, 500)
	eventually(t, "all is done", func() bool { return f.count() == 500 })
	if n := b.client.rdb.ZCard(t.Context(), "markaz:group:crm:seen").Val(); n != 50 {
		t.Fatal(n)
	}
}

func TestGroupTakesOnlyWhatItWants(t *testing.T) {
	b, f := newBench(t), newEffects()
	kinds := []call.Kind{call.CallStarted, call.LegEnded, call.CallEnded}
	put := func(from, to int) {
		for n := from; n < to; n++ {
			e := event(n)
			e.Kind = kinds[n%3]
			if err := b.log.Append(e); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "all is sent", allSent(b.log))
	}
	put(0, 90)
	since := time.Now().Add(2 * time.Millisecond)
	eventually(t, "the clock moves on", func() bool { return time.Now().After(since) })
	put(90, 300)
	runGroup(t, newTestGroup(t, b.client, GroupConfig{
		Since: since, Kinds: []call.Kind{call.CallEnded},
		Handle: func(_ context.Context, d Delivery) error {
			return f.do(d.Event, func() error {
				if d.Event.Kind != call.CallEnded {
					return fmt.Errorf("%w: not wanted", ErrPermanent)
				}
				return nil
			})
		},
	}))
	eventually(t, "all is done", func() bool { return f.count() == 70 && b.idle(t, "crm")() })
}

func TestGroupSurvivesKilledRedis(t *testing.T) {
	server := startRedis(t, "always")
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	f := newEffects()
	g := newTestGroup(t, connect(t, server.Addr()), GroupConfig{Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond); return nil })
	}})
	runGroup(t, g)
	for round := range 4 {
		appendEvents(t, l, round*300, round*300+300)
		eventually(t, "work goes on", func() bool { return f.count() > round*300+50 })
		server.Kill()
		resume(t, server)
	}
	eventually(t, "all is done", func() bool { return f.count() >= 1200 })
	f.want(t, 0, 1200)
}

// After FLUSHALL the group makes itself again, and does what it has not done.
func TestGroupSurvivesEmptiedRedis(t *testing.T) {
	b, f := newBench(t), newEffects()
	runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { return nil })
	}}))
	for round := range 3 {
		appendEvents(t, b.log, round*200, round*200+200)
		eventually(t, "some are done", func() bool { return f.count() > round*200+100 })
		if err := b.client.rdb.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all is done", func() bool { return f.count() >= 600 && b.idle(t, "crm")() })
	f.want(t, 0, 600)
}

// A full Redis takes no events, but what it has is worked off.
func TestGroupWorksOffAFullRedis(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 500)
	eventually(t, "all is sent", allSent(b.log))
	if err := b.client.rdb.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { return nil })
	}}))
	eventually(t, "all is done", func() bool { return f.count() == 500 && b.idle(t, "crm")() })
	f.want(t, 0, 500)
}

func TestStopLeavesTheEvent(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 1)
	gone := true
	cfg := GroupConfig{MaxAttempts: 1, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			if gone {
				return fmt.Errorf("%w: 410 gone", ErrStop)
			}
			return nil
		})
	}}
	for range 2 {
		g := newTestGroup(t, b.client, cfg)
		if err := g.Run(t.Context()); !errors.Is(err, ErrStop) {
			t.Fatal(err)
		}
	}
	gone = false
	runGroup(t, newTestGroup(t, b.client, cfg))
	eventually(t, "it is done", func() bool { return f.count() == 1 })
}

func TestHandlersMayFinishWhenTheGroupEnds(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 14)
	begun := make(chan struct{}, 20)
	finish := make(chan struct{})
	stop := runGroup(t, newTestGroup(t, b.client, GroupConfig{Parallel: 2, Handle: func(ctx context.Context, d Delivery) error {
		return f.do(d.Event, func() error {
			begun <- struct{}{}
			select {
			case <-finish:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}}))
	<-begun
	<-begun
	time.AfterFunc(50*time.Millisecond, func() { close(finish) })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if f.count() != 2 || len(begun) != 0 {
		t.Fatalf("%d done, %d more begun", f.count(), len(begun))
	}
	if st := b.status(t, "crm"); st.Open != 12 {
		t.Fatalf("%+v", st)
	}
}

// A process that cannot reach Redis loses its calls, is told so before another
// has them, and does no harm when it is back.
func TestProcessThatIsCutOffLosesItsCalls(t *testing.T) {
	b := newBench(t)
	link := newProxy(t, b.addr)
	appendEvents(t, b.log, 0, 1)
	eventually(t, "it is sent", allSent(b.log))
	stuck, told := make(chan struct{}), make(chan time.Time, 1)
	first := newTestGroup(t, connect(t, link.addr()), GroupConfig{Claim: 500 * time.Millisecond, Handle: func(ctx context.Context, _ Delivery) error {
		close(stuck)
		<-ctx.Done()
		told <- time.Now()
		return ctx.Err()
	}})
	runGroup(t, first)
	<-stuck
	link.lead("127.0.0.1:1")
	taken := make(chan time.Time, 1)
	second := newTestGroup(t, b.client, GroupConfig{Claim: 500 * time.Millisecond, Handle: func(_ context.Context, d Delivery) error {
		if d.Attempt != 2 {
			t.Errorf("attempt %d", d.Attempt)
		}
		taken <- time.Now()
		return nil
	}})
	runGroup(t, second)
	lost, got := <-told, <-taken
	if got.Before(lost.Add(-20 * time.Millisecond)) {
		t.Fatalf("taken %v before the first was told", lost.Sub(got))
	}
	link.lead(b.addr)
	eventually(t, "all is done", b.idle(t, "crm"))
	if st := second.Stats(); st.Reclaimed != 1 || st.Handled != 1 {
		t.Fatalf("%+v", st)
	}
	b.nothingLeft(t, "crm")
}

func TestClaimsLastAsLongAsTheWork(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 7)
	for range 2 {
		runGroup(t, newTestGroup(t, connect(t, b.addr), GroupConfig{Claim: 300 * time.Millisecond, Handle: func(ctx context.Context, d Delivery) error {
			return f.do(d.Event, func() error {
				if !sleep(ctx, time.Second) {
					return ctx.Err()
				}
				return nil
			})
		}}))
	}
	eventually(t, "all is done", func() bool { return f.count() == 7 && b.idle(t, "crm")() })
	f.want(t, 0, 7)
}

func TestEventTrimmedBeforeItsTurnIsTold(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 10)
	eventually(t, "all is sent", allSent(b.log))
	hold := make(chan struct{})
	stop := runGroup(t, newTestGroup(t, b.client, GroupConfig{Parallel: 1, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { <-hold; return nil })
	}}))
	eventually(t, "all is dealt", func() bool { return b.status(t, "crm").Open == 10 })
	if err := b.client.rdb.XTrimMaxLen(t.Context(), "markaz:events", 0).Err(); err != nil {
		t.Fatal(err)
	}
	close(hold)
	eventually(t, "all is settled", b.idle(t, "crm"))
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	dead, err := b.client.DeadLetters(t.Context(), "crm", "", 100)
	if err != nil || len(dead)+f.count() != 10 || len(dead) < 8 {
		t.Fatal(len(dead), f.count(), err)
	}
	for _, d := range dead {
		if !strings.Contains(d.Reason, "trimmed") || d.Event.Call == "" {
			t.Fatalf("%+v", d)
		}
	}
}

func TestBacklogIsBounded(t *testing.T) {
	b, f := newBench(t), newEffects()
	appendEvents(t, b.log, 0, 400)
	eventually(t, "all is sent", allSent(b.log))
	hold := make(chan struct{})
	runGroup(t, newTestGroup(t, b.client, GroupConfig{MaxOpen: 50, Handle: func(_ context.Context, d Delivery) error {
		return f.do(d.Event, func() error { <-hold; return nil })
	}}))
	eventually(t, "it has dealt what it may", func() bool { return b.status(t, "crm").Open == 50 })
	if st := b.status(t, "crm"); st.Lag != 350 {
		t.Fatalf("%+v", st)
	}
	close(hold)
	eventually(t, "all is done", func() bool { return f.count() == 400 && b.idle(t, "crm")() })
	f.want(t, 0, 400)
}

func TestRemovedGroupLeavesNothing(t *testing.T) {
	b := newBench(t)
	appendEvents(t, b.log, 0, 50)
	stop := runGroup(t, newTestGroup(t, b.client, GroupConfig{Handle: func(context.Context, Delivery) error {
		return RetryAfter(errors.New("no"), time.Hour)
	}}))
	eventually(t, "all wait", func() bool { st := b.status(t, "crm"); return st.Open == 50 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := b.client.RemoveGroup(t.Context(), "crm"); err != nil {
		t.Fatal(err)
	}
	if keys := b.client.rdb.Keys(t.Context(), "markaz:group:*").Val(); len(keys) != 0 {
		t.Fatal(keys)
	}
	if err := b.client.RemoveGroup(t.Context(), "crm"); err != nil {
		t.Fatal(err)
	}
	if err := b.client.RemoveGroup(t.Context(), ""); err == nil {
		t.Fatal("a group without a name was removed")
	}
}
