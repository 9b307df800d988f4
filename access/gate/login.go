package gate

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"markaz/access"
	"markaz/access/audit"
	"markaz/access/store"
)

// Routes adds what the gate answers itself:
//
//	POST /login           form name, password, next; leads to next, or back to
//	                      /login?error=… with the last word of a key access.login.…
//	POST /logout          ends the session and leads to /login?error=out
//	GET  /login/provider  leads to the provider of OpenID Connect
//	GET  /login/back      where the provider leads back to
//	GET  /kiosk/{token}   opens the big screen of a kiosk token
//
// The page GET /login belongs to the dashboard.
func (g *Gate) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /login", g.login)
	mux.HandleFunc("POST /logout", g.logout)
	mux.HandleFunc("GET /kiosk/{token}", g.kiosk)
	if g.oidc != nil {
		mux.HandleFunc("GET /login/provider", g.toProvider)
		mux.HandleFunc("GET /login/back", g.fromProvider)
	}
}

// HasProvider reports whether people can log in by OpenID Connect, and what
// the provider is called.
func (g *Gate) HasProvider() (name string, ok bool) {
	if g.oidc == nil {
		return "", false
	}
	return g.oidc.cfg.Name, true
}

// The errors that the log-in page is given; access.login.… are their words.
const (
	loginWrong    = "wrong"
	loginSlow     = "slow" // with wait, in seconds
	loginBusy     = "busy"
	loginForm     = "form"
	loginProvider = "provider"
	loginStranger = "stranger"
	loginOut      = "out"
	loginLink     = "link"
)

func (g *Gate) login(w http.ResponseWriter, r *http.Request) {
	const maxForm = 8 << 10
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		g.back(w, r, loginForm, nil)
		return
	}
	name, password := r.PostForm.Get("name"), r.PostForm.Get("password")
	if name == "" || password == "" || len(name) > 100 || len(password) > access.MaxPassword {
		g.back(w, r, loginForm, nil)
		return
	}
	address := g.Address(r)
	if wait := g.brake.take(name, address); wait > 0 {
		seconds := strconv.Itoa(int((wait + time.Second - 1) / time.Second))
		w.Header().Set("Retry-After", seconds)
		g.back(w, r, loginSlow, url.Values{"wait": {seconds}})
		return
	}
	account, err := g.tryPassword(r.Context(), name, password)
	switch {
	case err == nil:
		g.brake.right(name, address)
		g.welcome(w, r, account)
	case errors.Is(err, errStranger):
		g.record(r.Context(), audit.Entry{Who: name, What: "login", From: address, Result: audit.Refused, Detail: "wrong name or password"})
		g.back(w, r, loginWrong, nil)
	default:
		g.dep.Logger.Error("log-in failed", "err", err)
		g.back(w, r, loginBusy, nil)
	}
}

// tryPassword takes as long for an unknown user as for a wrong password.
func (g *Gate) tryPassword(ctx context.Context, name, password string) (access.Account, error) {
	p, err := g.Policy(ctx)
	if err != nil {
		return access.Account{}, err
	}
	wait, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	select {
	case g.hashing <- struct{}{}:
		defer func() { <-g.hashing }()
	case <-wait.Done():
		return access.Account{}, errors.New("too many log-ins at once")
	}
	a, ok := p.Account(name)
	known := ok && !a.Disabled && a.Password != ""
	hash := g.dummy
	if known {
		hash = a.Password
	}
	if right := access.Matches(hash, password); !right || !known {
		return access.Account{}, errStranger
	}
	return a, nil
}

// welcome opens the session of somebody who has proven who he is.
func (g *Gate) welcome(w http.ResponseWriter, r *http.Request, a access.Account) {
	err := g.audit.Record(r.Context(), audit.Entry{Who: a.Name, What: "login", From: g.Address(r), Result: audit.OK})
	if err == nil {
		err = g.begin(w, r, store.Session{User: a.Name, Proof: proof(a)})
	}
	if err != nil {
		g.dep.Logger.Error("log-in failed", "user", a.Name, "err", err)
		g.back(w, r, loginBusy, nil)
		return
	}
	http.Redirect(w, r, localPath(r.FormValue("next")), http.StatusSeeOther)
}

// back leads to the log-in page with what went wrong.
func (g *Gate) back(w http.ResponseWriter, r *http.Request, code string, query url.Values) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("error", code)
	if next := localPath(r.FormValue("next")); next != "/" {
		query.Set("next", next)
	}
	http.Redirect(w, r, "/login?"+query.Encode(), http.StatusSeeOther)
}

// localPath is where to go after a log-in: a path of this server and nothing
// that a browser could take for another one.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") || len(next) > 500 {
		return "/"
	}
	return next
}

func (g *Gate) logout(w http.ResponseWriter, r *http.Request) {
	if u, err := g.Authenticate(r); err == nil {
		g.record(r.Context(), audit.Entry{Who: u.Name, What: "logout", From: g.Address(r), Result: audit.OK})
	}
	if err := g.end(w, r); err != nil {
		g.dep.Logger.Error("session not ended", "err", err)
		WriteProblem(w, problem(http.StatusServiceUnavailable, "E5033", "The session cannot be ended now."))
		return
	}
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	http.Redirect(w, r, "/login?error="+loginOut, http.StatusSeeOther)
}

// kiosk turns the token in a link into a session, so that it stands in no
// address bar, and opens the big screen.
func (g *Gate) kiosk(w http.ResponseWriter, r *http.Request) {
	secret, address := r.PathValue("token"), g.Address(r)
	if wait := g.brake.take("kiosk link of "+address, address); wait > 0 {
		g.back(w, r, loginSlow, url.Values{"wait": {strconv.Itoa(int(wait/time.Second) + 1)}})
		return
	}
	t, err := g.store.TokenOf(r.Context(), secret)
	if err != nil || !t.Good(g.dep.Now()) || !t.Kiosk() {
		g.back(w, r, loginLink, nil)
		return
	}
	g.brake.right("kiosk link of "+address, address)
	s := store.Session{Token: t.ID, User: "token:" + t.ID, Proof: []byte{}, Expires: t.Expires}
	if s.Expires.IsZero() {
		s.Expires = g.dep.Now().AddDate(1, 0, 0)
	}
	g.record(r.Context(), audit.Entry{Who: s.User, What: "login", Target: t.Name, From: g.Address(r), Result: audit.OK})
	if err := g.begin(w, r, s); err != nil {
		g.dep.Logger.Error("kiosk not opened", "token", t.ID, "err", err)
		g.back(w, r, loginBusy, nil)
		return
	}
	http.Redirect(w, r, "/wallboard", http.StatusSeeOther)
}

// record writes what has happened already; its failure is logged by the audit
// log itself.
func (g *Gate) record(ctx context.Context, e audit.Entry) {
	_ = g.audit.Record(context.WithoutCancel(ctx), e)
}
