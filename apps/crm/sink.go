package crm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"markaz/call"
	"markaz/lang"
)

// Sink is one receiver of events. Its methods may be called by several
// goroutines.
type Sink struct {
	cfg      SinkConfig
	conn     Connector
	keeper   *Keeper
	schedule Schedule
	pace     *rate.Limiter // nil: none
	dep      Deps
	log      *slog.Logger
	stats    *stats

	mu      sync.Mutex
	health  health
	lastErr string
	waiting map[string]*waiter // by event id
	swept   time.Time          // when waiting was last rid of those that do not come back
	recent  []Exchange         // oldest first
}

// waiter is an event that has been tried and not been taken.
type waiter struct {
	seen  time.Time // when Markaz learnt of it
	first time.Time // when this sink first had to keep it waiting
	last  time.Time
}

// Open makes the sinks of a valid configuration. It reads their secrets but
// sends nothing.
func Open(cfg Config, dep Deps) ([]*Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if dep.Catalogue == nil {
		dep.Catalogue = lang.New()
	}
	var out []*Sink
	for _, c := range cfg {
		dep.Sink = c.Name
		dep.Words = dep.Catalogue.In(c.Language)
		dep.LearnExtensions, dep.LearnLines = c.auto()
		conn, err := c.chosen()[0].connect(dep)
		if err != nil {
			return nil, fmt.Errorf("open sink %s: %w", c.Name, err)
		}
		out = append(out, newSink(c, conn, dep))
	}
	return out, nil
}

func newSink(cfg SinkConfig, conn Connector, dep Deps) *Sink {
	s := &Sink{
		cfg: cfg, conn: conn, dep: dep, schedule: cfg.Schedule,
		log:     dep.Logger.With("sink", cfg.Name),
		waiting: map[string]*waiter{},
	}
	if s.schedule == nil {
		s.schedule = StandardSchedule()
	}
	if cfg.Rate > 0 {
		s.pace = rate.NewLimiter(rate.Limit(cfg.Rate), max(1, int(cfg.Rate)))
	}
	keep := cfg.Keep
	if keep == 0 {
		keep = 5000
	}
	s.keeper = NewKeeper(keep, dep.History)
	s.stats = newStats(s)
	return s
}

// Name is the sink's name in the settings.
func (s *Sink) Name() string { return s.cfg.Name }

// Group is the name of the sink's consumer group on the log.
func (s *Sink) Group() string { return "crm-" + s.cfg.Name }

// Caps says what the CRM can be used for.
func (s *Sink) Caps() []Cap { return s.conn.Caps() }

// Test asks the receiver whether the settings work.
func (s *Sink) Test(ctx context.Context) error { return s.conn.Test(ctx) }

// Connector returns what the sink speaks through, to be asked for what only
// some can do, such as [Asker].
func (s *Sink) Connector() Connector { return s.conn }

// Deliver tries to deliver an event and says what becomes of it. Attempt is
// the number of this try, from 1; one whose verdict was Free is not counted.
// The events of a call are handed over in their order, one at a time; those of
// different calls as one likes. The error tells why it is not Done.
func (s *Sink) Deliver(ctx context.Context, e call.Event, attempt int) (Verdict, error) {
	err := s.try(ctx, e)
	v := s.schedule.Decide(err, attempt, s.dep.Chance())
	s.settle(e, attempt, v, err)
	if v.Act == Done {
		err = nil
	}
	return v, err
}

func (s *Sink) try(ctx context.Context, e call.Event) error {
	if e.Kind.Transient() || s.aboutItself(e) {
		return ErrSkip
	}
	record, err := s.keeper.Fold(ctx, e)
	if err != nil {
		// Our log's fault, not the receiver's.
		return RetryAfter(err, firstProbe)
	}
	// That the CRM itself has asked for the call must reach the connector,
	// or it would tell of the call as of another one.
	asked := (e.Kind == call.CallStarted || e.Kind == call.RequestRefused) && e.Data[AskedBy] == s.cfg.Name
	ok, recordings := s.cfg.Match(e, record)
	if !asked && !ok {
		return ErrSkip
	}
	if !recordings {
		record.Recordings = nil
	}
	probe, err := s.admit(e)
	if err != nil {
		return err
	}
	if s.pace != nil {
		if err := s.pace.Wait(ctx); err != nil {
			s.abandon(probe)
			return RetryAfter(err, time.Second)
		}
	}
	begin := s.dep.Now()
	err = s.deliver(ctx, e, record)
	if ctx.Err() != nil && err != nil {
		// We are being stopped; the receiver is not to blame.
		s.abandon(probe)
		return RetryAfter(err, time.Second)
	}
	return s.weigh(e, begin, probe, err)
}

// aboutItself keeps a sink from being told of its own outages.
func (s *Sink) aboutItself(e call.Event) bool {
	return (e.Kind == call.DeliveryFailed || e.Kind == call.DeliveryRecovered) && e.Ref == s.cfg.Name
}

// deliver shields the process, and the calls in it, from a faulty connector.
func (s *Sink) deliver(ctx context.Context, e call.Event, record call.Call) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("connector panicked", "event", e.ID, "call", e.Call, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("connector panicked: %v", p)
		}
	}()
	return s.conn.Deliver(ctx, e, record)
}

