package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"markaz/access/gate"
	"markaz/apps"
	"markaz/call"
	"markaz/operator"
	"markaz/queue"
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
	post   func(context.Context, call.Event) bool
	gate   *gate.Gate
	agents func(name string) bool // whether there is such an agent
	ready  func(context.Context) []check
	floor  func(context.Context) (queue.Snapshot, error)
	public http.Handler // below /r/ and /crm/; nil: has an address of its own
	token  operator.Secret
	reg    *prometheus.Registry
	log    *slog.Logger
}

// check is one dependency's state.
type check struct {
	Name     string `json:"name"`
	Error    string `json:"error,omitempty"`
	Degraded bool   `json:"degraded,omitempty"` // calls are served all the same
}

func (d *desk) handler() http.Handler {
	mux := http.NewServeMux()
	alive := func(w http.ResponseWriter, r *http.Request) { d.alive(w, r) }
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /readyz", d.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.reg, promhttp.HandlerOpts{Registry: d.reg}))
	if d.public != nil {
		mux.Handle("/r/", d.public)
		mux.Handle("/crm/", d.public)
	}
	mux.Handle("GET /v1/calls", d.guarded(d.calls))
	mux.Handle("GET /v1/floor", d.guarded(d.showFloor))
	mux.Handle("PUT /v1/agents/{agent}/state", d.guarded(d.agentState))
	d.gate.Routes(mux)
	return d.gate.Protect(mux)
}

// guarded lets only holders of the token in.
func (d *desk) guarded(h http.HandlerFunc) http.Handler {
	want := sha256.Sum256([]byte("Bearer " + string(d.token)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		have := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if d.token == "" || subtle.ConstantTimeCompare(want[:], have[:]) != 1 {
			problem(w, http.StatusUnauthorized, "E4010", "The API wants the header Authorization: Bearer with the token of http.token.")
			return
		}
		h(w, r)
	})
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

// calls answers with the calls that are going on, oldest first.
func (d *desk) calls(w http.ResponseWriter, r *http.Request) {
	var out []json.RawMessage
	var failed error
	err := d.loop.View(r.Context(), func(b call.Book) {
		live := make([]*call.Call, 0, len(b))
		for _, c := range b {
			if !c.Over() {
				live = append(live, c)
			}
		}
		slices.SortFunc(live, func(x, y *call.Call) int { return strings.Compare(x.ID, y.ID) })
		for _, c := range live {
			text, err := json.Marshal(c)
			failed = errors.Join(failed, err)
			out = append(out, text)
		}
	})
	if err := errors.Join(err, failed); err != nil {
		d.log.Error("live calls not shown", "err", err)
		problem(w, http.StatusServiceUnavailable, "E5031", "The calls cannot be read now.")
		return
	}
	answer(w, http.StatusOK, map[string]any{"calls": out})
}

// showFloor answers with queues and agents as they stand.
func (d *desk) showFloor(w http.ResponseWriter, r *http.Request) {
	snap, err := d.floor(r.Context())
	if err != nil {
		problem(w, http.StatusServiceUnavailable, "E5031", "The queues cannot be read now.")
		return
	}
	answer(w, http.StatusOK, snap)
}

// agentState asks for an agent's state: available, ready, paused, offline.
func (d *desk) agentState(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		State  string `json:"state"`
		Reason string `json:"reason"`
	}
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4096))
	body.DisallowUnknownFields()
	if err := body.Decode(&ask); err != nil {
		problem(w, http.StatusBadRequest, "E4000", `The body must be {"state": "available", "reason": ""}.`)
		return
	}
	if !slices.Contains([]string{"available", "ready", "paused", "offline"}, ask.State) {
		problem(w, http.StatusUnprocessableEntity, "E4220", "The state must be available, ready, paused or offline.")
		return
	}
	agent := r.PathValue("agent")
	if !d.agents(agent) {
		problem(w, http.StatusNotFound, "E4040", "There is no such agent in the configuration.")
		return
	}
	if !d.post(r.Context(), call.Event{Kind: call.AgentAsked, Agent: agent, State: ask.State, Reason: call.Clean(ask.Reason, 80)}) {
		problem(w, http.StatusServiceUnavailable, "E5032", "Markaz is stopping.")
		return
	}
	answer(w, http.StatusAccepted, map[string]string{"agent": agent, "asked": ask.State})
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
