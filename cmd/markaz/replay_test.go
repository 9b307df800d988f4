package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"markaz/apps/history"
	"markaz/asterisk/testbed/redisbed"
	"markaz/call"
	"markaz/stream"
)

// A correction goes to the stream, where every reader gets it, and from there
// into the history; after that there is nothing to correct.
func TestReplayCorrectsThroughTheStream(t *testing.T) {
	redis := redisbed.StartT(t, redisbed.Options{})
	dir := t.TempDir()
	file := write(t, fmt.Sprintf("data_dir: %q\nasterisk:\n  ari: {password: x}\nstream: {redis: {addr: %q}}\n", dir, redis.Addr()))
	store, err := history.Open(t.Context(), history.Config{File: filepath.Join(dir, "history.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	begun := time.Now().Add(-3 * time.Hour).UTC().Truncate(time.Millisecond)
	for i, e := range []call.Event{
		{Kind: call.CallStarted, Leg: "in", From: "0912", Direction: call.Inbound},
		{Kind: call.LegRinging, Leg: "a", Role: call.RoleAgent, Address: "101"},
		{Kind: call.LegEnded, Leg: "a", Result: call.NoAnswer, By: call.BySystem, Cause: 19},
		{Kind: call.LegEnded, Leg: "in", Result: call.NoAnswer, By: call.BySystem, Cause: 19},
		{Kind: call.CallEnded, Disposition: call.AbandonedIVR, By: call.BySystem, Cause: 19, Data: map[string]string{call.Decided: "1"}},
	} {
		e.V, e.ID, e.Call, e.Source, e.Seq, e.At = call.Schema, fmt.Sprint("e", i), "c", "pbx", uint64(i+1), begun.Add(time.Duration(i)*time.Second)
		if err := store.Take(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if out, errs, code := markaz("replay", "--config", file); code != 0 || !strings.Contains(out, "disposition: abandoned_ivr -> missed") {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	if sent := corrections(t, redis.Addr()); len(sent) != 0 {
		t.Fatalf("written without being asked: %v", sent)
	}
	out, errs, code := markaz("replay", "--write", "--json", "--config", file)
	if code != 0 || !strings.Contains(out, `"written":true`) {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	sent := corrections(t, redis.Addr())
	if len(sent) != 1 || sent[0].Disposition != call.Missed || sent[0].Revision != 1 || sent[0].Call != "c" {
		t.Fatalf("sent %+v", sent)
	}
	for _, e := range sent {
		if err := store.Take(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if out, errs, code := markaz("replay", "--write", "--config", file); code != 0 || !strings.Contains(out, "1 calls folded again, 0 change") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if c, err := store.Call(t.Context(), "c"); err != nil || c.Disposition != call.Missed || c.Revision != 1 {
		t.Errorf("%+v, %v", c, err)
	}
}

// corrections are what the stream holds of them.
func corrections(t *testing.T, addr string) (out []call.Event) {
	t.Helper()
	client, err := stream.Connect(stream.Config{Redis: stream.RedisConfig{Addr: addr}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = stream.NewReader(client).Snapshot(context.Background(), time.Time{}, func(e stream.Entry) error {
		if e.Event.Kind == call.CallAmended {
			out = append(out, e.Event)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
