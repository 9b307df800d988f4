package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"markaz/apps/history"
	"markaz/stream"
)

// openHistory opens the store of all calls and their events.
func (s *server) openHistory(ctx context.Context) (err error) {
	if s.store, err = history.Open(ctx, s.cfg.History); err != nil {
		return err
	}
	return s.reg.Register(s.store)
}

// keepHistory feeds the store from the stream. The reader's name is that of the
// file: one that is made anew gets all that the stream has, and several
// machines have a whole history each.
func (s *server) keepHistory(ctx context.Context, work *errgroup.Group) {
	work.Go(func() error { return s.store.Run(ctx) })
	s.readers(ctx, work, stream.GroupConfig{
		Name: "history-" + s.store.Name(), MaxAttempts: -1, Parallel: 64,
		Handle: func(ctx context.Context, d stream.Delivery) error {
			err := s.store.Take(ctx, d.Event)
			if errors.Is(err, history.ErrUnfit) {
				return fmt.Errorf("%w: %w", stream.ErrPermanent, err)
			}
			return err
		},
	})
}
