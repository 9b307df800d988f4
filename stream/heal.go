package stream

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/heal.lua
var healLua string

// seamsKept bounds the seams remembered. Each start of Redis makes one, or a
// few when several processes find it at the same moment.
const seamsKept = 64

// healTimeout bounds the healing, which says again what every group has to do:
// about a second where they have fallen far behind.
const healTimeout = 30 * time.Second

// run runs a script. A Redis that does not know it has just begun, or was
// failed over to: it is healed before any script of ours writes to it. So this
// costs nothing while Redis runs.
func (c *Client) run(ctx context.Context, s *redis.Script, keys []string, args ...any) *redis.Cmd {
	cmd := s.EvalSha(ctx, c.rdb, keys, args...)
	if !redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		return cmd
	}
	if err := c.meet(ctx, s.Hash()); err != nil {
		cmd.SetErr(err)
		return cmd
	}
	return s.EvalSha(ctx, c.rdb, keys, args...)
}

// meet heals a Redis that has just begun and then, not before, teaches it our
// scripts, all of them. Any number of processes may do so at the same time.
func (c *Client) meet(ctx context.Context, hash string) error {
	if !c.meeting.TryLock() {
		c.meeting.Lock()
		if known, err := c.rdb.ScriptExists(ctx, hash).Result(); err == nil && len(known) == 1 && known[0] {
			c.meeting.Unlock()
			return nil // another goroutine was first
		}
	}
	defer c.meeting.Unlock()
	if err := c.heal(ctx); err != nil {
		return err
	}
	p := c.rdb.Pipeline() // callers wait: as few exchanges as can be
	for _, text := range []string{appendLua, entriesLua + finishLua, leaseLua, renewLua, replayLua, entriesLua + takeLua} {
		p.ScriptLoad(ctx, text)
	}
	if _, err := p.Exec(ctx); err != nil {
		return fmt.Errorf("load scripts: %w", err)
	}
	return nil
}

// heal runs the script of that name, which undoes what a transaction of ours
// that was half written when Redis was killed does to the stream, the counts
// of the writers, the groups and their dead letters. The rest needs none: notes
// are written by single commands, which no such file is cut inside of; of a
// lease only the epoch may grow, and its end is a point in time, not a span.
// Nor is there anything to undo when a group was being created: take.lua does
// that in a run of its own. Left is that a clock set back between the kill and
// the start can make ids that lie past the seam.
//
// A Redis that does not let us is used all the same: this fails only where a
// write of any kind would fail now.
func (c *Client) heal(ctx context.Context) error {
	var rdb redis.Scripter = c.rdb
	if single, ok := c.rdb.(*redis.Client); ok {
		rdb = single.WithTimeout(healTimeout)
	}
	args := []any{scriptEvents, dealMost, seamsKept, c.keys.groups(), c.keys.dead("")}
	for _, part := range groupParts() {
		args = append(args, part)
	}
	answer, err := rdb.Eval(ctx, healLua, []string{c.keys.events(), c.keys.writers(), c.keys.seams()}, args...).Slice()
	switch {
	case denied(err):
		c.log.Warn("redis does not let its stream be healed, events may be in it twice after it was killed twice", "error", err)
		return nil
	case err != nil:
		return fmt.Errorf("heal stream: %w", err)
	case len(answer) != 3:
		return fmt.Errorf("heal stream: answer %v", answer)
	}
	if answer[0] != int64(0) {
		c.log.Warn("redis ran commands that it was killed in the middle of, their events were taken out of the stream", "events", answer[0])
	}
	if answer[1] != int64(0) {
		c.log.Error("entries in the stream where none can be, they were left there", "events", answer[1])
	}
	if answer[2] != "" {
		c.log.Warn("redis does not let groups be healed, events may be handled twice or not at all after it was killed twice", "error", answer[2])
	}
	return nil
}

// denied tells that Redis will never do what it was asked, as far as one can
// tell: not that it is full, a replica or loading.
func denied(err error) bool {
	var said redis.Error
	return errors.As(err, &said) && (strings.HasPrefix(said.Error(), "ERR ") || strings.HasPrefix(said.Error(), "NOPERM "))
}
