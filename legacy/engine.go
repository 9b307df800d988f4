package legacy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"slices"
	"time"

	"markaz/call"
	"markaz/legacy/journal"
	"markaz/legacy/state"
)

// Log is where events go. When Append returns nil, the event survives the
// death of this process.
type Log interface {
	Append(call.Event) error
}

// Deps is what the engine needs of the house.
type Deps struct {
	Log    Log
	Logger *slog.Logger
	Now    func() time.Time
	// Settled is how long after Append an event survives the death of the
	// machine too. The position moves past it no earlier.
	Settled time.Duration
	// Only is the key of the one source to connect, where the others are not
	// to be disturbed; "" connects all.
	Only string
}

// Engine works the journal off: one goroutine, entry by entry.
type Engine struct {
	cfg     Config
	dep     Deps
	log     *slog.Logger
	journal *journal.Journal
	store   *state.Store
	sources map[string]*source
	keys    []string

	index   uint64 // up to here is worked off
	at      time.Time
	known   map[uint64]bool // fingerprints of events that the log may have already
	replay  uint64          // the last entry of the time before this process
	since   time.Time
	spoilt  bool // a machine is ahead of the log: its state must not be saved
	stopped <-chan struct{}
	taken   time.Time // when the last checkpoint was taken
	pending *pending
	imports chan *importJob
	job     *importJob
}

// pending is a checkpoint that waits until its events are safe.
type pending struct {
	state.Checkpoint
	ready time.Time
}

// How often the position is saved.
const checkpointEvery = 250 * time.Millisecond

// Open opens journal and state and brings the sources to where they were.
func Open(cfg Config, dep Deps) (*Engine, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open sources: %w", err)
	}
	e := &Engine{
		cfg: cfg, dep: dep, log: dep.Logger, sources: map[string]*source{},
		known: map[uint64]bool{}, imports: make(chan *importJob),
	}
	var err error
	if e.store, err = state.Open(cfg.State); err != nil {
		return nil, fmt.Errorf("open sources: %w", err)
	}
	if err := e.open(); err != nil {
		return nil, fmt.Errorf("open sources: %w", errors.Join(err, e.store.Close()))
	}
	return e, nil
}

func (e *Engine) open() (err error) {
	if e.index, e.at, err = e.store.Position(); err != nil {
		return err
	}
	for _, cfg := range e.cfg.Sources {
		s, err := newSource(cfg, e.store.Seen(cfg.Key))
		if err != nil {
			return fmt.Errorf("%s: %w", cfg.Key, err)
		}
		if cfg.Telsa != nil {
			if s.sounds, err = e.newSounds(s); err != nil {
				return fmt.Errorf("%s: %w", cfg.Key, err)
			}
		}
		snapshot, err := e.store.Snapshot(cfg.Key)
		if err != nil {
			return err
		}
		if err := s.restore(snapshot); err != nil {
			return err
		}
		e.sources[cfg.Key] = s
		e.keys = append(e.keys, cfg.Key)
	}
	if e.journal, err = journal.Open(e.cfg.Journal, e.log, e.dep.Now); err != nil {
		return err
	}
	e.journal.Worked(e.index)
	e.replay = e.journal.Last()
	e.since = e.at
	unfinished, err := e.store.Snapshots("import/")
	if err != nil {
		return err
	}
	for _, b := range unfinished {
		var v savedImport
		if json.Unmarshal(b, &v) == nil && v.At.Before(e.since) {
			e.since = v.At
		}
	}
	return nil
}

// Since is a time: an event that was seen after it may be made once more.
func (e *Engine) Since() time.Time { return e.since }

// Known tells of an event that the log has, before Run.
func (e *Engine) Known(id string) { e.known[fingerprint(id)] = true }

func fingerprint(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return h.Sum64()
}

// Close closes journal and state after Run has returned. The log must have
// made permanent what was appended.
func (e *Engine) Close() error {
	err := e.save()
	return errors.Join(err, e.journal.Close(), e.store.Close())
}

// work works off what the journal has, until ctx ends. Before the first entry
// of this process's own time, ready is called: the sources are where they were.
func (e *Engine) work(ctx context.Context, ready func()) error {
	r := e.journal.Reader(e.index)
	defer r.Close()
	defer e.dropImport(ctx)
	for ctx.Err() == nil {
		changed := e.journal.Changed()
		n, err := e.some(ctx, r)
		if err != nil {
			return err
		}
		if ready != nil && e.index >= e.replay {
			ready()
			ready = nil
		}
		busy := e.importSome(ctx)
		if err := e.checkpoint(); err != nil {
			e.log.Error("position could not be saved", "error", err)
		}
		if n == 0 && !busy {
			e.rest(ctx, changed)
		}
	}
	return nil
}

