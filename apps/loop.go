package apps

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"markaz/call"
)

// Config are the loop's settings; the zero value of each means its default.
type Config struct {
	Inbox      int           `yaml:"inbox"`       // events that may wait for the loop; default 8192
	LeaseEvery time.Duration `yaml:"lease_every"` // between two renewals of the dead-man's switch; default 3 s, in Markaz a third of asterisk.lease
	KeepEnded  time.Duration `yaml:"keep_ended"`  // how long ended calls can still be amended from memory; default 10 min
}

// Validate fills the defaults in and refuses what cannot work.
func (c *Config) Validate() error {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.LeaseEvery, 3*time.Second)
	def(&c.KeepEnded, 10*time.Minute)
	if c.Inbox == 0 {
		c.Inbox = 8192
	}
	if c.Inbox < 1 || c.LeaseEvery < 0 || c.KeepEnded < 0 {
		return fmt.Errorf("loop: inbox, lease_every and keep_ended must be positive")
	}
	return nil
}

// Deps are what the loop is joined to.
type Deps struct {
	Log      Log
	Switch   Switch
	Machines []Machine // stepped in this order
	Now      func() time.Time
	NewID    func() string
	Logger   *slog.Logger
	Source   string  // key of events that nobody else has signed
	Numbers  Numbers // of Source; nil: none has an E.164 form

	// Believe says of an event from outside whether it counts, after what is
	// known of its call, which is nil if it is none of the loop's. nil: all do.
	Believe func(call.Event, *call.Call) bool
}

// Loop owns the live calls. Everything but Post, Do and View happens in Run.
type Loop struct {
	cfg    Config
	dep    Deps
	inbox  chan call.Event
	views  chan func(call.Book)
	calls  call.Book
	ended  []endedCall // oldest first
	timers timers
	leased map[string]bool // legs whose dead-man's switch is on
	facts  []call.Event    // recorded in this turn, to be shown to the machines in order
	stats  *stats
}

type endedCall struct {
	id string
	at time.Time
}

// NewLoop makes a loop. Restore may be called before Run.
func NewLoop(cfg Config, dep Deps) (*Loop, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	machines := append([]Machine{&reconciler{}}, dep.Machines...)
	dep.Machines = append(machines, &ender{why: map[string]string{}}) // last: what others state of a leg's end belongs into the call
	return &Loop{
		cfg: cfg, dep: dep,
		inbox:  make(chan call.Event, cfg.Inbox),
		views:  make(chan func(call.Book)),
		calls:  call.Book{},
		timers: newTimers(),
		leased: map[string]bool{},
		stats:  newStats(),
	}, nil
}

// Restore folds an event of an earlier run. The calls that are still open
// afterwards are held against the PBX at the first SwitchSynced.
func (l *Loop) Restore(e call.Event) {
	l.fold(e)
}

// Restored drops what was over long before this run and returns the calls that
// are still open.
func (l *Loop) Restored() []*call.Call {
	var open []*call.Call
	for _, c := range l.calls {
		if c.Over() {
			l.ended = append(l.ended, endedCall{c.ID, *c.Ended})
			continue
		}
		open = append(open, c)
	}
	slices.SortFunc(l.ended, func(a, b endedCall) int { return a.at.Compare(b.at) })
	l.sweep()
	return open
}

// fold applies an event to its call. Only its start makes a call: one of which
// something else is told without it is over since long.
func (l *Loop) fold(e call.Event) (c *call.Call, changed bool) {
	if l.calls[e.Call] == nil && e.Kind != call.CallStarted {
		return nil, false
	}
	return l.calls.Apply(e)
}

