package stream

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"markaz/call"
)

//go:embed lua/replay.lua
var replayLua string

// DeadLetter is an event that a group gave up.
type DeadLetter struct {
	ID       string     // of the dead letter, growing with time
	Entry    string     // of the event in the stream
	Event    call.Event // zero but for Call if the event was trimmed before it was delivered
	Reason   string
	Attempts int
	At       time.Time // when it was given up
}

// DeadLetters lists up to n dead letters of a group after an id, the oldest
// first; "" begins with the first.
func (c *Client) DeadLetters(ctx context.Context, group, after string, n int) ([]DeadLetter, error) {
	from := "-"
	if after != "" {
		from = "(" + after
	}
	got, err := c.rdb.XRangeN(ctx, c.keys.dead(group), from, "+", int64(n)).Result()
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	out := make([]DeadLetter, 0, len(got))
	for _, m := range got {
		out = append(out, readDeadLetter(m))
	}
	return out, nil
}

func readDeadLetter(m redis.XMessage) DeadLetter {
	text := func(field string) string { s, _ := m.Values[field].(string); return s }
	d := DeadLetter{ID: m.ID, Entry: text("id"), Reason: text("r")}
	d.Attempts, _ = strconv.Atoi(text("n"))
	ms, _, _ := parseID(m.ID)
	d.At = time.UnixMilli(int64(ms)).UTC()
	var err error
	if d.Event, err = decode([]byte(text("e"))); err != nil {
		d.Event = call.Event{Call: text("c")}
	}
	return d
}

// Replay hands dead letters to their group once more, each behind what waits
// of its call, with a new count of tries. It returns how many there were.
func (c *Client) Replay(ctx context.Context, group string, ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, errors.New("replay dead letters: none named")
	}
	key := func(part string) string { return c.keys.group(group, part) }
	args := []any{key("queue:")}
	for _, id := range ids {
		args = append(args, id)
	}
	n, err := c.run(ctx, redis.NewScript(replayLua),
		[]string{c.keys.dead(group), key("calls"), key("open"), key("kept")}, args...).Int()
	if err != nil {
		return 0, fmt.Errorf("replay dead letters: %w", err)
	}
	return n, nil
}

// Drop forgets dead letters and returns how many there were.
func (c *Client) Drop(ctx context.Context, group string, ids ...string) (int, error) {
	if len(ids) == 0 {
		return 0, errors.New("drop dead letters: none named")
	}
	n, err := c.rdb.XDel(ctx, c.keys.dead(group), ids...).Result()
	if err != nil {
		return 0, fmt.Errorf("drop dead letters: %w", err)
	}
	return int(n), nil
}
