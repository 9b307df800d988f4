package stream

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Stats tells how the log does. Counts are since Open.
type Stats struct {
	Appended uint64 // events taken by Append
	Refused  uint64 // events that Append refused: they are not in the log
	Sent     uint64 // events that Redis took
	Rewinds  uint64 // times that Redis had lost events that it had

	Unsent      uint64        // events in the spool that Redis is not known to have
	OldestAge   time.Duration // of the oldest of them
	SpoolBytes  int64
	InMemory    int    // of the unsent, those that the disk refused
	DiskFails   uint64 // times that the disk began to refuse
	SyncFails   uint64 // times that the disk did not confirm
	Damaged     uint64 // places in the spool that could not be read
	Lost        uint64 // events known to be lost to that
	Shortened   uint64 // spool files removed before their time, for want of room
	RedisUp     bool
	StreamLen   int64 // events in Redis, as of a few seconds ago; so are the groups
	Groups      []GroupStatus
	Trimmed     uint64 // events removed from Redis by age or length
	TrimmedLate uint64 // of those, that a group had not done with
}

// statusBoard holds what is asked of Redis now and then, so that nobody waits
// for Redis to learn it.
type statusBoard struct {
	trimmed, trimmedUnread atomic.Uint64

	mu     sync.Mutex
	length int64
	groups []GroupStatus
}

// watchEvery is how old the state of the groups in Stats may be.
const watchEvery = 5 * time.Second

func (l *Log) watching(ctx context.Context) {
	every(ctx, watchEvery, func() {
		if !l.pump.up.Load() {
			return
		}
		groups, err := l.client.Groups(ctx)
		if err != nil {
			return // the pump tells that Redis is away
		}
		length, err := l.client.rdb.XLen(ctx, l.client.keys.events()).Result()
		if err != nil {
			return
		}
		l.status.mu.Lock()
		defer l.status.mu.Unlock()
		l.status.length, l.status.groups = length, groups
	})
}

// Stats never waits for Redis.
func (l *Log) Stats() Stats {
	st := Stats{
		Sent: l.pump.sent.Load(), Rewinds: l.pump.rewind.Load(), RedisUp: l.pump.up.Load(),
		Trimmed: l.status.trimmed.Load(), TrimmedLate: l.status.trimmedUnread.Load(),
	}
	l.status.mu.Lock()
	st.StreamLen, st.Groups = l.status.length, l.status.groups
	l.status.mu.Unlock()
	l.spool.fillStats(&st)
	return st
}

func (s *spool) fillStats(st *Stats) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Appended, st.Refused = s.stats.appended, s.stats.refused
	st.Unsent, st.SpoolBytes, st.InMemory = s.unsent(), s.bytes(), s.held.len()
	if st.Unsent > 0 && s.acks.waiting != 0 {
		st.OldestAge = max(0, s.now().Sub(time.Unix(0, s.acks.waiting)))
	}
	st.DiskFails, st.SyncFails = s.stats.diskFails, s.stats.syncFails
	st.Damaged, st.Lost, st.Shortened = s.stats.damaged, s.stats.lost, s.stats.shortened
}

// GroupStats counts what this process did for a group since it was made.
type GroupStats struct {
	Handled   uint64 // events done
	Retried   uint64 // tries that failed and are repeated
	Dead      uint64 // events given up
	Repeats   uint64 // events not handed over because they had been done
	Reclaimed uint64 // calls taken over from processes that died
	Lost      uint64 // claims that this process lost while it worked
}

// Stats tells what this process did.
func (g *Group) Stats() GroupStats {
	return GroupStats{
		Handled: g.counts.handled.Load(), Retried: g.counts.retried.Load(), Dead: g.counts.dead.Load(),
		Repeats: g.counts.repeats.Load(), Reclaimed: g.counts.reclaimed.Load(), Lost: g.counts.lost.Load(),
	}
}
