package dashboard

import (
	"context"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"time"

	"markaz/access"
	"markaz/access/audit"
	"markaz/call"
	"markaz/lang"
)

// Handler is a handler for somebody who has been let in.
type Handler = func(http.ResponseWriter, *http.Request, *access.User)

// History is what was: calls, their events, and figures of the past.
type History interface {
	// Calls lists the calls that the condition lets see, the newest first.
	Calls(ctx context.Context, q Search) (Page, error)
	// Call returns a call; ErrNotFound if there is none.
	Call(ctx context.Context, id string) (*call.Call, error)
	Events(ctx context.Context, id string) ([]call.Event, error)
	Listened(ctx context.Context, id string) ([]Listen, error)
	Figures(ctx context.Context, q Report) ([]Figure, error)
}

// ErrNotFound says that there is no such call.
var ErrNotFound = errors.New("no such call")

// Search says which calls are wanted; zero fields ask for nothing in particular.
type Search struct {
	Visible     access.Condition
	From, To    time.Time // of the start, To not included
	Number      string
	Name        string
	Extension   string
	Queue       string
	Direction   call.Direction
	Disposition call.Disposition
	Recorded    bool
	Cursor      string
	Limit       int
}

// Page is a part of a list.
type Page struct {
	Calls []call.Call
	Next  string // cursor of what follows; "" at the end
}

// Listen is one use of a recording.
type Listen struct {
	At        time.Time
	Recording string
	Who       string
	How       string // play, download
}

// Report says which figures are wanted.
type Report struct {
	Visible  access.Condition
	By       string // hour, day, queue, agent, line
	From, To time.Time
	Zone     *time.Location
	Jalali   bool
}

// Figure counts the calls of one hour, day, queue, agent or line.
type Figure struct {
	Key                               string
	Calls, Answered, Missed, Outbound int64
	Offered                           int64   // incoming ones that were answered or missed
	Level                             float64 // share of Offered answered in time, 0 to 1
	WaitMS, TalkMS                    int64   // sums
	WaitMax                           int64
}

// Deps are what the pages are joined to. Without a History the pages of the
// past say that there is none; without Sound, recordings cannot be drawn.
type Deps struct {
	Wrap     func(Handler) http.Handler // lets people in
	History  History
	Audit    func(context.Context, audit.Query) ([]audit.Entry, int64, error)
	Sound    func(call.Recording) (io.ReadSeekCloser, error)
	Words    *lang.Catalogue
	Now      func() time.Time
	Logger   *slog.Logger
	Provider string         // what the provider of OpenID Connect is called; "" for none
	Source   string         // key of the PBX of this house, which is not shown at every call
	Zone     *time.Location // of the site
	Pauses   []string       // reasons for a pause
	Secure   bool           // cookies by HTTPS only
}

// Web is the pages.
type Web struct {
	dep    Deps
	assets *assets
	pages  map[string]*template.Template
}

// New makes the pages.
func New(dep Deps) (*Web, error) {
	if dep.Zone == nil {
		dep.Zone = time.Local
	}
	a, err := loadAssets()
	if err != nil {
		return nil, err
	}
	w := &Web{dep: dep, assets: a}
	w.pages, err = loadPages()
	return w, err
}

// Routes adds the pages.
func (w *Web) Routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /assets/{version}/{name}", w.assets.serve)
	mux.HandleFunc("GET /favicon.ico", w.assets.icon)
	mux.HandleFunc("GET /login", w.login)
	mux.HandleFunc("POST /prefs", w.prefs)
	for path, h := range map[string]Handler{
		"GET /{$}":        w.home,
		"GET /board":      w.supervisor,
		"GET /phone":      w.phone,
		"GET /calls":      w.calls,
		"GET /calls/{id}": w.call,
		"GET /wallboard":  w.wall,
		"GET /reports":    w.reports,
		"GET /audit":      w.audit,
		"GET /calls/{id}/recordings/{recording}/peaks": w.peaks,
	} {
		mux.Handle(path, w.dep.Wrap(h))
	}
}

// home leads everybody to the screen of his work.
func (w *Web) home(rw http.ResponseWriter, r *http.Request, u *access.User) {
	to := "/board"
	switch u.Role {
	case access.Agent:
		to = "/phone"
	case access.Kiosk:
		to = "/wallboard"
	}
	http.Redirect(rw, r, to, http.StatusSeeOther)
}

func (w *Web) supervisor(rw http.ResponseWriter, r *http.Request, u *access.User) {
	w.show(rw, r, "board", w.page(r, u, "web.nav.board"))
}

func (w *Web) wall(rw http.ResponseWriter, r *http.Request, u *access.User) {
	p := w.page(r, u, "web.nav.wall")
	if p.Theme == "" {
		p.Theme = "dark"
	}
	w.show(rw, r, "wall", p)
}

func (w *Web) login(rw http.ResponseWriter, r *http.Request) {
	p := w.page(r, nil, "web.login.title")
	q := r.URL.Query()
	code := q.Get("error")
	next := q.Get("next")
	if len(next) > 500 {
		next = ""
	}
	key := "access.login." + code
	p.Data = map[string]any{"Next": next, "Good": code == "out", "Provider": w.dep.Provider, "Error": ""}
	if code != "" && len(code) < 20 && w.dep.Words.Has(key) {
		p.Data.(map[string]any)["Error"] = p.w.T(key, "n", number(q.Get("wait"), 1, 86400))
	}
	rw.Header().Set("Cache-Control", "no-store")
	w.show(rw, r, "login", p)
}
