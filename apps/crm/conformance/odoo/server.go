// Package odoo is a stand-in for the business software of that name: its
// JSON-RPC interface with the few models and methods that the connector uses,
// as a real Odoo 14 answers them (scripts/odoo.sh runs one): log-in, rights,
// load by external ids that makes each record once, domains, and errors by the
// name of the Python exception. Connectors are tested against it; it never
// takes part in the product.
package odoo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"

	"markaz/apps/crm/fault"
)

// Options are how the database is set up.
type Options struct {
	Database, Login, Password string
	Contacts                  []Contact
	Users                     []User
	Denied                    []string // models that the user may not write
}

// Contact is somebody whom the database knows.
type Contact struct{ Name, Phone, Mobile string }

// User is a user of Odoo; Phone may be his extension.
type User struct{ Name, Phone string }

// Server is one database.
type Server struct {
	opt     Options
	script  fault.Script
	handler http.Handler

	mu     sync.Mutex
	models map[string]*table
	known  map[string]int // ids by external id
}

// New makes a database.
func New(opt Options) *Server {
	s := &Server{opt: opt, models: newModels(), known: map[string]int{}}
	s.handler = fault.Wrap(http.HandlerFunc(s.serve), &s.script)
	s.known["mail.mt_note"], s.known["mail.mail_activity_data_call"] = 2, 2
	s.models["ir.model"].add(map[string]any{"model": "res.partner"})
	for _, u := range opt.Users {
		partner := s.models["res.partner"].add(map[string]any{"name": u.Name, "phone": u.Phone, "display_name": u.Name})
		s.models["res.users"].add(map[string]any{"name": u.Name, "phone": u.Phone, "share": false, "partner_id": []any{partner, u.Name}})
	}
	for _, c := range opt.Contacts {
		s.models["res.partner"].add(map[string]any{"name": c.Name, "display_name": c.Name, "phone": c.Phone, "mobile": c.Mobile})
	}
	return s
}

// Script says how requests fare.
func (s *Server) Script() *fault.Script { return &s.script }

// ServeHTTP serves /jsonrpc.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Records are the records of a model, as search_read gives them.
func (s *Server) Records(model string) []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.models[model].rows
}

// Lose removes the record of a model that bears an external id.
func (s *Server) Lose(model, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.known["markaz."+name]
	delete(s.known, "markaz."+name)
	s.models[model].rows[id-1] = map[string]any{"id": id}
}

// raised is a Python exception.
type raised struct{ name, text string }

func raise(name, text string, args ...any) *raised { return &raised{name, fmt.Sprintf(text, args...)} }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/jsonrpc" || r.Method != http.MethodPost {
		http.NotFound(w, r)
		return
	}
	var in struct {
		ID     any `json:"id"`
		Params struct {
			Service, Method string
			Args            []json.RawMessage
		} `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	result, no := s.call(in.Params.Service, in.Params.Method, in.Params.Args)
	out := map[string]any{"jsonrpc": "2.0", "id": in.ID, "result": result}
	if no != nil {
		out = map[string]any{"jsonrpc": "2.0", "id": in.ID, "error": map[string]any{
			"code": 200, "message": "Odoo Server Error", "data": map[string]any{"name": no.name, "message": no.text},
		}}
	}
	text, err := json.Marshal(out)
	s.mu.Unlock()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // the client has gone
}

// text decodes a text among the arguments.
func text(args []json.RawMessage, i int) string {
	var out string
	if i < len(args) {
		_ = json.Unmarshal(args[i], &out) // another type is no text
	}
	return out
}

// user is the id of the one user who may log in.
const user = 1

func (s *Server) call(service, method string, args []json.RawMessage) (any, *raised) {
	if text(args, 0) != s.opt.Database && method != "version" {
		return nil, raise("psycopg2.OperationalError", "FATAL:  database %q does not exist\n", text(args, 0))
	}
	switch service + "." + method {
	case "common.version":
		return map[string]any{"server_version": "14.0", "protocol_version": 1}, nil
	case "common.authenticate":
		if text(args, 1) != s.opt.Login || text(args, 2) != s.opt.Password {
			return false, nil
		}
		return user, nil
	case "object.execute_kw":
		var id int
		if len(args) < 6 || json.Unmarshal(args[1], &id) != nil || id != user || text(args, 2) != s.opt.Password {
			return nil, raise("odoo.exceptions.AccessDenied", "Access Denied")
		}
		return s.execute(text(args, 3), text(args, 4), args[5], args[6:])
	}
	return nil, raise("builtins.NameError", "no method %s.%s", service, method)
}
