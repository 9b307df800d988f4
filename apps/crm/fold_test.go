package crm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"markaz/call"
)

// Ensure that, whatever is interleaved, repeated, asked again or forgotten in
// between, each event is told with the record as the log has it at that point.
func TestKeeperAgreesWithTheLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := logbook{}
		var ids []string
		for i := range rapid.IntRange(1, 6).Draw(t, "calls") {
			id := fmt.Sprintf("c%d", i)
			ids = append(ids, id)
			log.add(queued(id))
		}
		k := NewKeeper(rapid.IntRange(1, 7).Draw(t, "max"), log.history)
		at := map[string]int{}
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			id := rapid.SampledFrom(ids).Draw(t, "call")
			n := at[id] + rapid.SampledFrom([]int{1, 1, 1, 1, 0, -3, 2}).Draw(t, "move")
			n = min(max(n, 1), len(log[id]))
			at[id] = n
			got, err := k.Fold(context.Background(), log[id][n-1])
			if err != nil {
				t.Fatal(err)
			}
			want := call.Call{ID: id}
			for _, e := range log[id][:n] {
				want.Apply(e)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%s at %d:\n%+v\nwant\n%+v", id, n, got, want)
			}
			if len(k.calls) > k.max || k.used.Len() != len(k.calls) {
				t.Fatalf("%d calls kept, %d in order", len(k.calls), k.used.Len())
			}
		}
	})
}

func TestKeeperHandsOutCopies(t *testing.T) {
	log := queued("c")
	k := NewKeeper(10, logbook{}.history)
	var early call.Call
	for i, e := range log {
		c, err := k.Fold(context.Background(), e)
		if err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			early = c
		}
	}
	if l := early.Leg("a1"); l == nil || l.Ended != nil || l.Answered != nil || early.Queues[0].Left != "" {
		t.Errorf("an early record has changed: %+v", early)
	}
}

func TestKeeperTellsThatTheLogIsAway(t *testing.T) {
	away := errors.New("redis is away")
	k := NewKeeper(10, func(context.Context, string) ([]call.Event, error) { return nil, away })
	if _, err := k.Fold(context.Background(), queued("c")[4]); !errors.Is(err, away) {
		t.Errorf("error %v", err)
	}
	if _, err := k.Fold(context.Background(), queued("c")[0]); err != nil {
		t.Errorf("the first event of a call needs no log: %v", err)
	}
	if c, err := k.Fold(context.Background(), call.Event{Kind: call.AgentChanged}); err != nil || c.ID != "" {
		t.Errorf("event of no call: %+v, %v", c, err)
	}
}
