package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"markaz/call"
)

// Log is the writing end. Its methods may be called by several goroutines.
type Log struct {
	cfg    Config
	log    *slog.Logger
	spool  *spool
	client *Client
	pump   *pump
	bufs   sync.Pool
	status statusBoard
	unsure loudness // about the disk's confirmation
}

// Open opens the spool and prepares the way to Redis, without waiting for it.
// It fails with [ErrInUse] when another process has the spool. Close ends it.
func Open(cfg Config, log *slog.Logger) (*Log, error) {
	if cfg.Spool.Dir == "" {
		return nil, errors.New("open log: spool.dir: want a folder")
	}
	client, err := Connect(cfg, log)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	cfg = client.cfg
	s, err := openSpool(cfg.Spool, log, time.Now)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open log: %w", err), client.Close())
	}
	return &Log{
		cfg: cfg, log: log, spool: s, client: client, pump: newPump(s, client, log),
		bufs: sync.Pool{New: func() any { return new([]byte) }},
	}, nil
}

// Append writes an event behind all that were appended before. When it
// returns nil the event is in the hands of this machine's kernel, survives the
// death of this process and will be in Redis exactly once. If the disk refuses
// it, it is kept in memory and that is reported; if there is no room either,
// the error wraps [ErrFull] and the event is not in the log.
func (l *Log) Append(e call.Event) error {
	switch {
	case e.ID == "":
		return fmt.Errorf("append event: a %s without an id", e.Kind)
	case e.Kind.Transient():
		return fmt.Errorf("append event: a %s is never logged", e.Kind)
	}
	buf := l.bufs.Get().(*[]byte)
	defer l.bufs.Put(buf)
	raw, err := appendRecord((*buf)[:0], &e)
	*buf = raw
	if err != nil {
		return fmt.Errorf("append event: %w", err)
	}
	if len(raw) > maxEvent {
		return fmt.Errorf("append event: %s of %d bytes is longer than %d", e.Kind, len(raw), maxEvent)
	}
	if err := l.spool.append(raw); err != nil {
		return err
	}
	l.pump.wake()
	if l.cfg.Spool.Sync == SyncAlways {
		l.sync()
	}
	return nil
}

// sync makes the disk confirm what was written. If it does not, the events are
// still safe from the death of this process.
func (l *Log) sync() {
	if err := l.spool.sync(); l.unsure.report(err) {
		l.log.Error("disk did not confirm events", "error", err)
	}
}

// Run carries the spool to Redis, tells the disk to make it permanent, removes
// what is not needed any more and trims the stream, until ctx ends. It then
// makes one short last try to bring everything to Redis. It survives every
// failure of Redis and of the disk; only [ErrRestored] ends it early.
func (l *Log) Run(ctx context.Context) error {
	helpers, ctx := errgroup.WithContext(ctx)
	helpers.Go(func() error { return l.pump.run(ctx) })
	for _, help := range []func(context.Context){l.syncing, l.keeping, l.trimming, l.watching} {
		helpers.Go(func() error { help(ctx); return nil })
	}
	return errors.Join(helpers.Wait(), l.spool.sync())
}

// syncing makes the disk confirm what was written, at most once an interval.
func (l *Log) syncing(ctx context.Context) { every(ctx, l.cfg.Spool.SyncInterval, l.sync) }

// keeping repairs and tidies the spool.
func (l *Log) keeping(ctx context.Context) {
	var refused, untidy loudness
	every(ctx, time.Second, func() {
		if err := l.spool.repair(); refused.report(err) {
			l.log.Error("disk still refuses events, they are kept in memory", "error", err)
		}
		if err := l.spool.tidy(); untidy.report(err) {
			l.log.Error("spool cannot be tidied", "error", err)
		}
	})
}

// Keep tells when the oldest live call began, so that the spool keeps what is
// needed to rebuild it; the zero time says that there is none.
func (l *Log) Keep(since time.Time) { l.spool.keepSince(since) }

// Recover hands over what the spool holds, in order, without asking Redis. It
// is for the start, before Append. Some of it may be older than Keep asked for.
func (l *Log) Recover(ctx context.Context, fn func(call.Event)) error {
	c := l.spool.cursorAfter(map[uint64]uint64{})
	defer c.close()
	for {
		r, ok, err := c.next()
		if err != nil || !ok {
			return err
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("recover events: %w", err)
		}
		e, err := decode(r.json)
		if err != nil {
			l.log.Error("event in the spool cannot be read", "event", string(r.id), "error", err)
			continue
		}
		fn(e)
	}
}

// Close ends the log after Run has returned. What is not in Redis yet stays in
// the spool for the next time.
func (l *Log) Close() error {
	return errors.Join(l.spool.close(), l.client.Close())
}

// every calls fn at each tick until ctx ends.
func every(ctx context.Context, d time.Duration, fn func()) {
	t := time.NewTicker(d)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			fn()
		case <-ctx.Done():
			return
		}
	}
}

// loudness says of a failure that goes on whether to report it again: at once,
// then each minute.
type loudness struct {
	mu      sync.Mutex
	failing bool
	told    time.Time
}

func (l *loudness) report(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.failing = false
		return false
	}
	now := time.Now()
	if l.failing && now.Sub(l.told) < time.Minute {
		return false
	}
	l.failing, l.told = true, now
	return true
}
