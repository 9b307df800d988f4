package ari

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// beatName is the user event that goes out by HTTP and comes back on the
// WebSocket: proof that the whole path works, through Asterisk itself.
const beatName = "MarkazBeat"

var errBeatLost = errors.New("heartbeat lost: Asterisk no longer sends events")

// beats counts the heartbeats of one client.
type beats struct {
	mu      sync.Mutex
	number  uint64
	waiting chan struct{} // closed when the beat with the present number is back
}

func (b *beats) next() (uint64, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.number++
	b.waiting = make(chan struct{})
	return b.number, b.waiting
}

// heard takes a raw ChannelUserevent. An old beat that comes late is nothing.
func (b *beats) heard(raw []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waiting != nil && bytes.Contains(raw, []byte(beatName)) && bytes.Contains(raw, beatMark(b.number)) {
		close(b.waiting)
		b.waiting = nil
	}
}

func beatMark(n uint64) []byte { return []byte("beat-" + strconv.FormatUint(n, 10) + "-") }

// beat sends one heartbeat and waits for it at most twice the interval.
func (c *Client) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*c.cfg.Heartbeat, errBeatLost)
	defer cancel()
	began := time.Now()
	number, back := c.beats.next()
	err := c.send(ctx, http.MethodPost, path("events", "user", beatName), url.Values{"application": {c.cfg.App}},
		map[string]any{"variables": map[string]string{"mark": string(beatMark(number))}}, nil)
	if err != nil {
		return fmt.Errorf("send heartbeat: %w", err)
	}
	select {
	case <-back:
		c.observe.Beat(time.Since(began))
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// keepBeating returns when a beat is lost or ctx ends.
func (c *Client) keepBeating(ctx context.Context) error {
	tick := time.NewTicker(c.cfg.Heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if err := c.beat(ctx); err != nil {
				return err
			}
		}
	}
}
