package history

import (
	"context"
	"fmt"
	"time"
)

// forgetSlice is how many calls one transaction forgets, so that events need
// not wait long.
const forgetSlice = 200

// Run forgets old calls, once an hour, until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		if s.cfg.Days > 0 {
			// What fails now is tried again in an hour; the figures tell.
			if _, err := s.Forget(ctx, time.Now().AddDate(0, 0, -s.cfg.Days)); err != nil && ctx.Err() == nil {
				s.stats.failed.Inc()
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Forget removes the calls that began before a time and have ended, with their
// events and with who listened to them. It returns how many went.
func (s *Store) Forget(ctx context.Context, before time.Time) (int64, error) {
	var all int64
	for {
		n, err := s.forgetSome(ctx, before.UnixMicro())
		all += n
		s.stats.dropped.Add(float64(n))
		if err != nil {
			return all, fmt.Errorf("forget calls: %w", err)
		}
		if n < forgetSlice {
			return all, nil
		}
	}
}

func (s *Store) forgetSome(ctx context.Context, before int64) (int64, error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	const doomed = `(SELECT id FROM calls WHERE started < ? AND (live = 0 OR direction = '') ORDER BY started LIMIT ?)`
	for _, table := range []string{"events", "numbers", "parties", "stays", "listened"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE call IN `+doomed, before, forgetSlice); err != nil {
			return 0, err
		}
	}
	res, err := tx.ExecContext(ctx, `DELETE FROM calls WHERE id IN `+doomed, before, forgetSlice)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, err
	}
	return n, tx.Commit()
}
