package crm

import "markaz/call"

// Order is the order in which CRMs are believed that know the same caller by
// different names: of those that say who it is, the first in the configuration
// is right, whoever is faster. One that is not to be looked in has no say at
// all.
type Order struct {
	rank map[string]int // by the sink's name
}

const noSay = -1

// NewOrder makes it from the configuration.
func NewOrder(cfg Config) Order {
	o := Order{map[string]int{}}
	for i, c := range cfg {
		o.rank[c.Name] = i
		if c.LookUp != nil && !*c.LookUp {
			o.rank[c.Name] = noSay
		}
	}
	return o
}

// Believes reports whether an event counts: nobody who is believed before the
// CRM that says it has identified the call. All else counts. Who has is in the
// record, so that a process that goes on with a call knows it too.
func (o Order) Believes(e call.Event, c *call.Call) bool {
	if e.Kind != call.CallIdentified || e.State == call.Unidentified {
		return true
	}
	rank := o.of(e.Data["sink"])
	if rank == noSay || c == nil || c.Identity == "" && c.Known == "" {
		return rank != noSay
	}
	return rank <= o.of(c.KnownBy)
}

// of is the rank of a CRM; those that are not configured any more come last.
func (o Order) of(sink string) int {
	if rank, known := o.rank[sink]; known {
		return rank
	}
	return len(o.rank)
}
