package gate

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"markaz/access"
	"markaz/access/store"
)

// Why somebody is not let in.
var (
	errNobody   = errors.New("neither session nor token")
	errStranger = errors.New("unknown, disabled, or without a role")
	errExpired  = errors.New("session or token has expired")
	errCross    = errors.New("the request comes from another site's page")
)

// Authenticate tells who sent a request: the user of its bearer token or of
// its session. It may be asked again while a long answer goes on, to learn
// whether the user is still let in. The error is for the log: strangers are
// told nothing.
func (g *Gate) Authenticate(r *http.Request) (*access.User, error) {
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return g.bearer(r.Context(), bearer)
	}
	cookie, err := r.Cookie(g.cookieName(r))
	if err != nil {
		return nil, errNobody
	}
	if !safeMethod(r.Method) && r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return nil, errCross // every browser tells one of them
	}
	return g.session(r.Context(), cookie.Value)
}

func safeMethod(m string) bool {
	return m == http.MethodGet || m == http.MethodHead || m == http.MethodOptions
}

func (g *Gate) session(ctx context.Context, secret string) (*access.User, error) {
	if len(secret) > 100 {
		return nil, errNobody
	}
	s, err := g.store.Session(ctx, secret)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNobody
	}
	if err != nil {
		return nil, err
	}
	now := g.dep.Now()
	if now.After(s.Expires) || s.Token == "" && now.Sub(s.Seen) > g.cfg.Session.Idle {
		return nil, errors.Join(errExpired, g.store.DeleteSession(ctx, secret))
	}
	var u *access.User
	if s.Token != "" {
		u, err = g.ofToken(ctx, s.Token)
	} else {
		u, err = g.ofSession(ctx, s)
	}
	if err != nil {
		return nil, err
	}
	if g.note("s"+secret, now) {
		err = g.store.TouchSession(ctx, secret, now)
	}
	return u, err
}

func (g *Gate) ofSession(ctx context.Context, s store.Session) (*access.User, error) {
	p, err := g.Policy(ctx)
	if err != nil {
		return nil, err
	}
	a, ok := p.Account(s.User)
	if !ok || subtle.ConstantTimeCompare(proof(a), s.Proof) != 1 {
		return nil, errExpired
	}
	return g.user(ctx, s.User)
}

// proof ties a session to the password by which it began, so that a new
// password ends it.
func proof(a access.Account) []byte {
	sum := sha256.Sum256([]byte(a.Name + "\x00" + a.Password))
	return sum[:16]
}

// bearer finds the user of a token.
func (g *Gate) bearer(ctx context.Context, secret string) (*access.User, error) {
	if g.dep.Master != "" {
		want, have := sha256.Sum256([]byte(g.dep.Master)), sha256.Sum256([]byte(secret))
		if subtle.ConstantTimeCompare(want[:], have[:]) == 1 {
			return g.program(ctx, store.Token{ID: "http.token", Name: "http.token", Account: access.Account{Role: access.Administrator}})
		}
	}
	if !store.IsToken(secret) {
		return nil, errNobody
	}
	t, err := g.store.TokenOf(ctx, secret)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNobody
	}
	if err != nil {
		return nil, err
	}
	return g.useToken(ctx, t)
}

func (g *Gate) ofToken(ctx context.Context, id string) (*access.User, error) {
	t, err := g.store.Token(ctx, id)
	if err != nil {
		return nil, err
	}
	return g.useToken(ctx, t)
}

func (g *Gate) useToken(ctx context.Context, t store.Token) (*access.User, error) {
	now := g.dep.Now()
	if !t.Good(now) {
		return nil, errExpired
	}
	u, err := g.program(ctx, t)
	if err == nil && g.note("t"+t.ID, now) {
		err = g.store.TouchToken(ctx, t.ID, now)
	}
	return u, err
}

// program gives a token its user.
func (g *Gate) program(ctx context.Context, t store.Token) (*access.User, error) {
	var u *access.User
	if t.User != "" {
		found, err := g.user(ctx, t.User)
		if err != nil {
			return nil, err
		}
		u = found
	} else {
		p, err := g.Policy(ctx)
		if err != nil {
			return nil, err
		}
		a := t.Account
		a.Name, a.Display = "token:"+t.ID, t.Name
		u = p.Make(a)
	}
	if len(t.Only) > 0 {
		u = u.Limit(t.Only)
	}
	v := *u
	v.Token = t.ID
	return &v, nil
}

// begin opens a session and sets its cookie. A session that the browser had is
// ended, so that nobody can have planted its id.
func (g *Gate) begin(w http.ResponseWriter, r *http.Request, s store.Session) error {
	if old, err := r.Cookie(g.cookieName(r)); err == nil {
		if err := g.store.DeleteSession(r.Context(), old.Value); err != nil {
			return err
		}
	}
	now := g.dep.Now()
	s.Created, s.Seen, s.Address, s.Agent = now, now, g.Address(r), bound(r.UserAgent(), 200)
	if s.Expires.IsZero() {
		s.Expires = now.Add(g.cfg.Session.Absolute)
	}
	secret := random()
	if err := g.store.PutSession(r.Context(), secret, s); err != nil {
		return err
	}
	http.SetCookie(w, g.cookie(r, secret, s.Expires))
	return nil
}

// end closes the session of a request and takes its cookie back.
func (g *Gate) end(w http.ResponseWriter, r *http.Request) error {
	cookie, err := r.Cookie(g.cookieName(r))
	if err != nil {
		return nil
	}
	gone := g.cookie(r, "", time.Unix(1, 0))
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	return g.store.DeleteSession(r.Context(), cookie.Value)
}

func (g *Gate) cookie(r *http.Request, value string, expires time.Time) *http.Cookie {
	c := &http.Cookie{
		Name: g.cookieName(r), Value: value, Path: "/", Expires: expires, HttpOnly: true,
		Secure: g.secure(r), SameSite: http.SameSiteLaxMode,
	}
	if g.cfg.Session.Strict {
		c.SameSite = http.SameSiteStrictMode
	}
	return c
}

// cookieName has the prefix by which browsers refuse a cookie that another
// host has set, where they take it: with HTTPS.
func (g *Gate) cookieName(r *http.Request) string {
	if g.secure(r) {
		return "__Host-markaz"
	}
	return "markaz"
}

// random is 256 bits of chance.
func random() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// RandomPassword is a password of 100 bits that can be typed.
func RandomPassword() string {
	const letters = "abcdefghjkmnpqrstuvwxyz23456789" // without those that look alike
	out := make([]byte, 0, 24)
	for len(out) < 24 {
		if len(out)%6 == 5 && len(out) < 23 {
			out = append(out, '-')
			continue
		}
		var b [1]byte
		_, _ = rand.Read(b[:])
		if n := int(b[0]); n < 256/len(letters)*len(letters) {
			out = append(out, letters[n%len(letters)])
		}
	}
	return string(out)
}

func bound(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}
