// Package bitrix24 is a stand-in for a Bitrix24 portal that enforces the rules
// which its REST documentation publishes for telephony (bitrix24/b24restdocs,
// api-reference/telephony and limits.md): authority and its expiry, the
// application context, required fields, one registration per half hour and
// key, finish once and only after register, recordings only after finish, and
// the leaky bucket of requests. Connectors are tested against it; it never
// takes part in the product.
package bitrix24

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"markaz/apps/crm/fault"
)

// User is an employee.
type User struct {
	ID        int
	Name      string
	Extension string
	Inactive  bool
}

// Person is an entry of the CRM, found by number.
type Person struct {
	Type   string // CONTACT, COMPANY, LEAD
	ID     int
	Name   string
	Number string
}

// Row is a call in the statistics.
type Row struct {
	CallID     string
	ExternalID string
	User       int
	Number     string
	Line       string
	Type       int
	Start      time.Time
	Duration   int
	Status     string
	Reason     string
	File       int    // id of the recording; 0: none
	Content    string // of the recording
	Link       string // address that it was fetched from
}

// Options are how the portal is set up.
type Options struct {
	Hook         string // user/code of its inbound web hook
	ClientID     string // of the application installed in it
	ClientSecret string
	AppOnly      bool // web hooks may not register calls, as documented
	Users        []User
	People       []Person
	Burst, Leak  float64 // of the leaky bucket; default 50 and 2 per second
	Now          func() time.Time
}

// Portal is a Bitrix24 portal. /rest/ is its interface, /oauth/token/ the
// authorisation server.
type Portal struct {
	opt    Options
	script fault.Script
	mux    http.Handler

	mu       sync.Mutex
	calls    map[string]*registration
	order    []string
	rows     []*Row
	lines    []string
	access   map[string]time.Time // token: expiry
	refresh  string
	handler  string // where events go
	level    float64
	leaked   time.Time
	requests int
	serial   int
	shown    int
}

// registration is a call that has been registered.
type registration struct {
	Row
	at       time.Time
	cards    []int
	finished bool
}

// applicationToken is sent with every event.
const applicationToken = "51610fefc120afb628cc82d6298cce00"

// New makes a portal.
func New(opt Options) *Portal {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Burst == 0 {
		opt.Burst, opt.Leak = 50, 2
	}
	p := &Portal{opt: opt, calls: map[string]*registration{}, access: map[string]time.Time{}}
	p.refresh = p.token("refresh")
	mux := http.NewServeMux()
	mux.HandleFunc("/rest/", p.rest)
	mux.HandleFunc("GET /oauth/token/", p.oauth)
	p.mux = fault.Wrap(mux, &p.script)
	return p
}

// Script lets the portal fail.
func (p *Portal) Script() *fault.Script { return &p.script }

// ServeHTTP implements http.Handler.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// RefreshToken is what an administrator would put into the settings.
func (p *Portal) RefreshToken() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refresh
}

// Rows are the statistics.
func (p *Portal) Rows() []Row {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Row, len(p.rows))
	for i, r := range p.rows {
		out[i] = *r
	}
	return out
}

// Change lets something happen to the rows behind everybody's back: each is
// kept only if keep, which may change it, says so.
func (p *Portal) Change(keep func(*Row) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rows = slices.DeleteFunc(p.rows, func(r *Row) bool { return !keep(r) })
}

// Registered counts the calls that have been registered, finished or not.
func (p *Portal) Registered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.order)
}

// Cards are the users who see a card of the call that bears this external id.
func (p *Portal) Cards(externalID string) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []int
	for _, c := range p.calls {
		if c.ExternalID == externalID {
			out = append(out, c.cards...)
		}
	}
	slices.Sort(out)
	return out
}

// Open counts the cards that anybody sees.
func (p *Portal) Open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.calls {
		n += len(c.cards)
	}
	return n
}

// Shown counts how often a card has popped up.
func (p *Portal) Shown() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown
}

// Requests counts the requests that were let in.
func (p *Portal) Requests() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// ExpireTokens ends the life of every access token.
func (p *Portal) ExpireTokens() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range p.access {
		p.access[t] = time.Time{}
	}
}

func (p *Portal) token(kind string) string {
	p.serial++
	return fmt.Sprintf("%s%08d", kind, p.serial)
}

// overflow counts a request in the leaky bucket.
func (p *Portal) overflow() bool {
	now := p.opt.Now()
	p.level = max(0, p.level-now.Sub(p.leaked).Seconds()*p.opt.Leak)
	p.leaked = now
	if p.level >= p.opt.Burst {
		return true
	}
	p.level++
	p.requests++
	return false
}

func (p *Portal) user(id int, extension string) *User {
	for i := range p.opt.Users {
		u := &p.opt.Users[i]
		if !u.Inactive && (id != 0 && u.ID == id || id == 0 && extension != "" && u.Extension == extension) {
			return u
		}
	}
	return nil
}

// oauth renews tokens (settings/oauth/auto-renewal.md).
func (p *Portal) oauth(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case q.Get("client_id") != p.opt.ClientID || q.Get("client_secret") != p.opt.ClientSecret:
		write(w, 401, map[string]any{"error": "invalid_client", "error_description": ""})
	case q.Get("grant_type") != "refresh_token" || q.Get("refresh_token") != p.refresh:
		write(w, 400, map[string]any{"error": "invalid_grant", "error_description": ""})
	default:
		access := p.token("access")
		p.refresh = p.token("refresh")
		p.access[access] = p.opt.Now().Add(time.Hour)
		write(w, 200, map[string]any{
			"access_token": access, "refresh_token": p.refresh, "expires_in": 3600,
			"client_endpoint": "http://" + r.Host + "/rest/", "member_id": "a223c6b9410f85df78e9377d6c4f7213",
		})
	}
}

// authority says who makes a request: "" nobody, "hook" or "app".
func (p *Portal) authority(path []string, params values) (who, method string, err *refusal) {
	if len(path) == 3 {
		if strings.Join(path[:2], "/") != p.opt.Hook {
			return "", "", refuse(401, "INVALID_CREDENTIALS", "Invalid request credentials")
		}
		return "hook", path[2], nil
	}
	if len(path) != 1 {
		return "", "", refuse(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")
	}
	token := params.text("auth")
	expiry, known := p.access[token]
	switch {
	case token == "" || !known:
		return "", "", refuse(401, "NO_AUTH_FOUND", "Wrong authorization data")
	case !p.opt.Now().Before(expiry):
		return "", "", refuse(401, "expired_token", "The access token provided has expired.")
	}
	return "app", path[0], nil
}
