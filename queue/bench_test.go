package queue

import (
	"fmt"
	"testing"
	"time"

	"markaz/call"
)

// crowd is a floor with n callers waiting in one queue and one agent.
func crowd(tb testing.TB, n int) (*Floor, time.Time) {
	f, err := New(Config{
		Agents: []AgentConfig{{ID: "a", Extension: "1"}},
		Queues: []QueueConfig{{
			Name: "q", Agents: []string{"a"}, MaxWait: MaxWait{After: time.Hour, To: "hangup"},
			Announce: AnnounceConfig{AtJoin: true, Every: time.Minute, Position: true, Wait: true}, RequestKey: "1",
		}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	at := simStart
	f.Open(at)
	for i := range n {
		at = at.Add(time.Millisecond)
		if _, err := f.Join(at, Caller{Call: fmt.Sprint("old", i), Leg: "l", Queue: "q", Priority: i % 3}); err != nil {
			tb.Fatal(err)
		}
	}
	return f, at
}

func benchmarkSizes(b *testing.B, run func(b *testing.B, f *Floor, at time.Time, n int)) {
	for _, n := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			f, at := crowd(b, n)
			b.ReportAllocs()
			b.ResetTimer()
			run(b, f, at, n)
		})
	}
}

// BenchmarkJoinLeave is one caller who comes and goes while n others wait.
func BenchmarkJoinLeave(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, f *Floor, at time.Time, _ int) {
		for b.Loop() {
			at = at.Add(time.Millisecond)
			if _, err := f.Join(at, Caller{Call: "new", Leg: "l", Queue: "q"}); err != nil {
				b.Fatal(err)
			}
			f.Leave(at, "new", Abandoned)
		}
	})
}

// BenchmarkPosition is the place of somebody among n.
func BenchmarkPosition(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, f *Floor, _ time.Time, n int) {
		i := 0
		for b.Loop() {
			i = (i + 7919) % n
			if f.callers[fmt.Sprint("old", i)].position() < 1 {
				b.Fatal("no place")
			}
		}
	})
}

// BenchmarkServe is a whole call: the first of n is offered, answered and
// ended, and somebody else comes.
func BenchmarkServe(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, f *Floor, at time.Time, _ int) {
		if _, err := f.Ask(at, "a", WishAvailable, ""); err != nil {
			b.Fatal(err)
		}
		i := 0
		for b.Loop() {
			at = at.Add(time.Second)
			id := f.agentOf["a"].call
			f.Answered(at, "a", id)
			f.Ended(at, "a", id, call.Answered)
			i++
			if _, err := f.Join(at, Caller{Call: fmt.Sprint("new", i), Leg: "l", Queue: "q"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSnapshot is what a dashboard asks for.
func BenchmarkSnapshot(b *testing.B) {
	benchmarkSizes(b, func(b *testing.B, f *Floor, at time.Time, n int) {
		for b.Loop() {
			if f.Snapshot(at).Queues[0].Waiting != n {
				b.Fatal("somebody is missing")
			}
		}
	})
}

// TestGrowth holds the cost of one input to a logarithm: it counts what is
// allocated, which does not depend on the machine, as time would.
func TestGrowth(t *testing.T) {
	cost := func(n int) float64 {
		f, at := crowd(t, n)
		return testing.AllocsPerRun(200, func() {
			at = at.Add(time.Millisecond)
			if _, err := f.Join(at, Caller{Call: "new", Leg: "l", Queue: "q"}); err != nil {
				t.Error(err)
			}
			f.Key(at, "new", "1")
			f.Leave(at, "new", Abandoned)
		})
	}
	if few, many := cost(10), cost(100_000); many > 1.2*few {
		t.Errorf("%.0f allocations with 10 waiting, %.0f with 100,000", few, many)
	}
}
