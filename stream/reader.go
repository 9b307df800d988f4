package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"markaz/call"
)

// ErrGap says that events after the given id may be missing: Redis has lost
// its latest data, or they were trimmed. The reader must take a new snapshot.
var ErrGap = errors.New("events may be missing since that id")

// block is how long a read waits on the server for events.
const block = 500 * time.Millisecond

// pageSize is how many entries are read in one exchange.
const pageSize = 500

// Entry is an event in the stream. Its id is that of the Redis stream: it grows
// with each entry, and its first part is when Redis got it, in Unix
// milliseconds. An event that was repeated after a failure of Redis may be met
// twice, with the same Event.ID.
type Entry struct {
	ID    string
	Event call.Event
}

// Reader reads the stream without taking part in any group.
type Reader struct{ client *Client }

// NewReader makes a reader, which needs no closing.
func NewReader(c *Client) *Reader { return &Reader{c} }

// Snapshot hands over what Redis got since a time, and returns the id to give
// to [Reader.Tail] to go on without a gap. An error of fn ends it.
func (r *Reader) Snapshot(ctx context.Context, since time.Time, fn func(Entry) error) (last string, err error) {
	return r.scan(ctx, beforeTime(since), "+", fn)
}

// Range hands over what Redis got from one time until before another.
func (r *Reader) Range(ctx context.Context, from, to time.Time, fn func(Entry) error) error {
	_, err := r.scan(ctx, beforeTime(from), beforeTime(to), fn)
	return err
}

// scan reads pages after one id up to another and returns the last id met.
func (r *Reader) scan(ctx context.Context, after, end string, fn func(Entry) error) (string, error) {
	for {
		got, err := r.client.rdb.XRangeN(ctx, r.client.keys.events(), "("+after, end, pageSize).Result()
		if err != nil {
			return after, fmt.Errorf("read events: %w", err)
		}
		for _, m := range got {
			if err := r.give(m, fn); err != nil {
				return after, err
			}
			after = m.ID
		}
		if len(got) < pageSize {
			return after, nil
		}
	}
}

// Before returns up to n entries before an id, the newest first; "+" begins at
// the end.
func (r *Reader) Before(ctx context.Context, id string, n int) ([]Entry, error) {
	if id != "+" {
		id = "(" + id
	}
	got, err := r.client.rdb.XRevRangeN(ctx, r.client.keys.events(), id, "-", int64(n)).Result()
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	out := make([]Entry, 0, len(got))
	for _, m := range got {
		_ = r.give(m, func(e Entry) error { out = append(out, e); return nil })
	}
	return out, nil
}

// give decodes an entry; one that is none of ours is reported and left out.
func (r *Reader) give(m redis.XMessage, fn func(Entry) error) error {
	raw, _ := m.Values["e"].(string)
	e, err := decode([]byte(raw))
	if err != nil {
		r.client.log.Error("entry in the stream is not an event", "entry", m.ID, "error", err)
		return nil
	}
	return fn(Entry{ID: m.ID, Event: e})
}

// Tail hands over the entries after an id as they come, until ctx or fn ends
// it with an error. The id is one that an Entry or Snapshot had; "" stands for
// the present end. While Redis cannot be reached it waits. It ends with
// [ErrGap] when it cannot vouch that nothing was missed.
func (r *Reader) Tail(ctx context.Context, after string, fn func(Entry) error) error {
	if after != "" {
		if _, _, err := parseID(after); err != nil {
			return err
		}
	}
	var wait backoff
	var away loudness
	var looked time.Time
	for {
		err := r.look(ctx, &after, &looked)
		var got []redis.XMessage
		if err == nil {
			got, err = r.await(ctx, after)
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrGap):
			return err
		case err != nil:
			if away.report(err) {
				r.client.log.Warn("reader cannot reach redis", "error", err)
			}
			looked = time.Time{} // it may come back as another
			wait.wait(ctx)
			continue
		}
		away.report(nil)
		wait = backoff{}
		for _, m := range got {
			if err := r.give(m, fn); err != nil {
				return err
			}
			after = m.ID
		}
	}
}

// await returns the entries after an id, none if none came for a while.
func (r *Reader) await(ctx context.Context, after string) ([]redis.XMessage, error) {
	got, err := r.client.rdb.XRead(ctx, &redis.XReadArgs{
		Streams: []string{r.client.keys.events(), after}, Count: pageSize, Block: block,
	}).Result()
	if errors.Is(err, redis.Nil) || err == nil && len(got) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return got[0].Messages, nil
}

// look makes sure, at most once a second, that the stream still goes on from
// where the reader is. It replaces an empty id by the present end.
func (r *Reader) look(ctx context.Context, after *string, looked *time.Time) error {
	if *after != "" && time.Since(*looked) < time.Second {
		return nil
	}
	info, err := r.client.rdb.XInfoStream(ctx, r.client.keys.events()).Result()
	if redis.HasErrorPrefix(err, "no such key") {
		info, err = &redis.XInfoStream{LastGeneratedID: "0-0"}, nil
	}
	if err != nil {
		return fmt.Errorf("look at stream: %w", err)
	}
	if *after == "" {
		*after = info.LastGeneratedID
	}
	*looked = time.Now()
	if gapAfter(*after, info) {
		return fmt.Errorf("%w: %s", ErrGap, *after)
	}
	return nil
}

// gapAfter reports whether entries after an id may have gone. An id before all
// time asks for what there is, and misses nothing.
func gapAfter(after string, info *redis.XInfoStream) bool {
	if compareID(after, "0-0") == 0 {
		return false
	}
	// An id between entries is made from a time by beforeTime; only the end of
	// a millisecond that is still to come may be past the last entry.
	if compareID(info.LastGeneratedID, after) < 0 && !strings.HasSuffix(after, lastSeq) {
		return true
	}
	trimmed := info.EntriesAdded > info.Length
	return trimmed && info.Length > 0 && compareID(info.FirstEntry.ID, after) > 0
}

// lastSeq ends the id of the last entry that a millisecond can have.
const lastSeq = "-18446744073709551615"

// beforeTime is the greatest id before a time.
func beforeTime(t time.Time) string {
	ms := t.UnixMilli()
	if t.IsZero() || ms <= 0 {
		return "0-0"
	}
	return strconv.FormatInt(ms-1, 10) + lastSeq
}

// compareID compares two stream ids; one that is none comes first.
func compareID(a, b string) int {
	am, as, _ := parseID(a)
	bm, bs, _ := parseID(b)
	switch {
	case am < bm, am == bm && as < bs:
		return -1
	case am == bm && as == bs:
		return 0
	}
	return 1
}

func parseID(id string) (ms, seq uint64, err error) {
	left, right, _ := strings.Cut(id, "-")
	ms, err = strconv.ParseUint(left, 10, 64)
	if err == nil && right != "" {
		seq, err = strconv.ParseUint(right, 10, 64)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read stream id %q: %w", id, err)
	}
	return ms, seq, nil
}
