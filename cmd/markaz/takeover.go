package main

import (
	"context"
	"time"

	"markaz/call"
	"markaz/stream"
)

// takeoverPatience is how long callers wait for the stream when another
// Markaz has begun their calls.
const takeoverPatience = time.Second

// hear passes the switch's events on to the loop. Before a SwitchSynced, which
// has the calls adopted that were found, it completes their records: another
// Markaz may have begun them, and its events are on the stream, not in our
// spool.
func (s *server) hear(ctx context.Context) func(call.Event) {
	found := map[string]bool{} // by call; only reconciling tells of them, one leg at a time
	first := true
	return func(e call.Event) {
		switch {
		case e.Kind == call.LegFound && e.Call != "":
			found[e.Call] = true
		case e.Kind == call.SwitchSynced:
			if err := s.complete(ctx, found, first); err != nil {
				s.log.Warn("calls that another Markaz began are taken on as new ones", "err", err)
			}
			clear(found)
			first = false
		}
		s.loop.Post(ctx, e)
	}
}

// complete reads the events of calls that the loop does not know from the
// stream; with all, of those that it knows too: what they are in the spool may
// be old.
func (s *server) complete(ctx context.Context, found map[string]bool, all bool) error {
	ctx, cancel := context.WithTimeout(ctx, takeoverPatience)
	defer cancel()
	wanted := map[string]bool{}
	since := time.Now()
	want := func(id string) {
		at, ours := call.TimeOf(id)
		if wanted[id] = true; ours && at.Before(since) {
			since = at
		}
	}
	err := s.loop.View(ctx, func(b call.Book) {
		for id := range found {
			if b[id] == nil || all {
				want(id)
			}
		}
		for id, c := range b {
			if all && !c.Over() {
				want(id)
			}
		}
	})
	if err != nil || len(wanted) == 0 {
		return err
	}
	var events []call.Event
	_, err = stream.NewReader(s.client).Snapshot(ctx, since.Add(-time.Minute), func(e stream.Entry) error {
		if wanted[e.Event.Call] {
			events = append(events, e.Event)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.loop.Fold(ctx, events)
}
