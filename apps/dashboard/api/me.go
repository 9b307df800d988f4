package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
)

type me struct {
	Name       string            `json:"name"`
	Display    string            `json:"display"`
	Role       string            `json:"role"`
	Agent      string            `json:"agent,omitempty" doc:"Id in the list of agents"`
	Extension  string            `json:"extension,omitempty" doc:"The phone that rings for what you ask for"`
	Extensions []string          `json:"extensions"`
	Teams      []string          `json:"teams"`
	Queues     []string          `json:"queues"`
	Lang       string            `json:"lang"`
	Rights     map[string]string `json:"rights" doc:"What you may do, and on what" example:"{\"see\":\"own, team, queue\",\"listen\":\"team\"}"`
}

func (a *API) declareMe() {
	type in struct{}
	type out struct{ Body me }
	add(a, anyone, huma.Operation{
		OperationID: "me", Method: http.MethodGet, Path: "/v1/me", Summary: "Who you are and what you may do",
	}, func(_ context.Context, v *visit, _ *in) (*out, error) {
		u := v.user
		m := me{
			Name: u.Name, Display: u.Display, Role: string(u.Role), Agent: u.Agent, Extension: u.Extension(),
			Extensions: list(u.Extensions), Teams: list(u.Teams), Queues: list(u.Queues), Lang: v.words.Lang(), Rights: map[string]string{},
		}
		for r, e := range u.Rights() {
			m.Rights[string(r)] = e.String()
		}
		return &out{m}, nil
	})
	a.declareUsers()
}

type userRow struct {
	Name       string   `json:"name"`
	Display    string   `json:"display"`
	Role       string   `json:"role"`
	Extensions []string `json:"extensions"`
	Teams      []string `json:"teams"`
	Disabled   bool     `json:"disabled,omitempty"`
}

func (a *API) declareUsers() {
	type in struct{}
	type out struct {
		Body struct {
			Users []userRow `json:"users"`
		}
	}
	add(a, access.Settings, huma.Operation{
		OperationID: "users", Method: http.MethodGet, Path: "/v1/users", Summary: "All users",
		Description: "Users are made in the configuration and by `markaz user`.",
	}, func(ctx context.Context, _ *visit, _ *in) (*out, error) {
		p, err := a.dep.Gate.Policy(ctx)
		if err != nil {
			return nil, err
		}
		o := &out{}
		o.Body.Users = []userRow{}
		for _, name := range p.Users() {
			u, _ := p.Account(name)
			o.Body.Users = append(o.Body.Users, userRow{u.Name, u.Display, string(u.Role), list(u.Extensions), list(u.Teams), u.Disabled})
		}
		return o, nil
	})
}

// list makes an empty list of none, so that clients always get one.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
