package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"markaz/apps/crm"
	"markaz/call"
	"markaz/lang"
	"markaz/stream"
)

type crmReconcileCmd struct {
	Name  string `arg:"" help:"Name of the sink, as in the configuration."`
	From  string `help:"Begin of the period, such as 2026-03-21 or 2026-03-21T08:30. Default: yesterday."`
	To    string `help:"End of the period. Default: now."`
	Fill  bool   `help:"Tell the CRM again what it lacks."`
	Force bool   `help:"Fill although events still wait for delivery."`
	JSON  bool   `name:"json" help:"One JSON object per line."`
}

// rested is how long a call must be over to be compared: its recording takes
// a while.
const rested = 10 * time.Minute

// Run compares and perhaps fills. A CRM that is not as it should be gives exit
// code 1.
func (c crmReconcileCmd) Run(ctx context.Context, cmd *cli, con console) error {
	from, to, err := c.period(time.Now())
	if err != nil {
		return err
	}
	log := map[string][]call.Event{}
	_, client, sinks, err := openSinks(cmd.Config, con, func(_ context.Context, id string) ([]call.Event, error) { return log[id], nil })
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := sinkNamed(sinks, c.Name)
	if err != nil {
		return err
	}
	if c.Fill && !c.Force {
		if err := nothingWaits(ctx, client, s.Group()); err != nil {
			return err
		}
	}
	if err := readPeriod(ctx, client, from, log); err != nil {
		return err
	}
	audit, err := s.Reconcile(ctx, from, to, pastCalls(log, from, to), c.Fill)
	switch {
	case errors.Is(err, crm.ErrNoAudit):
		return exit(exitFailure, "%s: %w", c.Name, err)
	case err != nil:
		return exit(exitUnreachable, "%s: %s", c.Name, crm.Explain(err, lang.New().In("en")))
	}
	if c.JSON {
		err = writeJSON(con.out, audit.Differences)
	} else {
		err = c.show(con.out, audit)
	}
	left := slices.ContainsFunc(audit.Differences, func(d crm.Difference) bool { return !d.Filled })
	if err == nil && left {
		return exit(exitFailure, "%s differs from the call records", c.Name)
	}
	return err
}

func (c crmReconcileCmd) period(now time.Time) (from, to time.Time, err error) {
	from, to = now.AddDate(0, 0, -1), now
	for _, f := range []struct {
		name, text string
		at         *time.Time
	}{{"from", c.From, &from}, {"to", c.To, &to}} {
		if f.text == "" {
			continue
		}
		for _, layout := range []string{time.DateOnly, "2006-01-02T15:04", time.DateTime, time.RFC3339} {
			if *f.at, err = time.ParseInLocation(layout, f.text, time.Local); err == nil {
				break
			}
		}
		if err != nil {
			return from, to, exit(exitConfig, "--%s: want a date such as 2026-03-21 or 2026-03-21T08:30, have %q", f.name, f.text)
		}
	}
	if to.After(now.Add(-rested)) {
		to = now.Add(-rested)
	}
	if !from.Before(to) {
		return from, to, exit(exitConfig, "--from must lie before --to, and calls must be over for %v", rested)
	}
	return from, to, nil
}

// nothingWaits refuses to fill what is still on its way.
func nothingWaits(ctx context.Context, client *stream.Client, group string) error {
	groups, err := client.Groups(ctx)
	if err != nil {
		return unreachable(err)
	}
	for _, g := range groups {
		if n := g.Lag + int64(g.Open); g.Name == group && n > 0 {
			return exit(exitFailure, "%d events still wait for %s; when markaz deliveries shows none, fill again (or --force)", n, group)
		}
	}
	return nil
}

// readPeriod collects the events of calls by call.
func readPeriod(ctx context.Context, client *stream.Client, from time.Time, log map[string][]call.Event) error {
	_, err := stream.NewReader(client).Snapshot(ctx, from.Add(-time.Minute), func(e stream.Entry) error {
		if e.Event.Call != "" && !e.Event.Kind.Transient() {
			log[e.Event.Call] = append(log[e.Event.Call], e.Event)
		}
		return nil
	})
	return unreachable(err)
}

// pastCalls are the calls of a period that are over, the oldest first.
func pastCalls(log map[string][]call.Event, from, to time.Time) []crm.Past {
	var out []crm.Past
	for id, events := range log {
		slices.SortStableFunc(events, func(a, b call.Event) int { return cmp.Compare(a.Seq, b.Seq) })
		p := crm.Past{Record: call.Call{ID: id}, Events: events}
		for _, e := range events {
			p.Record.Apply(e)
		}
		if p.Record.Direction != "" && p.Record.Over() && !p.Record.Started.Before(from) && p.Record.Started.Before(to) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b crm.Past) int { return a.Record.Started.Compare(b.Record.Started) })
	return out
}

func (c crmReconcileCmd) show(w io.Writer, a crm.Audit) error {
	fmt.Fprintf(w, "%s should have %d calls, and has %d; %d differences\n", c.Name, a.Calls, a.Rows, len(a.Differences))
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i, d := range a.Differences {
		if i == 0 {
			fmt.Fprintln(tw, "STARTED\tCALL\tDIFFERENCE\tOURS\tTHEIRS\t")
		}
		started, ours, theirs := "-", "-", "-"
		if d.Ours != nil {
			started, ours = d.Ours.Start.Local().Format(time.DateTime), rowText(*d.Ours)
		}
		if len(d.Theirs) > 0 {
			theirs = rowText(d.Theirs[0])
		}
		state := ""
		switch {
		case d.Filled:
			state = "told again"
		case d.Error != "":
			state = d.Error
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", started, dash(d.Call), d.Kind, ours, theirs, state)
	}
	return tw.Flush()
}

func rowText(r crm.Row) string {
	text := dash(r.Result)
	if r.Seconds >= 0 {
		text += fmt.Sprintf(" %d s", r.Seconds)
	}
	if r.Recording {
		text += ", recorded"
	}
	return text
}
