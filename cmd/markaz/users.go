package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"markaz/access"
	"markaz/access/audit"
	"markaz/access/gate"
	"markaz/access/store"
)

// keys opens what the access commands work on; a running server sees their
// changes at once.
func keys(ctx context.Context, path string, con console) (*config, *gate.Gate, error) {
	cfg, err := load(path)
	if err != nil {
		return nil, nil, err
	}
	g, err := gate.Open(ctx, cfg.Access.Gate, gate.Deps{
		Access: cfg.Access.Config, People: cfg.people(), Dir: cfg.DataDir, Now: time.Now, Logger: quiet(con),
	})
	return cfg, g, err
}

// quiet logs only what the operator must know.
func quiet(con console) *slog.Logger {
	return slog.New(slog.NewTextHandler(con.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// byHand is an audit record of what the operator does on this machine.
func byHand(what, target, detail string) audit.Entry {
	who := "operator"
	if name := os.Getenv("SUDO_USER"); name != "" {
		who += " " + name
	} else if name := os.Getenv("USER"); name != "" {
		who += " " + name
	}
	return audit.Entry{Who: who, What: what, Target: target, Detail: detail, From: "command line", Result: audit.OK}
}

type userCmd struct {
	Hash   userHashCmd   `cmd:"" help:"Read a password and print its hash for the configuration."`
	Add    userAddCmd    `cmd:"" help:"Add a user; the password is read, or made by chance."`
	Passwd userPasswdCmd `cmd:"" help:"Give a user that was added another password; ends his sessions."`
	Remove userRemoveCmd `cmd:"" help:"Remove a user that was added."`
	List   userListCmd   `cmd:"" help:"All users, of the configuration and added."`
}

type userHashCmd struct{}

// Run prints a hash.
func (userHashCmd) Run(cmd *cli, con console) error {
	password, err := readPassword(con)
	if err != nil {
		return err
	}
	var cost access.HashCost
	if cfg, err := load(cmd.Config); err == nil {
		cost = cfg.Access.Gate.Password
	}
	hash, err := cost.Hash(password)
	if err != nil {
		return exit(exitConfig, "%w", err)
	}
	_, err = fmt.Fprintln(con.out, hash)
	return err
}

// readPassword reads a password from the first line of the standard input.
func readPassword(con console) (string, error) {
	fmt.Fprintln(con.err, "password (at least", access.MinPassword, "characters), then Enter:")
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if len(line) < access.MinPassword {
		return "", exit(exitConfig, "the password has fewer than %d characters", access.MinPassword)
	}
	return line, nil
}

type userAddCmd struct {
	Name       string   `arg:"" help:"To log in with."`
	Role       string   `help:"agent, supervisor, administrator." default:"agent"`
	Display    string   `help:"Name that others see."`
	Extensions []string `name:"extension" help:"His phones; the first is rung. Default: that of the agent of the same name."`
	Teams      []string `name:"team"`
	Queues     []string `name:"queue"`
	Lang       string   `help:"en, fa, ru, zh."`
	Chance     bool     `help:"Make a password by chance and print it, instead of reading one."`
}

// Run adds a user.
func (c userAddCmd) Run(ctx context.Context, cmd *cli, con console) error {
	cfg, g, err := keys(ctx, cmd.Config, con)
	if err != nil {
		return err
	}
	defer g.Close()
	a := access.Account{
		Name: c.Name, Role: access.Role(c.Role), Display: c.Display, Extensions: c.Extensions, Teams: c.Teams, Queues: c.Queues, Lang: c.Lang,
	}
	if err := a.Check(); err != nil {
		return exit(exitConfig, "%w", err)
	}
	for _, t := range c.Teams {
		if !cfg.Access.HasTeam(t) {
			return exit(exitConfig, "there is no team %q in the configuration", t)
		}
	}
	p, err := g.Policy(ctx)
	if err != nil {
		return err
	}
	if _, ok := p.Account(c.Name); ok {
		return exit(exitConfig, "there is a user %q already", c.Name)
	}
	return setPassword(ctx, g, cfg, con, a, c.Chance, "user.add")
}

// setPassword gives an account a password and writes it.
func setPassword(ctx context.Context, g *gate.Gate, cfg *config, con console, a access.Account, chance bool, what string) error {
	password := gate.RandomPassword()
	if !chance {
		var err error
		if password, err = readPassword(con); err != nil {
			return err
		}
	}
	hash, err := cfg.Access.Gate.Password.Hash(password)
	if err != nil {
		return exit(exitConfig, "%w", err)
	}
	a.Password = hash
	if err := g.Audit().Record(ctx, byHand(what, a.Name, string(a.Role))); err != nil {
		return err
	}
	if err := g.Store().PutAccount(ctx, a, store.Identity{}, time.Now()); err != nil {
		return err
	}
	if chance {
		_, err = fmt.Fprintln(con.out, password)
	}
	return err
}

type userPasswdCmd struct {
	Name   string `arg:""`
	Chance bool   `help:"Make a password by chance and print it, instead of reading one."`
}

// Run sets a password.
func (c userPasswdCmd) Run(ctx context.Context, cmd *cli, con console) error {
	cfg, g, err := keys(ctx, cmd.Config, con)
	if err != nil {
		return err
	}
	defer g.Close()
	a, err := added(ctx, g, c.Name)
	if err != nil {
		return err
	}
	return setPassword(ctx, g, cfg, con, a, c.Chance, "user.passwd")
}

// added finds a user that was added by command and has a password.
func added(ctx context.Context, g *gate.Gate, name string) (access.Account, error) {
	list, err := g.Store().Accounts(ctx)
	if err != nil {
		return access.Account{}, err
	}
	for _, a := range list {
		if a.Name == name && a.Password != "" {
			return a, nil
		}
	}
	return access.Account{}, exit(exitFailure, "no user %q was added; those of the configuration are changed there (markaz user hash)", name)
}

type userRemoveCmd struct {
	Name string `arg:""`
}

// Run removes a user.
func (c userRemoveCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, g, err := keys(ctx, cmd.Config, con)
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.Audit().Record(ctx, byHand("user.remove", c.Name, "")); err != nil {
		return err
	}
	err = g.Store().DeleteAccount(ctx, c.Name)
	if errors.Is(err, store.ErrNotFound) {
		return exit(exitFailure, "no user %q was added; those of the configuration are removed there", c.Name)
	}
	return err
}

type userListCmd struct{}

// Run lists users.
func (userListCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, g, err := keys(ctx, cmd.Config, con)
	if err != nil {
		return err
	}
	defer g.Close()
	p, err := g.Policy(ctx)
	if err != nil {
		return err
	}
	tw := tabwriter.NewWriter(con.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tROLE\tDISPLAY\tEXTENSIONS\tTEAMS\tSTATE")
	for _, name := range p.Users() {
		a, _ := p.Account(name)
		state := "active"
		if a.Disabled {
			state = "disabled"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", a.Name, a.Role, a.Display, dash(strings.Join(a.Extensions, ",")), dash(strings.Join(a.Teams, ",")), state)
	}
	return tw.Flush()
}

type auditCmd struct {
	Show   auditShowCmd   `cmd:"" default:"withargs" help:"Who did what, the newest first."`
	Verify auditVerifyCmd `cmd:"" help:"Look whether any record was changed, removed or inserted."`
}

type auditShowCmd struct {
	Who    string        `help:"Only of this user."`
	What   string        `help:"Only this, such as login, monitor, recording."`
	Target string        `help:"Only on this, such as the id of a call."`
	Since  time.Duration `help:"How far back." default:"168h"`
	Limit  int           `default:"100"`
	JSON   bool          `name:"json" help:"One JSON object per line."`
}

// openAudit opens the audit log alone.
func openAudit(ctx context.Context, path string, con console) (*audit.Log, error) {
	cfg, err := load(path)
	if err != nil {
		return nil, err
	}
	return audit.Open(ctx, filepath.Join(cfg.DataDir, "audit.db"), cfg.Access.Gate.AuditKey, quiet(con))
}

// Run prints records.
func (c auditShowCmd) Run(ctx context.Context, cmd *cli, con console) error {
	log, err := openAudit(ctx, cmd.Config, con)
	if err != nil {
		return err
	}
	defer log.Close()
	list, _, err := log.List(ctx, audit.Query{Who: c.Who, What: c.What, Target: c.Target, Since: time.Now().Add(-c.Since), Limit: c.Limit})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(con.out, list)
	}
	tw := tabwriter.NewWriter(con.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "SEQ\tTIME\tWHO\tWHAT\tTARGET\tRESULT\tFROM\tREASON\tDETAIL")
	for _, e := range list {
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Seq, e.At.Local().Format(time.DateTime), dash(e.Who), e.What, dash(e.Target), e.Result, dash(e.From), dash(e.Reason), dash(e.Detail))
	}
	return tw.Flush()
}

type auditVerifyCmd struct {
	Known []string `name:"known" help:"A record that must be there, SEQ:HASH, from the log of another machine."`
}

// Run verifies; its failure is exit code 1.
func (c auditVerifyCmd) Run(ctx context.Context, cmd *cli, con console) error {
	var known []audit.Head
	for _, text := range c.Known {
		h, err := audit.ParseHead(text)
		if err != nil {
			return exit(exitConfig, "--known: %w", err)
		}
		known = append(known, h)
	}
	log, err := openAudit(ctx, cmd.Config, con)
	if err != nil {
		return err
	}
	defer log.Close()
	head, err := log.Verify(ctx, known...)
	if err != nil {
		return exit(exitFailure, "the audit log is not as it was written: %w", err)
	}
	_, err = fmt.Fprintf(con.out, "%d records, none changed, removed or inserted; the newest is %s\n", head.Seq, head)
	return err
}
