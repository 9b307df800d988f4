package crm

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestForbiddenAddresses(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1", "127.8.9.1", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "192.0.0.8", "198.18.0.1", "203.0.113.9", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::7f00:1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1",
		"64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::1", "2002:c0a8:101::", "2001::1", "2001:db8::1", "100::1",
	} {
		if !forbidden(netip.MustParseAddr(a)) {
			t.Errorf("%s is allowed", a)
		}
	}
	for _, a := range []string{
		"1.1.1.1", "172.32.0.1", "172.15.0.1", "100.128.0.1", "192.169.0.1", "198.20.0.1", "223.255.255.1",
		"2606:4700::1111", "2001:4860:4860::8888", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1",
	} {
		if forbidden(netip.MustParseAddr(a)) {
			t.Errorf("%s is forbidden", a)
		}
	}
}

// canary is a server on the loopback address that nobody may reach.
type canary struct {
	*httptest.Server
	hits atomic.Int64
}

func newCanary(t *testing.T) *canary {
	c := &canary{}
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
	c.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			c.hits.Add(1)
		}
	}
	c.Start()
	t.Cleanup(c.Close)
	return c
}

func (c *canary) port() string {
	_, port, _ := net.SplitHostPort(c.Listener.Addr().String())
	return port
}

// rebinder is a name server that answers each question with the next address.
type rebinder struct {
	mu    sync.Mutex
	addrs []string
	asked int
}

func (r *rebinder) lookup(_ context.Context, _, _ string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.addrs[min(r.asked, len(r.addrs)-1)]
	r.asked++
	return []netip.Addr{netip.MustParseAddr(a)}, nil
}

// Ensure no spelling of our own machine is reached unless it is allowed.
func TestGuardRefusesLoopback(t *testing.T) {
	c := newCanary(t)
	for _, host := range []string{"127.0.0.1", "localhost", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f000001", "017700000001"} {
		w, err := newWeb(Net{Timeout: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodPost, "http://"+host+":"+c.port()+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.do(req); !errors.Is(err, ErrAway) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := c.hits.Load(); n != 0 {
		t.Errorf("%d connections to ourselves", n)
	}
}

// Ensure a name that points to a public address when it is checked and to
// ourselves a moment later does not get us there: the address that was checked
// is the one that is dialled, and each new connection is checked anew.
func TestGuardAgainstRebinding(t *testing.T) {
	c := newCanary(t)
	names := &rebinder{addrs: []string{"93.184.215.14", "127.0.0.1"}}
	var dialled []string
	g := newGuard(Net{})
	g.lookup = names.lookup
	g.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		return nil, errors.New("the test has no Internet")
	}
	address := net.JoinHostPort("rebind.example", c.port())
	if _, err := g.DialContext(context.Background(), "tcp", address); err == nil || errors.Is(err, errForbidden) {
		t.Errorf("first connection: %v", err)
	}
	if names.asked != 1 || len(dialled) != 1 || dialled[0] != net.JoinHostPort("93.184.215.14", c.port()) {
		t.Errorf("asked %d times, dialled %v", names.asked, dialled)
	}
	g.dial = (&net.Dialer{}).DialContext
	if _, err := g.DialContext(context.Background(), "tcp", address); !errors.Is(err, errForbidden) {
		t.Errorf("second connection: %v", err)
	}
	if n := c.hits.Load(); n != 0 {
		t.Errorf("%d connections to ourselves", n)
	}
}

func TestGuardAllowsListedHosts(t *testing.T) {
	c := newCanary(t)
	names := &rebinder{addrs: []string{"127.0.0.1"}}
	for host, want := range map[string]bool{"crm.office.example": true, "CRM.office.EXAMPLE": true, "evil.example": false, "xcrm.office.example": false} {
		g := newGuard(Net{AllowHosts: []string{"crm.office.example"}})
		g.lookup = names.lookup
		conn, err := g.DialContext(context.Background(), "tcp", net.JoinHostPort(host, c.port()))
		if (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
		if conn != nil {
			conn.Close()
		}
	}
}

// Ensure a private address beside a public one is passed over.
func TestGuardTakesThePublicAddress(t *testing.T) {
	var dialled []string
	g := newGuard(Net{})
	g.lookup = func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("93.184.215.14")}, nil
	}
	g.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		dialled = append(dialled, address)
		client, server := net.Pipe()
		server.Close()
		return client, nil
	}
	conn, err := g.DialContext(context.Background(), "tcp", "mixed.example:443")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if len(dialled) != 1 || dialled[0] != "93.184.215.14:443" {
		t.Errorf("dialled %v", dialled)
	}
}

// Ensure a redirect to ourselves, or anywhere, is not followed.
func TestNoRedirects(t *testing.T) {
	c := newCanary(t)
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", c.URL+"/latest/meta-data")
		w.WriteHeader(http.StatusTemporaryRedirect)
		io.WriteString(w, "moved")
	}))
	defer hostile.Close()
	w, err := newWeb(Net{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.client.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodPost, hostile.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := w.do(req)
	if err != nil || a.status != http.StatusTemporaryRedirect {
		t.Fatalf("answer %d, %v", a.status, err)
	}
	if err := w.failure(a, t0); !errors.Is(err, ErrAway) {
		t.Errorf("a redirect is %v", err)
	}
	if n := c.hits.Load(); n != 0 {
		t.Errorf("followed %d times", n)
	}
}
