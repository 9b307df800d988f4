package asterisk

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/asterisk/fastagi"
	"markaz/call"
	"markaz/dialplan"
)

// agiRig is a FastAGI server with a desk, and a host that writes down what it
// is told.
type agiRig struct {
	t      testing.TB
	server *fastagi.Server
	desk   *agiDesk

	mu     sync.Mutex
	legs   map[string]holder
	events []call.Event
	news   chan struct{} // closed when something is told
	onTell func(call.Event)
	seen   map[int]bool
	quiet  bool // events are not kept
}

func newAGIRig(t testing.TB, change ...func(*agiDeps)) *agiRig {
	t.Helper()
	r := &agiRig{t: t, legs: map[string]holder{}, news: make(chan struct{}), seen: map[int]bool{}}
	ids := 0
	deps := agiDeps{
		host: r, refuse: func() bool { return false }, now: time.Now,
		log: slog.New(slog.NewTextHandler(t.Output(), nil)), room: 8,
		newID: func() string { ids++; return fmt.Sprintf("CALL%d", ids) },
	}
	for _, c := range change {
		c(&deps)
	}
	r.desk = newAGIDesk(deps)
	r.server = &fastagi.Server{Config: fastagi.DefaultConfig(), Handler: r.desk.serve, Log: deps.log}
	r.server.Config.Listen, r.server.Config.Drain = "127.0.0.1:0", 0
	if err := r.server.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := r.server.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return r
}

func (r *agiRig) hold(h holder, started call.Event) {
	r.mu.Lock()
	r.legs[started.Leg] = h
	r.mu.Unlock()
	r.emit(started)
}

func (r *agiRig) handedOver(leg string)  { r.emit(call.Event{Kind: "test.handed_over", Leg: leg}) }
func (r *agiRig) letGo(ended call.Event) { r.emit(ended) }

func (r *agiRig) failed(a call.Action, reason string) {
	r.emit(call.Event{Kind: call.ActionFailed, Leg: legOf(a), Ref: name(a), Reason: reason})
}

func (r *agiRig) emit(e call.Event) {
	e.At = time.Now()
	if !r.quiet {
		r.mu.Lock()
		r.events = append(r.events, e)
		close(r.news)
		r.news = make(chan struct{})
		r.mu.Unlock()
	}
	if r.onTell != nil {
		r.onTell(e)
	}
}

// await returns the first event of a kind that was not awaited before.
func (r *agiRig) await(kind call.Kind) call.Event {
	r.t.Helper()
	late := time.After(10 * time.Second)
	for {
		r.mu.Lock()
		news := r.news
		for i, e := range r.events {
			if e.Kind == kind && !r.seen[i] {
				r.seen[i] = true
				r.mu.Unlock()
				return e
			}
		}
		r.mu.Unlock()
		select {
		case <-news:
		case <-late:
			r.t.Fatalf("no %s came; what came:\n%s", kind, r.told())
		}
	}
}

// told writes all events, one a line.
func (r *agiRig) told() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, e := range r.events {
		fmt.Fprintf(&b, "  %s ref=%s reason=%s text=%s digits=%s result=%s by=%s cause=%d\n", e.Kind, e.Ref, e.Reason, e.Text, e.Digits, e.Result, e.By, e.Cause)
	}
	return b.String()
}

func (r *agiRig) count(kind call.Kind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// ask has the leg do something, which must be taken.
func (r *agiRig) ask(actions ...call.Action) {
	r.t.Helper()
	for _, a := range actions {
		r.mu.Lock()
		h := r.legs[legOf(a)]
		r.mu.Unlock()
		if h == nil || !h.do(a) {
			r.t.Fatalf("%T was not taken", a)
		}
	}
}

// inbound begins the call that most tests use.
func (r *agiRig) inbound() *fakeCall {
	r.t.Helper()
	f := r.ring("inbound", map[string]string{dialplan.VarTo: "02112345678", dialplan.VarTrunk: "trunk", dialplan.VarLease: "10"})
	r.await(call.CallStarted)
	return f
}
