package history

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"markaz/call"
)

// batchMost bounds those who share a transaction, keepMost the calls held in memory.
const (
	batchMost = 256
	keepMost  = 20_000
)

// ErrUnfit says that an event can never be written.
var ErrUnfit = errors.New("event cannot be written")

// taking are events that wait to be written, all of them or none.
type taking struct {
	events []call.Event
	done   chan error // buffered
}

// Take writes events and returns when they are on the disk. A repeat changes
// nothing. The events of one call must come in their order. An error means
// that none was written and that they may be handed over again. Those who call
// at the same time share a transaction.
func (s *Store) Take(ctx context.Context, events ...call.Event) error {
	t := &taking{done: make(chan error, 1)}
	for _, e := range events {
		if e.Call != "" && !e.Kind.Transient() {
			t.events = append(t.events, e)
		}
	}
	if len(t.events) == 0 {
		return nil
	}
	if s.stmt.event == nil {
		return errors.New("write event: the history was opened for reading")
	}
	s.mu.Lock()
	s.waiting = append(s.waiting, t)
	lead := !s.busy
	s.busy = true
	s.mu.Unlock()
	if lead {
		s.lead()
	}
	select {
	case err := <-t.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("write event: %w", ctx.Err()) // it may be written all the same: a repeat is known by its id
	}
}

// lead writes what waits, until nothing does. What comes meanwhile is the next
// batch.
func (s *Store) lead() {
	for {
		s.mu.Lock()
		n := min(len(s.waiting), batchMost)
		batch := s.waiting[:n:n]
		s.waiting = s.waiting[n:]
		if n == 0 {
			s.busy, s.waiting = false, nil
		}
		s.mu.Unlock()
		if n == 0 {
			return
		}
		err := s.commit(batch)
		for _, t := range batch {
			if err != nil && n > 1 { // one that cannot be written must not keep the others back
				t.done <- s.commit([]*taking{t})
				continue
			}
			t.done <- err
		}
	}
}

// commit writes a batch. It has a time of its own: whoever leads writes for
// others too.
func (s *Store) commit(batch []*taking) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	begun := time.Now()
	w := &writing{Store: s, changed: map[string]*call.Call{}}
	var events []call.Event
	for _, t := range batch {
		events = append(events, t.events...)
	}
	err := w.run(ctx, events)
	if err != nil {
		for id := range w.changed { // they know of events that were not written
			delete(s.calls, id)
		}
		s.stats.failed.Add(float64(len(events)))
		return err
	}
	for id, c := range w.changed {
		if c.Over() {
			delete(s.calls, id)
		}
	}
	if len(s.calls) > keepMost { // they are folded from the file when they are needed again
		clear(s.calls)
	}
	s.stats.took(events, w.fresh, time.Since(begun))
	return nil
}

// writing is one transaction.
type writing struct {
	*Store
	tx      *sql.Tx
	changed map[string]*call.Call
	fresh   int // events that were new
}

func (w *writing) run(ctx context.Context, events []call.Event) (err error) {
	if w.tx, err = w.write.BeginTx(ctx, nil); err != nil {
		return fmt.Errorf("begin to write events: %w", err)
	}
	defer func() { _ = w.tx.Rollback() }() // nothing after a commit
	for _, e := range events {
		if err := w.event(ctx, e); err != nil {
			return fmt.Errorf("write event %s: %w", e.ID, err)
		}
	}
	for _, c := range w.changed {
		if err := w.record(ctx, c); err != nil {
			return fmt.Errorf("write call %s: %w", c.ID, err)
		}
	}
	if err := w.tx.Commit(); err != nil {
		return fmt.Errorf("commit events: %w", err)
	}
	return nil
}

// event writes one event and folds it.
func (w *writing) event(ctx context.Context, e call.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	// The call is looked up first: what is folded from the file must not hold
	// the event already.
	c, err := w.call(ctx, e.Call)
	if err != nil {
		return err
	}
	res, err := w.tx.StmtContext(ctx, w.stmt.event).ExecContext(ctx, e.ID, e.Call, body)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	w.fresh++
	c.Apply(e)
	w.changed[e.Call] = c
	return nil
}

// call gives the call as far as it was written.
func (w *writing) call(ctx context.Context, id string) (*call.Call, error) {
	if c := w.changed[id]; c != nil {
		return c, nil
	}
	if c := w.calls[id]; c != nil {
		return c, nil
	}
	rows, err := w.tx.StmtContext(ctx, w.stmt.events).QueryContext(ctx, id)
	if err != nil {
		return nil, err
	}
	events, err := bodies(rows)
	if err != nil {
		return nil, err
	}
	c := Fold(id, events)
	w.calls[id] = c
	return c, nil
}

// Fold makes the record of a call from its events, in the order of the stream.
func Fold(id string, events []call.Event) *call.Call {
	c := &call.Call{ID: id}
	for _, e := range events {
		c.Apply(e)
	}
	return c
}

// bodies reads rows of events and closes them.
func bodies(rows *sql.Rows) (out []call.Event, err error) {
	defer rows.Close()
	for rows.Next() {
		var body []byte
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		var e call.Event
		if err := json.Unmarshal(body, &e); err != nil {
			return nil, fmt.Errorf("decode event: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}
