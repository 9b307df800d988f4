package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/time/rate"

	"markaz/access"
	"markaz/access/gate"
	"markaz/call"
	"markaz/lang"
	"markaz/queue"
)

// ErrNotFound is what a History answers when there is no such call.
var ErrNotFound = errors.New("no such call")

// ErrAsked is what a History answers to a question that nobody can answer,
// such as a cursor of another list.
var ErrAsked = errors.New("wrong question")

// History is where finished calls are kept, and the living ones of all sources
// about as they stand.
type History interface {
	Calls(ctx context.Context, q Search) (Page, error)
	Call(ctx context.Context, id string) (*call.Call, error) // ErrNotFound
	Events(ctx context.Context, id string) ([]call.Event, error)
	Listened(ctx context.Context, id string) ([]Listen, error)
	// Heard returns when it is on the disk that somebody listened.
	Heard(ctx context.Context, l Listen) error
}

// Reports counts what was.
type Reports interface {
	Figures(ctx context.Context, q ReportQuery) ([]Figure, error)
}

// Board is what people see of the house just now.
type Board interface {
	// Snapshot is everything that the user may see, as JSON.
	Snapshot(ctx context.Context, u *access.User) (json.RawMessage, error)
	// Stream sends server-sent events until the client goes or who says no.
	Stream(w http.ResponseWriter, r *http.Request, who func() (*access.User, bool))
}

// Deps is what the API is joined to.
type Deps struct {
	Gate    *gate.Gate
	View    func(context.Context, func(call.Book)) error    // the living calls that Asterisk told of
	Floor   func(context.Context) (queue.Snapshot, error)   // queues and agents
	Post    func(context.Context, call.Event) bool          // false while stopping
	Sound   func(call.Recording) (io.ReadSeekCloser, error) // wraps fs.ErrNotExist if there is none
	History History
	Reports Reports
	Board   Board
	People  []access.Person
	Words   *lang.Catalogue
	Now     func() time.Time
	NewID   func() string
	Logger  *slog.Logger
	Version string
	Source  string // key of the PBX whose living calls View shows
}

// API is the interface for programs.
type API struct {
	dep  Deps
	huma huma.API

	mu     sync.Mutex
	pace   map[string]*rate.Limiter // by user
	repeat map[string]repeated      // requests with an Idempotency-Key
	heard  map[string]time.Time     // by user and recording: when last noted
}

// New declares all operations on a mux.
func New(dep Deps, mux *http.ServeMux) (*API, error) {
	a := &API{dep: dep, pace: map[string]*rate.Limiter{}, repeat: map[string]repeated{}, heard: map[string]time.Time{}}
	config := huma.Config{
		OpenAPI:       document(dep.Version),
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{a.problems},
	}
	a.huma = huma.NewAPI(config, &adapter{a, mux})
	for _, declare := range []func(){
		a.declareMe, a.declareCalls, a.declareActions, a.declareMonitors, a.declareDials, a.declareFloor,
		a.declareRecordings, a.declareReports, a.declareAudit, a.declareTokens, a.declareBoard,
	} {
		declare()
	}
	a.completeDocument()
	return a, a.serveDocument(mux)
}

// OpenAPI is the document.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

func document(version string) *huma.OpenAPI {
	registry := huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "Markaz", Version: version,
			Description: "Calls, queues, agents and recordings of a contact centre.\n\n" +
				"Programs send the header `Authorization: Bearer` with a token (`markaz token add`); pages have the cookie of their log-in. " +
				"Times are UTC in the form of RFC 3339, durations whole milliseconds unless the name says otherwise. " +
				"What is asked for is answered with 202 and the id of the request; `/v1/events` tells what becomes of it. " +
				"Errors are problem details (RFC 9457) with a code that does not change.",
		},
		Servers: []*huma.Server{{URL: "/"}},
		Components: &huma.Components{
			Schemas: registry,
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"token":   {Type: "http", Scheme: "bearer", Description: "A token of markaz token add, or the http.token of the configuration"},
				"session": {Type: "apiKey", In: "cookie", Name: "markaz", Description: "The cookie of a log-in; __Host-markaz with HTTPS"},
			},
		},
		Security: []map[string][]string{{"token": {}}, {"session": {}}},
	}
}

// pacing bounds what one user, or one program, can ask for.
const (
	perSecond = 50
	atOnce    = 200
	maxPaces  = 10_000
)

func (a *API) inPace(user string) bool {
	a.mu.Lock()
	l := a.pace[user]
	if l == nil {
		if len(a.pace) >= maxPaces {
			clear(a.pace)
		}
		l = rate.NewLimiter(perSecond, atOnce)
		a.pace[user] = l
	}
	a.mu.Unlock()
	return l.AllowN(a.dep.Now(), 1)
}
