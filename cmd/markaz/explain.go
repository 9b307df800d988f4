package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"markaz/apps/history"
	"markaz/call"
	"markaz/lang"
	"markaz/stream"
)

type explainCmd struct {
	Call string `arg:"" help:"Id of the call as markaz calls shows it, or its end as markaz events does."`
	JSON bool   `name:"json" help:"One JSON object."`
	Lang string `help:"Language: en, fa, ru, zh; that of the terminal if not said."`
}

// Run says why the record of a call is what it is.
func (c explainCmd) Run(ctx context.Context, cmd *cli, con console) error {
	id, events, err := eventsOf(ctx, cmd.Config, con, c.Call)
	if err != nil {
		return err
	}
	if len(events) == 0 {
		return exit(exitFailure, "no call %s, neither in the history nor on the stream", c.Call)
	}
	words := lang.New().In(language(c.Lang))
	x := history.Explain(id, events).In(words)
	if c.JSON {
		return writeJSON(con.out, []history.Explanation{x})
	}
	for _, s := range x.Why {
		fmt.Fprintln(con.out, s.Text)
	}
	fmt.Fprintln(con.out)
	tw := tabwriter.NewWriter(con.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "FIELD\tVALUE\tSET AT\tBY\tSOURCE")
	for _, f := range x.Fields {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s #%d\t%s\n", f.Name, shown(f.Value), f.By.At.Local().Format("15:04:05.000"), f.By.Kind, f.By.Seq, dash(f.By.Source))
	}
	return tw.Flush()
}

// shown gives times of the day in this machine's zone.
func shown(value string) string {
	if at, err := time.Parse(time.RFC3339Nano, value); err == nil {
		return at.Local().Format("2006-01-02 15:04:05.000")
	}
	return dash(value)
}

// language is the one that was asked for, else the terminal's.
func language(asked string) string {
	for _, tag := range []string{asked, os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")} {
		if tag != "" {
			name, _ := lang.New().Match(tag)
			return name
		}
	}
	return lang.Default
}

// readHistory opens the history for a command. It is nil without an error when
// there is none yet.
func readHistory(ctx context.Context, cfg *config) (*history.Store, error) {
	s, err := history.OpenToRead(ctx, cfg.History)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, exit(exitUnreachable, "%w", err)
	}
	return s, nil
}

// eventsOf finds the events of a call in the history, else on the stream, and
// the id of the call that goes on if it was merged.
func eventsOf(ctx context.Context, path string, con console, id string) (string, []call.Event, error) {
	cfg, err := load(path)
	if err != nil {
		return "", nil, err
	}
	if id, err = wholeID(ctx, path, con, strings.TrimSpace(id)); err != nil {
		return "", nil, err
	}
	store, err := readHistory(ctx, cfg)
	if err != nil {
		return "", nil, err
	}
	if store != nil {
		defer store.Close()
		found, err := store.Call(ctx, id)
		if err == nil {
			events, err := store.Events(ctx, found.ID)
			return found.ID, events, err
		}
		if !errors.Is(err, history.ErrNotFound) {
			return "", nil, exit(exitUnreachable, "%w", err)
		}
	}
	_, client, err := reading(path, con)
	if err != nil {
		return "", nil, err
	}
	defer client.Close()
	var events []call.Event
	_, err = stream.NewReader(client).Snapshot(ctx, since(id), func(e stream.Entry) error {
		if e.Event.Call == id {
			events = append(events, e.Event)
		}
		return nil
	})
	return id, events, unreachable(err)
}

// wholeID finds the id that ends with what was given: events are shown with the
// ends of their calls' ids. What is as long as an id, or the end of none of the
// last day, is taken as it is.
func wholeID(ctx context.Context, path string, con console, end string) (string, error) {
	if _, whole := call.TimeOf(end); whole {
		return end, nil
	}
	_, client, err := reading(path, con)
	if err != nil {
		return "", err
	}
	defer client.Close()
	found := map[string]bool{}
	_, err = stream.NewReader(client).Snapshot(ctx, time.Now().Add(-24*time.Hour), func(e stream.Entry) error {
		if e.Event.Call != "" && strings.HasSuffix(e.Event.Call, strings.ToUpper(end)) {
			found[e.Event.Call] = true
		}
		return nil
	})
	if err != nil {
		return "", unreachable(err)
	}
	switch ids := slices.Sorted(maps.Keys(found)); len(ids) {
	case 0:
		return end, nil
	case 1:
		return ids[0], nil
	default:
		return "", exit(exitConfig, "the ids of %d calls end with %s: %s", len(ids), end, strings.Join(ids[:min(len(ids), 5)], ", "))
	}
}

// since is where the events of a call can begin: our ids tell when they were
// made.
func since(id string) time.Time {
	at, ok := call.TimeOf(id)
	if !ok {
		return time.Now().Add(-24 * time.Hour)
	}
	return at.Add(-time.Minute)
}
