package observe

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"markaz/call"
)

// Snapshot is all that Asterisk has at one moment.
type Snapshot struct {
	Asked    time.Time // all that began later is told by events
	At       time.Time
	Channels json.RawMessage   // as ARI lists them
	Bridges  json.RawMessage   //
	Linked   map[string]string // CHANNEL(linkedid) of the channels in [Machine.Strangers]
	Reason   string            // call.Unseen, or call.Restarted
}

// picture is a Snapshot that has been read.
type picture struct {
	channels []wireChannel
	bridges  []wireBridge
}

func (s Snapshot) read() (p picture, err error) {
	if err := json.Unmarshal(s.Channels, &p.channels); err != nil {
		return p, fmt.Errorf("read list of channels: %w", err)
	}
	if err := json.Unmarshal(s.Bridges, &p.bridges); err != nil {
		return p, fmt.Errorf("read list of bridges: %w", err)
	}
	slices.SortStableFunc(p.channels, func(a, b wireChannel) int { return a.Created.Compare(b.Created.Time) })
	return p, nil
}

// Restore makes the calls known that were going on when an earlier process
// stopped. They are held against the next [Machine.Reconcile]. One that Markaz
// had taken on without having said so yet is merged.
func (m *Machine) Restore(open []*call.Call) {
	handled := map[string]string{} // calls by leg
	for _, c := range open {
		for i := range c.Legs {
			if !c.Observed {
				handled[c.Legs[i].ID] = c.ID
			}
		}
	}
	for _, c := range open {
		if !c.Observed || c.Source != m.cfg.Source || c.Over() {
			continue
		}
		v := &conv{id: c.ID, began: c.Started, started: true, answered: c.Answered != nil, tapes: len(c.Recordings)}
		for i := range c.Legs {
			l := &c.Legs[i]
			if l.Ended != nil {
				continue
			}
			if l.Role == call.RoleGroup {
				v.group = l.ID
				continue
			}
			ch := &channel{
				id: l.ID, address: l.Address, trunk: l.Trunk, created: l.Started, up: l.Answered != nil, restored: true,
				leg: &leg{role: l.Role, from: l.Started, told: true, answered: l.Answered != nil, talking: l.Talking != nil},
			}
			m.channels[ch.id] = ch
			m.join(ch, v)
			if into := handled[ch.id]; into != "" && !v.silent {
				m.hush(v, into)
			}
			if l.Role == call.RoleCaller {
				v.caller = ch
			}
		}
		m.convs = append(m.convs, v)
	}
}

// Strangers names the channels of a snapshot that the machine does not know:
// of these it wants to be told the linked id.
func (m *Machine) Strangers(s Snapshot) ([]string, error) {
	p, err := s.read()
	var ids []string
	for _, w := range p.channels {
		if m.channels[w.ID] == nil {
			ids = append(ids, w.ID)
		}
	}
	return ids, err
}

// Reconcile holds what the machine knows against what there is: what is new is
// told, what is gone is forgotten, and every living leg is told by LegFound,
// after which SwitchSynced lets the owner of the calls close the rest.
func (m *Machine) Reconcile(s Snapshot) ([]call.Event, error) {
	p, err := s.read()
	if err != nil {
		return nil, err
	}
	if s.At.After(m.at) {
		m.at = s.At
	}
	m.forget(p)
	m.adopt(p, s.Linked)
	m.place(p)
	for _, v := range slices.Clone(m.convs) {
		m.settle(v)
	}
	for _, v := range m.convs {
		if !v.silent && v.started {
			v.spans = true
			m.find(v)
		}
	}
	m.out = append(m.out, m.stamped(call.Event{Kind: call.SwitchSynced, Reason: cmp.Or(s.Reason, call.Unseen)}))
	return m.told(), nil
}

// find tells the living legs of a conversation.
func (m *Machine) find(v *conv) {
	for _, c := range v.channels {
		if c.leg == nil || !c.leg.told {
			continue
		}
		e := call.Event{Kind: call.LegFound}
		if c.leg.talking {
			e.Ref = c.bridge.id
		}
		m.tell(c, e)
		if c.mailbox != nil {
			m.emit(v, call.Event{Kind: call.LegFound, Leg: c.mailbox.leg, Role: call.RoleVoicemail})
		}
	}
	if v.group != "" && v.group != "-" {
		m.emit(v, call.Event{Kind: call.LegFound, Leg: v.group, Role: call.RoleGroup})
	}
}

