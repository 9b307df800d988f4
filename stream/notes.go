package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Notes are short values that applications must remember beyond a restart,
// such as the ids that a CRM gave to a call.
type Notes struct {
	client *Client
	keep   time.Duration
}

// NewNotes keeps each value for so long after it was put.
func NewNotes(c *Client, keep time.Duration) *Notes { return &Notes{c, keep} }

// Note returns what was put under a key, "" if nothing was or it has expired.
func (n *Notes) Note(ctx context.Context, key string) (string, error) {
	v, err := n.client.rdb.Get(ctx, n.client.keys.note(key)).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read note: %w", err)
	}
	return v, nil
}

// PutNote puts a value under a key, in place of what was there.
func (n *Notes) PutNote(ctx context.Context, key, value string) error {
	if err := n.client.rdb.Set(ctx, n.client.keys.note(key), value, n.keep).Err(); err != nil {
		return fmt.Errorf("write note: %w", err)
	}
	return nil
}
