package fastagi

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
)

// door decides who comes in, and knows who is in.
type door struct {
	peers                          []netip.Prefix
	sessions, perAddress, headless int // limits

	mu      sync.Mutex
	waiting *list.List // guests that have not sent their header, oldest first
	seated  map[*guest]struct{}
	from    map[netip.Addr]int // seated guests by address
	shut    bool
}

// guest is a connection that was let in.
type guest struct {
	net.Conn
	addr  netip.Addr
	place *list.Element // among the waiting; nil once he has left it
}

func newDoor(cfg Config) (*door, error) {
	peers, err := parsePeers(cfg.Peers)
	return &door{
		peers: peers, sessions: cfg.MaxSessions, perAddress: cfg.MaxPerAddress, headless: cfg.MaxWaiting,
		waiting: list.New(), seated: map[*guest]struct{}{}, from: map[netip.Addr]int{},
	}, err
}

// welcome reports whether an address may connect at all.
func (d *door) welcome(a netip.Addr) bool {
	for _, p := range d.peers {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// enter lets a connection in to wait for its header; nil when the door is
// shut. When too many wait, the oldest gives way and is returned as gone:
// Asterisk sends its header at once, so whoever is old here is idle, and must
// not keep calls out.
func (d *door) enter(c net.Conn, a netip.Addr) (g, gone *guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return nil, nil
	}
	if d.waiting.Len() >= d.headless {
		gone = d.waiting.Front().Value.(*guest)
		d.leaveWaiting(gone)
	}
	g = &guest{Conn: c, addr: a}
	g.place = d.waiting.PushBack(g)
	return g, gone
}

func (d *door) leaveWaiting(g *guest) {
	if g.place != nil {
		d.waiting.Remove(g.place)
		g.place = nil
	}
}

// seat gives a guest whose header has come a session; false when there are too
// many, he has given way meanwhile, or the door was shut.
func (d *door) seat(g *guest) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if g.place == nil || d.shut || len(d.seated) >= d.sessions || d.from[g.addr] >= d.perAddress {
		return false
	}
	d.leaveWaiting(g)
	d.seated[g] = struct{}{}
	d.from[g.addr]++
	return true
}

// leave forgets a guest.
func (d *door) leave(g *guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leaveWaiting(g)
	if _, ok := d.seated[g]; !ok {
		return
	}
	delete(d.seated, g)
	if d.from[g.addr]--; d.from[g.addr] == 0 {
		delete(d.from, g.addr)
	}
}

// close shuts the door and sends those away who wait.
func (d *door) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for e := d.waiting.Front(); e != nil; e = e.Next() {
		_ = e.Value.(*guest).Close() // its reader sees the end
	}
}

// clear ends all sessions.
func (d *door) clear() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for g := range d.seated {
		_ = g.Close() // its handler sees the end
	}
}

// counts returns how many wait and how many are seated.
func (d *door) counts() (waiting, seated int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waiting.Len(), len(d.seated)
}
