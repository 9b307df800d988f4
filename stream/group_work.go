package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
)

// work handles the entries of a claimed call, one after the other, until none
// is left or one must wait. It tells whether the call may be due again soon, and
// returns an error only to stop the group.
func (g *Group) work(ctx, working context.Context, c *claim) (again bool, err error) {
	mine, lose := context.WithCancel(working)
	defer lose()
	if !g.hold(working, c, lose) {
		return false, nil
	}
	defer g.release(c)
	if c.abandoned {
		g.counts.reclaimed.Add(1)
		g.log.Warn("call was abandoned by a process that worked on it, taken over", "call", c.call, "attempt", c.attempt)
	}
	if ctx.Err() != nil { // the group has ended meanwhile: somebody else may have it at once
		g.settle(ctx, working, c, outcome{what: "free"})
		return false, nil
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
			return false, err
		}
		if !more {
			return err != nil || c.lost.Load(), nil
		}
	}
}

func (g *Group) count(o outcome, c *claim, err error) {
	switch o.what {
	case "done":
		g.counts.handled.Add(uint64(len(c.entries)))
	case "dead":
		g.counts.dead.Add(1)
		g.log.Error("event given up, it is a dead letter", "entry", c.entries[0].id, "call", c.call, "attempts", c.attempt, "error", err)
	default:
		g.counts.retried.Add(1)
		g.log.Info("event will be tried again", "entry", c.entries[0].id, "call", c.call,
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
		g.log.Warn("outcome of an event could not be recorded", "entry", c.entries[0].id, "error", err)
		if !wait.wait(working) {
			return false
		}
	}
}

// handle runs the handler on all that was handed out, or on the first entry
// alone, which then is all that the claim speaks of.
func (g *Group) handle(ctx context.Context, c *claim) error {
	if len(c.entries) > 1 && c.attempt == 1 { // what has failed before may be the fault of any of them
		err := g.handleAll(ctx, c)
		if err == nil || ctx.Err() != nil {
			return err
		}
		g.log.Info("events of a call are tried one by one", "call", c.call, "events", len(c.entries), "error", err)
	}
	c.entries = c.entries[:1]
	d, again, err := g.delivery(c, 0)
	if err != nil {
		return err
	}
	if again {
		g.counts.repeats.Add(1)
		return nil
	}
	if err := g.guard(c, func() error { return g.cfg.Handle(ctx, d) }); err != nil {
		return err
	}
	g.recent.add(d.Event.ID)
	return nil
}

func (g *Group) handleAll(ctx context.Context, c *claim) error {
	var list []Delivery
	for i := range c.entries {
		d, again, err := g.delivery(c, i)
		if err != nil {
			return err
		}
		if !again {
			list = append(list, d)
		}
	}
	if len(list) > 0 {
		if err := g.guard(c, func() error { return g.cfg.HandleAll(ctx, list) }); err != nil {
			return err
		}
	}
	for _, d := range list {
		g.recent.add(d.Event.ID)
	}
	g.counts.repeats.Add(uint64(len(c.entries) - len(list)))
	return nil
}

// delivery reads an entry, and tells whether this process has done it before.
func (g *Group) delivery(c *claim, i int) (d Delivery, again bool, err error) {
	entry := c.entries[i]
	if entry.json == "" {
		return d, false, fmt.Errorf("%w: event was trimmed before it was delivered", ErrPermanent)
	}
	e, err := decode([]byte(entry.json))
	if err != nil {
		return d, false, fmt.Errorf("%w: %w", ErrPermanent, err)
	}
	replayed := strings.HasPrefix(entry.id, "d")
	return Delivery{ID: entry.id, Event: e, Attempt: c.attempt}, !replayed && g.recent.has(e.ID), nil
}

// guard runs a handler; a panic of it is an error.
func (g *Group) guard(c *claim, handler func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			g.log.Error("handler panicked", "entry", c.entries[0].id, "call", c.call, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("handler panicked: %v", p)
		}
	}()
	return handler()
}
