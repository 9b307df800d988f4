package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Run does the group's work until ctx ends or a handler asks to stop. It
// survives every failure of Redis. It returns when all handlers have returned.
func (g *Group) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// Handlers may finish what they do after ctx has ended.
	working, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(g.cfg.Grace, abort) })()

	bell := newBell()
	var helpers sync.WaitGroup
	helpers.Go(func() { g.listen(ctx, bell) })
	helpers.Go(func() { g.renewing(working) })
	g.dealing(ctx, working, bell, stop)
	abort()
	helpers.Wait()
	if err := context.Cause(ctx); errors.Is(err, ErrStop) {
		return err
	}
	return nil
}

// dealing claims calls and has them worked on, until ctx has ended and the
// last worker has returned.
func (g *Group) dealing(ctx, working context.Context, bell *bell, stop func(error)) {
	var workers sync.WaitGroup
	defer workers.Wait()
	slots := make(chan struct{}, g.cfg.Parallel)
	freed := make(chan struct{}, 1)
	var wait backoff
	var away loudness
	for ctx.Err() == nil {
		t, err := g.takeSome(ctx, cap(slots)-len(slots))
		if ctx.Err() == nil && away.report(err) {
			g.log.Warn("group cannot reach redis", "error", err)
		}
		if err != nil {
			wait.wait(ctx)
			continue
		}
		wait = backoff{}
		for _, c := range t.claims {
			slots <- struct{}{}
			workers.Go(func() {
				if err := g.work(ctx, working, c); err != nil {
					stop(err)
				}
				<-slots
				poke(freed)
			})
		}
		busy := len(slots) == cap(slots)
		if t.dealt == 0 && (busy || len(t.claims) == 0) {
			g.rest(ctx, t, bell, freed, busy)
		}
	}
}

// rest waits until there may be something to do.
func (g *Group) rest(ctx context.Context, t taken, bell *bell, freed chan struct{}, busy bool) {
	if t.due < 0 || t.due > time.Second {
		t.due = time.Second // another process may have added work that rings no bell
	}
	timer := time.NewTimer(max(t.due, time.Millisecond))
	defer timer.Stop()
	timeout, ring := timer.C, bell.rung
	switch {
	case busy:
		timeout, ring = nil, nil
	case t.full:
		ring = nil
	default:
		bell.arm(t.last)
	}
	select {
	case <-timeout:
	case <-ring:
	case <-freed:
	case <-ctx.Done():
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// bell rings when the stream has an entry after a given one.
type bell struct {
	after chan string
	rung  chan struct{}
}

func newBell() *bell { return &bell{after: make(chan string, 1), rung: make(chan struct{}, 1)} }

// arm asks for a ring, in place of what was asked and not begun yet. One
// goroutine may call it.
func (b *bell) arm(after string) {
	select {
	case <-b.after:
	default:
	}
	b.after <- after
}

func (g *Group) listen(ctx context.Context, b *bell) {
	for {
		select {
		case <-ctx.Done():
			return
		case after := <-b.after:
			_, err := g.client.rdb.XRead(ctx, &redis.XReadArgs{
				Streams: []string{g.client.keys.events(), after}, Count: 1, Block: block,
			}).Result()
			if !errors.Is(err, redis.Nil) {
				poke(b.rung)
			}
		}
	}
}

// hold puts a claim on the list of those to be renewed. Where this process is
// at the same call still, it waits until that is over: mostly the last event
// has just been concluded, and the next came before its worker was gone. It is
// false when that takes too long, as after a claim that was lost; then the new
// one is left to expire, so that the two never meet.
func (g *Group) hold(ctx context.Context, c *claim, lose context.CancelFunc) bool {
	begun := time.Now()
	for {
		old := g.enlist(c, g.cfg.Claim-time.Since(begun), lose)
		if old == nil {
			return true
		}
		late := time.NewTimer(g.cfg.Claim/3 - time.Since(begun))
		select {
		case <-old.over:
			late.Stop()
		case <-late.C:
			return false
		case <-ctx.Done():
			late.Stop()
			return false
		}
	}
}

// enlist puts a claim on the list for a time, or returns the one that is there
// for the same call.
func (g *Group) enlist(c *claim, lasts time.Duration, lose context.CancelFunc) (old *claim) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if old = g.claims[c.call]; old != nil {
		return old
	}
	c.over = make(chan struct{})
	c.timer = time.AfterFunc(lasts, func() {
		c.lost.Store(true)
		lose()
	})
	g.claims[c.call] = c
	return nil
}

func (g *Group) release(c *claim) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.timer.Stop()
	close(c.over)
	delete(g.claims, c.call)
}

