package crm

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"markaz/call"
)

// directory is a CRM that knows people, or does not answer.
type directory struct {
	told
	people map[string]string
	takes  time.Duration
	asked  atomic.Int32
	err    error
}

func (d *directory) Find(ctx context.Context, number string) (string, string, error) {
	d.asked.Add(1)
	select {
	case <-time.After(d.takes):
	case <-ctx.Done():
		return "", "", ctx.Err()
	}
	if d.err != nil {
		return "", "", d.err
	}
	name := d.people[number]
	if name == "" {
		return "", "", nil
	}
	return "id-" + name, name, nil
}

// bookBench runs a phone book with these CRMs in their order.
type bookBench struct {
	book *Phonebook
	mu   sync.Mutex
	seen []call.Event
	at   []time.Duration
}

func runBook(t *testing.T, cfg IdentifyConfig, dirs ...*directory) *bookBench {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	b, begin := &bookBench{}, time.Now()
	dep := deps(logbook{}, &clock{at: t0}, &facts{})
	dep.Now = time.Now
	dep.Report = func(e call.Event) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen, b.at = append(b.seen, e), append(b.at, time.Since(begin))
	}
	var sinks []*Sink
	for i, d := range dirs {
		sinks = append(sinks, newSink(SinkConfig{Name: string(rune('a' + i))}, d, dep))
	}
	b.book = NewPhonebook(cfg, sinks, dep)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.book.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

// told lists what was reported as "call state name sink".
func (b *bookBench) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []string{}
	for _, e := range b.seen {
		out = append(out, e.Call+" "+e.State+" "+e.Text+" "+e.Data["sink"])
	}
	slices.Sort(out)
	return out
}

func TestLookupTakesTheFirstThatKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := &directory{people: map[string]string{"1": "Sara"}, takes: 300 * time.Millisecond}
		second := &directory{people: map[string]string{"1": "S. A.", "2": "Reza"}, takes: time.Millisecond}
		b := runBook(t, IdentifyConfig{}, first, second)
		for _, a := range []call.Lookup{{Call: "x", E164: "1"}, {Call: "y", Number: "2"}, {Call: "z", Number: "3"}} {
			b.book.Lookup(a)
		}
		time.Sleep(time.Second)
		if got, want := b.told(), []string{"x known Sara a", "y known Reza b", "z unknown  "}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// Ensure many calls of one number make one request, that its answer is kept,
// also that nobody knows it, and for how long.
func TestLookupAsksOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{people: map[string]string{"1": "Sara"}, takes: 100 * time.Millisecond}
		b := runBook(t, IdentifyConfig{}, d)
		ask := func(want int32, numbers ...string) {
			t.Helper()
			for range 20 {
				for _, n := range numbers {
					b.book.Lookup(call.Lookup{Call: "c", Number: n})
				}
			}
			time.Sleep(200 * time.Millisecond)
			if n := d.asked.Load(); n != want {
				t.Errorf("%d requests, want %d", n, want)
			}
		}
		ask(2, "1", "2")
		ask(2, "1", "2")
		time.Sleep(time.Minute)
		ask(3, "1", "2") // the stranger again
		time.Sleep(10 * time.Minute)
		ask(5, "1", "2")
		if n := len(b.told()); n != 160 {
			t.Errorf("%d answers to 160 calls", n)
		}
	})
}

// Ensure the memory for numbers is bounded.
func TestLookupForgets(t *testing.T) {
	c := newNumberCache(3)
	for _, n := range []string{"1", "2", "3", "1", "4"} {
		c.put(n, person{id: n}, t0.Add(time.Hour))
	}
	c.get("3", t0)
	c.put("5", person{id: "5"}, t0.Add(time.Hour))
	for n, want := range map[string]bool{"1": false, "2": false, "3": true, "4": true, "5": true} {
		if _, ok := c.get(n, t0); ok != want {
			t.Errorf("%s there: %v", n, ok)
		}
	}
	if _, ok := c.get("5", t0.Add(time.Hour)); ok || len(c.items) != 2 || c.used.Len() != 2 {
		t.Error("an answer that is too old is kept")
	}
}