// some works off entries, so many at most.
func (e *Engine) some(ctx context.Context, r *journal.Reader) (int, error) {
	const most = 512
	touched := map[*source]bool{}
	n := 0
	for ; n < most && ctx.Err() == nil; n++ {
		entry, ok, err := r.Try()
		if err != nil {
			return n, err
		}
		if !ok {
			break
		}
		if s := e.sources[entry.Source]; s != nil {
			if err := e.append(ctx, s, e.step(s, entry)); err != nil {
				e.spoilt = true // the entry will be worked off again at the next start
				return n, nil
			}
			touched[s] = true
		}
		e.index, e.at = entry.Index, entry.At
	}
	for s := range touched {
		s.advise()
		s.publish()
	}
	return n, nil
}

// step hands an entry to its source.
func (e *Engine) step(s *source, entry journal.Entry) []call.Event {
	if entry.Kind == journal.Sound {
		return s.sounds.take(s, entry)
	}
	events := s.step(entry)
	if s.sounds != nil {
		events = s.sounds.note(entry.At, events)
	}
	return events
}

// append puts events into the log, trying again until it takes them.
func (e *Engine) append(ctx context.Context, s *source, events []call.Event) error {
	for i := range events {
		if id := fingerprint(events[i].ID); e.known[id] {
			delete(e.known, id)
			continue
		}
		for tries := 0; ; tries++ {
			err := e.dep.Log.Append(events[i])
			if err == nil {
				break
			}
			if tries%60 == 0 {
				e.log.Error("log does not take events, they wait in the journal", "source", s.cfg.Key, "error", err)
			}
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		s.mu.Lock()
		s.stat.events++
		s.mu.Unlock()
	}
	return nil
}

// rest waits until there is something to do.
func (e *Engine) rest(ctx context.Context, changed <-chan struct{}) {
	pause := time.NewTimer(time.Minute)
	defer pause.Stop()
	switch {
	case e.pending != nil:
		pause.Reset(max(e.pending.ready.Sub(e.dep.Now()), time.Millisecond))
	case e.dirty():
		pause.Reset(checkpointEvery)
	}
	select {
	case <-changed:
	case job := <-e.imports:
		e.job = job
	case <-pause.C:
	case <-ctx.Done():
	}
}

func (e *Engine) dirty() bool {
	if e.job != nil && e.job.dirty {
		return true
	}
	for _, s := range e.sources {
		if s.dirty {
			return true
		}
	}
	return false
}

// checkpoint saves the position when that is due: in two steps, so that it is
// never ahead of the events.
func (e *Engine) checkpoint() error {
	if e.spoilt {
		return nil
	}
	now := e.dep.Now()
	if e.pending != nil && !now.Before(e.pending.ready) {
		return e.commit()
	}
	if e.pending == nil && e.dirty() && now.Sub(e.taken) >= checkpointEvery {
		c, err := e.take()
		if err != nil {
			return err
		}
		e.pending, e.taken = &pending{Checkpoint: c, ready: now.Add(e.dep.Settled)}, now
	}
	return nil
}

// take freezes where everything stands.
func (e *Engine) take() (state.Checkpoint, error) {
	snapshots := map[string][]byte{}
	for key, s := range e.sources {
		if !s.dirty {
			continue
		}
		b, err := s.snapshot()
		if err != nil {
			return state.Checkpoint{}, err
		}
		snapshots[key], s.dirty = b, false
	}
	if e.job != nil {
		if err := e.job.snapshot(snapshots); err != nil {
			return state.Checkpoint{}, err
		}
	}
	return e.store.Take(e.index, e.at, snapshots), nil
}

// commit writes the pending checkpoint.
func (e *Engine) commit() error {
	if e.pending == nil {
		return nil
	}
	if err := e.store.Commit(e.pending.Checkpoint); err != nil {
		return err
	}
	e.journal.Worked(e.pending.Index)
	e.pending = nil
	return nil
}

// save commits what is pending and then where everything stands now. The log
// must have made permanent what was appended.
func (e *Engine) save() error {
	if err := e.commit(); err != nil || e.spoilt || !e.dirty() {
		return err
	}
	c, err := e.take()
	if err != nil {
		return err
	}
	return e.store.Commit(c)
}

// Status tells how the sources stand.
func (e *Engine) Status() []Status {
	var out []Status
	for _, key := range e.keys {
		out = append(out, e.sources[key].status(e.dep.Now()))
	}
	return slices.Clip(out)
}

// Backlog tells how many journal entries have not been worked off, and how
// much the journal takes on disk.
func (e *Engine) Backlog() (entries uint64, bytes int64) {
	return e.journal.Backlog(), e.journal.Bytes()
}
