// Package fault makes a web server fail as real ones do: it answers with an
// error before or after having done its work, is slow, breaks connections off,
// redirects, and sends answers without end. The servers that CRM connectors
// are tested against are wrapped in it. It never takes part in the product.
package fault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"
)

// Fault is one way to fail. The zero value is none.
type Fault struct {
	Status     int           `json:"status"`      // answer this; 0: what the server answers
	RetryAfter string        `json:"retry_after"` // header of that name
	Location   string        `json:"location"`    // header of that name
	Body       string        `json:"body"`        // with Status
	Work       bool          `json:"work"`        // do the work before failing: the client is told wrong
	Delay      time.Duration `json:"delay_ns"`    // before anything else
	Reset      bool          `json:"reset"`       // break the connection off instead of answering
	Drip       time.Duration `json:"drip_ns"`     // send a byte of the body now and then, for ever
	Giant      int64         `json:"giant"`       // send a body of so many bytes
}

// Script says how the next requests fare: each takes the first fault that is
// left, then the standing one.
type Script struct {
	mu       sync.Mutex
	next     []Fault
	standing Fault
	taken    int
}

// Next adds faults, each for one request.
func (s *Script) Next(f ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next = append(s.next, f...)
}

// Clear forgets all faults.
func (s *Script) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next, s.standing = nil, Fault{}
}

// Always sets the fault of all requests that have none of their own; the zero
// Fault ends it.
func (s *Script) Always(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing = f
}

// Taken counts the requests so far.
func (s *Script) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}

func (s *Script) take() Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken++
	if len(s.next) == 0 {
		return s.standing
	}
	f := s.next[0]
	s.next = s.next[1:]
	return f
}

// ServeHTTP lets a fault be set from outside: POST adds one for the next
// request, PUT sets the standing one.
func (s *Script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&f); err != nil {
		http.Error(w, fmt.Sprintf("want a fault as JSON: %v", err), http.StatusBadRequest)
		return
	}
	switch r.Method {
	case http.MethodPost:
		s.Next(f)
	case http.MethodPut:
		s.Always(f)
	default:
		http.Error(w, "want POST or PUT", http.StatusMethodNotAllowed)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// Wrap lets a server fail by the script.
func Wrap(h http.Handler, s *Script) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.take()
		// Only a request that was read to its end tells that its client left.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 8<<20))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if f.Delay > 0 {
			select {
			case <-time.After(f.Delay):
			case <-r.Context().Done():
				return
			}
		}
		if f.failing() {
			f.serve(w, r, h)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func (f Fault) failing() bool { return f.Status != 0 || f.Reset || f.Drip > 0 || f.Giant > 0 }

func (f Fault) serve(w http.ResponseWriter, r *http.Request, h http.Handler) {
	if f.Work {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if f.Reset {
		panic(http.ErrAbortHandler)
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Location != "" {
		w.Header().Set("Location", f.Location)
	}
	if f.Status != 0 {
		w.WriteHeader(f.Status)
	}
	fmt.Fprint(w, f.Body)
	f.flood(w)
	f.drip(w, r)
}

func (f Fault) flood(w http.ResponseWriter) {
	chunk := make([]byte, 1<<16)
	for sent := int64(0); sent < f.Giant; sent += int64(len(chunk)) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func (f Fault) drip(w http.ResponseWriter, r *http.Request) {
	if f.Drip == 0 {
		return
	}
	tick := time.NewTicker(f.Drip)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
			if _, err := w.Write([]byte(".")); err != nil {
				return
			}
			if fl, ok := w.(http.Flusher); ok {
				fl.Flush()
			}
		}
	}
}
