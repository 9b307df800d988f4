package stream

import (
	"testing"
	"time"
)

func TestNotes(t *testing.T) {
	c := connect(t, newBench(t).addr)
	n := NewNotes(c, time.Hour)
	for _, want := range []string{"", "one", "two"} {
		if want != "" {
			if err := n.PutNote(t.Context(), "call/x", want); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := n.Note(t.Context(), "call/x"); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if ttl := c.rdb.TTL(t.Context(), c.keys.note("call/x")).Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("kept for %v", ttl)
	}
}
