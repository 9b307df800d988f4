package stream

import (
	"context"
	"slices"
	"sync"
	"testing"
)

// follow reads from an id in the background until n entries came.
type follower struct {
	mu   sync.Mutex
	ids  []string
	last string
	err  error
	done chan struct{}
}

func follow(t testing.TB, ctx context.Context, r *Reader, after string) *follower {
	f := &follower{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		err := r.Tail(ctx, after, func(e Entry) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.ids, f.last = append(f.ids, e.Event.ID), e.ID
			return nil
		})
		f.mu.Lock()
		f.err = err
		f.mu.Unlock()
	}()
	return f
}

func (f *follower) got() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.ids)
}

func (f *follower) ended() error {
	<-f.done
	return f.err
}
