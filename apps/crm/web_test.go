package crm

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"markaz/apps/crm/fault"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 21, 8, 30, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "0": 0, "120": 2 * time.Minute, " 7 ": 7 * time.Second, "-5": 0, "soon": 0, "1.5": 0,
		"99999999999": maxRetryAfter, "9223372036854775807": maxRetryAfter,
		"Sat, 21 Mar 2026 08:31:30 GMT":    90 * time.Second,
		"Saturday, 21-Mar-26 08:31:30 GMT": 90 * time.Second, // RFC 850 form
		"Sat Mar 21 08:31:30 2026":         90 * time.Second, // asctime form
		"Sat, 21 Mar 2026 08:29:00 GMT":    0,
		"Fri, 21 Mar 2036 08:29:00 GMT":    maxRetryAfter,
	} {
		if got := retryAfter(v, now); got != want {
			t.Errorf("%q: %v, want %v", v, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Sat, 21 Mar 2026 08:31:30 GMT")
	f.Fuzz(func(t *testing.T, v string) {
		if d := retryAfter(v, t0); d < 0 || d > maxRetryAfter {
			t.Errorf("%q: %v", v, d)
		}
	})
}

// pipes joins a client and a server without a network, so that both live by
// the clock of a bubble.
type pipes struct {
	conns chan net.Conn
	once  sync.Once
	over  chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.over) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipes", Net: "unix"} }

// failing makes a server that fails by a script, and a client for it. Only
// within a bubble their time-outs do not depend on how busy the machine is.
func failing(t *testing.T, n Net, secrets ...string) (*fault.Script, *web, string) {
	t.Helper()
	script := &fault.Script{}
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	p := &pipes{conns: make(chan net.Conn), over: make(chan struct{})}
	srv := &http.Server{Handler: fault.Wrap(ok, script)}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(p) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
	n.AllowPrivate = true
	w, err := newWeb(n, secrets...)
	if err != nil {
		t.Fatal(err)
	}
	transport := w.client.Transport.(*http.Transport)
	outside := transport.DialContext
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "failing.test:80" {
			return outside(ctx, network, address)
		}
		near, far := net.Pipe()
		p.conns <- far
		return near, nil
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return script, w, "http://failing.test"
}

func post(t *testing.T, w *web, url string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	return w.do(req)
}

func TestFailures(t *testing.T) {
	script, w, url := failing(t, Net{})
	for name, tc := range map[string]struct {
		f     fault.Fault
		is    error // nil: none of the sentinels
		after time.Duration
	}{
		"server error":       {fault.Fault{Status: 500, Body: "db down"}, ErrAway, 0},
		"bad gateway":        {fault.Fault{Status: 502}, ErrAway, 0},
		"unavailable":        {fault.Fault{Status: 503, RetryAfter: "30"}, ErrAway, 30 * time.Second},
		"throttled":          {fault.Fault{Status: 429, RetryAfter: "30"}, nil, 30 * time.Second},
		"throttled untold":   {fault.Fault{Status: 429}, nil, 0},
		"gone":               {fault.Fault{Status: 410}, ErrGone, 0},
		"unauthorised":       {fault.Fault{Status: 401}, ErrAway, 0},
		"wrong address":      {fault.Fault{Status: 404}, ErrAway, 0},
		"moved":              {fault.Fault{Status: 301, Location: "http://127.0.0.1:1/"}, ErrAway, 0},
		"this event is bad":  {fault.Fault{Status: 400}, nil, 0},
		"this event is big":  {fault.Fault{Status: 413}, nil, 0},
		"this event is odd":  {fault.Fault{Status: 422, RetryAfter: "30"}, nil, 0},
		"informative answer": {fault.Fault{Status: 418, Body: "short\x1b[31m and\r\nstout"}, nil, 0},
	} {
		script.Next(tc.f)
		a, err := post(t, w, url)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		err = w.failure(a, t0)
		for _, sentinel := range []error{ErrAway, ErrGone, ErrPermanent} {
			if errors.Is(err, sentinel) != (sentinel == tc.is) {
				t.Errorf("%s: %v", name, err)
			}
		}
		var p *pause
		if errors.As(err, &p) != (tc.after > 0 || tc.f.Status == 429) || p != nil && p.after != tc.after {
			t.Errorf("%s: pause %+v", name, p)
		}
		if strings.ContainsAny(err.Error(), "\x1b\r\n") {
			t.Errorf("%s: unsafe text %q", name, err)
		}
	}
}

func TestBadAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		f    fault.Fault
		cut  bool
		away bool
	}{
		"giant body": {fault.Fault{Giant: 64 << 20}, true, false},
		"slow drip":  {fault.Fault{Drip: 20 * time.Millisecond}, true, false},
		"no answer":  {fault.Fault{Delay: time.Minute}, false, true},
		"reset":      {fault.Fault{Reset: true}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const timeout = 300 * time.Millisecond
				script, w, url := failing(t, Net{Timeout: timeout})
				script.Next(tc.f)
				begin := time.Now()
				a, err := post(t, w, url)
				if errors.Is(err, ErrAway) != tc.away || a.cut != tc.cut {
					t.Errorf("cut %v, %v", a.cut, err)
				}
				if took := time.Since(begin); took > timeout || int64(len(a.body)) > w.limit {
					t.Errorf("took %v, %d bytes", took, len(a.body))
				}
			})
		})
	}
}

