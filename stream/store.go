package stream

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/append.lua
var appendLua string

// store is what the pump needs of Redis.
type store interface {
	// have tells the last index held of each session.
	have(ctx context.Context, sessions []uint64) (map[uint64]uint64, error)
	// add adds records of one session and returns the index held afterwards. It
	// fails with errRewound, and adds nothing, if less is held of that session
	// or of the one before than believed.
	add(ctx context.Context, believed [2]mark, records []record) (uint64, error)
	// forget drops the counts of sessions that will never be sent again.
	forget(ctx context.Context, sessions []uint64) error
}

// mark is how much of a session Redis is believed to have.
type mark struct{ session, index uint64 }

// redisStore is the store on Redis.
type redisStore struct {
	client *Client
	script *redis.Script
}

func (s *redisStore) have(ctx context.Context, sessions []uint64) (map[uint64]uint64, error) {
	fields := make([]string, len(sessions))
	for i, session := range sessions {
		fields[i] = sessionName(session)
	}
	values, err := s.client.rdb.HMGet(ctx, s.client.keys.writers(), fields...).Result()
	if err != nil {
		return nil, fmt.Errorf("ask redis what it has: %w", err)
	}
	has := make(map[uint64]uint64, len(sessions))
	for i, v := range values {
		text, _ := v.(string)
		has[sessions[i]], _ = strconv.ParseUint(text, 10, 64) // nil: nothing
	}
	return has, nil
}

func (s *redisStore) add(ctx context.Context, believed [2]mark, records []record) (uint64, error) {
	after, err := s.addAll(ctx, believed, records)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		if err := s.client.meet(ctx, s.script.Hash()); err != nil {
			return 0, err
		}
		after, err = s.addAll(ctx, believed, records)
	}
	return after, err
}

// addAll runs the script on one part after the other, without waiting for the
// answers in between: a part whose predecessor failed finds that out by itself.
func (s *redisStore) addAll(ctx context.Context, believed [2]mark, records []record) (after uint64, err error) {
	p := s.client.rdb.Pipeline()
	var answers []*redis.Cmd
	for part := range slices.Chunk(records, scriptEvents) {
		args := make([]any, 0, 4+5*len(part))
		for _, m := range believed {
			args = append(args, sessionName(m.session), m.index)
		}
		for i := range part {
			r := &part[i]
			args = append(args, r.index, r.id, r.kind, r.key, r.json)
		}
		answers = append(answers, p.EvalSha(ctx, s.script.Hash(), []string{s.client.keys.events(), s.client.keys.writers()}, args...))
		believed[0].index = part[len(part)-1].index
	}
	// An error of the exchange is the error of the answers.
	_, _ = p.Exec(ctx)
	for _, a := range answers {
		after, err = a.Uint64()
		if errors.Is(err, redis.Nil) {
			return 0, errRewound
		}
		if err != nil {
			return 0, fmt.Errorf("add events to redis: %w", err)
		}
	}
	return after, nil
}

func (s *redisStore) forget(ctx context.Context, sessions []uint64) error {
	fields := make([]string, len(sessions))
	for i, session := range sessions {
		fields[i] = sessionName(session)
	}
	if err := s.client.rdb.HDel(ctx, s.client.keys.writers(), fields...).Err(); err != nil {
		return fmt.Errorf("drop old writers from redis: %w", err)
	}
	return nil
}
