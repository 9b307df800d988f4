package gate

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"markaz/access"
	"markaz/access/audit"
	"markaz/access/store"
)

// provider is the client of an OpenID Connect provider: code flow (OpenID
// Connect Core 1.0, section 3.1) with PKCE (RFC 7636), state and nonce.
type provider struct {
	cfg    OIDCConfig
	now    func() time.Time
	client *http.Client

	mu    sync.Mutex
	known *oidc.Provider // nil until it has been asked for
	flows map[string]flow
}

// flow is a log-in that was sent to the provider.
type flow struct {
	browser  string // of the cookie: nobody can end a flow in another's browser
	nonce    string
	verifier string
	next     string
	at       time.Time
}

const (
	flowLife     = 10 * time.Minute
	maxFlows     = 1000
	providerWait = 10 * time.Second
	flowCookie   = "markaz-login"
)

func newProvider(cfg OIDCConfig, now func() time.Time) *provider {
	return &provider{cfg: cfg, now: now, client: &http.Client{Timeout: providerWait}, flows: map[string]flow{}}
}

// discover asks the provider for its addresses, when somebody first logs in:
// Markaz starts without it.
func (p *provider) discover(ctx context.Context) (*oidc.Provider, error) {
	p.mu.Lock()
	known := p.known
	p.mu.Unlock()
	if known != nil {
		return known, nil
	}
	// The keys are fetched again much later, when this request is over.
	found, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), p.client), p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("ask OpenID Connect provider: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known = found
	return found, nil
}

func (p *provider) oauth(known *oidc.Provider) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.cfg.ClientID, ClientSecret: p.cfg.Secret, Endpoint: known.Endpoint(), RedirectURL: p.cfg.Redirect,
		Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...),
	}
}

// begin remembers a flow and returns its state.
func (p *provider) begin(f flow) (state string) {
	state = random()
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := ""
	for s, other := range p.flows {
		if f.at.Sub(other.at) > flowLife {
			delete(p.flows, s)
		} else if oldest == "" || other.at.Before(p.flows[oldest].at) {
			oldest = s
		}
	}
	if len(p.flows) >= maxFlows {
		delete(p.flows, oldest)
	}
	p.flows[state] = f
	return state
}

// end gives a flow out, once.
func (p *provider) end(state string) (flow, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, ok := p.flows[state]
	delete(p.flows, state)
	return f, ok && p.now().Sub(f.at) <= flowLife
}

func (g *Gate) toProvider(w http.ResponseWriter, r *http.Request) {
	known, err := g.oidc.discover(r.Context())
	if err != nil {
		g.dep.Logger.Error("log-in failed", "err", err)
		g.back(w, r, loginProvider, nil)
		return
	}
	f := flow{browser: random(), nonce: random(), verifier: oauth2.GenerateVerifier(), next: localPath(r.FormValue("next")), at: g.dep.Now()}
	state := g.oidc.begin(f)
	http.SetCookie(w, &http.Cookie{ // Lax: the provider leads back from another site
		Name: flowCookie, Value: f.browser, Path: "/login", MaxAge: int(flowLife / time.Second), HttpOnly: true,
		Secure: g.secure(r), SameSite: http.SameSiteLaxMode,
	})
	to := g.oidc.oauth(known).AuthCodeURL(state, oidc.Nonce(f.nonce), oauth2.S256ChallengeOption(f.verifier))
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

func (g *Gate) fromProvider(w http.ResponseWriter, r *http.Request) {
	address := g.Address(r)
	if wait := g.brake.take("sign-in of "+address, address); wait > 0 {
		g.back(w, r, loginSlow, map[string][]string{"wait": {strconv.Itoa(int(wait/time.Second) + 1)}})
		return
	}
	f, claims, err := g.claims(r)
	if err == nil {
		var a access.Account
		if a, err = g.adopt(r.Context(), claims); err == nil {
			g.brake.right("sign-in of "+address, address)
			http.SetCookie(w, &http.Cookie{Name: flowCookie, Path: "/login", MaxAge: -1, HttpOnly: true, Secure: g.secure(r), SameSite: http.SameSiteLaxMode})
			r.Form.Set("next", f.next)
			g.welcome(w, r, a)
			return
		}
	}
	code := loginProvider
	if errors.Is(err, errStranger) {
		code = loginStranger
	}
	who, _ := claims[g.oidc.cfg.NameClaim].(string)
	g.dep.Logger.Warn("log-in by OpenID Connect refused", "user", who, "err", err)
	g.record(r.Context(), audit.Entry{Who: who, What: "login", From: address, Result: audit.Refused, Detail: "OpenID Connect: " + err.Error()})
	g.back(w, r, code, nil)
}

// claims ends a flow: what the provider states of the user, once everything
// has been proven.
func (g *Gate) claims(r *http.Request) (flow, map[string]any, error) {
	f, ok := g.oidc.end(r.FormValue("state"))
	cookie, err := r.Cookie(flowCookie)
	if !ok || err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(f.browser)) != 1 {
		return f, nil, errors.New("no such log-in was begun in this browser")
	}
	if r.FormValue("error") != "" {
		return f, nil, fmt.Errorf("the provider says %.100q", r.FormValue("error"))
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(r.Context(), g.oidc.client), 2*providerWait)
	defer cancel()
	known, err := g.oidc.discover(ctx)
	if err != nil {
		return f, nil, err
	}
	token, err := g.oidc.oauth(known).Exchange(ctx, r.FormValue("code"), oauth2.VerifierOption(f.verifier))
	if err != nil {
		return f, nil, fmt.Errorf("exchange code: %w", err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return f, nil, errors.New("the provider gave no ID token")
	}
	id, err := known.Verifier(&oidc.Config{ClientID: g.oidc.cfg.ClientID, Now: g.dep.Now}).Verify(ctx, raw)
	if err != nil {
		return f, nil, fmt.Errorf("verify ID token: %w", err)
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.nonce)) != 1 {
		return f, nil, errors.New("the ID token is for another log-in")
	}
	claims := map[string]any{}
	if err := id.Claims(&claims); err != nil {
		return f, nil, fmt.Errorf("read ID token: %w", err)
	}
	claims["iss"], claims["sub"] = id.Issuer, id.Subject
	return f, claims, nil
}

