package recorder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"markaz/call"
)

// Source is where recordings are made: a PBX.
type Source interface {
	// Fetch writes a finished recording to w. The error wraps fs.ErrNotExist
	// if there is none.
	Fetch(ctx context.Context, id string, w io.Writer) error
	// Delete removes a recording; it is no error when it is not there.
	Delete(ctx context.Context, id string) error
	// List names all recordings that are there, running ones among them or
	// not.
	List(ctx context.Context) ([]string, error)
}

// Deps is what a Keeper needs of the house.
type Deps struct {
	Source Source
	// History returns all events of a call that the log still has, in order.
	History func(ctx context.Context, call string) ([]call.Event, error)
	// Report has a fact recorded. A repeat carries the same event id.
	Report func(call.Event)
	Now    func() time.Time
	Logger *slog.Logger
	// Used measures the disk, in per cent; nil: the disk of Config.Dir.
	Used func() (float64, error)
}

// Keeper brings recordings from where they were made into the archive, and
// looks after it.
//
// It lives on the log: Handle is given the events of [Kinds], each at least
// once and in order within a call, again after an error, also after a restart.
// So nothing that it keeps in memory is needed to do the right thing.
type Keeper struct {
	cfg     Config
	dep     Deps
	archive *Archive
	hold    map[string]bool

	mu       sync.Mutex
	notes    map[string]*note // calls going on
	working  map[string]bool  // recordings being fetched
	reported recent           // recordings, that the log may not have given back yet
	doomed   []doomed
	stats    Stats

	scanFault string // of the last scan; only its round uses it
	scanEarly bool   // the last scan left something to Handle, and it is worth looking again soon
}

// Stats is what a Keeper has done since it was made, and how things stand.
type Stats struct {
	Done, Incomplete, Failed, Deleted uint64 // recordings
	Bytes                             uint64 // stored
	Working                           int    // being fetched now
	Disk                              DiskState
	DiskUsed                          float64 // per cent
	LastScan                          time.Time
	LastSweep                         time.Time
}

const (
	maxNotes   = 20_000           // calls remembered while they go on; older ones are read back when needed
	settle     = 30 * time.Second // a recording that the PBX does not have yet may still come
	fetchLimit = 15 * time.Minute // for one recording
)

var (
	errBusy     = errors.New("is being fetched already")
	errHopeless = errors.New("cannot be had") // trying again will not help
)

// NewKeeper opens the archive. It fails if the configuration is not valid or
// the folder cannot be used.
func NewKeeper(cfg Config, dep Deps) (*Keeper, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("read recorder configuration: %w", err)
	}
	cfg.setDefaults()
	zone, err := time.LoadLocation(cfg.Zone)
	if err != nil {
		return nil, fmt.Errorf("load zone of recordings: %w", err)
	}
	archive, err := OpenArchive(cfg.Dir, zone)
	if err != nil {
		return nil, err
	}
	if dep.Used == nil {
		dep.Used = func() (float64, error) { return used(cfg.Dir) }
	}
	k := &Keeper{
		cfg: cfg, dep: dep, archive: archive,
		hold: map[string]bool{}, notes: map[string]*note{}, working: map[string]bool{},
	}
	for _, h := range cfg.Retention.Hold {
		k.hold[h] = true
		k.hold[safe(h, maxParty)] = true // as it stands in a name
	}
	return k, nil
}

// Plan is the policy's answer while there is room on the disk, and no when
// there is none.
func (k *Keeper) Plan(c call.Call) (bool, string) {
	if k.Stats().Disk == DiskFull {
		return false, "disk full"
	}
	return k.cfg.Policy.Plan(c)
}

// Open opens a recording for reading; see [Archive.Open].
func (k *Keeper) Open(file string) (*os.File, error) { return k.archive.Open(file) }

// Close closes the archive. Neither Run nor Handle may be at work.
func (k *Keeper) Close() error { return k.archive.Close() }

// Stats tells what was done and how things stand.
func (k *Keeper) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stats
	s.Working = len(k.working)
	return s
}

// Handle takes an event from the log and does what it calls for. Nil means
// that it was done; after an error it wants to be given the same event again,
// later.
func (k *Keeper) Handle(ctx context.Context, e call.Event) error {
	if e.Call == "" {
		return nil
	}
	n := k.take(e)
	switch e.Kind {
	case call.RecordingStopped:
	case call.RecordingFailed:
		if e.ID == eventID(e.Kind, e.Recording) {
			return nil // our own word
		}
	case call.RecordingAvailable:
		if e.ID != eventID(e.Kind, e.Recording) {
			return nil // somebody else's recording
		}
		return k.confirmed(ctx, e.Recording, e.File)
	default:
		return nil
	}
	n, err := k.recall(ctx, n)
	if err != nil {
		return err
	}
	n.apply(e)
	err = k.finish(ctx, n, e.Recording)
	switch {
	case !errors.Is(err, errHopeless):
		return err
	case e.Kind == call.RecordingFailed:
		return nil // that is what the PBX says too
	case k.dep.Now().Sub(e.At) < settle:
		return err // it may still come
	}
	k.failed(n, e.Recording, err)
	return nil
}

