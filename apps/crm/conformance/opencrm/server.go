// Package opencrm is a stand-in for a CRM that follows the OpenCRM contract
// (1stco/AbrPlus.Integration.OpenCRM with its documents and sample CRM), and
// enforces it: Basic authentication, mandatory fields, the words of each
// field, calls before channels and creations before updates. Connectors are
// tested against it; it never takes part in the product.
package opencrm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"markaz/apps/crm/fault"
)

// Options are how the CRM is set up.
type Options struct {
	Username, Password string // both empty: no authentication
	Key                string
	Identities         map[string]string // name by number
	TextIDs            bool              // its ids are texts, as in the sample CRM, not numbers
}

// Call is a call that the CRM holds.
type Call struct {
	ID       string
	Source   string
	Number   string
	Type     string
	Result   string
	Start    time.Time
	End      *time.Time
	Live     bool
	MergedTo string
	Channels []Channel
}

// Channel is a party of a call.
type Channel struct {
	ID        string
	Source    string
	Peer      string
	PeerType  string
	State     string
	Response  string
	Connected *time.Time
	Ended     *time.Time
	File      string
}

// Server is a CRM.
type Server struct {
	opt     Options
	script  fault.Script
	handler http.Handler

	mu     sync.Mutex
	calls  []*Call
	serial int
}