// admit asks for the way to the receiver.
func (s *Sink) admit(e call.Event) (probe bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.health.gone {
		return false, fmt.Errorf("%w: %s", ErrGone, s.lastErr)
	}
	now := s.dep.Now()
	probe, wait := s.health.admit(now)
	if wait == 0 {
		return probe, nil
	}
	return false, s.hold(e, now, wait, fmt.Errorf("%w: %s", ErrAway, s.lastErr))
}

// hold makes an error that keeps an event waiting, unless it has waited for
// longer than the whole schedule takes.
func (s *Sink) hold(e call.Event, now time.Time, wait time.Duration, err error) error {
	if w := s.waiting[e.ID]; w != nil && now.Sub(w.first) > s.schedule.Span() {
		return fmt.Errorf("%w after %v: %w", ErrPermanent, now.Sub(w.first).Round(time.Second), err)
	}
	return RetryAfter(err, wait)
}

func (s *Sink) abandon(probe bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health.abandoned(probe)
}

// weigh learns from the outcome of a request how the receiver is, and turns an
// error that is not the event's own into a wait.
func (s *Sink) weigh(e call.Event, begin time.Time, probe bool, err error) error {
	now := s.dep.Now()
	s.mu.Lock()
	if errors.Is(err, ErrSkip) {
		s.health.abandoned(probe)
		s.mu.Unlock()
		return err
	}
	s.note(e, begin, now, err)
	fact := s.learn(now, probe, err)
	wait := s.health.wait(now)
	if err != nil && wait > 0 && !errors.Is(err, ErrGone) {
		err = s.hold(e, now, wait, err)
	}
	s.mu.Unlock()
	s.report(fact)
	return err
}

// learn updates the health by an outcome. It returns the fact that the sink as
// a whole has failed or recovered, if it has.
func (s *Sink) learn(now time.Time, probe bool, err error) call.Event {
	var asked *pause
	var wish time.Duration
	throttled := errors.As(err, &asked)
	if throttled {
		wish = asked.after
	}
	switch {
	case errors.Is(err, ErrGone):
		s.health.abandoned(probe)
		if !s.health.gone {
			s.health.gone = true
			return call.Event{Kind: call.DeliveryFailed, State: "disabled", At: now, Reason: err.Error()}
		}
	case errors.Is(err, ErrAway):
		if s.health.failed(now, wish, probe) {
			return call.Event{Kind: call.DeliveryFailed, State: "away", At: now, Reason: err.Error()}
		}
	case throttled:
		s.health.throttled(now, wish, probe)
	default:
		if outage, ended := s.health.succeeded(now, probe); ended {
			return call.Event{Kind: call.DeliveryRecovered, At: now, DurationMS: outage.Milliseconds()}
		}
	}
	return call.Event{}
}

// report states a fact about this sink; one without a kind is none.
func (s *Sink) report(fact call.Event) {
	switch fact.Kind {
	case call.DeliveryFailed:
		s.log.Warn("sink fails", "state", fact.State, "error", fact.Reason)
	case call.DeliveryRecovered:
		s.log.Info("sink works again", "outage_ms", fact.DurationMS)
	default:
		return
	}
	fact.Ref, fact.Live = s.cfg.Name, true
	if fact.Data == nil {
		fact.Data = map[string]string{}
	}
	fact.Data["kind"] = s.cfg.Kind()
	s.dep.Report(fact)
}

// settle keeps the books on what became of a try.
func (s *Sink) settle(e call.Event, attempt int, v Verdict, err error) {
	now := s.dep.Now()
	s.stats.attempts.WithLabelValues(outcome(v, err)).Inc()
	s.mu.Lock()
	if v.Act == Done || v.Act == Dead {
		delete(s.waiting, e.ID)
	} else {
		s.keepWaiting(e, now)
	}
	tell := v.Act == Dead && s.health.mourn()
	s.mu.Unlock()
	if v.Act != Dead {
		return
	}
	s.log.Error("event given up", "event", e.ID, "kind", string(e.Kind), "call", e.Call, "tries", attempt, "error", err)
	if !tell || e.Kind == call.DeliveryFailed || e.Kind == call.DeliveryRecovered {
		return // two failing sinks must not tell each other for ever
	}
	s.report(call.Event{
		Kind: call.DeliveryFailed, State: "dead", At: now, Reason: err.Error(),
		Data: map[string]string{"event": e.ID, "call": e.Call},
	})
}

// outcome names what became of a try for the metrics.
func outcome(v Verdict, err error) string {
	switch {
	case errors.Is(err, ErrSkip):
		return "skipped"
	case v.Free:
		return "waiting"
	}
	return v.Act.String()
}

func (s *Sink) keepWaiting(e call.Event, now time.Time) {
	w := s.waiting[e.ID]
	if w == nil {
		w = &waiter{seen: e.SeenAt, first: now}
		s.waiting[e.ID] = w
	}
	w.last = now
	if now.Sub(s.swept) < time.Hour {
		return
	}
	s.swept = now
	// What has not come back for so long was taken over by another process.
	for id, w := range s.waiting {
		if now.Sub(w.last) > 2*maxRetryAfter {
			delete(s.waiting, id)
		}
	}
}

// Enable switches a sink on that a 410 has switched off, and lets the next
// event through at once.
func (s *Sink) Enable() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.health = health{}
}

// Kind is the kind of CRM.
func (s *Sink) Kind() string { return s.cfg.Kind() }
