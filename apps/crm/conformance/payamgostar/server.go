// Package payamgostar is a stand-in for a PayamGostar CRM that enforces the
// rules of its telephony interface, version 1, as far as its own client
// (1stco/PayamGostarApiClient) and that of OpenCRM show them: log-in and expiry,
// lock-out, the telephony system's key, peers, required fields, the order of
// calls and channels. That a repeated SourceId gives the same call again is
// assumed by the name of updateIdentity's CallSourceId; Forgetful makes it a
// server that forgets. Connectors are tested against it; it never takes part
// in the product.
package payamgostar

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"markaz/apps/crm/fault"
)

// Options are how the CRM is set up.
type Options struct {
	Username, Password string
	Key                string            // of its telephony system
	LearnPeers         bool              // UpdatePeersIfNotExists: it adds peers that it does not know
	Peers              []string          // that it knows
	Users              map[string]string // id of the user of a peer
	Identities         map[string]string // name by number
	TokenLife          time.Duration     // default 1 h
	Forgetful          bool              // a repeated SourceId makes another call
	Now                func() time.Time
}

// Call is a call that the CRM holds.
type Call struct {
	ID       int64
	Source   string
	Number   string
	Type     int // Missed=1, Received=2, Outgoing=3, Internal=4
	Start    time.Time
	End      time.Time // zero while it goes on
	Live     bool      // told as live when it began
	MergedTo int64
	Channels []Channel
}

// Channel is a party of a call.
type Channel struct {
	ID        int64
	Source    string
	Peer      string
	PeerType  int // Extension=1, Trunk=2
	Status    int // Down=1, Ringing=2, Up=3, HangUp=4
	Response  int // NotAnswered=1, Answered=2, Busy=3, Transfered=4
	Connected time.Time
	Ended     time.Time
	File      string
}

// Server is a PayamGostar.
type Server struct {
	opt     Options
	script  fault.Script
	handler http.Handler

	mu      sync.Mutex
	calls   []*Call
	serial  int64
	tokens  map[string]time.Time // expiry
	wrong   int                  // passwords in a row
	locked  time.Time
	peers   []string
	popUps  []string // extensions at which something popped up
	logins  int
	learned []string
}

// New makes a server.
func New(opt Options) *Server {
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.TokenLife == 0 {
		opt.TokenLife = time.Hour
	}
	s := &Server{opt: opt, tokens: map[string]time.Time{}, peers: slices.Clone(opt.Peers)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/auth", s.auth)
	for pattern, handle := range map[string]func(*http.Request) (any, *refusal){
		"GET /api/v1/telephony":                   s.systems,
		"GET /api/v1/telephony/{key}/peer/{name}": s.getPeer,
		"POST /api/v1/telephony/{key}/peer":       s.addPeer,
		"POST /api/v1/telephony/call":             s.createCall,
		"PUT /api/v1/telephony/call":              s.updateCall,
		"GET /api/v1/telephony/call/active":       s.active,
		"PUT /api/v1/telephony/call/merge":        s.merge,
		"POST /api/v1/telephony/channel":          s.createChannel,
		"PUT /api/v1/telephony/channel":           s.updateChannel,
	} {
		mux.HandleFunc(pattern, s.authorised(handle))
	}
	s.handler = fault.Wrap(mux, &s.script)
	return s
}

// Script lets the server fail.
func (s *Server) Script() *fault.Script { return &s.script }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Calls are what the CRM holds.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Call, len(s.calls))
	for i, c := range s.calls {
		out[i] = *c
		out[i].Channels = slices.Clone(c.Channels)
	}
	return out
}

// PopUps are the extensions at which a call has popped up, in order.
func (s *Server) PopUps() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.popUps)
}

// Learned are the peers that were added.
func (s *Server) Learned() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.learned)
}

// Logins counts how often somebody has logged in.
func (s *Server) Logins() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins
}

// refusal is an error answer.
type refusal struct {
	status int
	text   string
}

func refuse(status int, format string, args ...any) *refusal {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}

// maxWrong passwords lock the user out for a while.
const (
	maxWrong = 5
	lockout  = 10 * time.Minute
)

func (s *Server) auth(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.opt.Now()
	switch {
	case r.FormValue("grant_type") != "password":
		write(w, 400, map[string]string{"error": "unsupported_grant_type"})
	case now.Before(s.locked):
		write(w, 403, map[string]string{"error": "user locked out temporarily"})
	case r.FormValue("username") != s.opt.Username || r.FormValue("password") != s.opt.Password:
		if s.wrong++; s.wrong >= maxWrong {
			s.locked, s.wrong = now.Add(lockout), 0
		}
		write(w, 401, map[string]string{"error": "invalid_grant"})
	default:
		s.wrong = 0
		s.logins++
		token := fmt.Sprintf("token-%d", s.logins)
		s.tokens[token] = now.Add(s.opt.TokenLife)
		write(w, 200, map[string]any{"access_token": token, "expires_in": int(s.opt.TokenLife.Seconds()), "token_type": "bearer"})
	}
}

func (s *Server) authorised(handle func(*http.Request) (any, *refusal)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var token string
		_, _ = fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %s", &token) // none is no token
		if !s.opt.Now().Before(s.tokens[token]) {
			write(w, 401, map[string]string{"Message": "Authorization has been denied for this request."})
			return
		}
		v, no := handle(r)
		if no != nil {
			write(w, no.status, map[string]string{"Message": no.text})
			return
		}
		write(w, 200, v)
	}
}

func (s *Server) systems(*http.Request) (any, *refusal) {
	return []map[string]any{{"Key": s.opt.Key, "Name": "office", "UpdatePeersIfNotExists": s.opt.LearnPeers}}, nil
}

func (s *Server) getPeer(r *http.Request) (any, *refusal) {
	name := r.PathValue("name")
	if r.PathValue("key") != s.opt.Key || !slices.Contains(s.peers, name) {
		return nil, refuse(404, "peer not found")
	}
	peer := map[string]any{"Name": name, "TelephonySystemKey": s.opt.Key, "UserId": nil}
	if id := s.opt.Users[name]; id != "" {
		peer["UserId"] = id
	}
	return peer, nil
}

func (s *Server) addPeer(r *http.Request) (any, *refusal) {
	var p struct {
		Name string
		Type int `json:"TelephonySystemPeerType"`
	}
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil || p.Name == "" || p.Type < 1 || p.Type > 2 {
		return nil, refuse(400, "Name and TelephonySystemPeerType (1 or 2) are required")
	}
	if r.PathValue("key") != s.opt.Key {
		return nil, refuse(404, "telephony system not found")
	}
	if slices.Contains(s.peers, p.Name) {
		return nil, refuse(400, "peer already exists")
	}
	s.peers = append(s.peers, p.Name)
	s.learned = append(s.learned, p.Name)
	return map[string]any{"Name": p.Name, "TelephonySystemKey": s.opt.Key}, nil
}

// knows checks a peer, and adds it if the telephony system learns.
func (s *Server) knows(peer string) *refusal {
	if slices.Contains(s.peers, peer) {
		return nil
	}
	if !s.opt.LearnPeers {
		return refuse(400, "peer %q does not exist in the telephony system", peer)
	}
	s.peers = append(s.peers, peer)
	s.learned = append(s.learned, peer)
	return nil
}

func (s *Server) next() int64 { s.serial++; return s.serial }

// date reads a required date; it must bear its offset.
func date(text string) (time.Time, *refusal) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, refuse(400, "date %s", strconv.Quote(text))
	}
	return t.UTC(), nil
}
