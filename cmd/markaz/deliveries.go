package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"markaz/stream"
)

type deliveriesCmd struct {
	List   deliveriesListCmd   `cmd:"" default:"1" help:"How far each reader of the stream is, and what it has given up."`
	Replay deliveriesReplayCmd `cmd:"" help:"Deliver dead letters once more."`
	Drop   deliveriesDropCmd   `cmd:"" help:"Forget dead letters."`
}

type deliveriesListCmd struct {
	JSON bool `name:"json" help:"One JSON object per line."`
}

// Run lists groups and their dead letters.
func (c deliveriesListCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, client, err := reading(cmd.Config, con)
	if err != nil {
		return err
	}
	defer client.Close()
	groups, err := client.Groups(ctx)
	if err != nil {
		return unreachable(err)
	}
	if c.JSON {
		return writeJSON(con.out, groups)
	}
	tw := tabwriter.NewWriter(con.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "READER\tBEHIND\tOPEN\tOLDEST\tDEAD")
	for _, g := range groups {
		oldest := "-"
		if !g.Oldest.IsZero() {
			oldest = time.Since(g.Oldest).Round(time.Second).String()
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%s\t%d\n", g.Name, g.Lag, g.Open, oldest, g.Dead)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for _, g := range groups {
		if g.Dead == 0 {
			continue
		}
		letters, err := client.DeadLetters(ctx, g.Name, "", 100)
		if err != nil {
			return unreachable(err)
		}
		fmt.Fprintf(con.out, "\n%s: dead letters: %d (markaz deliveries replay %s)\n", g.Name, g.Dead, g.Name)
		for _, l := range letters {
			fmt.Fprintf(con.out, "  %s  %s  %s  call %s  after %d tries: %s\n", l.ID, l.At.Local().Format(time.DateTime),
				l.Event.Kind, l.Event.Call, l.Attempts, strings.ReplaceAll(l.Reason, "\n", " "))
		}
	}
	return nil
}

type letters struct {
	Reader string   `arg:"" help:"Name of the reader, as the list shows it."`
	IDs    []string `arg:"" optional:"" name:"id" help:"Ids of dead letters; none: all."`
}

// each gives fn the named dead letters, or all there are, page by page.
func (l letters) each(ctx context.Context, client *stream.Client, fn func(context.Context, string, ...string) (int, error)) (int, error) {
	groups, err := client.Groups(ctx)
	if err != nil {
		return 0, unreachable(err)
	}
	names := make([]string, len(groups))
	for i := range groups {
		names[i] = groups[i].Name
	}
	if !slices.Contains(names, l.Reader) {
		return 0, exit(exitConfig, "there is no reader %q; there are: %s", l.Reader, strings.Join(names, ", "))
	}
	if len(l.IDs) > 0 {
		n, err := fn(ctx, l.Reader, l.IDs...)
		return n, unreachable(err)
	}
	total := 0
	for after := ""; ; {
		page, err := client.DeadLetters(ctx, l.Reader, after, 200)
		if err != nil || len(page) == 0 {
			return total, unreachable(err)
		}
		ids := make([]string, len(page))
		for i := range page {
			ids[i] = page[i].ID
		}
		n, err := fn(ctx, l.Reader, ids...)
		total += n
		if err != nil {
			return total, unreachable(err)
		}
		after = ids[len(ids)-1]
	}
}

type deliveriesReplayCmd struct{ letters }

// Run hands dead letters to their reader again.
func (c deliveriesReplayCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, client, err := reading(cmd.Config, con)
	if err != nil {
		return err
	}
	defer client.Close()
	n, err := c.each(ctx, client, client.Replay)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "dead letters of %s that are delivered again: %d\n", c.Reader, n)
	return err
}

type deliveriesDropCmd struct{ letters }

// Run forgets dead letters.
func (c deliveriesDropCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, client, err := reading(cmd.Config, con)
	if err != nil {
		return err
	}
	defer client.Close()
	n, err := c.each(ctx, client, client.Drop)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(con.out, "dead letters of %s that are forgotten: %d\n", c.Reader, n)
	return err
}
