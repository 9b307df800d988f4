package gate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/access"
	"markaz/access/audit"
)

// site is a gate with a page and an API behind it, and a clock of its own.
type site struct {
	*Gate
	dir string
	srv *httptest.Server

	mu  sync.Mutex
	now time.Time
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

const password = "correct horse"

var cheap = access.HashCost{MemoryKiB: 64, Passes: 1}

func newSite(t *testing.T, change func(*Config, *Deps)) *site {
	t.Helper()
	hash, err := cheap.Hash(password)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{dir: t.TempDir(), now: time.Now()}
	cfg := Config{Password: cheap}
	dep := Deps{
		Access: access.Config{Users: []access.Account{
			{Name: "leila", Role: access.Supervisor, Password: hash},
			{Name: "sara", Role: access.Agent, Password: hash, Extensions: []string{"101"}},
			{Name: "gone", Role: access.Administrator, Password: hash, Disabled: true},
		}},
		Dir: s.dir, Now: s.clock, Logger: slog.New(slog.DiscardHandler), Master: "master-token",
	}
	if change != nil {
		change(&cfg, &dep)
	}
	s.open(t, cfg, dep)
	return s
}

func (s *site) open(t *testing.T, cfg Config, dep Deps) {
	t.Helper()
	g, err := Open(t.Context(), cfg, dep)
	if err != nil {
		t.Fatal(err)
	}
	s.Gate = g
	t.Cleanup(func() { g.Close() })
	mux := http.NewServeMux()
	g.Routes(mux)
	hello := func(w http.ResponseWriter, r *http.Request, u *access.User) {
		fmt.Fprintf(w, "hello %s %s", u.Name, u.Role)
	}
	mux.Handle("/page", g.Wrap(hello))
	mux.Handle("/wallboard", g.Wrap(hello))
	mux.Handle("/v1/thing", g.Wrap(hello))
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "log in") })
	s.srv = httptest.NewServer(g.Protect(mux))
	t.Cleanup(s.srv.Close)
}

// browser keeps cookies, tells its origin and does not follow redirects.
type browser struct {
	t *testing.T
	s *site
	c http.Client
}

func (s *site) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, s, http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b *browser) do(method, path string, form url.Values, header ...string) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequest(method, b.s.srv.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Origin", b.s.srv.URL)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Del(header[i])
		if header[i+1] != "" {
			req.Header.Set(header[i], header[i+1])
		}
	}
	res, err := b.c.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, string(body)
}

func (b *browser) login(name, password string) *http.Response {
	b.t.Helper()
	res, _ := b.do("POST", "/login", url.Values{"name": {name}, "password": {password}, "next": {"/page?x=1"}})
	return res
}

func (b *browser) wantIn(name string) {
	b.t.Helper()
	if res, body := b.do("GET", "/page", nil); res.StatusCode != 200 || !strings.HasPrefix(body, "hello "+name+" ") {
		b.t.Errorf("%s is not let in: %s %s", name, res.Status, body)
	}
}

func (b *browser) wantOut() {
	b.t.Helper()
	if res, body := b.do("GET", "/page", nil); res.StatusCode != http.StatusSeeOther {
		b.t.Errorf("let in: %s %s", res.Status, body)
	}
	if res, body := b.do("GET", "/v1/thing", nil); res.StatusCode != http.StatusUnauthorized {
		b.t.Errorf("let in: %s %s", res.Status, body)
	}
}

func TestLogin(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	res, _ := b.do("GET", "/page?a=b", nil)
	if got := res.Header.Get("Location"); res.StatusCode != 303 || got != "/login?next=%2Fpage%3Fa%3Db" {
		t.Errorf("a stranger's page: %s %s", res.Status, got)
	}
	res, body := b.do("GET", "/v1/thing", nil)
	if res.StatusCode != 401 || res.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, `"code":"E4010"`) || res.Header.Get("WWW-Authenticate") == "" {
		t.Errorf("a stranger's request: %s %s", res.Status, body)
	}
	for _, wrong := range [][2]string{{"leila", "wrong"}, {"nobody", password}, {"gone", password}, {"LEILA", password}} {
		if res := b.login(wrong[0], wrong[1]); res.Header.Get("Location") != "/login?error=wrong&next=%2Fpage%3Fx%3D1" || len(res.Cookies()) > 0 {
			t.Errorf("%v: %s %v", wrong, res.Header.Get("Location"), res.Cookies())
		}
	}
	b.wantOut()
	res = b.login("leila", password)
	if res.StatusCode != 303 || res.Header.Get("Location") != "/page?x=1" || len(res.Cookies()) != 1 {
		t.Fatalf("log-in: %s %v", res.Status, res.Cookies())
	}
	if c := res.Cookies()[0]; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.Secure || len(c.Value) < 43 {
		t.Errorf("cookie %+v", c)
	}
	b.wantIn("leila")
	list, _, err := s.Audit().List(t.Context(), audit.Query{What: "login"})
	if err != nil || len(list) != 5 || list[0].Who != "leila" || list[0].Result != audit.OK || list[1].Result != audit.Refused || list[0].From != "127.0.0.1" {
		t.Errorf("audit: %+v %v", list, err)
	}
}

