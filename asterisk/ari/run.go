package ari

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Handler lives through one connection after the other.
type Handler interface {
	// Connected is called when commands and events both work. Events wait
	// until it has returned; an error drops the connection.
	Connected(ctx context.Context) error
	// Event takes one event; it may be slow at times.
	Event(e Event)
	// Lost is called after the last event of a connection that was Connected.
	Lost(err error)
	// Trying is called for each failed attempt to connect.
	Trying(err error, next time.Duration)
}

// ErrRefused says that Asterisk does not let us in, and will not next time.
var ErrRefused = errors.New("asterisk refuses this ARI user")

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
	// steady is how long a connection must have held to count as a success:
	// one that fails at once must not be retried without pause.
	steady = 5 * time.Second
)

// Run keeps a connection until ctx ends (nil), Asterisk refuses user or
// password at the first connect (ErrRefused), or another program takes over
// (ErrReplaced). It never gives up otherwise.
func (c *Client) Run(ctx context.Context, h Handler) error {
	defer c.Close()
	pause, before := backoffFirst, false
	for {
		began := time.Now()
		connected, err := c.epoch(ctx, h)
		before = before || connected
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrReplaced):
			return err
		case !before && refused(err):
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if connected && time.Since(began) > steady {
			pause = backoffFirst
		}
		wait := rand.N(pause) + time.Millisecond // full jitter: many clients must not come back at once
		pause = min(2*pause, backoffMost)
		if !connected {
			h.Trying(err, wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

func refused(err error) bool {
	return Status(err) == http.StatusUnauthorized || Status(err) == http.StatusForbidden
}

// epoch is one connection from dial to loss.
func (c *Client) epoch(whole context.Context, h Handler) (connected bool, err error) {
	conn, err := c.dial(whole)
	if err != nil {
		return false, err
	}
	ctx, fail := context.WithCancelCause(whole)
	events := make(chan Event, c.cfg.EventBuffer)
	var helpers sync.WaitGroup
	defer func() {
		fail(nil)
		_ = conn.CloseNow()
		helpers.Wait()
	}()
	helpers.Go(func() {
		defer close(events)
		fail(c.read(ctx, conn, events))
		_ = conn.CloseNow() // at once, however long the handler takes for what is buffered
	})
	if err := c.greet(ctx, h); err != nil {
		// A socket that failed meanwhile is the better explanation.
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return false, err
	}
	helpers.Go(func() { fail(c.keepBeating(ctx)) })
	// The events of a lost connection are true all the same.
	for e := range events {
		if whole.Err() != nil {
			break
		}
		h.Event(e)
	}
	err = context.Cause(ctx)
	if whole.Err() == nil { // we were not asked to stop
		h.Lost(err)
	}
	return true, err
}

// greet proves the connection and lets the handler reconcile.
func (c *Client) greet(ctx context.Context, h Handler) error {
	if err := c.beat(ctx); err != nil {
		return err
	}
	if err := c.MuteEvents(ctx, c.mutedTypes()); err != nil && !Gone(err) { // not there before 16.3
		return fmt.Errorf("filter events: %w", err)
	}
	if err := c.watch(ctx); err != nil {
		return err
	}
	return h.Connected(ctx)
}
