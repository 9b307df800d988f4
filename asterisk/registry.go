package asterisk

import (
	"slices"
	"sync"
	"time"

	"markaz/asterisk/ari"
	"markaz/call"
)

// stage is how far a leg's channel has come.
type stage int

const (
	held     stage = iota // in its FastAGI session
	handing               // on the way from there to Stasis
	arriving              // a new caller in Stasis whose variables are being read
	calling               // we are calling it
	ringing               // and its phone rings
	present               // in Stasis, ours to command
)

func (s stage) String() string {
	return [...]string{"held", "handing", "arriving", "calling", "ringing", "present"}[s]
}

// who is what every event about a leg repeats.
type who struct {
	Role                         call.Role
	Address, Agent, Queue, Trunk string
}

// leg is what the adapter knows of one channel. What stands before stage never
// changes; the rest belongs to the registry's lock.
type leg struct {
	id, call   string
	who        who
	made       bool // we, or Asterisk for a transfer, called it; else it came to us
	substitute bool // it came by a transfer in the place of another leg

	stage   stage
	holder  holder        // while held
	entered chan struct{} // closed when it is present
	gone    chan struct{} // closed when it has ended
	early   []ari.Event   // what happened while it was arriving

	answered  bool
	bridge    string     // the bridge it is in, as told by LegJoined
	place     string     // the bridge that we put it into: ahead of the events
	moving    bool       // into place; its event has not come yet
	leaseEnds time.Time  // zero while the dead-man's switch is off
	unset     []variable // of the channel, to be set
	setting   bool       // soon
	plays     map[string]*playing
	ending    ending
}

func newLeg(id, callID string, w who, st stage) *leg {
	l := &leg{
		id: id, call: callID, who: w, stage: st,
		entered: make(chan struct{}), gone: make(chan struct{}), plays: map[string]*playing{},
	}
	if st == present {
		close(l.entered)
	}
	return l
}

// registry holds the legs that live, and where their conversations are
// recorded. Nothing waits while it holds the lock.
type registry struct {
	mu         sync.Mutex
	legs       map[string]*leg
	calls      map[string][]*leg // by call
	crowd      map[string]int    // how many legs have a bridge as their place
	recordings map[string]taping // by recording id
	taped      []string          // ids of the last whose end has been told
	empty      chan struct{}     // closed when the last leg or recording goes; nil while nobody waits for that
}

// mostTaped is well above how many recordings end while an event is on its way.
const mostTaped = 256

func newRegistry() *registry {
	return &registry{legs: map[string]*leg{}, calls: map[string][]*leg{}, crowd: map[string]int{}, recordings: map[string]taping{}}
}

// add makes a leg known; it returns the one already known by that id, if any.
func (r *registry) add(l *leg) (known *leg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known = r.legs[l.id]; known == nil {
		r.legs[l.id] = l
		r.calls[l.call] = append(r.calls[l.call], l)
	}
	return known
}

// with lets change look at or change a leg; false when there is none.
func (r *registry) with(id string, change func(*leg)) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.legs[id]
	if l == nil {
		return false
	}
	change(l)
	return true
}

// get returns a leg for its unchanging parts, or nil.
func (r *registry) get(id string) *leg {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.legs[id]
}

// remove forgets a leg and returns it; nil when it was not there, so that of
// several who see it end only one says so.
func (r *registry) remove(id string) *leg {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.legs[id]
	if l == nil {
		return nil
	}
	delete(r.legs, id)
	others := slices.DeleteFunc(r.calls[l.call], func(other *leg) bool { return other == l })
	if r.calls[l.call] = others; len(others) == 0 {
		delete(r.calls, l.call)
	}
	r.put(l, "")
	close(l.gone)
	r.tellEmpty()
	return l
}

// put changes a leg's place. The caller holds the lock (see with).
func (r *registry) put(l *leg, bridge string) {
	if l.place != "" {
		if r.crowd[l.place]--; r.crowd[l.place] == 0 {
			delete(r.crowd, l.place)
		}
	}
	if l.place = bridge; bridge != "" {
		r.crowd[bridge]++
	}
}

// crowded reports whether a bridge is the place of some leg.
func (r *registry) crowded(bridge string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.crowd[bridge] > 0
}

// all returns the ids of all legs.
func (r *registry) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := make([]string, 0, len(r.legs))
	for id := range r.legs {
		ids = append(ids, id)
	}
	return ids
}

// in returns the ids of the known legs among channels.
func (r *registry) in(channels []string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var known []string
	for _, id := range channels {
		if r.legs[id] != nil {
			known = append(known, id)
		}
	}
	return known
}

// count returns how many legs live.
func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.legs)
}

// whenEmpty returns a channel that is closed once no leg lives and nothing is
// recorded.
func (r *registry) whenEmpty() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.empty == nil {
		r.empty = make(chan struct{})
	}
	empty := r.empty
	r.tellEmpty()
	return empty
}

// tellEmpty is for who holds the lock.
func (r *registry) tellEmpty() {
	if len(r.legs) == 0 && len(r.recordings) == 0 && r.empty != nil {
		close(r.empty)
		r.empty = nil
	}
}

// tape notes what a recording is of; false if its end has been told.
func (r *registry) tape(id string, t taping) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.taped, id) {
		return false
	}
	r.recordings[id] = t
	return true
}

// taping tells what a recording is of.
func (r *registry) taping(id string) (taping, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.recordings[id]
	return t, ok
}

// over lets one caller tell the end of a recording.
func (r *registry) over(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.recordings[id]
	if t.over || slices.Contains(r.taped, id) {
		return false
	}
	t.over = true
	r.recordings[id] = t
	return true
}

// untape forgets a recording whose end has been told, but for its id.
func (r *registry) untape(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.recordings, id)
	r.taped = append(r.taped[max(0, len(r.taped)-mostTaped+1):], id)
	r.tellEmpty()
}

// tapes returns the ids of the recordings under way, of one bridge or of all
// ("").
func (r *registry) tapes(bridge string) (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, t := range r.recordings {
		if !t.over && (bridge == "" || t.bridge == bridge) {
			ids = append(ids, id)
		}
	}
	return ids
}
