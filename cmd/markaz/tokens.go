package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"markaz/access"
	"markaz/access/store"
)

type tokenCmd struct {
	Add    tokenAddCmd    `cmd:"" help:"Make a token for a program or a big screen, and print it this once."`
	List   tokenListCmd   `cmd:"" help:"All tokens, without their secrets."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token for ever."`
}

type tokenAddCmd struct {
	Name    string        `arg:"" help:"What it is for."`
	User    string        `help:"Act for this user, with at most his rights." xor:"who" required:""`
	Role    string        `help:"Or have a role of its own: kiosk, agent, supervisor, administrator." xor:"who" required:""`
	Teams   []string      `name:"team" help:"With a role: the teams to which it belongs."`
	Queues  []string      `name:"queue" help:"With a role: its queues."`
	Only    []string      `help:"No other rights than these, such as see,reports."`
	Expires time.Duration `help:"After this; 0 for never." default:"8760h"`
}

// Run makes a token.
func (c tokenAddCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, g, err := keys(ctx, cmd.Config, con)
	if err != nil {
		return err
	}
	defer g.Close()
	t := store.Token{Name: c.Name, User: c.User, By: "operator", Created: time.Now().UTC()}
	if c.Expires > 0 {
		t.Expires = t.Created.Add(c.Expires)
	}
	for _, r := range c.Only {
		if !access.Right(r).Known() {
			return exit(exitConfig, "--only: there is no right %q", r)
		}
		t.Only = append(t.Only, access.Right(r))
	}
	if c.User != "" {
		p, err := g.Policy(ctx)
		if err != nil {
			return err
		}
		if _, ok := p.Account(c.User); !ok {
			return exit(exitConfig, "there is no user %q", c.User)
		}
	} else {
		t.Account = access.Account{Role: access.Role(c.Role), Teams: c.Teams, Queues: c.Queues}
		probe := t.Account
		probe.Name = "token"
		if err := probe.Check(); err != nil {
			return exit(exitConfig, "%w", err)
		}
	}
	whose := "role " + c.Role
	if c.User != "" {
		whose = "user " + c.User
	}
	if err := g.Audit().Record(ctx, byHand("token-add", c.Name, whose)); err != nil {
		return err
	}
	t, secret, err := g.Store().AddToken(ctx, t)
	if err != nil {
		return err
	}
	if t.Kiosk() {
		fmt.Fprintln(con.err, "open it on the screen at: /kiosk/ and the token")
	}
	_, err = fmt.Fprintln(con.out, secret)
	return err
}

type tokenListCmd struct {
	JSON bool `name:"json" help:"One JSON object per line."`
}

// Run lists tokens.
func (c tokenListCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, g, err := keys(ctx, cmd.Config, con)
	if err != nil {
		return err
	}
	defer g.Close()
	list, err := g.Store().Tokens(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(con.out, list)
	}
	tw := tabwriter.NewWriter(con.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tNAME\tFOR\tEXPIRES\tUSED\tSTATE")
	for _, t := range list {
		who := t.User
		if who == "" {
			who = "role " + string(t.Account.Role)
		}
		state := "good"
		switch {
		case !t.Revoked.IsZero():
			state = "revoked"
		case !t.Good(time.Now()):
			state = "expired"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", t.ID, t.Name, who, when(t.Expires), when(t.Used), state)
	}
	return tw.Flush()
}

func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Local().Format(time.DateTime)
}

type tokenRevokeCmd struct {
	ID string `arg:"" help:"As markaz token list shows it."`
}

// Run revokes a token.
func (c tokenRevokeCmd) Run(ctx context.Context, cmd *cli, con console) error {
	_, g, err := keys(ctx, cmd.Config, con)
	if err != nil {
		return err
	}
	defer g.Close()
	if err := g.Audit().Record(ctx, byHand("token-revoke", c.ID, "")); err != nil {
		return err
	}
	err = g.Store().RevokeToken(ctx, c.ID, time.Now())
	if errors.Is(err, store.ErrNotFound) {
		return exit(exitFailure, "there is no token %q, or it is revoked already", c.ID)
	}
	return err
}
