package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"markaz/access"
	"markaz/access/gate"
	"markaz/apps/crm"
)

// accessConfig is who may come in, and how.
type accessConfig struct {
	access.Config `yaml:",inline"`
	Gate          gate.Config `yaml:",inline"`
}

// Validate returns every fault, joined.
func (c accessConfig) Validate() error { return errors.Join(c.Config.Validate(), c.Gate.Validate()) }

// people are the agents as access knows them.
func (c *config) people() []access.Person {
	queues := map[string][]string{}
	for _, q := range c.Floor.Queues {
		for _, name := range q.Agents {
			queues[name] = append(queues[name], q.Name)
		}
	}
	var out []access.Person
	for _, a := range c.Floor.Agents {
		own := queues[a.ID]
		if a.Extension != a.ID {
			own = append(own, queues[a.Extension]...)
		}
		out = append(out, access.Person{ID: a.ID, Name: a.Name, Extension: a.Extension, Queues: own})
	}
	return out
}

// openGate opens accounts, sessions and the audit log.
func (s *server) openGate(ctx context.Context) (err error) {
	if s.cfg.HTTP.Listen == "" {
		return nil
	}
	s.gate, err = gate.Open(ctx, s.cfg.Access.Gate, s.gateDeps())
	return err
}

func (s *server) gateDeps() gate.Deps {
	return gate.Deps{
		Access: s.cfg.Access.Config, People: s.cfg.people(), Dir: s.cfg.DataDir, Now: time.Now, Logger: s.log,
		Master: string(s.cfg.HTTP.Token),
	}
}

// firstAdministrator tells once, and never to the log, how to log in where
// nobody could otherwise.
func (s *server) firstAdministrator(ctx context.Context, talk io.Writer) error {
	if s.gate == nil {
		return nil
	}
	name, password, err := s.gate.EnsureAdministrator(ctx)
	if err != nil || name == "" {
		return err
	}
	_, err = fmt.Fprintf(talk, "markaz: nobody could log in yet, so there is an administrator now: %s, password %s (shown this once; change it with: markaz user passwd %s)\n", name, password, name)
	return err
}

// revealAccess reads the secrets of access that are given by reference.
func (c *config) revealAccess() error {
	text, err := crm.NewSecret(c.Access.Gate.OIDC.Secret).Reveal()
	if err != nil {
		return fmt.Errorf("access: oidc: client_secret: %w", err)
	}
	c.Access.Gate.OIDC.Secret = text
	return nil
}
