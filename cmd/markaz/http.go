package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"markaz/access/gate"
	"markaz/apps"
	"markaz/call"
	"markaz/operator"
)

// httpConfig says where people and machines look in.
type httpConfig struct {
	Listen string          `yaml:"listen"` // host:port; loopback unless said otherwise
	Token  operator.Secret `yaml:"token"`  // bearer token of the API; without one the API is off
}

func (c httpConfig) Validate() error {
	if c.Listen == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen: want host:port, have %q", c.Listen)
	}
	return nil
}

// desk is the HTTP side: health, metrics, and the API.
type desk struct {
	loop   *apps.Loop
	gate   *gate.Gate
	ready  func(context.Context) []check
	public http.Handler // below /r/ and /crm/; nil: has an address of its own
	mounts []func(*http.ServeMux) error
	reg    *prometheus.Registry
	log    *slog.Logger
}

// check is one dependency's state.
type check struct {
	Name     string `json:"name"`
	Error    string `json:"error,omitempty"`
	Degraded bool   `json:"degraded,omitempty"` // calls are served all the same
}

func (d *desk) handler() (http.Handler, error) {
	mux := http.NewServeMux()
	alive := func(w http.ResponseWriter, r *http.Request) { d.alive(w, r) }
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /readyz", d.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.reg, promhttp.HandlerOpts{Registry: d.reg}))
	d.gate.Routes(mux)
	for _, mount := range d.mounts {
		if err := mount(mux); err != nil {
			return nil, err
		}
	}
	outer := http.NewServeMux()
	outer.Handle("/", d.gate.Protect(mux))
	if d.public != nil { // other sites' pages may show what is there
		outer.Handle("/r/", d.public)
		outer.Handle("/crm/", d.public)
	}
	return outer, nil
}

// alive asks the loop for a turn: a frozen loop is a dead server.
func (d *desk) alive(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := d.loop.View(ctx, func(call.Book) {}); err != nil {
		problem(w, http.StatusServiceUnavailable, "E5030", "The loop does not take its turns.")
		return
	}
	answer(w, http.StatusOK, map[string]string{"status": "ok"})
}

func (d *desk) readyz(w http.ResponseWriter, r *http.Request) {
	checks := d.ready(r.Context())
	status, word := http.StatusOK, "ok"
	for _, c := range checks {
		switch {
		case c.Error == "":
		case c.Degraded:
			if status == http.StatusOK {
				word = "degraded"
			}
		default:
			status, word = http.StatusServiceUnavailable, "not ready"
		}
	}
	answer(w, status, map[string]any{"status": word, "checks": checks})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client went away
}

// problem answers in the form of RFC 9457.
func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"status": status, "title": http.StatusText(status), "code": code, "detail": detail,
	}) // the client went away
}

// serveHTTP runs a server until ctx ends.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	stopped := make(chan error, 1)
	go func() { stopped <- srv.Serve(l) }()
	select {
	case err := <-stopped:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(end), ignoreClosed(<-stopped))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
