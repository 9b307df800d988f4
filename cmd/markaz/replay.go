package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"markaz/apps/history"
	"markaz/call"
	"markaz/stream"
)

type replayCmd struct {
	Since time.Duration `help:"How far back to begin." default:"24h"`
	Call  string        `help:"Only this call."`
	JSON  bool          `name:"json" help:"One JSON object per changed call."`
	Write bool          `help:"Correct the records that change: each gets a call.amended, which the CRMs are told of too."`
}

// settled is how long ago a call must have ended for a correction to be
// written: until then the server may still correct it itself.
const settled = 15 * time.Minute

// replayed is one call that is another when its events are folded again.
type replayed struct {
	Call    string           `json:"call"`
	Started time.Time        `json:"started"`
	Changes []history.Change `json:"changes"`
	Written bool             `json:"written"`

	amendment call.Event
}

// Run folds the events of the history again by the rules of this version and
// shows which records change.
func (c replayCmd) Run(ctx context.Context, cmd *cli, con console) error {
	cfg, err := load(cmd.Config)
	if err != nil {
		return err
	}
	store, err := readHistory(ctx, cfg)
	if err != nil {
		return err
	}
	if store == nil {
		return exit(exitFailure, "there is no history at %s yet; has markaz served?", cfg.History.File)
	}
	defer store.Close()
	changed, seen, err := c.fold(ctx, store, time.Now())
	if err != nil {
		return exit(exitUnreachable, "%w", err)
	}
	if c.Write {
		if err := amend(ctx, cfg, con, changed); err != nil {
			return err
		}
	}
	if c.JSON {
		return writeJSON(con.out, changed)
	}
	for _, r := range changed {
		fmt.Fprintf(con.out, "%s  %s\n", r.Started.Local().Format(time.DateTime), r.Call)
		for _, ch := range r.Changes {
			fmt.Fprintf(con.out, "    %s: %s -> %s\n", ch.Field, dash(ch.Was), dash(ch.Is))
		}
		if c.Write && !r.Written {
			fmt.Fprintln(con.out, "    not corrected: it goes on or has just ended")
		}
	}
	_, err = fmt.Fprintf(con.out, "%d calls folded again, %d change\n", seen, len(changed))
	return err
}

func (c replayCmd) fold(ctx context.Context, store *history.Store, now time.Time) (out []*replayed, seen int, err error) {
	err = store.Each(ctx, now.Add(-c.Since), now, func(s history.Stored) error {
		if c.Call != "" && s.Call.ID != c.Call {
			return nil
		}
		seen++
		fresh := history.Refold(s.Call.ID, s.Events)
		if fresh.Seq != s.Call.Seq { // it has been written between the two looks
			return nil
		}
		changes := history.Compare(&s.Call, fresh)
		if len(changes) == 0 {
			return nil
		}
		r := &replayed{Call: s.Call.ID, Started: s.Call.Started, Changes: changes}
		if fresh.Over() && s.Call.Ended != nil && now.Sub(*s.Call.Ended) > settled {
			r.amendment = history.Amendment(&s.Call, fresh, changes, now.UTC().Truncate(time.Microsecond))
		}
		out = append(out, r)
		return nil
	})
	return out, seen, err
}

// amend appends the corrections to the stream. It goes through a spool of its
// own, for the server has the other; what Redis does not take now is brought to
// it the next time.
func amend(ctx context.Context, cfg *config, con console, list []*replayed) (err error) {
	streaming := cfg.Stream
	streaming.Spool.Dir = filepath.Join(cfg.DataDir, "replay")
	log, err := stream.Open(streaming, slog.New(slog.NewTextHandler(con.err, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return exit(exitUnreachable, "stream: %w", err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	last := ""
	for _, r := range list {
		if r.amendment.ID == "" {
			continue
		}
		if err := log.Append(r.amendment); err != nil {
			return err
		}
		r.Written, last = true, r.amendment.ID
	}
	if last == "" {
		return nil
	}
	stop := begin(ctx, log.Run)
	err = arrived(ctx, streaming, con, last)
	return errors.Join(err, stop())
}

// arrived waits until the stream has an event.
func arrived(ctx context.Context, cfg stream.Config, con console, id string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := stream.Connect(cfg, slog.New(slog.NewTextHandler(con.err, &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		return exit(exitUnreachable, "stream: %w", err)
	}
	defer client.Close()
	since, here := time.Now().Add(-time.Minute), false
	for {
		_, err := stream.NewReader(client).Snapshot(ctx, since, func(e stream.Entry) error {
			here = here || e.Event.ID == id
			return nil
		})
		if here {
			return nil
		}
		select {
		case <-ctx.Done():
			return exit(exitUnreachable, "stream: the corrections are kept and will be brought to Redis the next time: %w", errors.Join(ctx.Err(), err))
		case <-time.After(100 * time.Millisecond):
		}
	}
}
