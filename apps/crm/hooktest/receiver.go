// Package hooktest is a receiver of Markaz web hooks as a careful integrator
// would write it: it verifies every signature with the published library of
// Standard Webhooks, reads the CloudEvents envelope, keeps each event once, and
// complains about whatever breaks the contract. Tests and the demonstration
// use it; it never takes part in the product.
package hooktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"markaz/apps/crm/fault"
	"markaz/call"
)

// Event is one event that was received and kept.
type Event struct {
	ID       string
	Type     string
	Source   string
	Subject  string // id of the call
	Sequence string
	At       time.Time // when it was received first
	Event    call.Event
	Call     *call.Call // the record, in call.ended, call.amended and call.merged
	Body     []byte
}

// Receiver is a web-hook end point. It answers 204 to what it keeps, 401 to a
// bad signature and 400 to a bad envelope.
type Receiver struct {
	verifiers []*standardwebhooks.Webhook
	now       func() time.Time // nil: the library's own clock
	script    fault.Script
	handler   http.Handler

	mu      sync.Mutex
	events  []Event
	byID    map[string][]byte
	last    map[string]string // highest sequence by call
	repeats int
	broken  []string
	changed chan struct{}
}

// New makes a receiver that accepts signatures by any of the secrets
// (whsec_…).
func New(secrets ...string) (*Receiver, error) {
	r := &Receiver{byID: map[string][]byte{}, last: map[string]string{}, changed: make(chan struct{})}
	for _, s := range secrets {
		v, err := standardwebhooks.NewWebhook(s)
		if err != nil {
			return nil, fmt.Errorf("make receiver: %w", err)
		}
		r.verifiers = append(r.verifiers, v)
	}
	r.handler = fault.Wrap(http.HandlerFunc(r.take), &r.script)
	return r, nil
}

// Clock lets the receiver judge the age of signatures by another clock than
// this machine's. It is to be called before the first request.
func (r *Receiver) Clock(now func() time.Time) { r.now = now }

// Script lets the receiver fail.
func (r *Receiver) Script() *fault.Script { return &r.script }

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.handler.ServeHTTP(w, req) }

func (r *Receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		http.Error(w, "read body: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := r.verify(body, req.Header); err != nil {
		r.complain("%v", err)
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	e, err := read(req, body)
	if err != nil {
		r.complain("event %s: %v", req.Header.Get("webhook-id"), err)
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.keep(e)
	w.WriteHeader(http.StatusNoContent)
}

func (r *Receiver) verify(body []byte, h http.Header) error {
	err := errors.New("receiver has no secret")
	for _, v := range r.verifiers {
		if r.now == nil {
			err = v.Verify(body, h)
		} else if err = v.VerifyIgnoringTimestamp(body, h); err == nil {
			err = fresh(h, r.now())
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// fresh reports a signature that is older or newer than five minutes, as the
// library does by the machine's clock.
func fresh(h http.Header, now time.Time) error {
	unix, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
	if err != nil {
		return fmt.Errorf("read timestamp: %w", err)
	}
	if age := now.Sub(time.Unix(unix, 0)).Abs(); age > 5*time.Minute {
		return fmt.Errorf("timestamp is off by %v", age)
	}
	return nil
}

// read checks the envelope by CloudEvents 1.0 and by our own contract.
func read(req *http.Request, body []byte) (Event, error) {
	var env struct {
		SpecVersion, ID, Source, Type, Subject, DataContentType, DataSchema, Sequence string

		Time time.Time
		Data struct {
			Event call.Event
			Call  *call.Call
		}
	}
	if err := json.Unmarshal(body, &env); err != nil {
		return Event{}, fmt.Errorf("decode envelope: %w", err)
	}
	e := env.Data.Event
	for _, check := range []struct {
		ok   bool
		what string
	}{
		{req.Method == http.MethodPost, "method is not POST"},
		{strings.HasPrefix(req.Header.Get("Content-Type"), "application/cloudevents+json"), "media type is not that of CloudEvents"},
		{env.SpecVersion == "1.0", "specversion is not 1.0"},
		{env.ID != "" && env.ID == req.Header.Get("webhook-id"), "id is not webhook-id"},
		{env.ID == e.ID, "id is not that of the event"},
		{env.Source == "markaz/"+e.Source, "source is not that of the event"},
		{env.Type == fmt.Sprintf("org.markaz.%s.v%d", e.Kind, e.V), "type is not that of the event"},
		{env.Subject == e.Call, "subject is not the call"},
		{env.Time.Equal(e.At), "time is not that of the event"},
		{env.DataContentType == "application/json", "datacontenttype is not application/json"},
		{env.DataSchema != "", "dataschema is missing"},
		{(env.Sequence == "") == (e.Seq == 0), "sequence is missing"},
		{!e.Kind.Transient(), "event is one that is never told"},
		{env.Data.Call == nil || env.Data.Call.ID == e.Call, "record is that of another call"},
	} {
		if !check.ok {
			return Event{}, errors.New(check.what)
		}
	}
	return Event{
		ID: env.ID, Type: env.Type, Source: env.Source, Subject: env.Subject, Sequence: env.Sequence,
		At: time.Now(), Event: e, Call: env.Data.Call, Body: body,
	}, nil
}

func (r *Receiver) keep(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if before, ok := r.byID[e.ID]; ok {
		r.repeats++
		if !bytes.Equal(before, e.Body) {
			r.broken = append(r.broken, fmt.Sprintf("event %s came again with another content", e.ID))
		}
		return
	}
	r.byID[e.ID] = e.Body
	if e.Subject != "" && e.Sequence != "" {
		if e.Sequence <= r.last[e.Subject] {
			r.broken = append(r.broken, fmt.Sprintf("call %s: %s came after %s", e.Subject, e.Sequence, r.last[e.Subject]))
		}
		r.last[e.Subject] = e.Sequence
	}
	r.events = append(r.events, e)
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Receiver) complain(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = append(r.broken, fmt.Sprintf(format, args...))
}

// Events returns what was kept, in the order in which it came.
func (r *Receiver) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

// Of returns the events of one call.
func (r *Receiver) Of(callID string) []Event {
	return slices.DeleteFunc(r.Events(), func(e Event) bool { return e.Subject != callID })
}

// Repeats counts events that came again after they had been kept, as they may
// when an answer was lost.
func (r *Receiver) Repeats() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.repeats
}

// Broken returns what broke the contract: bad signatures and envelopes, events
// of a call out of order, contents that changed.
func (r *Receiver) Broken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.broken)
}

// Wait returns when the events that were kept satisfy the condition.
func (r *Receiver) Wait(ctx context.Context, enough func([]Event) bool) error {
	for {
		r.mu.Lock()
		changed, events := r.changed, slices.Clone(r.events)
		r.mu.Unlock()
		if enough(events) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for web hooks, %d came: %w", len(events), ctx.Err())
		}
	}
}
