package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"markaz/asterisk/observe"
	"markaz/call"
)

// makeObserver makes the observer of the calls that somebody else's dialplan
// handles, if that is wanted. The calls that were going on are known by now.
func (s *server) makeObserver(ctx context.Context) (err error) {
	cfg := s.cfg.Asterisk.Observe
	if !cfg.Enabled {
		return nil
	}
	cfg.Source, cfg.Agents = s.cfg.Asterisk.Source, map[string]string{}
	for _, a := range s.cfg.Floor.Agents {
		cfg.Agents[a.Extension] = a.ID
	}
	background := context.WithoutCancel(ctx) // the loop outlives the signal to stop
	s.watched.by, err = observe.New(cfg, observe.Deps{
		ARI: s.cfg.Asterisk.ARI, Log: s.log.With("source", cfg.Source), Now: time.Now,
		Sink: func(e call.Event) { s.loop.Post(background, audible(e)) },
		Open: s.watched.open, Last: s.watched.last, Told: s.watched.told(), Mine: s.sw.CallOf,
	})
	if err != nil {
		return fmt.Errorf("asterisk.observe: %w", err)
	}
	return s.reg.Register(s.watched.by)
}

// watched is who observes, nil when only handled calls are told, and what an
// earlier process has told of observed calls.
type watched struct {
	by   *observe.Observer
	last time.Time
	open []*call.Call
	legs map[string]time.Time // of all calls, and when they were told of last
}

func (w *watched) note(e call.Event) {
	if e.Leg != "" {
		if w.legs == nil {
			w.legs = map[string]time.Time{}
		}
		w.legs[e.Leg] = e.At
	}
	if e.Observed && e.Live && e.At.After(w.last) {
		w.last = e.At
	}
}

// told are the legs of calls that were told until a minute before the process
// stopped, or are open: what the PBX has recorded of these is not taken over.
// That of observed calls that are open says how they went on.
func (w *watched) told() (ids []string) {
	seen := map[string]bool{}
	for _, c := range w.open {
		for i := range c.Legs {
			if id := c.Legs[i].ID; c.Observed {
				seen[id] = true
			} else {
				ids = append(ids, id)
			}
		}
	}
	for id, at := range w.legs {
		if !seen[id] && w.last.Sub(at) < time.Minute {
			ids = append(ids, id)
		}
	}
	w.legs = nil
	return ids
}

// fetchObserved reads a recording that somebody else's dialplan has made. Its
// name comes from the PBX: nothing outside the folder is opened.
func (s *server) fetchObserved(ctx context.Context, id string, w io.Writer) error {
	events, err := s.history(ctx, id[:26])
	if err != nil {
		return err
	}
	folder := s.cfg.Asterisk.Observe.Recordings
	for _, e := range events {
		if e.Kind != call.RecordingStarted || e.Recording != id {
			continue
		}
		name := e.File
		if filepath.IsAbs(name) {
			if name, err = filepath.Rel(folder, name); err != nil {
				break
			}
		}
		return copyFile(w, folder, name)
	}
	return fmt.Errorf("find recording %s: %w", id, errors.Join(err, fs.ErrNotExist))
}

func copyFile(w io.Writer, folder, name string) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return fmt.Errorf("open folder of recordings: %w", err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.Open(name)
	if err != nil {
		return fmt.Errorf("open recording: %w", err)
	}
	defer func() { _ = f.Close() }()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("read recording: %w", err)
	}
	return nil
}

// observedRecording reports whether a recording's id is one of a call that is
// observed: such a file belongs to the PBX and is only read.
func observedRecording(id string) bool {
	return regexp.MustCompile(`^[0-9A-Z]{26}-m\d+$`).MatchString(id)
}

// observing looks at the files that observed calls are completed from.
func (d *doctor) observing() {
	cfg := d.cfg.Asterisk.Observe
	if !cfg.Enabled {
		return
	}
	for _, part := range []struct{ path, name, fix string }{
		{cfg.CDR, "call records", "let the user of Markaz read asterisk.observe.cdr, and load cdr_csv.so; calls that nobody watched are lost without it"},
		{cfg.Recordings, "recordings", "let the user of Markaz read asterisk.observe.recordings"},
	} {
		switch f, err := os.Open(part.path); {
		case part.path == "":
			d.doubtful("observed calls", "no "+part.name+" are configured", part.fix)
		case err != nil:
			d.bad(exitFailure, "observed calls", err.Error(), part.fix)
		default:
			_ = f.Close()
			d.good("observed calls", "%s can be read", part.path)
		}
	}
}
