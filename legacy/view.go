package legacy

import "time"

// Seen is a line or frame as a device sent it, beside what was understood.
type Seen struct {
	At   time.Time `json:"at"`
	Raw  []byte    `json:"raw"`
	What string    `json:"what"`
}

// view keeps the latest lines for a look, and hands them to whoever watches.
type view struct {
	ring     [viewLines]Seen
	next     int
	watchers map[chan Seen]bool
}

const (
	viewLines = 200
	viewBytes = 512
)

// add notes a line. Who watches too slowly misses some.
func (v *view) add(at time.Time, raw []byte, what func() string) {
	s := Seen{At: at, Raw: append([]byte(nil), raw[:min(len(raw), viewBytes)]...), What: what()}
	v.ring[v.next%viewLines] = s
	v.next++
	for ch := range v.watchers {
		select {
		case ch <- s:
		default:
		}
	}
}

// latest lists what is kept, eldest first.
func (v *view) latest() []Seen {
	var out []Seen
	for i := max(0, v.next-viewLines); i < v.next; i++ {
		out = append(out, v.ring[i%viewLines])
	}
	return out
}

// Watch returns the latest lines of a source, and a channel of those that
// come, until stop is called. A source that is not there has none.
func (e *Engine) Watch(key string) (latest []Seen, more <-chan Seen, stop func()) {
	s := e.sources[key]
	if s == nil {
		return nil, nil, func() {}
	}
	ch := make(chan Seen, 256)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view.watchers == nil {
		s.view.watchers = map[chan Seen]bool{}
	}
	s.view.watchers[ch] = true
	return s.view.latest(), ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.view.watchers, ch)
	}
}
