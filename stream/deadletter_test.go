package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

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
	dead := deadLetters(t, b, "", 2)
	slices.SortFunc(dead, func(a, b DeadLetter) int { return strings.Compare(a.Event.ID, b.Event.ID) })
	checkDeadLetter(t, dead[0], poison, 3, "panicked: poison")
	checkDeadLetter(t, dead[1], rotten, 1, "422")
	if attempts != 3 {
		t.Fatalf("tried %d times", attempts)
	}
	// Still poison: it comes back. Then healed: it goes through.
	if n, err := b.client.Replay(t.Context(), "crm", dead[0].ID, "1-1"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	eventually(t, "it is dead again", func() bool { return b.status(t, "crm").Dead == 2 && b.idle(t, "crm")() })
	mu.Lock()
	healed = true
	mu.Unlock()
	dead = deadLetters(t, b, "", 1)
	if dead[0].Event.ID != rotten {
		t.Fatal(dead)
	}
	if n, err := b.client.Drop(t.Context(), "crm", dead[0].ID); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	dead = deadLetters(t, b, dead[0].ID, 1)
	if dead[0].Event.ID != poison {
		t.Fatal(dead)
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

func checkDeadLetter(t *testing.T, d DeadLetter, id string, attempts int, reason string) {
	t.Helper()
	if d.Event.ID != id || d.Attempts != attempts || !strings.Contains(d.Reason, reason) || d.Entry == "" ||
		d.Event.Call == "" || time.Since(d.At).Abs() > time.Minute {
		t.Fatalf("%+v", d)
	}
}

// deadLetters lists up to n dead letters, and wants as many.
func deadLetters(t *testing.T, b *bench, after string, n int) []DeadLetter {
	t.Helper()
	dead, err := b.client.DeadLetters(t.Context(), "crm", after, n)
	if err != nil || len(dead) != n {
		t.Fatal(dead, err)
	}
	return dead
}
