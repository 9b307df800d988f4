package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// GroupStatus tells how far a group is.
type GroupStatus struct {
	Name   string
	Lag    int64     // entries not looked at yet; up to lagCounted where Redis cannot tell
	Open   int64     // events dealt to their calls and not done with
	Calls  int64     // calls with such events
	Oldest time.Time // when Redis got the oldest of them; zero: none
	Dead   int64     // dead letters
	Last   string    // id of the last entry looked at
}

// lagCounted is how far the lag of a group is counted. Redis knows it, but not
// after an entry was deleted that the group had not looked at, until the group
// has come to the end of the stream; nor, after XSETID, there.
const lagCounted = 1000

// Waiting is a call whose next event has failed and is tried again later.
type Waiting struct {
	Call     string
	Entry    string
	Attempts int
	Due      time.Time
	Events   int64 // that wait, the failed one included
	Reason   string
}

// Groups lists the groups that the stream knows.
func (c *Client) Groups(ctx context.Context) ([]GroupStatus, error) {
	infos, err := c.rdb.XInfoGroups(ctx, c.keys.events()).Result()
	if redis.HasErrorPrefix(err, "no such key") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	out := make([]GroupStatus, 0, len(infos))
	for _, info := range infos {
		st, err := c.groupStatus(ctx, info)
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

func (c *Client) groupStatus(ctx context.Context, info redis.XInfoGroup) (GroupStatus, error) {
	key := func(part string) string { return c.keys.group(info.Name, part) }
	p := c.rdb.Pipeline()
	open, calls := p.ZCard(ctx, key("open")), p.ZCard(ctx, key("calls"))
	oldest := p.ZRangeWithScores(ctx, key("open"), 0, 0)
	dead := p.XLen(ctx, c.keys.dead(info.Name))
	var ahead *redis.XMessageSliceCmd
	if info.Lag < 0 {
		ahead = p.XRangeN(ctx, c.keys.events(), "("+info.LastDeliveredID, "+", lagCounted)
	}
	if _, err := p.Exec(ctx); err != nil {
		return GroupStatus{}, fmt.Errorf("look at group %s: %w", info.Name, err)
	}
	st := GroupStatus{
		Name: info.Name, Lag: info.Lag, Last: info.LastDeliveredID,
		Open: open.Val(), Calls: calls.Val(), Dead: dead.Val(),
	}
	if ahead != nil {
		st.Lag = int64(len(ahead.Val()))
	}
	if z := oldest.Val(); len(z) > 0 {
		st.Oldest = time.UnixMilli(int64(z[0].Score)).UTC()
	}
	return st, nil
}

// Waiting lists up to n calls of a group that wait for another try, those due
// first.
func (c *Client) Waiting(ctx context.Context, group string, n int) ([]Waiting, error) {
	key := func(part string) string { return c.keys.group(group, part) }
	calls, err := c.rdb.ZRangeWithScores(ctx, key("calls"), 0, int64(n)-1).Result()
	if err != nil {
		return nil, fmt.Errorf("list waiting calls: %w", err)
	}
	var out []Waiting
	for _, z := range calls {
		call, _ := z.Member.(string)
		p := c.rdb.Pipeline()
		why, tries := p.HGet(ctx, key("why"), call), p.HGet(ctx, key("tries"), call)
		first, length := p.LIndex(ctx, key("queue:")+call, 0), p.LLen(ctx, key("queue:")+call)
		if _, err := p.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("list waiting calls: %w", err)
		}
		if why.Err() != nil {
			continue // at work, or waiting for its first try
		}
		attempts, _ := strconv.Atoi(tries.Val())
		out = append(out, Waiting{
			Call: call, Entry: first.Val(), Attempts: attempts, Due: time.UnixMilli(int64(z.Score)).UTC(),
			Events: length.Val(), Reason: why.Val(),
		})
	}
	return out, nil
}

// RemoveGroup forgets a group and all that it had to do. Its dead letters stay
// until they are dropped.
func (c *Client) RemoveGroup(ctx context.Context, name string) error {
	if name == "" || strings.ContainsAny(name, "*?[]") {
		return fmt.Errorf("remove group: %q is no name", name)
	}
	err := c.rdb.XGroupDestroy(ctx, c.keys.events(), name).Err()
	if err != nil && !redis.HasErrorPrefix(err, "The XGROUP subcommand requires the key to exist") {
		return fmt.Errorf("remove group: %w", err)
	}
	calls, err := c.rdb.ZRange(ctx, c.keys.group(name, "calls"), 0, -1).Result()
	if err != nil {
		return fmt.Errorf("remove group: %w", err)
	}
	var doomed []string
	for _, call := range calls {
		doomed = append(doomed, c.keys.group(name, "queue:"+call))
	}
	for _, part := range groupParts() {
		doomed = append(doomed, c.keys.group(name, part))
	}
	for len(doomed) > 0 {
		n := min(len(doomed), 1000)
		if err := c.rdb.Unlink(ctx, doomed[:n]...).Err(); err != nil {
			return fmt.Errorf("remove group: %w", err)
		}
		doomed = doomed[n:]
	}
	return nil
}
