package stream

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"markaz/call"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("MARKAZ_STREAM_CHILD"); dir != "" {
		appendUntilKilled(dir)
		return
	}
	if ledger := os.Getenv("MARKAZ_STREAM_LEDGER"); ledger != "" {
		consumeUntilKilled(ledger)
		return
	}
	goleak.VerifyTestMain(m)
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// event makes the n-th event of a test, of one of a few calls.
func event(n int) call.Event {
	at := time.Date(2026, 11, 21, 12, 0, 0, n*1000, time.UTC)
	return call.Event{
		V: call.Schema, ID: fmt.Sprintf("E%07d", n), Kind: call.LegEnded, Source: "main",
		Call: fmt.Sprintf("C%d", n%7), Leg: "1763726400.17", Seq: uint64(n/7 + 1), At: at, SeenAt: at.Add(time.Millisecond), Live: true,
		Role: call.RoleAgent, Address: "101", Agent: "101", Queue: "sales", Result: call.Answered, By: call.ByCaller, Cause: 16,
	}
}

func eventID(n int) string { return event(n).ID }

func encoded(t testing.TB, e call.Event) []byte {
	t.Helper()
	raw, err := appendRecord(nil, &e)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// heard collects what is logged at warning level or above.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(h, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (h *heard) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, string(p))
	return len(p), nil
}

func (h *heard) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.lines)
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		}
	}
}
