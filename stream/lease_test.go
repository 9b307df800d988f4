package stream

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestLease(t *testing.T) {
	server := startRedis(t, "everysec")
	c := connect(t, server.Addr())
	ctx := t.Context()
	a, b := NewLease(c, "loop", "a", 200*time.Millisecond), NewLease(c, "loop", "b", time.Minute)
	first, err := a.Acquire(ctx)
	if err != nil || first == 0 {
		t.Fatal(first, err)
	}
	if _, err := b.Acquire(ctx); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	if err := b.Renew(ctx); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	if err := a.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	var second int64
	eventually(t, "a lease that is not renewed ends", func() bool { second, err = b.Acquire(ctx); return err == nil })
	if second <= first {
		t.Fatalf("epoch %d after %d", second, first)
	}
	if err := a.Renew(ctx); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	if err := a.Release(ctx); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	if err := b.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.rdb.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	if third, err := a.Acquire(ctx); err != nil || third <= second {
		t.Fatalf("epoch %d after %d: %v", third, second, err)
	}
	server.Kill()
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := a.Renew(short); err == nil || errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
}
