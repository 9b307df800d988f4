package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// The most that goes to Redis in one exchange, and in one run of the script,
// during which Redis does nothing else.
const (
	batchEvents  = 512
	batchBytes   = 1 << 20
	scriptEvents = 128
)

// pump brings the spool to Redis. It asks Redis how much it has of each
// session, sends what comes after, and asks again whenever an answer did not
// come, and each second when there is nothing to send, so that it notices a
// Redis that has lost its latest data.
type pump struct {
	spool  *spool
	redis  store
	log    *slog.Logger
	woken  chan struct{}
	up     atomic.Bool
	sent   atomic.Uint64
	rewind atomic.Uint64
}

func newPump(s *spool, c *Client, log *slog.Logger) *pump {
	return &pump{
		spool: s, log: log, woken: make(chan struct{}, 1),
		redis: &redisStore{client: c, script: redis.NewScript(appendLua)},
	}
}

// wake says that there may be something to send.
func (p *pump) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// farewell bounds the last try to send when the process stops.
const farewell = 2 * time.Second

// ErrRestored says that Redis has events of this very process that it has not
// written: the machine was put back to an earlier state while it ran. The
// process must end; the next one begins a session of its own.
var ErrRestored = errors.New("redis has later events of this process than the process itself")

func (p *pump) run(ctx context.Context) error {
	var wait backoff
	var down loudness
	for ctx.Err() == nil {
		begun, sent := time.Now(), p.sent.Load()
		err := p.carry(ctx, true)
		if ctx.Err() != nil {
			break
		}
		if p.sent.Load() > sent || time.Since(begun) > backoffMost {
			wait = backoff{} // it had worked
		}
		p.up.Store(false)
		if errors.Is(err, ErrRestored) {
			return err
		}
		if errors.Is(err, errRewound) {
			p.rewind.Add(1)
			p.log.Warn("redis has lost events that it had, they are sent again from the spool")
			continue
		}
		if down.report(err) {
			p.log.Warn("redis does not take events, they stay in the spool", "error", err, "events", p.backlog())
		}
		wait.wait(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := p.carry(last, false); err != nil {
		p.log.Warn("events stay in the spool for the next start", "error", err, "events", p.backlog())
	}
	return nil
}

func (p *pump) backlog() uint64 {
	p.spool.mu.Lock()
	defer p.spool.mu.Unlock()
	return p.spool.unsent()
}

// errRewound says that Redis has less than it had, so that sending must begin
// again where it stands.
var errRewound = errors.New("redis lost events")

// carry sends what Redis has not, and goes on as events come if it stays. It
// returns when something fails.
func (p *pump) carry(ctx context.Context, stay bool) error {
	has, err := p.ask(ctx)
	if err != nil {
		return err
	}
	if !p.up.Swap(true) && stay {
		p.log.Info("redis takes events", "backlog", p.backlog())
	}
	f := filler{cursor: p.spool.cursorAfter(maps.Clone(has))}
	defer f.cursor.close()
	now, ahead := new(batch), new(batch)
	if err := f.fill(now); err != nil {
		return err
	}
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		due := false
		switch {
		case len(now.records) > 0:
			sent := make(chan error, 1)
			go func() { sent <- p.send(ctx, has, now.records) }()
			// While Redis works on this one, the next is read.
			err := f.fill(ahead)
			if err := errors.Join(<-sent, err); err != nil {
				return err
			}
			now, ahead = ahead, now
			select {
			case <-look.C:
				due = true
			default:
			}
		case !stay:
			return nil
		default:
			due = p.idle(ctx, look.C)
			if err := f.fill(now); err != nil {
				return err
			}
		}
		if due {
			if err := p.look(ctx, has); err != nil {
				return err
			}
		}
	}
}

// ask learns what Redis has and tells the spool.
func (p *pump) ask(ctx context.Context) (map[uint64]uint64, error) {
	has, err := p.redis.have(ctx, p.spool.sessions())
	if err != nil {
		return nil, err
	}
	if n, last := has[p.spool.session], p.spool.lastIndex(); n > last {
		return nil, fmt.Errorf("%w: %d of %d", ErrRestored, n, last)
	}
	for session, index := range has {
		p.spool.acknowledged(session, index, 0)
	}
	return has, nil
}

func (p *pump) send(ctx context.Context, has map[uint64]uint64, records []record) error {
	session, last := records[0].session, records[len(records)-1]
	after, err := p.redis.add(ctx, [2]mark{{session, has[session]}, p.before(session, has)}, records)
	if err != nil {
		return err
	}
	p.sent.Add(after - has[session])
	has[session] = after
	p.spool.acknowledged(session, after, last.at)
	return nil
}

// before is what Redis has of the latest session before one. Without it, a
// Redis that was emptied just now would take a new session's first events
// before the older ones that it must get again.
func (p *pump) before(session uint64, has map[uint64]uint64) (m mark) {
	for _, s := range p.spool.sessions() {
		if s == session {
			break
		}
		if has[s] > 0 {
			m = mark{s, has[s]}
		}
	}
	return m
}

// lookEvery is how often the pump makes sure that Redis has what it had.
const lookEvery = time.Second

// gatherTime is how long an event that finds the pump at rest waits for others.
// The events of a step of a call come within milliseconds, while the same
// processors carry the call on; sent one by one each would wake Redis and
// every reader.
const gatherTime = 10 * time.Millisecond

// idle waits for events, or for the time to look at Redis, which it tells.
func (p *pump) idle(ctx context.Context, look <-chan time.Time) bool {
	select {
	case <-p.woken:
		sleep(ctx, gatherTime)
		return false
	case <-look:
	case <-ctx.Done():
	}
	return true
}

// look makes sure that Redis still has what it had, of this session and of
// those before, and drops there what left the spool.
func (p *pump) look(ctx context.Context, had map[uint64]uint64) error {
	has, err := p.ask(ctx)
	if err != nil {
		return err
	}
	for session, index := range has {
		if index < had[session] {
			return errRewound
		}
	}
	if gone := p.spool.takeGone(); len(gone) > 0 {
		return p.redis.forget(ctx, gone)
	}
	return nil
}
