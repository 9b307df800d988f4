package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"markaz/call"
	"markaz/legacy"
	"markaz/legacy/state"
	"markaz/stream"
)

type runCmd struct{}

// Run receives from the devices until the context ends.
func (runCmd) Run(ctx context.Context, c *cli, con console) error {
	cfg, err := load(c.Config)
	if err != nil {
		return err
	}
	log := cfg.Log.Logger(con.err)
	s, err := open(cfg, log, "")
	if err != nil {
		return err
	}
	return s.run(ctx)
}

// sidecar is the engine with the log it writes to.
type sidecar struct {
	cfg    *config
	logger *slog.Logger
	log    *stream.Log
	engine *legacy.Engine
}

// memory is what the garbage collector aims to stay below; it is a machine of
// others that we are on.
const memory = 64 << 20

// open opens log and engine, and tells the engine what the log has already.
// only is the key of the one source to connect; "" connects all.
func open(cfg *config, logger *slog.Logger, only string) (*sidecar, error) {
	debug.SetMemoryLimit(memory)
	debug.SetGCPercent(25) // little is live, and the collector has little to do
	log, err := stream.Open(cfg.Stream, logger)
	if err != nil {
		return nil, opening(err)
	}
	interval := cfg.Stream.Spool.SyncInterval
	if interval == 0 {
		interval = 200 * time.Millisecond
	}
	engine, err := legacy.Open(cfg.Legacy, legacy.Deps{Log: log, Logger: logger, Now: time.Now, Settled: 3 * interval, Only: only})
	if err != nil {
		return nil, errors.Join(opening(err), log.Close())
	}
	since := engine.Since()
	err = log.Recover(context.Background(), func(e call.Event) {
		if !e.SeenAt.Before(since) {
			engine.Known(e.ID)
		}
	})
	if err != nil {
		logger.Error("what the log has could not be read", "error", err)
	}
	return &sidecar{cfg: cfg, logger: logger, log: log, engine: engine}, nil
}

// opening explains a failure to open: mostly, that another sidecar is at work.
func opening(err error) error {
	if errors.Is(err, state.ErrInUse) || errors.Is(err, stream.ErrInUse) {
		return exit(exitFailure, "a sidecar is at work on this folder already: %w", err)
	}
	return err
}

// run works until ctx ends, then writes everything down: first no more is
// received, then the log makes permanent what it has, then the position moves.
func (s *sidecar) run(ctx context.Context) error {
	logCtx, stopLog := context.WithCancel(context.WithoutCancel(ctx))
	logEnd := make(chan error, 1)
	go func() { logEnd <- s.log.Run(logCtx) }()

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.engine.Run(ctx) })
	if s.cfg.Listen != "" {
		g.Go(func() error { return s.http(ctx) })
	}
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady) // no systemd, no need
	debug.FreeOSMemory()                                // what starting took
	s.logger.Info("receiving", "sources", len(s.cfg.Legacy.Sources), "version", version)
	err := g.Wait()
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	return errors.Join(err, s.close(stopLog, logEnd))
}

func (s *sidecar) close(stopLog func(), logEnd <-chan error) error {
	stopLog()
	return errors.Join(<-logEnd, s.engine.Close(), s.log.Close())
}

// http serves metrics, health and raw lines.
func (s *sidecar) http(ctx context.Context) error {
	ln, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: s.handler(ctx), ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if server.Shutdown(last) != nil {
			server.Close()
		}
	})()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