func TestOtherSites(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	b.login("leila", password)
	for _, c := range []struct {
		header []string
		status int
	}{
		{nil, 200},
		{[]string{"Origin", "https://evil.example"}, 403},
		{[]string{"Origin", "null"}, 403},
		{[]string{"Origin", "", "Sec-Fetch-Site", "cross-site"}, 403},
		{[]string{"Origin", "", "Sec-Fetch-Site", "same-site"}, 403},
		{[]string{"Origin", "", "Sec-Fetch-Site", "same-origin"}, 200},
		{[]string{"Origin", ""}, 403}, // a session and no word from where
		{[]string{"Origin", "", "Cookie", "", "Authorization", "Bearer master-token"}, 200},
	} {
		if res, body := b.do("POST", "/v1/thing", url.Values{}, c.header...); res.StatusCode != c.status {
			t.Errorf("%v: %s %s, want %d", c.header, res.Status, body, c.status)
		}
	}
	if res, _ := b.do("POST", "/login", url.Values{"name": {"sara"}, "password": {password}}, "Origin", "https://evil.example"); res.StatusCode != 403 {
		t.Errorf("log-in forged by another site: %s", res.Status)
	}
	b.wantIn("leila")
}

func TestNextStaysHere(t *testing.T) {
	for next, want := range map[string]string{
		"/calls?x=1": "/calls?x=1", "": "/", "https://evil.example": "/", "//evil.example": "/", "/\\evil.example": "/",
		"javascript:alert(1)": "/", "/a\r\nSet-Cookie: x=y": "/", "calls": "/", "/\t/evil.example": "/", "/%5Cevil": "/%5Cevil",
	} {
		if got := localPath(next); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}

func TestHeaders(t *testing.T) {
	s := newSite(t, nil)
	res, _ := s.browser(t).do("GET", "/login", nil)
	for name, want := range map[string]string{
		"Content-Security-Policy": ContentPolicy, "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		"Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if strings.Contains(ContentPolicy, "unsafe") || !strings.Contains(ContentPolicy, "frame-ancestors 'none'") {
		t.Error(ContentPolicy)
	}
}

func TestSecureCookies(t *testing.T) {
	s := newSite(t, func(c *Config, _ *Deps) { c.Session.Secure, c.Session.Strict = true, true })
	res := s.browser(t).login("leila", password)
	if c := res.Cookies()[0]; c.Name != "__Host-markaz" || !c.Secure || c.SameSite != http.SameSiteStrictMode {
		t.Errorf("cookie %+v", c)
	}
	if res.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS")
	}
}

func TestAddressBehindProxies(t *testing.T) {
	g := newSite(t, func(c *Config, _ *Deps) { c.TrustedProxies = []string{"10.0.0.0/8", "::1"} }).Gate
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:5", "1.2.3.4", "192.0.2.1"},
		{"10.1.1.1:5", "1.2.3.4", "1.2.3.4"},
		{"10.1.1.1:5", "6.6.6.6, 1.2.3.4, 10.2.2.2", "1.2.3.4"},
		{"10.1.1.1:5", "garbage", "10.1.1.1"},
		{"[::1]:5", "2001:db8::1", "2001:db8::1"},
		{"[::ffff:10.1.1.1]:5", "", "10.1.1.1"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", c.forwarded)
		if got := g.Address(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestFirstAdministrator(t *testing.T) {
	s := newSite(t, func(_ *Config, d *Deps) { d.Access = access.Config{} })
	name, pass, err := s.EnsureAdministrator(t.Context())
	if err != nil || name != "admin" || len(pass) < 20 {
		t.Fatalf("%q %q %v", name, pass, err)
	}
	if again, _, err := s.EnsureAdministrator(t.Context()); err != nil || again != "" {
		t.Errorf("a second one: %q %v", again, err)
	}
	b := s.browser(t)
	b.login(name, pass)
	b.wantIn("admin")
}

// An unknown name costs as much time as a wrong password.
func TestUnknownUsersTakeAsLong(t *testing.T) {
	cost := access.HashCost{MemoryKiB: 4096, Passes: 3}
	hash, err := cost.Hash(password)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(c *Config, d *Deps) {
		c.Password = cost
		d.Access.Users[0].Password = hash
	})
	if parameters := hash[:strings.LastIndex(hash[:strings.LastIndexByte(hash, '$')], "$")]; !strings.HasPrefix(s.dummy, parameters+"$") {
		t.Errorf("unknown users are held against %s, known ones against %s", s.dummy, parameters)
	}
	// A hash takes time by filling memory, which can be measured on a busy
	// machine too.
	work := func(name string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := s.tryPassword(context.Background(), name, "wrong"); !errors.Is(err, errStranger) {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) >> 10
	}
	for _, name := range []string{"leila", "nobody", "gone"} {
		if filled := work(name); filled < uint64(cost.MemoryKiB) {
			t.Errorf("a wrong password of %s costs %d KiB", name, filled)
		}
	}
}
