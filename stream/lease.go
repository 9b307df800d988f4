package stream

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/lease.lua
var leaseLua string

// ErrNotHeld says that the lease is somebody else's or nobody's.
var ErrNotHeld = errors.New("lease is not held")

// Lease is a right that at most one owner has at a time. It ends by itself
// after TTL unless it is renewed. Its epoch grows with each new owner, so that
// whoever obeys the owner can refuse one that lost the lease without noticing.
type Lease struct {
	name, owner string
	ttl         time.Duration
	client      *Client
	script      *redis.Script
	epoch       int64
}

// NewLease prepares a lease; owner must be unique to this process. A Lease
// serves one goroutine.
func NewLease(c *Client, name, owner string, ttl time.Duration) *Lease {
	return &Lease{name: name, owner: owner, ttl: ttl, client: c, script: redis.NewScript(leaseLua)}
}

// Acquire takes the lease if nobody has it, else it fails with [ErrNotHeld].
// The time of the lease counts from before the call.
func (l *Lease) Acquire(ctx context.Context) (epoch int64, err error) {
	l.epoch, err = l.ask(ctx, "acquire")
	return l.epoch, err
}

// Renew makes the lease last for another TTL. [ErrNotHeld] means it is lost;
// any other error, that it may be.
func (l *Lease) Renew(ctx context.Context) error {
	_, err := l.ask(ctx, "renew")
	return err
}

// Release gives the lease back.
func (l *Lease) Release(ctx context.Context) error {
	_, err := l.ask(ctx, "release")
	return err
}

// Epoch is the one of the last Acquire that succeeded.
func (l *Lease) Epoch() int64 { return l.epoch }

func (l *Lease) ask(ctx context.Context, what string) (int64, error) {
	key := l.client.keys.lease(l.name)
	epoch, err := l.client.run(ctx, l.script, []string{key, key + ":epoch"},
		what, l.owner, l.ttl.Milliseconds(), l.epoch).Int64()
	if err != nil {
		return 0, fmt.Errorf("%s lease %s: %w", what, l.name, err)
	}
	if epoch == 0 {
		return 0, fmt.Errorf("%s lease %s: %w", what, l.name, ErrNotHeld)
	}
	return epoch, nil
}
