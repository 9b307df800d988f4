package stream

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"
)

// trimEvery is how often the stream is trimmed. Any number of processes may do
// it at the same time.
const trimEvery = time.Minute

func (l *Log) trimming(ctx context.Context) {
	var failing loudness
	every(ctx, trimEvery, func() {
		n, err := l.Trim(ctx)
		l.status.trimmed.Add(uint64(n))
		if err != nil && ctx.Err() == nil && failing.report(err) {
			l.log.Warn("stream could not be trimmed", "error", err)
		}
	})
}

// Trim removes the events that are older than MaxAge and that every group has
// done with, and, if there are more than HardMaxLen, the oldest whether done
// with or not. It returns how many went. Run does it every minute.
func (l *Log) Trim(ctx context.Context) (int64, error) {
	rdb, key := l.client.rdb, l.client.keys.events()
	needed, by, err := l.neededFrom(ctx)
	if err != nil {
		return 0, err
	}
	oldest := time.Now().Add(-l.cfg.MaxAge).UnixMilli()
	if needed >= 0 {
		oldest = min(oldest, needed)
	}
	n, err := rdb.XTrimMinIDApprox(ctx, key, strconv.FormatInt(oldest, 10), 0).Result()
	if err != nil {
		return 0, fmt.Errorf("trim stream: %w", err)
	}
	length, err := rdb.XLen(ctx, key).Result()
	if err != nil {
		return n, fmt.Errorf("trim stream: %w", err)
	}
	if length <= l.cfg.HardMaxLen {
		return n, nil
	}
	more, err := rdb.XTrimMaxLenApprox(ctx, key, l.cfg.HardMaxLen, 0).Result()
	if err != nil || more == 0 {
		return n, err
	}
	l.reportHardTrim(ctx, more, needed, by)
	return n + more, nil
}

// reportHardTrim tells whether the entries that went were still needed.
func (l *Log) reportHardTrim(ctx context.Context, n, needed int64, by string) {
	first, err := l.client.rdb.XRangeN(ctx, l.client.keys.events(), "-", "+", 1).Result()
	left := uint64(math.MaxInt64) // unknown, or nothing left: assume the worst
	if err == nil && len(first) > 0 {
		left, _, _ = parseID(first[0].ID)
	}
	if needed >= 0 && needed < int64(left) {
		l.status.trimmedUnread.Add(uint64(n))
		l.log.Error("stream is too long, events were removed that a group has not done with",
			"events", n, "group", by, "hard_max_len", l.cfg.HardMaxLen)
		return
	}
	l.log.Warn("stream is too long, events were removed before their time", "events", n, "hard_max_len", l.cfg.HardMaxLen)
}

// neededFrom is the millisecond of the oldest entry that a group still needs,
// and the group; -1: no group needs any.
func (l *Log) neededFrom(ctx context.Context) (ms int64, group string, err error) {
	groups, err := l.client.Groups(ctx)
	if err != nil {
		return 0, "", err
	}
	ms = -1
	for _, g := range groups {
		// What was not looked at yet begins in the millisecond of the last id
		// or later; what is open may be older.
		last, _, _ := parseID(g.Last)
		from := int64(last)
		if !g.Oldest.IsZero() {
			from = min(from, g.Oldest.UnixMilli())
		}
		if ms < 0 || from < ms {
			ms, group = from, g.Name
		}
	}
	return ms, group, nil
}