// adopt finds or makes the account of somebody whom the provider knows. His
// name stays what it was at first; his role and teams are those of now.
func (g *Gate) adopt(ctx context.Context, claims map[string]any) (access.Account, error) {
	a := access.Account{Role: g.oidc.cfg.role(claims)}
	a.Name, _ = claims[g.oidc.cfg.NameClaim].(string)
	a.Display, _ = claims["name"].(string)
	for _, t := range texts(claims[g.oidc.cfg.TeamClaim]) {
		if g.dep.Access.HasTeam(t) {
			a.Teams = append(a.Teams, t)
		}
	}
	var id store.Identity
	id.Issuer, _ = claims["iss"].(string)
	id.Subject, _ = claims["sub"].(string)
	switch name, err := g.store.Identified(ctx, id); {
	case err == nil:
		a.Name = name
	case !errors.Is(err, store.ErrNotFound):
		return a, err
	}
	p, err := g.Policy(ctx)
	if err != nil {
		return a, err
	}
	if err := g.mayBe(ctx, p, a.Name, id); err != nil {
		return a, err
	}
	written, inFile := fileAccount(g.dep.Access, a.Name)
	if inFile { // only who he is comes from the provider
		a = written
	}
	if a.Role == "" || a.Disabled {
		return a, fmt.Errorf("%w: %s has no role", errStranger, a.Name)
	}
	if err := a.Check(); err != nil {
		return a, fmt.Errorf("%w: %w", errStranger, err)
	}
	if err := g.store.PutAccount(ctx, a, id, g.dep.Now()); err != nil {
		return a, err
	}
	if p, err = g.Policy(ctx); err != nil {
		return a, err
	}
	a, _ = p.Account(a.Name)
	return a, nil
}

// mayBe refuses a name that belongs to somebody else: to an account with a
// password, or to another person of the provider.
func (g *Gate) mayBe(ctx context.Context, p *access.Policy, name string, id store.Identity) error {
	a, ok := p.Account(name)
	if !ok {
		return nil
	}
	if a.Password != "" {
		return fmt.Errorf("%w: %s is an account with a password", errStranger, name)
	}
	owner, err := g.store.IdentityOf(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound): // of the configuration, and never used
		return nil
	case err != nil:
		return err
	case owner != id:
		return fmt.Errorf("%w: %s is somebody else", errStranger, name)
	}
	return nil
}

func fileAccount(c access.Config, name string) (access.Account, bool) {
	i := slices.IndexFunc(c.Users, func(a access.Account) bool { return a.Name == name })
	if i < 0 {
		return access.Account{}, false
	}
	return c.Users[i], true
}

// role is the highest that any word of the claim gives; "" for none.
func (c OIDCConfig) role(claims map[string]any) access.Role {
	best := -1
	for _, word := range texts(claims[c.RoleClaim]) {
		if role, ok := c.Roles[word]; ok {
			best = max(best, slices.Index(access.Roles(), role))
		}
	}
	if best < 0 {
		return ""
	}
	return access.Roles()[best]
}

// texts reads a claim that is a word or a list of words.
func texts(claim any) []string {
	switch v := claim.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
