package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/coreos/go-systemd/v22/daemon"

	"markaz/apps/crm"
	"markaz/call"
	"markaz/recorder"
	"markaz/stream"
)

type serveCmd struct {
	Drain time.Duration `help:"How long calls may go on after SIGTERM." default:"30s"`
}

// Run serves calls until ctx ends, then drains.
func (c serveCmd) Run(ctx context.Context, cmd *cli, con console) error {
	cfg, err := loadToServe(cmd.Config)
	if err != nil {
		return err
	}
	log := cfg.Log.Logger(con.err)
	s, err := assemble(ctx, cfg, log)
	if err != nil {
		return err
	}
	if err = s.firstAdministrator(ctx, con.err); err == nil {
		err = s.run(ctx, c.Drain)
	}
	return errors.Join(err, s.Close())
}

// run starts everything and stops it in order: new calls first, then the
// calls, then the loop, then the log.
func (s *server) run(stop context.Context, drain time.Duration) error {
	base := context.WithoutCancel(stop)
	stopLog := begin(base, s.stream.Run)
	stopLoop := begin(base, s.loop.Run)

	calls, stopCalls := context.WithCancel(base)
	defer stopCalls()
	work, ctx := errgroup.WithContext(calls)
	work.Go(func() error { return s.sw.Run(ctx) })
	if s.watched.by != nil {
		work.Go(func() error { return s.watched.by.Run(ctx) })
	}
	work.Go(func() error { return s.roster.run(ctx) })
	work.Go(func() error { return s.keeper.Run(ctx) })
	work.Go(func() error { return s.book.Run(ctx) })
	work.Go(func() error { return s.hub.Run(ctx) })
	work.Go(func() error { s.keepLog(ctx); return nil })
	work.Go(func() error { s.speakAhead(ctx); return nil })
	work.Go(func() error { s.watchdog(ctx); return nil })
	if s.web != nil {
		work.Go(func() error { return s.gate.Run(ctx) })
		work.Go(func() error {
			h, err := s.desk().handler()
			if err != nil {
				return err
			}
			return serveHTTP(ctx, s.web, h)
		})
	}
	if s.public != nil {
		work.Go(func() error { return serveHTTP(ctx, s.public, s.publicSide()) })
	}
	s.follow(ctx, work)
	s.keepHistory(ctx, work)
	work.Go(func() error {
		select {
		case <-ctx.Done():
		case <-stop.Done():
			s.drain(ctx, drain)
			stopCalls()
		}
		return nil
	})
	s.log.Info("serving", "version", version, "agi", s.cfg.Asterisk.AGI.Listen, "ari", s.cfg.Asterisk.ARI.URL, "http", s.cfg.HTTP.Listen)
	err := work.Wait()
	err = errors.Join(err, stopLoop(), stopLog())
	s.log.Info("stopped")
	return err
}

// begin runs something until the function that it returns is called, which
// waits for its end.
func begin(ctx context.Context, run func(context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

// drain lets calls end that can. Those who still wait keep their music and
// their lease: the next process adopts them, or the dialplan takes them back.
func (s *server) drain(ctx context.Context, patience time.Duration) {
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping) // no systemd, no need
	s.log.Info("draining", "patience", patience)
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.sw.Drain(ctx); err != nil {
		s.log.Warn("calls left for the next process", "err", err)
	}
}

// keepLog tells the spool how far back a restart would have to read.
func (s *server) keepLog(ctx context.Context) {
	tick := time.NewTicker(20 * time.Second)
	defer tick.Stop()
	for {
		var oldest time.Time
		err := s.loop.View(ctx, func(b call.Book) {
			for _, c := range b {
				if !c.Over() && (oldest.IsZero() || c.Started.Before(oldest)) {
					oldest = c.Started
				}
			}
		})
		if err == nil {
			s.stream.Keep(oldest)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// speakAhead makes the sentences of the queues while calls are served already.
func (s *server) speakAhead(ctx context.Context) {
	if err := s.prompt.PreparePhrases(ctx, s.languages); err != nil && ctx.Err() == nil {
		s.log.Warn("places and waits are said as bare numbers by the PBX", "err", err)
	}
}

// watchdog tells systemd that the loop takes its turns.
func (s *server) watchdog(ctx context.Context) {
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady)
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return
	}
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		turn, cancel := context.WithTimeout(ctx, every/3)
		if s.loop.View(turn, func(call.Book) {}) == nil {
			_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
		}
		cancel()
	}
}

// follow starts the readers of the log: each sink and the recordings.
func (s *server) follow(ctx context.Context, work *errgroup.Group) {
	keep := func(ctx context.Context, d stream.Delivery) error { return s.keeper.Handle(ctx, d.Event) }
	s.readers(ctx, work, stream.GroupConfig{
		Name: "recordings", Since: s.born, Kinds: recorder.Kinds(), Parallel: 4, Gather: gather, Handle: keep,
		HandleAll: func(ctx context.Context, list []stream.Delivery) error { // most of them only tell of the call
			for _, d := range list {
				if err := keep(ctx, d); err != nil {
					return err
				}
			}
			return nil
		},
	})
	for _, sink := range s.sinks {
		s.readers(ctx, work, stream.GroupConfig{
			Name: sink.Group(), Since: s.born, MaxAttempts: -1, Parallel: 32,
			Handle: func(ctx context.Context, d stream.Delivery) error { return deliver(ctx, sink, d) },
		})
	}
}

func (s *server) readers(ctx context.Context, work *errgroup.Group, cfg stream.GroupConfig) {
	work.Go(func() error {
		g, err := stream.NewGroup(s.client, cfg)
		if err != nil {
			return err
		}
		err = g.Run(ctx)
		if errors.Is(err, stream.ErrStop) {
			s.log.Error("sink switched off by its receiver; start Markaz again when it is back", "group", cfg.Name, "err", err)
			return nil
		}
		return err
	})
}

// deliver turns a sink's verdict into what the group understands.
func deliver(ctx context.Context, sink *crm.Sink, d stream.Delivery) error {
	v, err := sink.Deliver(ctx, d.Event, d.Attempt)
	switch v.Act {
	case crm.Done:
		return nil
	case crm.Dead:
		return fmt.Errorf("%w: %w", stream.ErrPermanent, err)
	case crm.Disable:
		return fmt.Errorf("%w: %w", stream.ErrStop, err)
	case crm.Retry:
	}
	if v.Free {
		return stream.RetryFree(err, v.After)
	}
	return stream.RetryAfter(err, v.After)
}

func chance() float64 { return rand.Float64() }
