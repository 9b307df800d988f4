package board

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"markaz/call"
)

// Take returns the rows that have changed since it was last called, by key.
func (b *Board) Take() []Row {
	if len(b.dirty) == 0 {
		return nil
	}
	// Who is on a call changes the figures of his queues.
	for key := range b.dirty {
		if number, ok := strings.CutPrefix(key, "x:"); ok {
			if x := b.exts[number]; x != nil {
				for _, q := range x.Queues {
					b.touch("q:" + q)
				}
			}
		}
	}
	rows := make([]Row, 0, len(b.dirty))
	for _, key := range slices.Sorted(maps.Keys(b.dirty)) {
		rows = append(rows, b.row(key))
	}
	clear(b.dirty)
	return rows
}

// Changed reports whether Take would return anything.
func (b *Board) Changed() bool { return len(b.dirty) > 0 }

// row makes the row of a key; one without Body is gone.
func (b *Board) row(key string) Row {
	kind, name, _ := strings.Cut(key, ":")
	gone := Row{Key: key}
	switch kind {
	case "x":
		if x := b.exts[name]; x != nil {
			return b.extensionRow(name, x)
		}
	case "q":
		if q := b.queues[name]; q != nil {
			return b.queueRow(name, q)
		}
	case "c":
		if l := b.calls[name]; l != nil && l.Direction != "" {
			return Row{Key: key, Body: l.body(), Calls: []*call.Call{l.Call}}
		}
	case "e":
		for i := range b.ended {
			if old := &b.ended[i]; old.call.ID == name {
				return Row{Key: key, Body: old.body, Calls: []*call.Call{old.call}}
			}
		}
	case "l":
		if l := b.lines[name]; l != nil {
			return Row{Key: key, Body: l.body()}
		}
	case "s":
		if s := b.sources[name]; s != nil {
			return Row{Key: key, Body: Source{Kind: "s", Key: name, State: s.state, Since: milli(s.since)}}
		}
	case "n":
		for i := range b.notices {
			if b.notices[i].Key == key {
				return b.notices[i]
			}
		}
	}
	return gone
}

// body is what is shown of a call.
func (l *liveCall) body() Call {
	c := bodyOf(l.Call)
	c.Kind, c.State, c.Since = "c", string(l.State), milli(l.since)
	if n := len(l.Queues); n > 0 && l.State == call.StateQueued {
		c.Since = milli(l.Queues[n-1].Joined)
	}
	for _, m := range l.Monitors {
		if m.Ended == nil && len(m.Modes) > 0 {
			c.Monitors = append(c.Monitors, Monitor{ID: m.ID, Agent: m.Agent, Mode: m.Modes[len(m.Modes)-1], Since: milli(m.Started)})
		}
	}
	for i := range l.Legs {
		leg := &l.Legs[i]
		switch {
		case leg.Ended != nil || !leg.Role.Person():
		case leg.Answered == nil:
			c.Rings = append(c.Rings, leg.Address)
		case leg.Role == call.RoleAgent: // never an outside party: a whisper is for those of the house
			c.Ext, c.Agent, c.Leg = leg.Address, leg.Agent, leg.ID
		}
	}
	if c.Leg == "" && l.Direction != call.Inbound && len(l.Legs) > 0 && l.Legs[0].Ended == nil && l.Legs[0].Role == call.RoleCaller {
		c.Leg = l.Legs[0].ID // the extension that dialled
	}
	return c
}

func (b *Board) endedBody(c *call.Call) Call {
	body := bodyOf(c)
	body.Kind, body.State, body.By, body.TalkMS = "e", string(c.Disposition), string(c.By), c.TalkMS
	if c.Ended != nil {
		body.Ended, body.Since = milli(*c.Ended), milli(*c.Ended)
	}
	body.Ext, body.Agent = c.Reached, c.Agent
	return body
}

func bodyOf(c *call.Call) Call {
	body := Call{
		ID: c.ID, Source: c.Source, Started: milli(c.Started), Dir: string(c.Direction),
		From: c.From, Name: cmp.Or(c.Known, c.FromName), To: c.To, DID: c.Line.DID, Trunk: c.Line.Trunk,
		Ext: c.Reached, Agent: c.Agent, Observed: c.Observed,
	}
	if n := len(c.Queues); n > 0 {
		body.Queue = c.Queues[n-1].Queue
	}
	if n := len(c.Menus); n > 0 {
		body.Menu = c.Menus[n-1].Menu
	}
	if n := len(c.Recordings); n > 0 {
		body.Rec = c.Recordings[n-1].State
	}
	for _, p := range c.Caps {
		body.Caps = append(body.Caps, string(p))
	}
	return body
}

// Clone copies a call so far that later events leave the copy alone.
func Clone(c *call.Call) *call.Call {
	n := *c
	n.Legs, n.Menus, n.Queues = slices.Clone(c.Legs), slices.Clone(c.Menus), slices.Clone(c.Queues)
	n.Recordings, n.Caps = slices.Clone(c.Recordings), slices.Clone(c.Caps)
	n.Monitors = slices.Clone(c.Monitors)
	return &n
}

// recent remembers the latest ids it was told.
type recent struct {
	ids  map[string]struct{}
	ring []string
	next int
}

func newRecent(n int) recent {
	return recent{ids: make(map[string]struct{}, n), ring: make([]string, n)}
}

func (r *recent) has(id string) bool {
	_, ok := r.ids[id]
	return ok
}

func (r *recent) add(id string) {
	if id == "" {
		return
	}
	if _, known := r.ids[id]; known {
		return
	}
	delete(r.ids, r.ring[r.next])
	r.ring[r.next], r.ids[id] = id, struct{}{}
	r.next = (r.next + 1) % len(r.ring)
}
