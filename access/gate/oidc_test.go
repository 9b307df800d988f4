package gate

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/access"
	"markaz/access/audit"
)

// idp is a provider of OpenID Connect that insists on its rules, for one
// client, and logs everybody in as whom the test says.
type idp struct {
	t        *testing.T
	srv      *httptest.Server
	key      *rsa.PrivateKey
	redirect string

	mu     sync.Mutex
	claims map[string]any
	bend   func(header, claims map[string]any) // how a bad provider cheats
	forge  *rsa.PrivateKey
	codes  map[string]url.Values // what the code was asked with; used ones are gone
}

const clientSecret = "s3cret"

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{t: t, key: key, codes: map[string]url.Values{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("GET /authorize", p.authorize)
	mux.HandleFunc("POST /token", p.token)
	p.srv = httptest.NewServer(mux)
	t.Cleanup(p.srv.Close)
	return p
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (p *idp) discovery(w http.ResponseWriter, _ *http.Request) {
	reply(w, 200, map[string]any{
		"issuer": p.srv.URL, "authorization_endpoint": p.srv.URL + "/authorize", "token_endpoint": p.srv.URL + "/token", "jwks_uri": p.srv.URL + "/keys",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

var b64 = base64.RawURLEncoding

func (p *idp) keys(w http.ResponseWriter, _ *http.Request) {
	reply(w, 200, map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "k1", "n": b64.EncodeToString(p.key.N.Bytes()), "e": b64.EncodeToString(big.NewInt(int64(p.key.E)).Bytes()),
	}}})
}

func (p *idp) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("response_type") != "code" || q.Get("client_id") != "markaz" || q.Get("redirect_uri") != p.redirect || !strings.Contains(" "+q.Get("scope")+" ", " openid ") ||
		len(q.Get("state")) < 20 || len(q.Get("nonce")) < 20 || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 {
		p.t.Errorf("authorization request breaks the rules: %v", q)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	code := random()
	p.codes[code] = q
	http.Redirect(w, r, p.redirect+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
}

func (p *idp) token(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, secret, ok := r.BasicAuth()
	if !ok {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	asked, known := p.codes[r.PostFormValue("code")]
	delete(p.codes, r.PostFormValue("code"))
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if id != "markaz" || secret != clientSecret || !known || r.PostFormValue("grant_type") != "authorization_code" ||
		r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") || b64.EncodeToString(sum[:]) != asked.Get("code_challenge") {
		reply(w, 400, map[string]any{"error": "invalid_grant"})
		return
	}
	header := map[string]any{"alg": "RS256", "kid": "k1", "typ": "JWT"}
	claims := map[string]any{"iss": p.srv.URL, "aud": "markaz", "nonce": asked.Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	for k, v := range p.claims {
		claims[k] = v
	}
	if p.bend != nil {
		p.bend(header, claims)
	}
	reply(w, 200, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.sign(header, claims)})
}

func (p *idp) sign(header, claims map[string]any) string {
	h, _ := json.Marshal(header)
	c, _ := json.Marshal(claims)
	text := b64.EncodeToString(h) + "." + b64.EncodeToString(c)
	if header["alg"] == "none" {
		return text + "."
	}
	key := p.key
	if p.forge != nil {
		key = p.forge
	}
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	return text + "." + b64.EncodeToString(sig)
}

func (p *idp) says(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.claims, p.bend, p.forge = claims, nil, nil
}

// oidcSite is a site whose users log in at a provider.
func oidcSite(t *testing.T) (*site, *idp) {
	t.Helper()
	p := newIDP(t)
	s := newSite(t, func(c *Config, d *Deps) {
		c.OIDC = OIDCConfig{
			Issuer: p.srv.URL, ClientID: "markaz", Secret: clientSecret, Redirect: "http://127.0.0.1:1/login/back",
			Roles: map[string]access.Role{"cc-agents": access.Agent, "cc-leads": access.Supervisor}, TeamClaim: "teams",
		}
		d.Access.Teams = []access.Team{{Name: "sales"}}
		d.Access.Users = append(d.Access.Users, access.Account{Name: "omid", Role: access.Agent, Extensions: []string{"1010"}})
	})
	s.oidc.cfg.Redirect = s.srv.URL + "/login/back" // the port is known only now
	p.redirect = s.oidc.cfg.Redirect
	return s, p
}

// signIn goes the whole way and returns the answer to the way back, and that
// way's address.
func (b *browser) signIn() (*http.Response, string) {
	b.t.Helper()
	res, _ := b.do("GET", "/login/provider?next=/page%3Fx=1", nil)
	there, err := b.c.Get(res.Header.Get("Location"))
	if err != nil {
		b.t.Fatal(err)
	}
	there.Body.Close()
	back := strings.TrimPrefix(there.Header.Get("Location"), b.s.srv.URL)
	res, _ = b.do("GET", back, nil, "Origin", "", "Sec-Fetch-Site", "cross-site")
	return res, back
}

func TestOpenIDConnect(t *testing.T) {
	s, p := oidcSite(t)
	p.says(map[string]any{"sub": "1", "preferred_username": "mina", "name": "Mina", "groups": []string{"all", "cc-agents", "cc-leads"}, "teams": []string{"sales", "unknown"}})
	b := s.browser(t)
	res, back := b.signIn()
	if res.Header.Get("Location") != "/page?x=1" {
		t.Fatalf("%s %s", res.Status, res.Header.Get("Location"))
	}
	b.wantIn("mina")
	u, err := s.user(t.Context(), "mina")
	if err != nil || u.Role != access.Supervisor || u.Display != "Mina" || len(u.Teams) != 1 {
		t.Errorf("%+v %v", u, err)
	}
	if res, _ := b.do("GET", back, nil); res.Header.Get("Location") != "/login?error=provider" {
		t.Errorf("an answer is replayed: %s", res.Header.Get("Location"))
	}

	// Renamed and with another role: the same person under the name of before.
	p.says(map[string]any{"sub": "1", "preferred_username": "sara", "groups": "cc-agents"})
	b = s.browser(t)
	b.signIn()
	b.wantIn("mina")
	if u, err := s.user(t.Context(), "mina"); err != nil || u.Role != access.Agent {
		t.Errorf("%+v %v", u, err)
	}

	// One of the configuration without a password: what is written there holds.
	p.says(map[string]any{"sub": "2", "preferred_username": "omid", "groups": "cc-leads"})
	b = s.browser(t)
	b.signIn()
	b.wantIn("omid")
	if u, err := s.user(t.Context(), "omid"); err != nil || u.Role != access.Agent || u.Extension() != "1010" {
		t.Errorf("%+v %v", u, err)
	}
	list, _, err := s.Audit().List(t.Context(), audit.Query{What: "login", Who: "omid"})
	if err != nil || len(list) != 1 || list[0].Result != audit.OK {
		t.Errorf("%+v %v", list, err)
	}
}

func TestOpenIDConnectRefuses(t *testing.T) {
	s, p := oidcSite(t)
	s.brake.cfg = LoginConfig{PerAccount: 1000, PerAddress: 1000}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := func() map[string]any {
		return map[string]any{"sub": "1", "preferred_username": "mina", "groups": "cc-agents"}
	}
	refused := func(what, code string) {
		t.Helper()
		b := s.browser(t)
		if res, _ := b.signIn(); !strings.HasPrefix(res.Header.Get("Location"), "/login?error="+code) {
			t.Errorf("%s: %s %s", what, res.Status, res.Header.Get("Location"))
		}
		b.wantOut()
	}
	for what, bend := range map[string]func(header, claims map[string]any){
		"another client's token": func(_, c map[string]any) { c["aud"] = "other" },
		"another issuer":         func(_, c map[string]any) { c["iss"] = "https://evil.example" },
		"expired":                func(_, c map[string]any) { c["exp"] = time.Now().Add(-time.Hour).Unix() },
		"another nonce":          func(_, c map[string]any) { c["nonce"] = "x" },
		"no nonce":               func(_, c map[string]any) { delete(c, "nonce") },
		"not signed":             func(h, _ map[string]any) { h["alg"] = "none" },
		"signed by a password":   func(h, _ map[string]any) { h["alg"] = "HS256" },
	} {
		p.says(good())
		p.bend = bend
		refused(what, loginProvider)
	}
	p.says(good())
	p.forge = other
	refused("signed by somebody else", loginProvider)

	p.says(map[string]any{"sub": "5", "preferred_username": "mina", "groups": "guests"})
	refused("without a role", loginStranger)
	p.says(map[string]any{"sub": "6", "preferred_username": "leila", "groups": "cc-leads"})
	refused("the name of an account with a password", loginStranger)
	p.says(map[string]any{"sub": "7", "groups": "cc-leads"})
	refused("without a name", loginStranger)

	p.says(good())
	s.browser(t).signIn()
	p.says(map[string]any{"sub": "8", "preferred_username": "mina", "groups": "cc-agents"})
	refused("the name of somebody else", loginStranger)

	// An answer that another browser fetched: log-in forged with the attacker's account.
	p.says(good())
	attacker := s.browser(t)
	res, _ := attacker.do("GET", "/login/provider", nil)
	there, err := attacker.c.Get(res.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	there.Body.Close()
	victim := s.browser(t)
	res, _ = victim.do("GET", strings.TrimPrefix(there.Header.Get("Location"), s.srv.URL), nil)
	if res.Header.Get("Location") != "/login?error=provider" {
		t.Errorf("log-in of another browser: %s", res.Header.Get("Location"))
	}
	victim.wantOut()
	if res, _ := victim.do("GET", "/login/back?error=access_denied&state=x", nil); res.Header.Get("Location") != "/login?error=provider" {
		t.Errorf("denied: %s", res.Header.Get("Location"))
	}
	p.srv.Close()
	if res, _ := victim.do("GET", "/login/back?code=x&state=x", nil); res.Header.Get("Location") != "/login?error=provider" {
		t.Errorf("provider away: %s", res.Header.Get("Location"))
	}
}

func TestFlowsAreBounded(t *testing.T) {
	p := newProvider(OIDCConfig{}, time.Now)
	first := p.begin(flow{at: time.Now().Add(-time.Minute)})
	for range maxFlows + 50 {
		p.begin(flow{at: time.Now()})
	}
	if _, ok := p.end(first); ok || len(p.flows) > maxFlows {
		t.Errorf("%d flows", len(p.flows))
	}
	old := p.begin(flow{at: time.Now().Add(-time.Hour)})
	if _, ok := p.end(old); ok {
		t.Error("a flow of an hour ago goes on")
	}
}

func TestProviderConfiguration(t *testing.T) {
	bad := OIDCConfig{Issuer: "http://id.example.org", Redirect: "x", Roles: map[string]access.Role{"a": "king"}}
	err := bad.Validate()
	if err == nil {
		t.Fatal("nothing found")
	}
	for _, want := range []string{"oidc: issuer: ", "oidc: redirect: ", "oidc: client_id: ", "oidc: roles: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in %v", want, err)
		}
	}
}
