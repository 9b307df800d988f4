package telsa

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"time"
)

// Finder is told of files.
type Finder interface {
	Known(file string) (bool, error) // was taken before
	Found(s Sound) error             // is finished; nil means it is taken
}

// Watcher looks for finished files in a recorder's folder.
type Watcher struct {
	read   *reader
	finder Finder
	log    *slog.Logger
	now    func() time.Time

	files map[string]*candidate

	mu    sync.Mutex
	stats Stats
}

// Stats is what a watcher has met.
type Stats struct {
	Found, Gone, Odd uint64 // taken; vanished before they were finished; no sound, or not readable
	Error            string // of the last look at the folder, "" if it went well
}

// candidate is a file that was seen.
type candidate struct {
	size  int64
	mtime time.Time
	since time.Time // unchanged since
	done  bool
	seen  bool // in this round
}

// NewWatcher makes a watcher. zone is that of times in paths unless the
// configuration names another; now is the clock.
func NewWatcher(cfg Config, zone *time.Location, finder Finder, log *slog.Logger, now func() time.Time) (*Watcher, error) {
	r, err := newReader(cfg, zone)
	if err != nil {
		return nil, fmt.Errorf("watch recordings: %w", err)
	}
	return &Watcher{read: r, finder: finder, log: log, now: now, files: map[string]*candidate{}}, nil
}

// Stats tells what was met so far.
func (w *Watcher) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// Run looks at the folder again and again until ctx ends. A round over a large
// archive is followed by a pause twenty times as long.
func (w *Watcher) Run(ctx context.Context) error {
	failing := false
	for ctx.Err() == nil {
		begun := time.Now()
		err := w.Look()
		w.note(func(s *Stats) { s.Error = text(err) })
		if err != nil && !failing {
			w.log.Error("recorder's folder cannot be read", "error", err)
		}
		failing = err != nil
		select {
		case <-time.After(max(w.read.cfg.Every, 20*time.Since(begun))):
		case <-ctx.Done():
		}
	}
	return nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (w *Watcher) note(fn func(*Stats)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn(&w.stats)
}

// Look looks at the folder once.
func (w *Watcher) Look() error {
	for _, c := range w.files {
		c.seen = false
	}
	root := w.read.cfg.Dir
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == root || !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil // gone between listing and looking
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return w.file(filepath.ToSlash(rel), d)
	})
	if err != nil {
		return fmt.Errorf("look for recordings: %w", err)
	}
	w.forget()
	return nil
}

// file looks at one file and takes it if it is finished.
func (w *Watcher) file(path string, d fs.DirEntry) error {
	if !w.read.matches(path) {
		return nil
	}
	c := w.files[path]
	if c == nil {
		known, err := w.finder.Known(path)
		if err != nil {
			return err
		}
		c = &candidate{done: known, since: w.now()}
		w.files[path] = c
	}
	c.seen = true
	if c.done {
		return nil
	}
	info, err := d.Info()
	if err != nil {
		return nil // gone between listing and looking
	}
	if info.Size() != c.size || !info.ModTime().Equal(c.mtime) {
		c.size, c.mtime, c.since = info.Size(), info.ModTime(), w.now()
		if w.now().Sub(info.ModTime()) < w.read.cfg.Stable || w.read.cfg.Mode == "archive" {
			return nil
		}
	}
	if w.finished(c) {
		return w.take(path, c)
	}
	return nil
}

// finished reports whether a file will not grow any more. In the archive mode
// it has been moved when it is there; that it is whole shows by its not
// changing from one look to the next.
func (w *Watcher) finished(c *candidate) bool {
	if c.size == 0 {
		return false
	}
	if w.read.cfg.Mode == "archive" {
		return true
	}
	return w.now().Sub(c.since) >= w.read.cfg.Stable || w.now().Sub(c.mtime) >= w.read.cfg.Stable
}

func (w *Watcher) take(path string, c *candidate) error {
	s, err := w.read.read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // the next round reports it
	case err != nil:
		c.done = true
		w.note(func(s *Stats) { s.Odd++ })
		w.log.Warn("file of the recorder is left out", "file", path, "error", err)
		return nil
	}
	if err := w.finder.Found(s); err != nil {
		return err
	}
	c.done = true
	w.note(func(s *Stats) { s.Found++ })
	return nil
}

// forget drops files that are not there any more, and reports those that were
// never finished.
func (w *Watcher) forget() {
	for path, c := range w.files {
		if c.seen {
			continue
		}
		delete(w.files, path)
		if !c.done {
			w.note(func(s *Stats) { s.Gone++ })
			w.log.Warn("file of the recorder has disappeared before it was finished", "file", path)
		}
	}
}