// Ensure neither the address nor what a server echoes brings a secret into an
// error.
func TestErrorsHideSecrets(t *testing.T) { synctest.Test(t, errorsHideSecrets) }

func errorsHideSecrets(t *testing.T) {
	script, w, url := failing(t, Net{Timeout: 200 * time.Millisecond}, "t0ken")
	script.Next(fault.Fault{Status: 403, Body: "token t0ken is wrong"}, fault.Fault{Reset: true}, fault.Fault{Delay: time.Minute})
	a, err := post(t, w, url+"/rest/t0ken/?key=t0ken")
	if err != nil {
		t.Fatal(err)
	}
	errs := []error{w.failure(a, t0)}
	for range 2 {
		_, err := post(t, w, url+"/rest/t0ken/?key=t0ken")
		errs = append(errs, err)
	}
	_, err = post(t, w, "http://127.0.0.1:1/rest/t0ken/")
	for _, err := range append(errs, err) {
		if err == nil || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("error: %v", err)
		}
	}
	if !strings.Contains(errs[0].Error(), "token **** is wrong") {
		t.Errorf("error: %v", errs[0])
	}
}

func TestTLSIsChecked(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]bool{"": false, ca: true} {
		w, err := newWeb(Net{AllowPrivate: true, CAFile: file})
		if err != nil {
			t.Fatal(err)
		}
		a, err := post(t, w, srv.URL)
		if (err == nil && a.status == 204) != want {
			t.Errorf("ca %q: %d, %v", file, a.status, err)
		}
		w.client.CloseIdleConnections()
	}
}

// Ensure whatever a receiver answers gives an error that is short and safe to
// print, and a wait within bounds.
func FuzzAnswer(f *testing.F) {
	f.Add(500, "30", []byte("db down"))
	f.Add(429, "Sat, 21 Mar 2026 08:31:30 GMT", []byte("\x1b[31m\xff\u202e"))
	f.Add(302, "", []byte("<html>"))
	w := &web{secrets: []string{"t0ken"}}
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		err := w.failure(answer{status: status, header: http.Header{"Retry-After": {after}}, body: body}, t0)
		text := err.Error()
		if strings.ContainsAny(text, "\x1b\r\n\u202e") || len(text) > 2000 || strings.Contains(text, "t0ken") {
			t.Errorf("%q", text)
		}
		var p *pause
		if errors.As(err, &p) && (p.after < 0 || p.after > maxRetryAfter) {
			t.Errorf("wait %v", p.after)
		}
	})
}
