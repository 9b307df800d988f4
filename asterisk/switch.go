package asterisk

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/asterisk/ari"
	"markaz/asterisk/fastagi"
	"markaz/call"
)

// ErrReplaced is returned by Run when another process has taken over the
// Stasis application: this one must stay away from the calls.
var ErrReplaced = errors.New("another instance has taken over the Stasis application")

// Switch is one Asterisk server.
type Switch struct {
	cfg  Config
	log  *slog.Logger
	sink func(call.Event)
	now  func() time.Time

	chance     io.Reader
	chanceLock sync.Mutex

	lengths soundLengths
	ari     *ari.Client
	agi     *fastagi.Server
	legs    *registry
	lanes   *lanes
	snoops  *snoops
	stats   *stats

	// syncing is held by reconciling while it tells what it has found, and
	// shared by whoever announces a new call: SwitchSynced says that every
	// living leg has been told.
	syncing  sync.RWMutex
	started  time.Time // Asterisk's start-up time at the last connect
	draining atomic.Bool
	trouble  atomic.Pointer[error] // why calls cannot be served; nil while they can
}

// Option changes what New takes for granted.
type Option func(*Switch)

// WithClock gives the time; the default is time.Now.
func WithClock(now func() time.Time) Option { return func(s *Switch) { s.now = now } }

// WithChance gives the randomness of call ids; the default is crypto/rand.
func WithChance(r io.Reader) Option { return func(s *Switch) { s.chance = r } }

// New makes a Switch. Events go to sink, which may block for a moment; it is
// called from several goroutines, in order for each leg.
func New(cfg Config, log *slog.Logger, sink func(call.Event), opts ...Option) (*Switch, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Switch{
		cfg: cfg, log: log.With("source", cfg.Source), sink: sink, now: time.Now, chance: rand.Reader,
		legs: newRegistry(), lanes: newLanes(cfg.Mailbox), snoops: newSnoops(), stats: newStats(),
	}
	for _, o := range opts {
		o(s)
	}
	s.ari = ari.New(cfg.ARI, s.stats)
	s.agi = s.newAGI()
	s.stats.watch(s.legs.count, s.agi.Stats)
	s.setTrouble(errors.New("not connected to Asterisk yet"))
	return s, nil
}

// newAGI makes the FastAGI side. When Run ends there is nobody left who could
// serve a session, so it does not wait for any: the dialplan takes over.
func (s *Switch) newAGI() *fastagi.Server {
	desk := newAGIDesk(agiDeps{
		host: s, newID: s.newID, refuse: s.draining.Load, now: s.now, log: s.log, room: s.cfg.Mailbox,
	})
	cfg := s.cfg.AGI
	cfg.Drain = 0
	return &fastagi.Server{Config: cfg, Handler: desk.serve, Log: s.log}
}

// Run connects and works until ctx ends (nil), another instance takes over
// (ErrReplaced), or a permanent error: Asterisk refuses the password, or the
// FastAGI port is taken.
func (s *Switch) Run(ctx context.Context) error {
	if err := s.agi.Listen(); err != nil {
		return fmt.Errorf("cannot take calls at %s: stop the program that listens there, or change agi.listen here and in the dialplan (%w)", s.cfg.AGI.Listen, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	var working sync.WaitGroup
	defer working.Wait()
	defer cancel()
	working.Go(func() { s.lanes.run(ctx) })
	working.Go(func() { s.watchPhones(ctx) })
	parts := make(chan error, 2)
	working.Go(func() { parts <- s.agi.Run(ctx) })
	working.Go(func() { parts <- s.runARI(ctx) })
	return <-parts // either alone is of no use
}

func (s *Switch) runARI(ctx context.Context) error {
	err := s.ari.Run(ctx, &connection{s: s})
	switch {
	case errors.Is(err, ari.ErrReplaced):
		s.log.Error("replaced by another instance: this one commands no more calls", "app", s.ari.App())
		return ErrReplaced
	case errors.Is(err, ari.ErrRefused):
		return fmt.Errorf("the ARI user %q is refused by %s: compare username and password with ari.conf there, and see that the user is not read_only (%w)",
			s.cfg.ARI.Username, s.cfg.ARI.URL, err)
	}
	return err
}

// connection hears of the connection's life on behalf of a Switch.
type connection struct {
	s     *Switch
	tried bool // and failed, since the last success
}

// Connected implements ari.Handler.
func (c *connection) Connected(ctx context.Context) error {
	if err := c.s.reconcile(ctx); err != nil {
		return err
	}
	c.tried = false
	c.s.setTrouble(nil)
	return nil
}

// Event implements ari.Handler.
func (c *connection) Event(e ari.Event) { c.s.take(e) }

// Lost implements ari.Handler.
func (c *connection) Lost(err error) {
	c.s.setTrouble(err)
	c.s.log.Warn("connection to Asterisk lost", "err", err)
	c.s.emit(call.Event{Kind: call.SwitchLost, Reason: err.Error()})
}

// Trying implements ari.Handler. Each outage is told once.
func (c *connection) Trying(err error, next time.Duration) {
	level := slog.LevelWarn
	if c.tried {
		level = slog.LevelDebug
	}
	c.tried = true
	c.s.log.Log(context.Background(), level, "cannot connect to Asterisk, trying on", "url", c.s.cfg.ARI.URL, "next", next, "err", err)
	c.s.setTrouble(err)
}

func (s *Switch) setTrouble(err error) {
	s.stats.connection(err == nil, s.now())
	if err == nil {
		s.trouble.Store(nil)
		return
	}
	s.trouble.Store(&err)
}

// Ready says why calls cannot be served now, or nil.
func (s *Switch) Ready() error {
	if err := s.trouble.Load(); err != nil {
		return *err
	}
	if s.draining.Load() {
		return errors.New("draining: no new calls are taken")
	}
	return nil
}

// Drain takes no new calls (the dialplan's fall-back serves them) and waits
// until the last leg and the last recording are gone, or ctx ends.
func (s *Switch) Drain(ctx context.Context) error {
	s.draining.Store(true)
	select {
	case <-s.legs.whenEmpty():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%d legs are still up: %w", s.legs.count(), ctx.Err())
	}
}

// Stats is a snapshot for people; metrics are for machines.
type Stats struct {
	Connected bool
	Legs      int
}

// Stats returns the present figures.
func (s *Switch) Stats() Stats {
	return Stats{Connected: s.trouble.Load() == nil, Legs: s.legs.count()}
}

// Register adds the metrics of this Switch to a registry.
func (s *Switch) Register(reg prometheus.Registerer) error { return s.stats.register(reg) }
