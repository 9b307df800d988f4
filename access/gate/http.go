package gate

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"markaz/access"
)

// Handler is a handler for somebody who has been let in.
type Handler func(http.ResponseWriter, *http.Request, *access.User)

// Wrap lets in who has a session or a token. Others are led to the log-in if
// they want a page, and refused with a problem (RFC 9457) if they do not.
// Answers are kept in no cache unless the handler says otherwise.
func (g *Gate) Wrap(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		u, err := g.Authenticate(r)
		if err == nil {
			h(w, r, u)
			return
		}
		g.refuse(w, r, err)
	})
}

func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := g.Problem(err)
	if p.Status == http.StatusUnauthorized && wantsPage(r) {
		to := "/login"
		query := url.Values{}
		if r.URL.Path != "/" {
			query.Set("next", r.URL.RequestURI())
		}
		if errors.Is(err, errExpired) {
			query.Set("error", "expired")
		}
		if len(query) > 0 {
			to += "?" + query.Encode()
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	WriteProblem(w, p)
}

func wantsPage(r *http.Request) bool {
	return r.Method == http.MethodGet && !strings.HasPrefix(r.URL.Path, "/v1/") && strings.Contains(r.Header.Get("Accept"), "text/html")
}

// Problem is an error as an API tells it, RFC 9457.
type Problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Problem says why Authenticate refused, in a form fit for strangers.
func (g *Gate) Problem(err error) Problem {
	switch {
	case errors.Is(err, errCross):
		return problem(http.StatusForbidden, "E4030", "The request comes from another site's page, or does not say from where.")
	case errors.Is(err, errNobody), errors.Is(err, errStranger), errors.Is(err, errExpired):
		return problem(http.StatusUnauthorized, "E4010", "Log in, or send the header Authorization: Bearer with a token.")
	}
	g.dep.Logger.Error("nobody can be let in", "err", err)
	return problem(http.StatusServiceUnavailable, "E5033", "Accounts cannot be read now.")
}

func problem(status int, code, detail string) Problem {
	return Problem{Status: status, Title: http.StatusText(status), Code: code, Detail: detail}
}

// WriteProblem answers with a problem.
func WriteProblem(w http.ResponseWriter, p Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="markaz"`)
	}
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client went away
}

// ContentPolicy is what pages may load: what comes from this server, and no
// script or style inside the page.
const ContentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; media-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Protect is the outermost handler: it sets the headers that keep browsers
// careful, refuses what another site's page sends, and bounds every body.
func (g *Gate) Protect(next http.Handler) http.Handler {
	const maxBody = 1 << 20
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", ContentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		if g.secure(r) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if err := g.cross.Check(r); err != nil {
			WriteProblem(w, g.Problem(errCross))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// Address is the client's network address: the peer's, or what trusted proxies
// say of it.
func (g *Gate) Address(r *http.Request) string {
	addr := peer(r)
	if !g.trusted(addr) {
		return addr.String()
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if addr = hop.Unmap(); !g.trusted(addr) {
			break
		}
	}
	return addr.String()
}

func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	return addr.Unmap().WithZone("")
}

func (g *Gate) trusted(a netip.Addr) bool {
	for _, p := range g.proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// secure reports whether the browser talks HTTPS.
func (g *Gate) secure(r *http.Request) bool {
	return g.cfg.Session.Secure || r.TLS != nil || g.trusted(peer(r)) && r.Header.Get("X-Forwarded-Proto") == "https"
}
