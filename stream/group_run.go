package stream

import (
	"context"
	"errors"
	"fmt"
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
		free := cap(slots) - len(slots)
		t, err := g.takeSome(ctx, free)
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
				again, err := g.work(ctx, working, c)
				if err != nil {
					stop(err)
				}
				if again {
					poke(bell.rung)
				}
				<-slots
				poke(freed)
			})
		}
		busy := len(slots) == cap(slots)
		if t.dealt < dealMost && (busy || len(t.claims) < free) {
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
		freed = nil // there is room already
		bell.arm(t.last)
	}
	select {
	case <-timeout:
	case <-ring:
		if g.cfg.Gather > 0 {
			sleep(ctx, g.cfg.Gather)
		}
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
