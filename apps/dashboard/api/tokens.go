package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"markaz/access"
	"markaz/access/store"
	"markaz/call"
)

type tokenRow struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	User    string     `json:"user,omitempty" doc:"For whom it acts"`
	Role    string     `json:"role,omitempty" doc:"Its own role, where it acts for nobody"`
	Only    []string   `json:"only,omitempty" doc:"No other rights than these"`
	By      string     `json:"by,omitempty" doc:"Who made it"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"`
	Used    *time.Time `json:"used,omitempty" doc:"To about a minute"`
	Revoked *time.Time `json:"revoked,omitempty"`
}

func rowOf(t store.Token) tokenRow {
	at := func(x time.Time) *time.Time {
		if x.IsZero() {
			return nil
		}
		return &x
	}
	r := tokenRow{
		ID: t.ID, Name: t.Name, User: t.User, Role: string(t.Account.Role), By: t.By, Created: t.Created,
		Expires: at(t.Expires), Used: at(t.Used), Revoked: at(t.Revoked),
	}
	for _, o := range t.Only {
		r.Only = append(r.Only, string(o))
	}
	return r
}

type tokenIn struct {
	Body struct {
		Name string   `json:"name" minLength:"1" maxLength:"100" doc:"What it is for"`
		User string   `json:"user,omitempty" maxLength:"100" doc:"Act for this user, with at most his rights"`
		Role string   `json:"role,omitempty" enum:"kiosk,agent,supervisor,administrator" doc:"Or have a role of its own"`
		Only []string `json:"only,omitempty" maxItems:"30" doc:"No other rights than these"`
		Days int      `json:"days,omitempty" minimum:"0" maximum:"3650" default:"365" doc:"After which it expires; 0: never"`
	}
}

type tokenOut struct {
	Status int
	Body   struct {
		Token  tokenRow `json:"token"`
		Secret string   `json:"secret" doc:"Shown this once"`
		Link   string   `json:"link,omitempty" doc:"Of a big screen: the path that opens it"`
	}
}

func (a *API) declareTokens() {
	type none struct{}
	type rows struct {
		Body struct {
			Tokens []tokenRow `json:"tokens"`
		}
	}
	add(a, access.Tokens, huma.Operation{
		OperationID: "tokens", Method: http.MethodGet, Path: "/v1/tokens", Summary: "All tokens, without their secrets",
	}, func(ctx context.Context, _ *visit, _ *none) (*rows, error) {
		tokens, err := a.dep.Gate.Store().Tokens(ctx)
		o := &rows{}
		o.Body.Tokens = []tokenRow{}
		for _, t := range tokens {
			o.Body.Tokens = append(o.Body.Tokens, rowOf(t))
		}
		return o, err
	})
	add(a, access.Tokens, huma.Operation{
		OperationID: "token-add", Method: http.MethodPost, Path: "/v1/tokens", DefaultStatus: http.StatusCreated, Summary: "Make a token",
		Description: "The role kiosk makes one of a big screen: whoever opens its link sees the wallboard.",
	}, a.addToken)
	type id struct {
		ID string `path:"id" maxLength:"32"`
	}
	add(a, access.Tokens, huma.Operation{
		OperationID: "token-revoke", Method: http.MethodDelete, Path: "/v1/tokens/{id}", DefaultStatus: http.StatusNoContent,
		Summary: "Revoke a token for ever", Errors: []int{404},
	}, func(ctx context.Context, v *visit, in *id) (*struct{}, error) {
		if err := v.record(ctx, in.ID, "", ""); err != nil {
			return nil, err
		}
		err := a.dep.Gate.Store().RevokeToken(ctx, in.ID, a.dep.Now())
		if errors.Is(err, store.ErrNotFound) {
			return nil, fail(http.StatusNotFound, "E4047", "There is no such token, or it is revoked already.")
		}
		return nil, err
	})
}

func (a *API) addToken(ctx context.Context, v *visit, in *tokenIn) (*tokenOut, error) {
	ask := in.Body
	t := store.Token{Name: call.Clean(ask.Name, 100), User: ask.User, By: v.user.Name, Created: a.dep.Now().UTC()}
	t.Account.Role = access.Role(ask.Role)
	for _, o := range ask.Only {
		if !access.Right(o).Known() {
			return nil, fail(http.StatusUnprocessableEntity, "E4226", "only: there is no right of that name.")
		}
		t.Only = append(t.Only, access.Right(o))
	}
	if ask.Days > 0 {
		t.Expires = t.Created.AddDate(0, 0, ask.Days)
	}
	if err := a.checkToken(ctx, v, t); err != nil {
		return nil, err
	}
	whose := "role " + ask.Role
	if t.User != "" {
		whose = "user " + t.User
	}
	if err := v.record(ctx, t.Name, "", whose); err != nil {
		return nil, err
	}
	t, secret, err := a.dep.Gate.Store().AddToken(ctx, t)
	o := &tokenOut{Status: http.StatusCreated}
	o.Body.Token, o.Body.Secret = rowOf(t), secret
	if t.Kiosk() {
		o.Body.Link = "/kiosk/" + secret
	}
	return o, err
}

// checkToken refuses a token that nobody could use, or that could do more than
// who makes it.
func (a *API) checkToken(ctx context.Context, v *visit, t store.Token) error {
	if (t.User == "") == (t.Account.Role == "") {
		return fail(http.StatusUnprocessableEntity, "E4227", "A token needs either user or role.")
	}
	p, err := a.dep.Gate.Policy(ctx)
	if err != nil {
		return err
	}
	account := t.Account
	account.Name = "token"
	if t.User != "" {
		found, ok := p.Account(t.User)
		if !ok {
			return fail(http.StatusUnprocessableEntity, "E4228", "user: there is no such user.")
		}
		account = found
	}
	for r := range p.Make(account).Rights() {
		if (len(t.Only) == 0 || slices.Contains(t.Only, r)) && !v.user.Has(r) {
			return v.refused(ctx, t.Name, v.user.Can(r, access.Target{}))
		}
	}
	return nil
}
