package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"markaz/apps/crm"
	"markaz/call"
	"markaz/stream"
)

type crmCmd struct {
	Test crmTestCmd `cmd:"" help:"Ask a CRM whether the settings work."`
}

type crmTestCmd struct {
	Name string `arg:"" help:"Name of the sink, as in the configuration."`
}

// Run sends the connector's harmless question and says the CRM's own answer.
func (c crmTestCmd) Run(ctx context.Context, cmd *cli, con console) error {
	cfg, client, err := reading(cmd.Config, con)
	if err != nil {
		return err
	}
	defer client.Close()
	sinks, err := crm.Open(cfg.CRM, crm.Deps{
		History: func(context.Context, string) ([]call.Event, error) { return nil, nil }, // asked of no call
		Report:  func(call.Event) {},
		Now:     time.Now, Chance: chance, Logger: slog.New(slog.DiscardHandler),
		Notes: stream.NewNotes(client, notesKept),
	})
	if err != nil {
		return exit(exitConfig, "%w", err)
	}
	var names []string
	for _, s := range sinks {
		if s.Name() != c.Name {
			names = append(names, s.Name())
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		if err := s.Test(ctx); err != nil {
			return exit(exitUnreachable, "%s: %w", c.Name, err)
		}
		_, err := fmt.Fprintf(con.out, "%s works\n", c.Name)
		return err
	}
	return exit(exitConfig, "there is no sink %q; there are: %s", c.Name, strings.Join(names, ", "))
}
