package gate

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"markaz/access"
	"markaz/access/store"
)

func TestSessionIsHashedAtRest(t *testing.T) {
	s := newSite(t, nil)
	res := s.browser(t).login("leila", password)
	secret := res.Cookies()[0].Value
	if _, err := s.store.Session(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	for _, stolen := range []string{fmt.Sprintf("%x", secret), strings.ToLower(secret)} {
		if _, err := s.store.Session(t.Context(), stolen); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", stolen, err)
		}
	}
}

func TestSessionEnds(t *testing.T) {
	t.Run("log-out", func(t *testing.T) {
		s := newSite(t, nil)
		b := s.browser(t)
		old := b.login("leila", password).Cookies()[0]
		res, _ := b.do("POST", "/logout", url.Values{})
		if res.Header.Get("Location") != "/login?error=out" || res.Header.Get("Clear-Site-Data") == "" {
			t.Errorf("log-out: %s %v", res.Status, res.Header)
		}
		b.wantOut()
		b.do("GET", "/page", nil, "Cookie", old.Name+"="+old.Value)
		if res, _ := s.browser(t).do("GET", "/v1/thing", nil, "Cookie", old.Name+"="+old.Value); res.StatusCode != 401 {
			t.Error("the cookie of an ended session is replayed")
		}
	})
	t.Run("idle", func(t *testing.T) {
		s := newSite(t, nil)
		b := s.browser(t)
		b.login("leila", password)
		for range 4 {
			s.pass(45 * time.Minute)
			b.wantIn("leila")
		}
		s.pass(61 * time.Minute)
		if res, _ := b.do("GET", "/page", nil); res.Header.Get("Location") != "/login?error=expired&next=%2Fpage" {
			t.Errorf("idle: %s", res.Header.Get("Location"))
		}
		b.wantOut()
	})
	t.Run("absolute", func(t *testing.T) {
		s := newSite(t, nil)
		b := s.browser(t)
		b.login("leila", password)
		for range 31 {
			s.pass(30 * time.Minute)
			b.wantIn("leila")
		}
		s.pass(31 * time.Minute)
		b.wantOut()
	})
	t.Run("new password, disabled, removed", func(t *testing.T) {
		s := newSite(t, nil)
		hash, _ := cheap.Hash(password)
		a := access.Account{Name: "mina", Role: access.Agent, Password: hash}
		put := func() {
			t.Helper()
			if err := s.store.PutAccount(t.Context(), a, store.Identity{}, s.clock()); err != nil {
				t.Fatal(err)
			}
		}
		put()
		b := s.browser(t)
		b.login("mina", password)
		b.wantIn("mina")
		a.Password, _ = cheap.Hash("another one")
		put()
		b.wantOut()
		b.login("mina", "another one")
		b.wantIn("mina")
		a.Disabled = true
		put()
		b.wantOut()
		a.Disabled = false
		put()
		b.wantIn("mina")
		if err := s.store.DeleteAccount(t.Context(), "mina"); err != nil {
			t.Fatal(err)
		}
		b.wantOut()
	})
}

func TestSessionIsNewAtEachLogin(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	planted := b.login("sara", password).Cookies()[0]
	fresh := b.login("leila", password).Cookies()[0]
	if planted.Value == fresh.Value {
		t.Error("the session keeps its id")
	}
	if _, err := s.store.Session(t.Context(), planted.Value); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the session before lives on: %v", err)
	}
}

func TestSessionOutlivesARestart(t *testing.T) {
	s := newSite(t, nil)
	b := s.browser(t)
	cookie := b.login("leila", password).Cookies()[0]
	s.srv.Close()
	if err := s.Gate.Close(); err != nil {
		t.Fatal(err)
	}
	s.open(t, s.cfg, s.dep)
	if res, body := b.do("GET", "/page", nil, "Cookie", cookie.Name+"="+cookie.Value); res.StatusCode != 200 {
		t.Errorf("after a restart: %s %s", res.Status, body)
	}
}
