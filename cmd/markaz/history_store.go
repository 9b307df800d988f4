package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"markaz/apps/history"
	"markaz/call"
	"markaz/stream"
)

// openHistory opens the store of all calls and their events.
func (s *server) openHistory(ctx context.Context) (err error) {
	if s.store, err = history.Open(ctx, s.cfg.History); err != nil {
		return err
	}
	return s.reg.Register(s.store)
}

// gather is how long the history and the recordings wait for more of a call, so
// that one transaction holds much of it: nobody looks there for what happens
// just now.
const gather = 400 * time.Millisecond

// keepHistory feeds the store from the stream. The reader's name is that of the
// file: one that is made anew gets all that the stream has, and several
// machines have a whole history each.
func (s *server) keepHistory(ctx context.Context, work *errgroup.Group) {
	work.Go(func() error { return s.store.Run(ctx) })
	take := func(ctx context.Context, list ...stream.Delivery) error {
		var events []call.Event
		for _, d := range list {
			events = append(events, d.Event)
		}
		err := s.store.Take(ctx, events...)
		if errors.Is(err, history.ErrUnfit) {
			return fmt.Errorf("%w: %w", stream.ErrPermanent, err)
		}
		return err
	}
	s.readers(ctx, work, stream.GroupConfig{
		Name: "history-" + s.store.Name(), MaxAttempts: -1, Parallel: 64, Gather: gather,
		Handle:    func(ctx context.Context, d stream.Delivery) error { return take(ctx, d) },
		HandleAll: func(ctx context.Context, list []stream.Delivery) error { return take(ctx, list...) },
	})
}
