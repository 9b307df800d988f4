package asterisk

import (
	"context"
	"slices"

	"markaz/dialplan"
)

// When a phone is called for a caller something waits to be set on his channel,
// the name of the phone if nothing else. The request that calls the phone
// carries that along: it saves a request, the phone does not ring before the
// dialplan knows of it, and it works while the caller hears an announcement.

// load is what a request carries to other channels, by leg.
type load map[string][]variable

// carry takes the load for a call's callers. What is being set on a channel
// already must not be overtaken, so nothing is taken for that one.
func (r *registry) carry(callID string) load {
	r.mu.Lock()
	defer r.mu.Unlock()
	cargo := load{}
	for _, l := range r.calls[callID] {
		if !l.isCaller() || l.carried || l.flushing {
			continue
		}
		if list := l.take(func(v variable) bool { return dialplan.Shared(v.name) }); len(list) > 0 {
			cargo[l.id], l.carried = list, true
		}
	}
	return cargo
}

// names reports whether the load names the phones that ring.
func (c load) names() bool {
	for _, list := range c {
		if slices.ContainsFunc(list, func(v variable) bool { return v.name == dialplan.VarLegs }) {
			return true
		}
	}
	return false
}

// addTo adds the load to the variables of a phone's channel.
func (c load) addTo(vars map[string]string) {
	for id, list := range c {
		for _, v := range list {
			vars[dialplan.OfChannel(v.name, id)] = v.value
		}
	}
}

// delivered ends the carrying. What did not arrive, or has come meanwhile, is
// set as usual.
func (s *Switch) delivered(cargo load, err error) {
	for id, list := range cargo {
		more := false
		s.legs.with(id, func(l *leg) {
			if l.carried = false; err != nil {
				l.setBefore(list)
			}
			more = len(l.unset) > 0
		})
		if more {
			s.lanes.add(id, func(ctx context.Context) { s.flush(ctx, id) })
		}
	}
}
