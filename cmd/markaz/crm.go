package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"markaz/apps/crm"
	"markaz/call"
	"markaz/lang"
	"markaz/recorder"
	"markaz/stream"
)

type crmCmd struct {
	List      crmListCmd      `cmd:"" help:"The CRMs of the configuration and what each can do."`
	Test      crmTestCmd      `cmd:"" help:"Ask a CRM whether the settings work."`
	Users     crmUsersCmd     `cmd:"" help:"Who sits at which extension, by the settings and by the CRM."`
	Reconcile crmReconcileCmd `cmd:"" help:"Compare a CRM with the call records of a period."`
}

// openSinks makes the sinks for a command, with these events as the log.
func openSinks(path string, con console, history crm.History) (*config, *stream.Client, []*crm.Sink, error) {
	cfg, client, err := reading(path, con)
	if err != nil {
		return nil, nil, nil, err
	}
	files, err := soundFiles(cfg)
	if err != nil {
		return nil, nil, nil, errors.Join(err, client.Close())
	}
	numbers, err := newOfficeNumbers(cfg)
	if err != nil {
		return nil, nil, nil, errors.Join(exit(exitConfig, "%w", err), client.Close())
	}
	sinks, err := crm.Open(cfg.CRM, crm.Deps{
		Local:   numbers.local,
		History: history, Report: func(call.Event) {}, Now: time.Now, Chance: chance,
		Logger: slog.New(slog.DiscardHandler), Notes: stream.NewNotes(client, notesKept), Files: files,
	})
	if err != nil {
		return nil, nil, nil, errors.Join(exit(exitConfig, "%w", err), client.Close())
	}
	return cfg, client, sinks, nil
}

// soundFiles gives a command the recordings, if this machine has them.
func soundFiles(cfg *config) (crm.Files, error) {
	if _, err := os.Stat(cfg.Recorder.Dir); err != nil {
		return nil, nil //nolint:nilerr // nobody has recorded here, or this user may not see it
	}
	zone := time.Local
	if cfg.Recorder.Zone != "" {
		var err error
		if zone, err = time.LoadLocation(cfg.Recorder.Zone); err != nil {
			return nil, exit(exitConfig, "recorder.zone: %w", err)
		}
	}
	sounds, err := recorder.OpenArchive(cfg.Recorder.Dir, zone)
	if err != nil {
		return nil, exit(exitFailure, "%w", err)
	}
	key, err := linkKey(cfg.Public, cfg.DataDir)
	if err != nil {
		return nil, exit(exitFailure, "%w", err)
	}
	return archive{newLinks(cfg.Public, key, sounds.Open, slog.New(slog.DiscardHandler)), sounds.Open}, nil
}

func noHistory(context.Context, string) ([]call.Event, error) { return nil, nil }

func sinkNamed(sinks []*crm.Sink, name string) (*crm.Sink, error) {
	var names []string
	for _, s := range sinks {
		if s.Name() == name {
			return s, nil
		}
		names = append(names, s.Name())
	}
	return nil, exit(exitConfig, "there is no sink %q; there are: %s", name, strings.Join(names, ", "))
}

type crmListCmd struct {
	Lang string `help:"Language of what is printed: en, fa, ru, zh." default:"en"`
}

// Run lists the sinks.
func (c crmListCmd) Run(cmd *cli, con console) error {
	_, client, sinks, err := openSinks(cmd.Config, con, noHistory)
	if err != nil {
		return err
	}
	defer client.Close()
	words := lang.New().In(c.Lang)
	tw := tabwriter.NewWriter(con.out, 0, 4, 2, ' ', 0)
	for _, s := range sinks {
		var caps []string
		for _, k := range s.Caps() {
			caps = append(caps, words.T("crm.cap."+string(k)))
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", s.Name(), s.Kind(), strings.Join(caps, ", "))
	}
	return tw.Flush()
}

type crmTestCmd struct {
	Name string `arg:"" help:"Name of the sink, as in the configuration."`
	Lang string `help:"Language of what is printed: en, fa, ru, zh." default:"en"`
}

// Run sends the connector's harmless question and says the CRM's own answer.
func (c crmTestCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, client, sinks, err := openSinks(cmd.Config, con, noHistory)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := sinkNamed(sinks, c.Name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := s.Test(ctx); err != nil {
		return exit(exitUnreachable, "%s: %s", c.Name, crm.Explain(err, lang.New().In(c.Lang)))
	}
	_, err = fmt.Fprintf(con.out, "%s works\n", c.Name)
	return err
}

type crmUsersCmd struct {
	Name string `arg:"" help:"Name of the sink, as in the configuration."`
	JSON bool   `name:"json" help:"One JSON object per line."`
}

// Run shows the map of extensions, people and users.
func (c crmUsersCmd) Run(ctx context.Context, cmd *cli, con console) error {
	cfg, client, sinks, err := openSinks(cmd.Config, con, noHistory)
	if err != nil {
		return err
	}
	defer client.Close()
	s, err := sinkNamed(sinks, c.Name)
	if err != nil {
		return err
	}
	lister, ok := s.Connector().(crm.UserLister)
	if !ok {
		return exit(exitFailure, "%s: this kind of CRM does not know who sits at which extension", c.Name)
	}
	people, extensions := map[string]string{}, []string{}
	for _, a := range cfg.Floor.Agents {
		people[a.Extension] = a.ID
		extensions = append(extensions, a.Extension)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	users, err := lister.Users(ctx, extensions)
	if err != nil {
		return exit(exitUnreachable, "%s: %s", c.Name, crm.Explain(err, lang.New().In("en")))
	}
	if c.JSON {
		return writeJSON(con.out, users)
	}
	tw := tabwriter.NewWriter(con.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "EXTENSION\tAGENT\tUSER\tNAME\tKNOWN BY")
	for _, u := range users {
		by := "CRM"
		if u.Settings {
			by = "settings"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", u.Extension, dash(people[u.Extension]), u.ID, dash(u.Name), by)
		delete(people, u.Extension)
	}
	for _, x := range slices.Sorted(slices.Values(extensions)) {
		if agent, left := people[x]; left {
			fmt.Fprintf(tw, "%s\t%s\t-\t-\tnobody\n", x, agent)
		}
	}
	return tw.Flush()
}