// Ensure a CRM that hangs costs others at most the time-out, is then left
// alone, and is asked again later; and that nobody is called unknown who could
// not be asked for.
func TestLookupAtACRMThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := &directory{takes: time.Hour}
		works := &directory{people: map[string]string{"1": "Sara", "2": "Reza", "3": "Mina", "4": "Nima", "6": "Omid"}, takes: 5 * time.Millisecond}
		b := runBook(t, IdentifyConfig{}, hangs, works)
		for i, n := range []string{"1", "2", "3", "4", "5"} {
			b.book.Lookup(call.Lookup{Call: "c" + n, Number: n})
			time.Sleep(time.Second)
			if got := len(b.told()); got != min(i+1, 4) {
				t.Fatalf("%d answers after %s: %q", got, n, b.told())
			}
		}
		if took := b.at[0]; took != 800*time.Millisecond {
			t.Errorf("the first waited %v", took)
		}
		if took := b.at[3] - 3*time.Second; took > 10*time.Millisecond || hangs.asked.Load() != 3 {
			t.Errorf("the fourth waited %v, %d requests to the one that hangs", took, hangs.asked.Load())
		}
		time.Sleep(10 * time.Second)
		hangs.takes = 0
		b.book.Lookup(call.Lookup{Call: "c5", Number: "5"})
		time.Sleep(time.Second)
		if got := b.told(); got[len(got)-1] != "c5 unknown  " {
			t.Errorf("after it works again %q", got)
		}
	})
}

// Ensure a flood of strange numbers neither blocks nor grows without bound,
// and that what one CRM does wrong hurts nobody.
func TestLookupFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &directory{takes: 800 * time.Millisecond, err: errors.New("broken")}
		b := runBook(t, IdentifyConfig{}, d)
		for i := range 5000 {
			b.book.Lookup(call.Lookup{Call: "c", Number: string(rune(0x4e00 + i))})
		}
		b.book.mu.Lock()
		if n := len(b.book.flights); n > lookupQueue+lookupWorkers {
			t.Errorf("%d numbers wait", n)
		}
		b.book.mu.Unlock()
		time.Sleep(time.Minute)
		b.book.mu.Lock()
		defer b.book.mu.Unlock()
		if n := len(b.book.flights); n != 0 || len(b.seen) != 0 {
			t.Errorf("%d numbers still wait, %d answers", n, len(b.seen))
		}
	})
}

// calls are the calls that a machine may look at.
type oneCall struct{ c *call.Call }

func (o oneCall) Call(id string) *call.Call {
	if o.c == nil || o.c.ID != id {
		return nil
	}
	return o.c
}
func (o oneCall) Each(fn func(*call.Call)) { fn(o.c) }

func TestIdentifyAsksForWhomItMust(t *testing.T) {
	for name, tc := range map[string]struct {
		e    call.Event
		want call.Action
	}{
		"incoming":  {call.Event{From: "09121234567", FromE164: "+989121234567", Direction: call.Inbound}, call.Lookup{Call: "c", Number: "09121234567", E164: "+989121234567"}},
		"outgoing":  {call.Event{From: "101", To: "09121234567", Direction: call.Outbound}, call.Lookup{Call: "c", Number: "09121234567"}},
		"observed":  {call.Event{From: "09121234567", Direction: call.Inbound, Observed: true}, call.Lookup{Call: "c", Number: "09121234567", Observed: true}},
		"internal":  {call.Event{From: "101", To: "102", Direction: call.Internal}, nil},
		"anonymous": {call.Event{From: "anonymous", Direction: call.Inbound}, nil},
		"no number": {call.Event{Direction: call.Inbound}, nil},
	} {
		tc.e.Kind, tc.e.Call, tc.e.Live = call.CallStarted, "c", true
		c := &call.Call{ID: "c"}
		c.Apply(tc.e)
		out := Identify{}.Step(tc.e, oneCall{c})
		if len(out.Actions) > 1 || len(out.Actions) == 1 && out.Actions[0] != tc.want || len(out.Actions) == 0 && tc.want != nil {
			t.Errorf("%s: %+v", name, out.Actions)
		}
		tc.e.Live = false
		if out := (Identify{}).Step(tc.e, oneCall{c}); len(out.Actions) > 0 {
			t.Errorf("%s, told late: %+v", name, out.Actions)
		}
	}
}

// Ensure a stranger is marked, and that nothing undoes what a CRM knew.
func TestIdentified(t *testing.T) {
	c := &call.Call{ID: "c"}
	c.Apply(call.Event{Kind: call.CallStarted, Call: "c"})
	c.Apply(person{}.event(call.Lookup{Call: "c"}))
	if !c.Unknown || c.Identity != "" {
		t.Errorf("%+v", c)
	}
	c.Apply(person{"7", "Sara\x1b[31m", "a"}.event(call.Lookup{Call: "c"}))
	c.Apply(person{}.event(call.Lookup{Call: "c"}))
	if c.Unknown || c.Identity != "7" || c.Known == "" || c.Known == "Sara\x1b[31m" {
		t.Errorf("%+v", c)
	}
}
