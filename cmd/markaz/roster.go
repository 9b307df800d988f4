package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"markaz/call"
)

// roster keeps the last state of each agent in a small file, so that a restart
// finds them as they were even when the stream is away.
type roster struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	last  map[string]call.Event
	dirty chan struct{}
}

func openRoster(path string, log *slog.Logger) (*roster, error) {
	r := &roster{path: path, log: log, last: map[string]call.Event{}, dirty: make(chan struct{}, 1)}
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, nil
	case err != nil:
		return nil, fmt.Errorf("read agents' states: %w", err)
	}
	if err := json.Unmarshal(data, &r.last); err != nil {
		log.Warn("agents' states cannot be read, all start as configured", "file", path, "err", err)
		r.last = map[string]call.Event{}
	}
	return r, nil
}

// events returns the states found, in the order in which they were taken.
func (r *roster) events() []call.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.last), func(a, b call.Event) int { return a.At.Compare(b.At) })
}

// note takes an event; the file follows a moment later.
func (r *roster) note(e call.Event) {
	if e.Kind != call.AgentChanged {
		return
	}
	r.mu.Lock()
	r.last[e.Agent] = e
	r.mu.Unlock()
	select {
	case r.dirty <- struct{}{}:
	default:
	}
}

// run writes the file, at most once a second, and once more at the end.
func (r *roster) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return r.save()
		case <-r.dirty:
		}
		if err := r.save(); err != nil {
			r.log.Error("agents' states not saved", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (r *roster) save() error {
	r.mu.Lock()
	data, err := json.Marshal(r.last)
	r.mu.Unlock()
	if err != nil {
		return fmt.Errorf("encode agents' states: %w", err)
	}
	return writeFile(r.path, data)
}
