package gate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"markaz/access"
	"markaz/access/audit"
	"markaz/access/store"
)

func TestBrake(t *testing.T) {
	s := newSite(t, nil)
	tries := 0
	for range 1000 { // in one minute
		s.pass(60 * time.Millisecond)
		if res := s.browser(t).login("leila", "wrong"); strings.Contains(res.Header.Get("Location"), "error=wrong") {
			tries++
		} else if res.Header.Get("Retry-After") == "" || !strings.Contains(res.Header.Get("Location"), "error=slow") {
			t.Fatal(res.Header)
		}
	}
	if tries > 10 {
		t.Errorf("%d of 1000 passwords were tried in a minute", tries)
	}
	if res := s.browser(t).login("leila", password); len(res.Cookies()) > 0 {
		t.Error("the right password is taken while the account must wait")
	}
	if res := s.browser(t).login("sara", password); len(res.Cookies()) == 0 {
		t.Error("another account must wait too")
	}
	s.pass(16 * time.Minute)
	if res := s.browser(t).login("leila", password); len(res.Cookies()) == 0 {
		t.Error("the right password is refused after the wait")
	}
	list, _, err := s.Audit().List(t.Context(), audit.Query{Who: "leila", Limit: 500})
	if err != nil || len(list) != tries+1 {
		t.Errorf("%d audit records, %v", len(list), err)
	}
}

func TestBrakeOfAnAddress(t *testing.T) {
	s := newSite(t, nil)
	tries := 0
	for i := range 100 {
		s.pass(time.Millisecond)
		if res := s.browser(t).login(fmt.Sprint("user", i), "wrong"); strings.Contains(res.Header.Get("Location"), "error=wrong") {
			tries++
		}
	}
	if tries > 21 {
		t.Errorf("%d accounts were tried from one address", tries)
	}
}

func TestBrakeIsBounded(t *testing.T) {
	now := time.Now()
	b := newBrake(LoginConfig{PerAccount: 5, PerAddress: 5}, func() time.Time { return now })
	for i := range maxTries * 2 {
		b.take(fmt.Sprint(i), fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255))
		now = now.Add(time.Second)
	}
	if len(b.wheel) > maxTries+2 {
		t.Errorf("%d remembered", len(b.wheel))
	}
}

func TestTokens(t *testing.T) {
	s := newSite(t, nil)
	ask := func(secret string) (int, string) {
		t.Helper()
		res, body := s.browser(t).do("GET", "/v1/thing", nil, "Authorization", "Bearer "+secret)
		return res.StatusCode, body
	}
	if code, body := ask("master-token"); code != 200 || body != "hello token:http.token administrator" {
		t.Errorf("the token of the configuration: %d %s", code, body)
	}
	own, secret, err := s.store.AddToken(t.Context(), store.Token{Name: "crm", User: "sara", Only: []access.Right{access.Dial}, Created: s.clock(), Expires: s.clock().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if code, body := ask(secret); code != 200 || body != "hello sara agent" {
		t.Errorf("a user's token: %d %s", code, body)
	}
	u, err := s.bearer(t.Context(), secret)
	if err != nil || !u.Has(access.Dial) || u.Has(access.See) || u.Token != own.ID {
		t.Errorf("limited user %+v %v", u, err)
	}
	role, other, err := s.store.AddToken(t.Context(), store.Token{Name: "bi", Account: access.Account{Role: access.Supervisor}, Created: s.clock()})
	if err != nil {
		t.Fatal(err)
	}
	if code, body := ask(other); code != 200 || body != "hello token:"+role.ID+" supervisor" {
		t.Errorf("a program's token: %d %s", code, body)
	}
	for _, forged := range []string{"", "x", "mkz_", secret + "x", secret[:len(secret)-1], strings.ToUpper(secret), "mkz_" + own.ID + "_" + strings.Repeat("A", 43), strings.Repeat("mkz_", 1000), "' OR 1=1 --", "master-toke"} {
		if code, _ := ask(forged); code != 401 {
			t.Errorf("forged token %.40q: %d", forged, code)
		}
	}
	if err := s.store.RevokeToken(t.Context(), role.ID, s.clock()); err != nil {
		t.Fatal(err)
	}
	if err := s.store.RevokeToken(t.Context(), role.ID, s.clock()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
	s.pass(61 * time.Minute)
	for _, dead := range []string{secret, other} {
		if code, _ := ask(dead); code != 401 {
			t.Errorf("an expired or revoked token lets in: %d", code)
		}
	}
	list, err := s.store.Tokens(t.Context())
	if err != nil || len(list) != 2 || list[0].Used.IsZero() {
		t.Errorf("%+v %v", list, err)
	}
}

func TestKiosk(t *testing.T) {
	s := newSite(t, nil)
	k, secret, err := s.store.AddToken(t.Context(), store.Token{Name: "hall", Account: access.Account{Role: access.Kiosk}, Created: s.clock()})
	if err != nil {
		t.Fatal(err)
	}
	_, program, err := s.store.AddToken(t.Context(), store.Token{Name: "bi", Account: access.Account{Role: access.Administrator}, Created: s.clock()})
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser(t)
	for _, wrong := range []string{program, "mkz_x", "master-token"} {
		if res, _ := b.do("GET", "/kiosk/"+wrong, nil); res.Header.Get("Location") != "/login?error=link" || len(res.Cookies()) > 0 {
			t.Errorf("link with %s: %s", wrong, res.Header.Get("Location"))
		}
	}
	res, _ := b.do("GET", "/kiosk/"+secret, nil)
	if res.Header.Get("Location") != "/wallboard" {
		t.Fatal(res.Status, res.Header)
	}
	s.pass(20 * 24 * time.Hour) // a screen on a wall is never idle
	if res, body := b.do("GET", "/wallboard", nil); body != "hello token:"+k.ID+" kiosk" {
		t.Errorf("wallboard: %s %s", res.Status, body)
	}
	if err := s.store.RevokeToken(t.Context(), k.ID, s.clock()); err != nil {
		t.Fatal(err)
	}
	b.wantOut()
}
