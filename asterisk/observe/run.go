package observe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"markaz/asterisk/ari"
	"markaz/call"
)

// ErrReplaced is returned by Run when another process observes under the same
// name.
var ErrReplaced = ari.ErrReplaced

// Deps are what an Observer is joined to.
type Deps struct {
	ARI  ari.Config          // the connection; its application is replaced by Config.App
	Sink func(call.Event)    // takes the events, one at a time and in order; may block for a moment
	Log  *slog.Logger        //
	Now  func() time.Time    //
	Open []*call.Call        // calls that were going on when an earlier process stopped
	Told []string            // channels of calls that ended shortly before Last
	Last time.Time           // of the last event that was told; zero if there is none
	Mine func(string) string // the call that Markaz handles on a channel, "" for none
}

// Observer watches one Asterisk.
type Observer struct {
	cfg   Config
	dep   Deps
	zone  *time.Location
	ari   *ari.Client
	stats *stats

	mu      sync.Mutex // guards what follows: events and the clock come side by side
	machine *Machine
	seen    time.Time // until when nothing was missed
	owed    span      // a time in which nobody watched, whose records are still to be taken over
	started time.Time // Asterisk's start-up time at the last connect
	tried   bool      // to connect, and failed, since the last success
}

// New makes an Observer.
func New(cfg Config, dep Deps) (*Observer, error) {
	zone, err := cfg.zone()
	if err != nil {
		return nil, fmt.Errorf("read cdr_zone: %w", err)
	}
	m, err := NewMachine(cfg, dep.Mine)
	if err != nil {
		return nil, err
	}
	m.Restore(dep.Open)
	for _, id := range dep.Told {
		m.recent[id] = dep.Last
	}
	dep.ARI.App, dep.ARI.Watch = cfg.App, true
	o := &Observer{cfg: cfg, dep: dep, zone: zone, stats: newStats(), machine: m, seen: dep.Last}
	o.ari = ari.New(dep.ARI, o.stats)
	return o, nil
}

// Run watches until ctx ends (nil), or another process takes over
// (ErrReplaced).
func (o *Observer) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var clock sync.WaitGroup
	defer clock.Wait()
	defer cancel()
	clock.Go(func() { o.tick(ctx) })
	err := o.ari.Run(ctx, o)
	switch {
	case errors.Is(err, ari.ErrReplaced):
		return fmt.Errorf("another program observes as %q: %w", o.cfg.App, err)
	case errors.Is(err, ari.ErrRefused):
		return fmt.Errorf("observe: %w", err)
	}
	return err
}

// tick lets time pass where nothing happens. It goes by the clock of this
// machine: a call that waits for its caller is started a moment early or late
// if that of the PBX differs.
func (o *Observer) tick(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			o.second()
		}
	}
}

// second is what one second brings.
func (o *Observer) second() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.stats.isUp() {
		return
	}
	o.takeOver()
	o.amend()
	o.tell(o.machine.Tick(o.dep.Now().Add(-patience)))
	if o.owed.to.IsZero() {
		o.machine.lapse()
	}
}

func (o *Observer) tell(events []call.Event) {
	now := o.dep.Now()
	for _, e := range events {
		e.SeenAt = now
		o.stats.told.WithLabelValues(string(e.Kind)).Inc()
		o.dep.Sink(e)
	}
}

// Event implements ari.Handler.
func (o *Observer) Event(e ari.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	events, err := o.machine.Step(e.Raw)
	if err != nil {
		o.stats.unreadable.Inc()
		o.dep.Log.Warn("event of Asterisk not understood", "err", err)
		return
	}
	// Not when it came: what Asterisk said before that may still be on its way.
	o.seen = o.machine.heard
	o.tell(events)
}

// Lost implements ari.Handler.
func (o *Observer) Lost(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.connection(false)
	o.dep.Log.Warn("calls are not observed: connection to Asterisk lost", "err", err)
	o.tell([]call.Event{o.machine.stamped(call.Event{Kind: call.SwitchLost, At: o.dep.Now(), Reason: err.Error()})})
}

// Trying implements ari.Handler. Each outage is told once.
func (o *Observer) Trying(err error, next time.Duration) {
	level := slog.LevelWarn
	if o.tried {
		level = slog.LevelDebug
	}
	o.tried = true
	o.dep.Log.Log(context.Background(), level, "cannot connect to Asterisk to observe, trying on", "next", next, "err", err)
}

// Connected implements ari.Handler: it finds out what has changed since
// somebody last watched.
func (o *Observer) Connected(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	snap, err := o.look(ctx)
	if err != nil {
		return err
	}
	return o.resume(snap)
}

// resume tells what has changed until a snapshot was taken.
func (o *Observer) resume(snap Snapshot) error {
	closed, facts := o.closeGap(snap)
	events, err := o.machine.Reconcile(snap)
	if err != nil {
		return err
	}
	events[len(events)-1].Data = facts
	o.tell(closed)
	o.tell(events)
	o.seen, o.tried = snap.Asked, false
	o.stats.connection(true)
	o.dep.Log.Info("observing", "app", o.cfg.App, "calls", len(o.machine.convs), "gap", facts)
	return nil
}

// look takes a snapshot of Asterisk.
func (o *Observer) look(ctx context.Context) (snap Snapshot, err error) {
	info, err := o.ari.Info(ctx)
	if err != nil {
		return snap, fmt.Errorf("read start-up time: %w", err)
	}
	snap.Asked, snap.Reason = o.dep.Now(), call.Unseen
	started := time.Time(info.StatusInfo.StartupTime)
	if !o.started.IsZero() && !o.started.Equal(started) {
		snap.Reason = call.Restarted
	}
	o.started = started
	if snap.Channels, snap.Bridges, err = o.ari.Everything(ctx); err != nil {
		return snap, err
	}
	snap.At = o.dep.Now()
	strangers, err := o.machine.Strangers(snap)
	if err != nil {
		return snap, err
	}
	snap.Linked = map[string]string{}
	for _, id := range strangers {
		link, err := o.ari.Variable(ctx, id, "CHANNEL(linkedid)")
		if err != nil && !ari.Gone(err) {
			return snap, fmt.Errorf("read linked id: %w", err)
		}
		snap.Linked[id] = link
	}
	return snap, nil
}
