package legacy

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"markaz/legacy/journal"
	"markaz/legacy/link"
)

// Run connects to the devices and works off what they send, until ctx ends.
// First it works off what the time before has left.
func (e *Engine) Run(ctx context.Context) error {
	e.stopped = ctx.Done()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.journal.Run(ctx) })
	ready := make(chan struct{})
	g.Go(func() error { return e.work(ctx, func() { e.connect(); close(ready) }) })
	g.Go(func() error {
		select {
		case <-ready:
			return e.serve(ctx)
		case <-ctx.Done():
			return nil
		}
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("run sources: %w", err)
	}
	return nil
}

// connect makes the links, which go on where their sources stand.
func (e *Engine) connect() {
	for _, key := range e.keys {
		if e.dep.Only != "" && key != e.dep.Only {
			continue
		}
		s := e.sources[key]
		log := e.log.With("source", key)
		l := link.New(s.cfg.Link, &sink{e: e, s: s}, s.resume(), log)
		s.mu.Lock()
		s.link = l
		s.mu.Unlock()
	}
}

// serve runs the links, the recorders and the pacer.
func (e *Engine) serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, key := range e.keys {
		if e.sources[key].link == nil {
			continue
		}
		g.Go(func() error {
			if err := e.sources[key].link.Run(ctx); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			return nil
		})
		if s := e.sources[key]; s.sounds != nil {
			g.Go(func() error { return s.sounds.watcher.Run(ctx) })
		}
	}
	g.Go(func() error { e.pace(ctx); return nil })
	return g.Wait()
}

// pace writes the passing of time into the journal where a machine waits for
// it.
func (e *Engine) pace(ctx context.Context) {
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		for _, s := range e.sources {
			if s.ripe(e.dep.Now()) {
				e.write(s, journal.Tick, nil)
			}
		}
	}
}

// sink writes what a link receives into the journal.
type sink struct {
	e *Engine
	s *source
}

func (k *sink) Up(detail []byte) {
	k.e.write(k.s, journal.Up, detail)
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	k.s.up = true
}

func (k *sink) Data(b []byte) { k.e.write(k.s, journal.Data, b) }
func (k *sink) Edge()         { k.e.write(k.s, journal.Edge, nil) }

func (k *sink) Down(reason string) {
	k.s.mu.Lock()
	k.s.up = false
	k.s.mu.Unlock()
	k.e.write(k.s, journal.Down, []byte(reason))
}

// write writes an entry, trying again until the disk takes it: meanwhile the
// device is not read from.
func (e *Engine) write(s *source, kind journal.Kind, b []byte) {
	for tries := 0; ; tries++ {
		_, err := e.journal.Write(s.cfg.Key, kind, b)
		if err == nil {
			return
		}
		if tries%30 == 0 {
			e.log.Error("disk does not take what a device sends", "source", s.cfg.Key, "error", err)
		}
		if kind == journal.Tick {
			return // there will be another
		}
		select {
		case <-time.After(time.Second):
		case <-e.stopped:
			e.log.Error("what a device sent is lost: the disk did not take it", "source", s.cfg.Key, "bytes", len(b))
			return
		}
	}
}
