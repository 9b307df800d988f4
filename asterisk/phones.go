package asterisk

import (
	"context"
	"strings"
	"time"

	"markaz/call"
)

// phones watches which of the extensions can be reached.
type phones struct {
	technology    string
	before, after string // what stands around the address in the endpoint's name
	known         map[string]string
}

// newPhones watches those whose calls go to pattern, a technology and the
// endpoint's name with {address} in it.
func newPhones(pattern string) *phones {
	technology, name, _ := strings.Cut(pattern, "/")
	before, after, _ := strings.Cut(name, "{address}")
	after, _, _ = strings.Cut(after, "@")
	return &phones{technology: technology, before: before, after: after, known: map[string]string{}}
}

// Asterisk's words, as of its rest-api/api-docs/endpoints.json.
const (
	endpointOnline  = "online"
	endpointOffline = "offline"
)

// changed tells which extension an endpoint is and its state, if that is
// another one than before. Lines and endpoints of unknown state are none.
func (p *phones) changed(technology, name, state string) (call.Event, bool) {
	address, fits := strings.CutPrefix(name, p.before)
	address, ends := strings.CutSuffix(address, p.after)
	digits := address != "" && len(address) <= 32 && strings.Trim(address, "0123456789") == ""
	known := state == endpointOnline || state == endpointOffline
	if !fits || !ends || !digits || !known || !strings.EqualFold(technology, p.technology) || p.known[address] == state {
		return call.Event{}, false
	}
	p.known[address] = state
	told := "reachable"
	if state == endpointOffline {
		told = "unreachable"
	}
	return call.Event{Kind: call.ExtensionChanged, Address: address, State: told}, true
}

// watchPhones tells the state of every extension once, and then what changes,
// until ctx ends. A PBX that cannot be asked is told of elsewhere; states hold
// until it can.
func (s *Switch) watchPhones(ctx context.Context) {
	if s.cfg.Phones <= 0 {
		return
	}
	p := newPhones(s.cfg.ExtensionEndpoint)
	next := time.NewTicker(s.cfg.Phones)
	defer next.Stop()
	for {
		if s.trouble.Load() == nil {
			list, err := s.ari.Endpoints(ctx, p.technology)
			if err != nil {
				s.log.Debug("endpoints not listed", "err", err)
			}
			for _, e := range list {
				if told, ok := p.changed(e.Technology, e.Resource, e.State); ok {
					s.emit(told)
				}
			}
		}
		select {
		case <-next.C:
		case <-ctx.Done():
			return
		}
	}
}
