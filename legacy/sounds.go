package legacy

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"time"

	"markaz/call"
	"markaz/legacy/ident"
	"markaz/legacy/journal"
	"markaz/legacy/state"
	"markaz/legacy/telsa"
)

// sounds finds the calls of a recorder's files. It belongs to the engine's
// goroutine, but for the watcher, and status, which the source's mutex guards.
type sounds struct {
	e       *Engine
	s       *source
	watcher *telsa.Watcher
	waiting []waiting
	open    map[string]state.Span // calls whose end is not known
	out     []call.Event
	status  SoundStatus
}

// waiting is a file whose call may not have been printed yet.
type waiting struct {
	telsa.Sound
	Until time.Time `json:"until"`
}

// SoundStatus is how a recorder's files fare.
type SoundStatus struct {
	Matched   uint64   `json:"matched"`
	Waiting   int      `json:"waiting"`
	Unmatched []string `json:"unmatched,omitempty"` // the latest files that are of no call
	Ambiguous []string `json:"ambiguous,omitempty"` // the latest that may be of several
}

const (
	soundOld    = 15 * time.Minute
	soundListed = 20
)

func (e *Engine) newSounds(s *source) (*sounds, error) {
	n := &sounds{e: e, s: s, open: map[string]state.Span{}}
	w, err := telsa.NewWatcher(*s.cfg.Telsa, s.zone, n, e.log.With("source", s.cfg.Key), e.dep.Now)
	if err != nil {
		return nil, err
	}
	n.watcher = w
	return n, nil
}

// Known and Found are for the watcher.

// Known reports whether a file was taken before.
func (n *sounds) Known(file string) (bool, error) { return n.e.store.HasSound(n.s.cfg.Key, file) }

// Found puts a finished file into the journal.
func (n *sounds) Found(s telsa.Sound) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("note recording: %w", err)
	}
	_, err = n.e.journal.Write(n.s.cfg.Key, journal.Sound, b)
	return err
}

// note follows the calls of a source in its events, and settles the files that
// have waited long enough. It returns the events with what follows.
func (n *sounds) note(at time.Time, events []call.Event) []call.Event {
	n.out = append(n.out[:0], events...)
	for _, e := range events {
		n.follow(e)
	}
	n.settle(at)
	return n.out
}

// follow notes when calls were on which line.
func (n *sounds) follow(e call.Event) {
	switch e.Kind {
	case call.CallStarted:
		if e.Trunk != "" {
			n.open[e.Call] = state.Span{Call: e.Call, Line: lineOf(e.Trunk), Start: e.At}
		}
	case call.CallEnded, call.CallAmended:
		v, ok := n.open[e.Call]
		if !ok {
			return
		}
		if v.End.Before(e.At) {
			v.End = e.At
		}
		n.e.store.AddSpan(n.s.cfg.Key, v)
		n.open[e.Call] = v
		n.forget(e.At)
	}
}

// forget drops calls to which nothing is added any more.
func (n *sounds) forget(now time.Time) {
	if len(n.open) < 1000 {
		return
	}
	for id, v := range n.open {
		if !v.End.IsZero() && now.Sub(v.End) > 26*time.Hour {
			delete(n.open, id)
		}
	}
}

// take takes a finished file from the journal. Its end is the end of a living
// call on its line; of which call it is will be known when that is printed.
func (n *sounds) take(s *source, entry journal.Entry) []call.Event {
	n.out, s.dirty = n.out[:0], true
	var sound telsa.Sound
	if err := json.Unmarshal(entry.Bytes, &sound); err != nil {
		n.e.log.Error("entry of a recording cannot be read", "source", s.cfg.Key, "error", err)
		return nil
	}
	if known, err := n.e.store.HasSound(s.cfg.Key, sound.File); known || err != nil {
		return nil // found once more after a crash
	}
	n.e.store.AddSound(s.cfg.Key, sound.File, sound.ID())
	wait := s.cfg.Telsa.Wait
	if old := entry.At.Sub(sound.End); old > soundOld {
		wait = 0
	} else if !s.cfg.Telsa.NoHangUp {
		for _, e := range s.machine.HungUp(entry.At, sound.Line, sound.End) {
			n.out = append(n.out, e)
			n.follow(e)
		}
	}
	n.waiting = append(n.waiting, waiting{sound, entry.At.Add(wait)})
	n.settle(entry.At)
	return n.out
}