// renewing keeps the claims of the handlers at work.
func (g *Group) renewing(working context.Context) {
	every(working, g.cfg.Claim/3, func() {
		// If it fails the claims run out by their own timers.
		if err := g.renewAll(working); err != nil && working.Err() == nil {
			g.log.Warn("claims could not be renewed", "error", err)
		}
	})
}

func (g *Group) renewAll(ctx context.Context) error {
	g.mu.Lock()
	var list []*claim
	for _, c := range g.claims {
		list = append(list, c)
	}
	g.mu.Unlock()
	if len(list) == 0 {
		return nil
	}
	args := []any{g.cfg.Claim.Milliseconds()}
	for _, c := range list {
		args = append(args, c.call, c.token)
	}
	asked := time.Now()
	held, err := g.client.run(ctx, g.lua.renew, []string{g.key("calls"), g.key("claims")}, args...).Int64Slice()
	if err != nil {
		return fmt.Errorf("renew claims: %w", err)
	}
	for i, c := range list {
		switch {
		case i >= len(held):
		case held[i] == 1 && c.timer.Stop():
			c.timer.Reset(g.cfg.Claim - time.Since(asked))
		case held[i] == 0 && c.timer.Stop():
			c.timer.Reset(0)
		}
	}
	return nil
}

// work handles the entries of a claimed call, one after the other, until none
// is left or one must wait. It returns an error only to stop the group.
func (g *Group) work(ctx, working context.Context, c *claim) error {
	mine, lose := context.WithCancel(working)
	defer lose()
	if !g.hold(working, c, lose) {
		return nil
	}
	defer g.release(c)
	if c.abandoned {
		g.counts.reclaimed.Add(1)
		g.log.Warn("call was abandoned by a process that worked on it, taken over", "call", c.call, "attempt", c.attempt)
	}
	if ctx.Err() != nil { // the group has ended meanwhile: somebody else may have it at once
		g.settle(ctx, working, c, outcome{what: "free"})
		return nil
	}
	for {
		err := g.handle(mine, c)
		o := decide(err, c.attempt, g.cfg.MaxAttempts, g.cfg.Backoff)
		stopping := errors.Is(err, ErrStop)
		if stopping || err != nil && mine.Err() != nil {
			o = outcome{what: "free", reason: err.Error()} // it was not its fault
		}
		g.count(o, c, err)
		more := g.settle(ctx, working, c, o)
		if stopping {
			return err
		}
		if !more {
			return nil
		}
	}
}

func (g *Group) count(o outcome, c *claim, err error) {
	switch o.what {
	case "done":
		g.counts.handled.Add(1)
	case "dead":
		g.counts.dead.Add(1)
		g.log.Error("event given up, it is a dead letter", "entry", c.entry, "call", c.call, "attempts", c.attempt, "error", err)
	default:
		g.counts.retried.Add(1)
		g.log.Info("event will be tried again", "entry", c.entry, "call", c.call,
			"attempt", c.attempt, "after", o.after.String(), "error", err)
	}
}

// settle tells Redis the outcome, as often as it takes.
func (g *Group) settle(ctx, working context.Context, c *claim, o outcome) bool {
	var wait backoff
	for {
		more, err := g.conclude(working, c, o, ctx.Err() == nil && !c.lost.Load())
		if err == nil {
			return more
		}
		g.log.Warn("outcome of an event could not be recorded", "entry", c.entry, "error", err)
		if !wait.wait(working) {
			return false
		}
	}
}

// handle runs the handler on the claimed entry.
func (g *Group) handle(ctx context.Context, c *claim) (err error) {
	if c.json == "" {
		return fmt.Errorf("%w: event was trimmed before it was delivered", ErrPermanent)
	}
	e, err := decode([]byte(c.json))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	replayed := strings.HasPrefix(c.entry, "d")
	if !replayed && g.recent.has(e.ID) {
		g.counts.repeats.Add(1)
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("handler panicked", "entry", c.entry, "call", c.call, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("handler panicked: %v", p)
		}
	}()
	if err := g.cfg.Handle(ctx, Delivery{ID: c.entry, Event: e, Attempt: c.attempt}); err != nil {
		return err
	}
	g.recent.add(e.ID)
	return nil
}