// Post gives the loop an event. It waits while the inbox is full, so that
// nothing is lost; it returns false when ctx ends first.
func (l *Loop) Post(ctx context.Context, e call.Event) bool {
	select {
	case l.inbox <- e:
		return true
	default:
	}
	l.stats.full.Inc()
	select {
	case l.inbox <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// View runs fn in the loop's goroutine with the calls it holds, for snapshots.
func (l *Loop) View(ctx context.Context, fn func(call.Book)) error {
	done := make(chan struct{})
	select {
	case l.views <- func(b call.Book) { defer close(done); fn(b) }:
	case <-ctx.Done():
		return fmt.Errorf("view calls: %w", ctx.Err())
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("view calls: %w", ctx.Err())
	}
}

// Fold applies events that somebody else has logged, such as the process that
// began a call; what the call knows already changes nothing.
func (l *Loop) Fold(ctx context.Context, events []call.Event) error {
	return l.View(ctx, func(call.Book) {
		for _, e := range events {
			if c, changed := l.fold(e); changed && e.Kind == call.CallEnded {
				l.ended = append(l.ended, endedCall{c.ID, l.dep.Now()})
			}
		}
	})
}

// Run takes events until ctx ends, and then those that have come already.
func (l *Loop) Run(ctx context.Context) error {
	lease := time.NewTicker(l.cfg.LeaseEvery)
	defer lease.Stop()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		alarm.Reset(l.timers.wait(l.dep.Now()))
		select {
		case <-ctx.Done():
			for len(l.inbox) > 0 {
				l.Take(<-l.inbox)
			}
			return nil
		case e := <-l.inbox:
			l.Take(e)
		case fn := <-l.views:
			fn(l.calls)
		case <-alarm.C:
			for _, t := range l.timers.due(l.dep.Now()) {
				l.Take(call.Event{Kind: call.TimerFired, Call: t.call, Ref: t.id})
			}
		case <-lease.C:
			l.renew()
			l.sweep()
		}
	}
}

// Take is one turn: the event and every fact that follows from it. Run calls
// it; tests and benchmarks that own the loop may.
func (l *Loop) Take(e call.Event) {
	start := l.dep.Now()
	if l.dep.Believe != nil && !l.dep.Believe(e, l.calls[e.Call]) {
		l.dep.Logger.Info("event not believed", "call", e.Call, "event", e.Kind)
		return
	}
	l.record(e)
	for i := 0; i < len(l.facts); i++ {
		next := l.facts[i]
		for _, m := range l.dep.Machines {
			l.step(m, next)
		}
		if next.Kind == call.LegEnded {
			delete(l.leased, next.Leg)
		}
	}
	clear(l.facts)
	l.facts = l.facts[:0]
	l.stats.turn.Observe(l.dep.Now().Sub(start).Seconds())
}

// record writes an event down, folds it, and queues it for the machines.
func (l *Loop) record(e call.Event) {
	e = l.stamp(e)
	l.stats.events.WithLabelValues(string(e.Kind)).Inc()
	if !e.Kind.Transient() {
		if err := l.dep.Log.Append(e); err != nil {
			l.stats.unlogged.Inc()
			l.dep.Logger.Error("event not logged", "kind", e.Kind, "call", e.Call, "event", e.ID, "err", err)
		}
		l.apply(e)
	}
	l.facts = append(l.facts, e)
}

// apply folds the event and says the transition in one line.
func (l *Loop) apply(e call.Event) {
	var from call.State
	if c := l.calls[e.Call]; c != nil {
		from = c.State
	}
	c, changed := l.fold(e)
	if c == nil || !changed {
		return
	}
	if from != c.State {
		l.dep.Logger.Info("call", "call", c.ID, "from", from, "event", e.Kind, "to", c.State, "leg", e.Leg)
	}
	if c.Over() && from != call.StateEnded {
		l.ended = append(l.ended, endedCall{c.ID, l.dep.Now()})
		l.timers.drop(c.ID)
	}
}

// stamp gives a fact what its machine could not know.
func (l *Loop) stamp(e call.Event) call.Event {
	now := l.dep.Now()
	e.V = call.Schema
	if e.ID == "" {
		e.ID, e.Live = l.dep.NewID(), true
		if c := l.calls[e.Call]; c != nil {
			e.Live = c.Live // what follows from a backfilled event is as old
		}
	}
	if e.Source == "" {
		e.Source = l.dep.Source
	}
	if e.SeenAt.IsZero() {
		e.SeenAt = now
	}
	if e.At.IsZero() {
		e.At = now
	}
	e.At, e.SeenAt = e.At.UTC().Truncate(time.Microsecond), e.SeenAt.UTC().Truncate(time.Microsecond)
	e.FromName = call.Clean(e.FromName, 80)
	e.From, e.To = call.Clean(e.From, 64), call.Clean(e.To, 64)
	if l.dep.Numbers != nil && e.Source == l.dep.Source { // others sign what they have read
		e = withE164(l.dep.Numbers, e, l.calls[e.Call])
	}
	if e.Call != "" && e.Seq == 0 && !e.Kind.Transient() {
		if c := l.calls[e.Call]; c != nil {
			e.Seq = c.Seq + 1
		} else if e.Kind == call.CallStarted {
			e.Seq = 1
		}
	}
	return e
}

// step runs one machine. A panic costs the call that caused it, not the others.
func (l *Loop) step(m Machine, e call.Event) {
	defer func() {
		if p := recover(); p != nil {
			l.stats.panics.Inc()
			l.dep.Logger.Error("machine panicked", "call", e.Call, "kind", e.Kind, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			l.giveBack(m, e.Call)
		}
	}()
	l.out(m.Step(e, l))
}

// giveBack returns a call to the dialplan, which can serve it alone.
func (l *Loop) giveBack(m Machine, callID string) {
	if f, ok := m.(Forgetter); ok {
		l.out(f.Forget(callID))
	}
	c := l.calls[callID]
	if c == nil || c.Over() || c.Observed { // nothing is done to a call of somebody else
		return
	}
	for i := range c.Legs {
		leg := &c.Legs[i]
		switch {
		case leg.Ended != nil:
		case leg.Role == call.RoleCaller:
			l.do(call.Release{Leg: leg.ID, Destination: "s"})
		default:
			l.do(call.Hangup{Leg: leg.ID})
		}
	}
}

// out records what a machine states before it does what the machine asks.
func (l *Loop) out(o call.Out) {
	for _, f := range o.Facts {
		l.record(f)
	}
	for _, a := range o.Actions {
		l.do(a)
	}
}

// do carries out what is the loop's own and hands the rest on.
func (l *Loop) do(a call.Action) {
	switch a := a.(type) {
	case call.SetTimer:
		l.timers.set(a.Call, a.ID, l.dep.Now().Add(a.After))
	case call.CancelTimer:
		l.timers.cancel(a.Call, a.ID)
	case call.Lease:
		if a.On {
			l.leased[a.Leg] = true
		} else {
			delete(l.leased, a.Leg)
		}
		l.dep.Switch.Do(a)
	default:
		l.dep.Switch.Do(a)
	}
}

// renew shows the PBX that this loop, not only this process, is alive.
func (l *Loop) renew() {
	for leg := range l.leased {
		l.dep.Switch.Do(call.Lease{Leg: leg, On: true})
	}
}

// sweep forgets calls that ended long ago.
func (l *Loop) sweep() {
	old := l.dep.Now().Add(-l.cfg.KeepEnded)
	for len(l.ended) > 0 && l.ended[0].at.Before(old) {
		delete(l.calls, l.ended[0].id)
		l.ended = l.ended[1:]
	}
}

// Call implements Calls.
func (l *Loop) Call(id string) *call.Call { return l.calls[id] }

// Each implements Calls.
func (l *Loop) Each(fn func(*call.Call)) {
	for _, c := range l.calls {
		if !c.Over() {
			fn(c)
		}
	}
}