// due is when a file has waited long enough.
func (n *sounds) due() time.Time {
	var due time.Time
	for _, w := range n.waiting {
		if due.IsZero() || w.Until.Before(due) {
			due = w.Until
		}
	}
	return due
}

// settle matches the files that have waited long enough.
func (n *sounds) settle(at time.Time) {
	var left []waiting
	for _, w := range n.waiting {
		if at.Before(w.Until) {
			left = append(left, w)
			continue
		}
		n.match(at, w.Sound)
	}
	n.waiting = left
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	n.status.Waiting = len(left)
}

func (n *sounds) match(at time.Time, sound telsa.Sound) {
	spans, err := n.e.store.Overlapping(n.s.cfg.Key, sound.Line, sound.Start.Add(-time.Minute), sound.End.Add(time.Minute))
	if err != nil {
		n.e.log.Error("calls of a recording cannot be looked up", "source", n.s.cfg.Key, "file", sound.File, "error", err)
	}
	var calls []telsa.Call
	for _, v := range spans {
		calls = append(calls, telsa.Call{ID: v.Call, Start: v.Start, End: v.End})
	}
	fit := telsa.Match(sound, calls)
	n.s.mu.Lock()
	defer n.s.mu.Unlock()
	switch len(fit) {
	case 1:
		n.status.Matched++
		n.out = append(n.out, n.stopped(at, sound, fit[0].ID))
	case 0:
		n.status.Unmatched = last(append(n.status.Unmatched, sound.File))
		n.e.log.Warn("recording is of no call", "source", n.s.cfg.Key, "file", sound.File, "line", sound.Line)
	default:
		n.status.Ambiguous = last(append(n.status.Ambiguous, sound.File))
		n.e.log.Warn("recording may be of several calls and is given to none", "source", n.s.cfg.Key, "file", sound.File, "line", sound.Line, "calls", len(fit))
	}
}

func last(list []string) []string { return list[max(0, len(list)-soundListed):] }

// stopped tells that a call's recording is finished and can be fetched.
func (n *sounds) stopped(at time.Time, sound telsa.Sound, callID string) call.Event {
	return call.Event{
		V: call.Schema, ID: ident.Call(n.s.cfg.Key, "sound/"+sound.ID(), sound.End), Kind: call.RecordingStopped,
		Source: n.s.cfg.Key, Call: callID, At: sound.End, SeenAt: at.UTC(), Live: at.Sub(sound.End) < soundOld,
		Recording: recordingID(callID, n.s.cfg.Key, sound), File: sound.File, DurationMS: sound.MS, Size: sound.Size, SHA256: sound.SHA256,
	}
}

// recordingID is what a recording is called in events: the call, the source
// and the file, with hyphens. Who fetches it learns from it whom to ask.
func recordingID(callID, key string, sound telsa.Sound) string {
	return callID + "-" + key + "-" + sound.ID()
}

// Recording opens a recorder's file by the last part of the recording's id.
// The error wraps fs.ErrNotExist where there is none, or none any more.
func (e *Engine) Recording(key, id string) (*telsa.Stream, error) {
	s := e.sources[key]
	if s == nil || s.sounds == nil {
		return nil, fmt.Errorf("open recording: there is no recorder %q: %w", key, fs.ErrNotExist)
	}
	file, err := e.store.SoundFile(key, id)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return nil, fmt.Errorf("open recording %s: %w", id, fs.ErrNotExist)
	}
	return telsa.Open(s.cfg.Telsa.Dir, file)
}