// New makes a server.
func New(opt Options) *Server {
	s := &Server{opt: opt}
	mux := http.NewServeMux()
	for name, handle := range map[string]func(message) (any, error){
		"CallCreated": s.callCreated, "CallUpdated": s.callUpdated, "CallChannelCreated": s.channelCreated,
		"CallChannelUpdated": s.channelUpdated, "MergeCall": s.merge,
	} {
		mux.HandleFunc("POST /call/"+name, func(w http.ResponseWriter, r *http.Request) { s.handle(w, r, handle) })
	}
	mux.HandleFunc("GET /identity/findByPhoneNumber", s.find)
	s.handler = fault.Wrap(s.authorised(mux), &s.script)
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

func (s *Server) authorised(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, ok := r.BasicAuth()
		if s.opt.Username != "" && (!ok || user != s.opt.Username || password != s.opt.Password) {
			w.Header().Set("WWW-Authenticate", `Basic realm="CRM"`)
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// message holds the fields of every request.
type message struct {
	TsKey, CallID, SourceCallID, Number, CallType, CallResult string

	SourceInitCallChannelID, SourceInitCallChannelPeerName, SourceInitCallChannelPeerType string

	ChannelID, SourceCallChannelID, PeerName, PeerType, ChannelState, ChannelResponse, RecordedFileName string

	IsLive *bool

	Date, CreateDate, ConnectDate, HangupDate *time.Time

	from, to int64
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request, handle func(message) (any, error)) {
	var m message
	var err error
	if strings.HasSuffix(r.URL.Path, "/MergeCall") {
		var ids struct {
			TsKey                    string
			SourceCallID, DestCallID int64
		}
		err = json.NewDecoder(r.Body).Decode(&ids)
		m.TsKey, m.from, m.to = ids.TsKey, ids.SourceCallID, ids.DestCallID
	} else {
		err = json.NewDecoder(r.Body).Decode(&m)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var v any
	if err == nil && m.TsKey != s.opt.Key {
		err = fmt.Errorf("TsKey %q does not exist", m.TsKey)
	}
	if err == nil {
		v, err = handle(m)
	}
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		v = map[string]string{"title": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(v) // the client has gone
}

// word checks a field that has one of a few words.
func word(name, have string, allowed ...string) error {
	for _, a := range allowed {
		if strings.EqualFold(a, have) {
			return nil
		}
	}
	return fmt.Errorf("%s is %q, not one of %v", name, have, allowed)
}

func need(fields map[string]string, live *bool) error {
	for name, v := range fields {
		if v == "" {
			return fmt.Errorf("%s is mandatory", name)
		}
	}
	if live == nil {
		return errors.New("field IsLive is mandatory")
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func callWords(m message) error {
	return first(
		word("CallType", m.CallType, "Incoming", "Outgoing", "Internal"),
		word("CallResult", m.CallResult, "Answered", "NotAnswered"),
	)
}

func states() []string {
	return []string{"Down", "Reserved", "OffHook", "Dialing", "Ring", "Ringing", "Up", "Busy", "DialingOffhook", "PreRing", "Unknown", "Hangedup"}
}

// id makes the CRM's id for something of ours.
func (s *Server) id(source string) string {
	if s.opt.TextIDs {
		return source
	}
	s.serial++
	return strconv.Itoa(1000 + s.serial)
}

func (s *Server) callCreated(m message) (any, error) {
	err := first(
		need(map[string]string{
			"SourceCallId": m.SourceCallID, "Number": m.Number, "SourceInitCallChannelId": m.SourceInitCallChannelID,
			"SourceInitCallChannelPeerName": m.SourceInitCallChannelPeerName,
		}, m.IsLive),
		callWords(m),
		word("SourceInitCallChannelPeerType", m.SourceInitCallChannelPeerType, "Extension", "Trunk"),
	)
	if err == nil && m.Date == nil {
		err = errors.New("field Date is mandatory")
	}
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.calls, func(c *Call) bool { return c.Source == m.SourceCallID })
	if i < 0 {
		i = len(s.calls)
		s.calls = append(s.calls, &Call{
			ID: s.id(m.SourceCallID), Source: m.SourceCallID, Number: m.Number, Type: m.CallType, Result: m.CallResult, Start: *m.Date, Live: *m.IsLive,
			Channels: []Channel{{ID: s.id(m.SourceInitCallChannelID), Source: m.SourceInitCallChannelID, Peer: m.SourceInitCallChannelPeerName, PeerType: m.SourceInitCallChannelPeerType, State: "Ringing"}},
		})
	}
	c := s.calls[i]
	out := map[string]any{"callId": c.ID, "initCallChannelId": c.Channels[0].ID, "identityId": nil, "identityName": nil}
	if name, ok := s.opt.Identities[m.Number]; ok {
		out["identityId"], out["identityName"] = "77", name
	}
	return out, nil
}

func (s *Server) byID(id string) (*Call, error) {
	for _, c := range s.calls {
		if c.ID == id {
			return c, nil
		}
	}
	return nil, fmt.Errorf("call %q does not exist", id)
}

func (s *Server) callUpdated(m message) (any, error) {
	c, err := s.byID(m.CallID)
	if err = first(err, need(map[string]string{"Number": m.Number}, m.IsLive), callWords(m)); err != nil {
		return nil, err
	}
	c.Number, c.Type, c.Result, c.End = m.Number, m.CallType, m.CallResult, m.Date
	return map[string]any{"identityId": nil, "identityName": nil}, nil
}

func (s *Server) channelCreated(m message) (any, error) {
	c, err := s.byID(m.CallID)
	err = first(
		err, need(map[string]string{"PeerName": m.PeerName, "SourceCallChannelId": m.SourceCallChannelID}, m.IsLive),
		word("PeerType", m.PeerType, "Extension", "Trunk"), word("ChannelState", m.ChannelState, states()...),
	)
	if err == nil && m.CreateDate == nil {
		err = errors.New("field CreateDate is mandatory")
	}
	if err != nil {
		return nil, err
	}
	for _, ch := range c.Channels {
		if ch.Source == m.SourceCallChannelID {
			return map[string]any{"callChannelId": ch.ID}, nil
		}
	}
	ch := Channel{ID: s.id(m.SourceCallChannelID), Source: m.SourceCallChannelID, Peer: m.PeerName, PeerType: m.PeerType, State: m.ChannelState}
	c.Channels = append(c.Channels, ch)
	return map[string]any{"callChannelId": ch.ID}, nil
}

func (s *Server) channelUpdated(m message) (any, error) {
	err := first(
		need(map[string]string{"ChannelId": m.ChannelID}, m.IsLive), word("ChannelState", m.ChannelState, states()...),
		word("ChannelResponse", m.ChannelResponse, "NotAnswered", "Answered", "Busy", "Transfered", "Failed", "Unavailable"),
	)
	if err != nil {
		return nil, err
	}
	for _, c := range s.calls {
		for i := range c.Channels {
			if ch := &c.Channels[i]; ch.ID == m.ChannelID {
				ch.State, ch.Response, ch.Connected, ch.Ended, ch.File = m.ChannelState, m.ChannelResponse, m.ConnectDate, m.HangupDate, m.RecordedFileName
				return map[string]any{"callChannelId": ch.ID}, nil
			}
		}
	}
	return nil, fmt.Errorf("channel %q does not exist", m.ChannelID)
}

func (s *Server) merge(m message) (any, error) {
	from, err := s.byID(strconv.FormatInt(m.from, 10))
	into, err2 := s.byID(strconv.FormatInt(m.to, 10))
	if err = first(err, err2); err != nil {
		return nil, err
	}
	from.MergedTo = into.ID
	return map[string]any{"merged": true}, nil
}

func (s *Server) find(w http.ResponseWriter, r *http.Request) {
	name, ok := s.opt.Identities[r.URL.Query().Get("PhoneNumber")]
	if !ok {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"id": "77", "nickName": name}) // the client has gone
}