// forget drops what is gone, and where everybody was.
func (m *Machine) forget(p picture) {
	here := map[string]bool{}
	for _, w := range p.channels {
		here[w.ID] = true
	}
	var gone []*channel
	for id, c := range m.channels {
		c.bridge = nil
		if here[id] {
			continue
		}
		gone = append(gone, c)
		delete(m.channels, id)
		if m.locals[c.pair] == c {
			delete(m.locals, c.pair)
		}
		if v := c.conv; v != nil {
			v.channels = slices.DeleteFunc(v.channels, func(o *channel) bool { return o == c })
			if v.holder == c {
				v.holder = nil
			}
		}
	}
	for _, c := range gone {
		if v := c.conv; v == nil || len(v.channels) == 0 && !v.started && !v.silent {
			m.unsaid[c.id] = true
		} else {
			m.recent[c.id] = m.at
		}
	}
	clear(m.bridges)
	m.convs = slices.DeleteFunc(m.convs, func(v *conv) bool { return len(v.channels) == 0 })
}

// adopt takes on the channels that are new, and brings the others up to date.
func (m *Machine) adopt(p picture, linked map[string]string) {
	var fresh []*channel
	for i := range p.channels {
		w := &p.channels[i]
		c := m.channels[w.ID]
		if c == nil {
			c = m.add(w)
			if c.sort == local {
				m.pairUp(c)
			}
			fresh = append(fresh, c)
			continue
		}
		m.refresh(c, w)
	}
	byLink := map[string]*conv{}
	for id, link := range linked { // those that were known before
		if known := m.channels[link]; known != nil && known.conv != nil && m.channels[id] != nil {
			byLink[link] = known.conv
		}
	}
	for _, c := range fresh {
		m.placeStranger(c, cmp.Or(linked[c.id], c.id), byLink)
	}
	for _, c := range fresh {
		m.present(c, linked[c.id])
	}
}

// refresh brings a known channel up to date.
func (m *Machine) refresh(c *channel, w *wireChannel) {
	if c.restored {
		c.restored = false
		address := c.address
		m.names.identify(c, w.Name)
		c.address = cmp.Or(address, c.address)
		c.context, c.exten, c.app, c.data = w.Dialplan.Context, w.Dialplan.Exten, w.Dialplan.App, w.Dialplan.Data
	}
	m.mind(c)
	m.stateChange(c, w.State)
}

// placeStranger puts a channel whose beginning nobody saw into a conversation:
// that of the channels with the same linked id.
func (m *Machine) placeStranger(c *channel, link string, byLink map[string]*conv) {
	if !c.party() && c.sort != local {
		return
	}
	v := byLink[link]
	switch {
	case v == nil && c.conv == nil:
		v = m.newConv(c)
		m.join(c, v)
	case v == nil:
		v = c.conv
	case c.conv == nil:
		m.join(c, v)
	default:
		v = m.link(v, c.conv)
	}
	byLink[link] = v
}

// present tells of a party whose beginning nobody saw. Who was dialled stands
// in an application of that name.
func (m *Machine) present(c *channel, link string) {
	m.mind(c)
	if !c.party() || c.conv == nil {
		return
	}
	v := c.conv
	dialled := strings.HasPrefix(c.app, "AppDial") || c.app == "AppQueue"
	if !v.started && (!dialled || link == c.id) {
		c.calls = !dialled
		c.made = dialled
		m.start(v, c, digitsOf(c.exten))
		if c.up && v.caller == c {
			m.picked(c)
		}
		return
	}
	m.rung(c, "")
}

// place puts the channels into their bridges.
func (m *Machine) place(p picture) {
	for i := range p.bridges {
		w := &p.bridges[i]
		for _, id := range w.Channels {
			if c := m.channels[id]; c != nil {
				m.enterQuietly(c, w)
			}
		}
	}
	for _, v := range slices.Clone(m.convs) {
		for _, c := range slices.Clone(v.channels) {
			if c.bridge != nil {
				m.meet(c)
			}
		}
	}
}
