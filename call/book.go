package call

// Book folds a log into calls, whatever the order in which the calls'
// events are interleaved and however often they are repeated.
type Book map[string]*Call

// Apply applies an event to its call, which is made if need be. It returns
// the call, nil for an event that belongs to none, and whether it changed.
func (b Book) Apply(e Event) (*Call, bool) {
	if e.Call == "" || e.Kind.Transient() {
		return nil, false
	}
	c := b[e.Call]
	if c == nil {
		c = &Call{ID: e.Call}
		b[e.Call] = c
	}
	return c, c.apply(&e)
}