// take folds an event into the note of its call and returns a copy to work
// with.
func (k *Keeper) take(e call.Event) *note {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.notes[e.Call]
	if n == nil {
		n = newNote(e.Call)
		if e.Kind == call.CallStarted && len(k.notes) < maxNotes {
			k.notes[e.Call] = n
		}
	}
	n.apply(e)
	if n.done() {
		delete(k.notes, e.Call)
	}
	return n.clone()
}

// noted returns a copy of what was noted of a call, maybe nothing.
func (k *Keeper) noted(callID string) *note {
	k.mu.Lock()
	defer k.mu.Unlock()
	if n := k.notes[callID]; n != nil {
		return n.clone()
	}
	return newNote(callID)
}

// recall asks the log for the whole of a call that was not noted from its
// start.
func (k *Keeper) recall(ctx context.Context, n *note) (*note, error) {
	if n.start {
		return n, nil
	}
	events, err := k.dep.History(ctx, n.call.ID)
	if err != nil {
		return nil, fmt.Errorf("read history of call %s: %w", n.call.ID, err)
	}
	return noteOf(n.call.ID, events), nil
}

// finish brings a recording in and reports it, unless that has been done. The
// error wraps errHopeless if the source has no such sound.
func (k *Keeper) finish(ctx context.Context, n *note, id string) error {
	t := n.tape(id)
	if t.settled {
		return nil
	}
	if !k.begin(id) {
		return fmt.Errorf("recording %s: %w", id, errBusy)
	}
	defer k.end(id)
	if k.wasReported(id) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	from, to := n.parties()
	name := Name(k.begun(n, t).In(k.archive.zone), id, from, to)
	var fetching error
	s, err := k.archive.put(name, func(w io.Writer) error {
		fetching = k.dep.Source.Fetch(ctx, id, w)
		return fetching
	})
	switch {
	case err == nil:
		k.available(n, name, t, s)
		return nil
	case errors.Is(fetching, fs.ErrNotExist) && k.archive.has(id, k.begun(n, t)):
		return nil // brought in before, and deleted there
	case errors.Is(fetching, fs.ErrNotExist), errors.Is(err, errNotWAV):
		return fmt.Errorf("recording %s: %w: %w", id, errHopeless, err)
	}
	return fmt.Errorf("recording %s: %w", id, err)
}

// begun is when a recording began, as well as it is known.
func (k *Keeper) begun(n *note, t *tape) time.Time {
	for _, at := range []time.Time{t.started, n.call.Started, t.stopped} {
		if !at.IsZero() {
			return at
		}
	}
	if at, ok := call.TimeOf(n.call.ID); ok {
		return at
	}
	return k.dep.Now()
}

func (k *Keeper) begin(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.working[id] {
		return false
	}
	k.working[id] = true
	return true
}

func (k *Keeper) end(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.working, id)
}

// available reports a file that is safe, and whether it is all there is.
func (k *Keeper) available(n *note, name string, t *tape, s stored) {
	d := s.wav.duration()
	state, reason := t.judge(d, s.wav.torn, k.cfg.Tolerance)
	k.count(func(st *Stats) {
		st.Bytes += uint64(s.size)
		if state == "done" {
			st.Done++
		} else {
			st.Incomplete++
		}
	})
	k.report(call.Event{
		Kind: call.RecordingAvailable, Source: n.call.Source, Call: n.call.ID, Recording: t.id, File: name, DurationMS: d.Milliseconds(),
		Size: s.size, SHA256: s.sha256, State: state, Reason: reason,
	})
}

func (k *Keeper) failed(n *note, id string, why error) {
	k.count(func(st *Stats) { st.Failed++ })
	k.report(call.Event{Kind: call.RecordingFailed, Source: n.call.Source, Call: n.call.ID, Recording: id, Reason: why.Error()})
}

// report has a fact about a recording recorded, under an id that is the same
// however often it is told.
func (k *Keeper) report(e call.Event) {
	k.mu.Lock()
	k.reported.add(e.Recording)
	k.mu.Unlock()
	e.ID, e.Live = eventID(e.Kind, e.Recording), true
	k.dep.Logger.Info("recording", "kind", e.Kind, "call", e.Call, "recording", e.Recording, "file", e.File, "state", e.State, "reason", e.Reason)
	k.dep.Report(e)
}

func eventID(kind call.Kind, recording string) string { return string(kind) + "/" + recording }

func (k *Keeper) wasReported(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reported.has(id)
}

// recent is the last recordings that were reported.
type recent struct {
	ids  [1024]string
	next int
}

func (r *recent) add(id string) {
	r.ids[r.next%len(r.ids)] = id
	r.next++
}

func (r *recent) has(id string) bool { return slices.Contains(r.ids[:min(r.next, len(r.ids))], id) }

// confirmed deletes at the source what the log knows to be safe here.
func (k *Keeper) confirmed(ctx context.Context, id, file string) error {
	if _, ours := callOf(id); !ours {
		return nil
	}
	f, err := k.archive.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile, or of another archive
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("close recording: %w", err)
	}
	if err := k.dep.Source.Delete(ctx, id); err != nil {
		return fmt.Errorf("delete recording %s at the source: %w", id, err)
	}
	return nil
}

func (k *Keeper) count(f func(*Stats)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f(&k.stats)
}
