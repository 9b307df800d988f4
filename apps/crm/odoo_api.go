package crm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// odooAPI calls methods of Odoo's models as one user.
type odooAPI struct {
	web      *web
	address  string
	database string
	login    string
	password string
	now      func() time.Time

	mu     sync.Mutex
	user   int
	phones []string       // fields of a contact that hold numbers
	models map[string]int // ids by name
}

func newOdooAPI(cfg *Odoo, now func() time.Time) (*odooAPI, error) {
	password, err := cfg.Password.Reveal()
	if err != nil {
		return nil, err
	}
	w, err := newWeb(cfg.Net, password)
	if err != nil {
		return nil, err
	}
	w.limit = 4 << 20
	return &odooAPI{
		web: w, address: strings.TrimRight(cfg.URL, "/") + "/jsonrpc", database: cfg.Database, login: cfg.Login,
		password: password, now: now, models: map[string]int{},
	}, nil
}

// odooText is a text that Odoo writes as false when it is empty.
type odooText string

// UnmarshalJSON implements json.Unmarshaler.
func (t *odooText) UnmarshalJSON(b []byte) error {
	if string(b) == "false" || string(b) == "null" {
		*t = ""
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}

// do calls a method of a model and decodes its result into out, unless that is
// nil.
func (a *odooAPI) do(ctx context.Context, model, method string, args []any, options map[string]any, out any) error {
	user, err := a.logIn(ctx)
	if err != nil {
		return err
	}
	if options == nil {
		options = map[string]any{}
	}
	return a.rpc(ctx, "object", "execute_kw", []any{a.database, user, a.password, model, method, args, options}, out)
}

// logIn returns the id of the user, which does not change.
func (a *odooAPI) logIn(ctx context.Context) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.user != 0 {
		return a.user, nil
	}
	var user json.RawMessage
	if err := a.rpc(ctx, "common", "authenticate", []any{a.database, a.login, a.password, map[string]any{}}, &user); err != nil {
		return 0, err
	}
	if err := json.Unmarshal(user, &a.user); err != nil || a.user == 0 {
		return 0, a.denied(errors.New("Odoo does not accept the log-in or the password"))
	}
	return a.user, nil
}

// denied waits long: a wrong password does not mend itself, and Odoo counts.
func (a *odooAPI) denied(err error) error {
	return RetryAfter(fmt.Errorf("%w: %w", ErrAway, &Problem{"credentials", err}), 10*time.Minute)
}

// load makes or changes the one record that bears an external id, and returns
// its id (Model.load, as Odoo's own import uses it). Values are texts.
func (a *odooAPI) load(ctx context.Context, model, name string, fields map[string]any) (int, error) {
	keys := slices.Sorted(maps.Keys(fields))
	row := []any{"markaz." + name}
	for _, k := range keys {
		row = append(row, fields[k])
	}
	var out struct {
		IDs      json.RawMessage `json:"ids"`
		Messages []struct {
			Text string `json:"message"`
		} `json:"messages"`
	}
	if err := a.do(ctx, model, "load", []any{append([]string{"id"}, keys...), []any{row}}, nil, &out); err != nil {
		return 0, err
	}
	var ids []int
	if err := json.Unmarshal(out.IDs, &ids); err != nil || len(ids) != 1 {
		var texts []string
		for _, m := range out.Messages {
			texts = append(texts, m.Text)
		}
		return 0, fmt.Errorf("write %s: Odoo says %q", model, a.web.mask(strings.Join(texts, "; ")))
	}
	return ids[0], nil
}

// phoneFields are the fields with numbers that this version's contacts have.
func (a *odooAPI) phoneFields(ctx context.Context) ([]string, error) {
	a.mu.Lock()
	known := a.phones
	a.mu.Unlock()
	if known != nil {
		return known, nil
	}
	var fields map[string]any
	if err := a.do(ctx, "res.partner", "fields_get", []any{[]string{"phone", "mobile"}}, map[string]any{"attributes": []string{"type"}}, &fields); err != nil {
		return nil, err
	}
	known = slices.Sorted(maps.Keys(fields))
	if len(known) == 0 {
		return nil, errors.New("contacts of this Odoo have no phone number")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.phones = known
	return known, nil
}

func (a *odooAPI) modelID(ctx context.Context, model string) (int, error) {
	a.mu.Lock()
	known := a.models[model]
	a.mu.Unlock()
	if known != 0 {
		return known, nil
	}
	var found []struct {
		ID int `json:"id"`
	}
	if err := a.do(ctx, "ir.model", "search_read", []any{[]any{[]any{"model", "=", model}}}, map[string]any{"fields": []string{"id"}}, &found); err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("Odoo has no model %s", model)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.models[model] = found[0].ID
	return found[0].ID, nil
}

func (a *odooAPI) rpc(ctx context.Context, service, method string, args []any, out any) error {
	ans, err := a.web.json(ctx, http.MethodPost, a.address, "", map[string]any{
		"jsonrpc": "2.0", "method": "call", "id": 1, "params": map[string]any{"service": service, "method": method, "args": args},
	})
	if err != nil {
		return err
	}
	if ans.status < 200 || ans.status > 299 {
		return fmt.Errorf("Odoo %w", a.web.failure(ans, a.now()))
	}
	var reply struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Text string `json:"message"`
			Data struct {
				Name string `json:"name"`
				Text string `json:"message"`
			} `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal(ans.body, &reply); err != nil || ans.cut || reply.Error == nil && reply.Result == nil {
		return fmt.Errorf("%w: not an answer of Odoo: %s", ErrAway, a.web.describe(ans))
	}
	if reply.Error != nil {
		return a.refusal(reply.Error.Data.Name, reply.Error.Data.Text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(reply.Result, out); err != nil {
		return fmt.Errorf("decode answer of Odoo: %w", err)
	}
	return nil
}

// refusal says by the Python exception whose fault an error is.
func (a *odooAPI) refusal(name, text string) error {
	err := fmt.Errorf("Odoo answered %s: %s", name, a.web.mask(text))
	switch {
	case name == "odoo.exceptions.AccessDenied":
		return a.denied(err)
	case name == "odoo.exceptions.AccessError":
		return &Problem{"permissions", err}
	case strings.HasSuffix(name, "SerializationFailure"), strings.HasSuffix(name, "LockNotAvailable"), strings.HasSuffix(name, "TransactionRollbackError"),
		strings.HasSuffix(name, "UniqueViolation"), strings.Contains(text, "could not serialize access"):
		return RetryAfter(err, time.Second) // somebody else wrote the same at the same time
	case strings.HasPrefix(name, "psycopg2.") && strings.Contains(text, "does not exist"):
		return fmt.Errorf("%w: %w", ErrAway, &Problem{"database", err})
	case strings.HasPrefix(name, "psycopg2."):
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}
