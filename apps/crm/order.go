package crm

import (
	"sync"

	"markaz/call"
)

// InOrder hands reports on, so that CRMs that know the same caller by different
// names do not overwrite each other by chance of who is faster: of those that
// say who it is, the first in the order of the configuration is right. One that
// is not to be looked in has no say at all.
func InOrder(cfg Config, report func(call.Event)) func(call.Event) {
	o := &order{rank: map[string]int{}, young: map[string]int{}}
	for i, c := range cfg {
		o.rank[c.Name] = i
		if c.LookUp != nil && !*c.LookUp {
			o.rank[c.Name] = noSay
		}
	}
	return func(e call.Event) {
		if e.Kind != call.CallIdentified || e.State == call.Unidentified || o.better(e) {
			report(e)
		}
	}
}

const (
	noSay = -1
	// orderKept is how many calls are remembered, twice at most: far more than
	// can be going on.
	orderKept = 5000
)

// order is who has said whom a call is with.
type order struct {
	rank map[string]int // of sinks

	mu         sync.Mutex
	young, old map[string]int // rank of whom is believed so far, by call
}

// better reports that nobody who counts more has identified the call.
func (o *order) better(e call.Event) bool {
	rank, known := o.rank[e.Data["sink"]]
	if !known {
		rank = len(o.rank)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, said := range []map[string]int{o.young, o.old} {
		if before, ok := said[e.Call]; ok && before < rank {
			return false
		}
	}
	if rank == noSay {
		return false
	}
	if len(o.young) >= orderKept {
		o.young, o.old = map[string]int{}, o.young
	}
	o.young[e.Call] = rank
	return true
}
