package observe

import (
	"slices"

	"markaz/call"
)

// bridge is where channels hear each other.
type bridge struct {
	id       string
	channels []*channel
	apart    bool // those in it do not talk to each other: they are parked, or in a conference of separate calls
}

func (m *Machine) enter(c *channel, w *wireBridge) {
	if w != nil {
		m.enterQuietly(c, w)
		m.meet(c)
	}
}

func (m *Machine) enterQuietly(c *channel, w *wireBridge) {
	b := m.bridges[w.ID]
	if b == nil {
		b = &bridge{id: w.ID}
		m.bridges[w.ID] = b
	}
	b.apart = w.Technology == "holding_bridge" || w.Class == "conference"
	if c.bridge != nil && c.bridge != b {
		c.out()
	}
	if c.bridge == nil {
		c.bridge = b
		b.channels = append(b.channels, c)
	}
}

func (m *Machine) leave(c *channel) {
	c.out()
	if c.conv != nil {
		m.settle(c.conv)
	}
}

// out takes a channel out of its bridge.
func (c *channel) out() {
	if c.bridge != nil {
		c.bridge.channels = slices.DeleteFunc(c.bridge.channels, func(o *channel) bool { return o == c })
		c.bridge = nil
	}
}

func (m *Machine) bridgeGone(w *wireBridge) {
	if w == nil || m.bridges[w.ID] == nil {
		return
	}
	for _, c := range slices.Clone(m.bridges[w.ID].channels) {
		m.leave(c)
	}
	delete(m.bridges, w.ID)
}

// company returns the parties that a channel can hear, itself among them,
// through Local channels too.
func (c *channel) company() []*channel {
	var seen []*bridge
	var list []*channel
	var visit func(*bridge)
	visit = func(b *bridge) {
		if b == nil || b.apart || slices.Contains(seen, b) {
			return
		}
		seen = append(seen, b)
		for _, o := range b.channels {
			if o.party() {
				list = append(list, o)
			}
			if o.twin != nil {
				visit(o.twin.bridge)
			}
		}
	}
	visit(c.bridge)
	return list
}

// meet is a channel having entered a bridge: those who hear each other there
// are in one conversation.
func (m *Machine) meet(c *channel) {
	company := c.company()
	if c.bridge != nil && !c.bridge.apart {
		company = append(slices.Clone(c.bridge.channels), company...)
	}
	v := c.conv
	for _, o := range company {
		switch {
		case o.conv == nil && v == nil:
			continue
		case o.conv == nil:
			m.join(o, v)
		case v == nil:
			v = o.conv
			m.join(c, v)
		default:
			v = m.link(v, o.conv)
		}
	}
	if v != nil {
		m.settle(v)
	}
}

// settle tells who has begun and who has ceased to talk.
func (m *Machine) settle(v *conv) {
	for _, c := range v.channels {
		if c.leg != nil && c.leg.talking && len(c.company()) < 2 {
			c.leg.talking = false
			m.tell(c, call.Event{Kind: call.LegLeft})
		}
	}
	var joined []*channel
	for _, c := range v.channels {
		if c.party() && (c.leg == nil || !c.leg.talking) && len(c.company()) > 1 {
			joined = append(joined, c)
		}
	}
	if len(joined) == 0 {
		return
	}
	for _, c := range joined {
		m.introduce(c)
	}
	if !v.started {
		m.startOwn(v, "")
	}
	for _, c := range joined {
		m.firstPerson(v, c)
	}
	for _, c := range joined {
		c.leg.talking = true
		m.tell(c, call.Event{Kind: call.LegJoined, Ref: c.bridge.id})
	}
	if v.holder != nil && !v.holder.leg.talking {
		m.resumed(v)
	}
}

// introduce tells a party that nobody has been told of yet.
func (m *Machine) introduce(c *channel) {
	if c.leg == nil {
		c.leg = &leg{role: m.role(c), from: m.at}
	}
	if !c.leg.told {
		c.leg.told = true
	}
	c.up = true
	m.picked(c)
}

// firstPerson tells that somebody has answered, and that a queue has done its
// work.
func (m *Machine) firstPerson(v *conv, c *channel) {
	if !c.leg.role.Person() {
		return
	}
	if v.queue != nil && !v.queue.left {
		m.leaveQueue(v, "answered")
	}
	if v.answered {
		return
	}
	v.answered = true
	m.endGroup(v, call.Answered)
	m.tell(c, call.Event{Kind: call.CallAnswered})
}

func (m *Machine) hold(c *channel, on bool) {
	v := c.conv
	switch {
	case v == nil || c.leg == nil || !c.leg.told:
	case on && v.holder == nil && c.leg.talking:
		v.holder = c
		m.tell(c, call.Event{Kind: call.CallHeld})
	case !on && v.holder == c:
		m.resumed(v)
	}
}

func (m *Machine) resumed(v *conv) {
	c := v.holder
	v.holder = nil
	m.tell(c, call.Event{Kind: call.CallResumed})
}

// blindTransfer: a party sent the others to an extension.
func (m *Machine) blindTransfer(msg *message) {
	c := m.known(msg.Channel)
	if c == nil || c.leg == nil {
		return
	}
	m.transferred(c, c, msg.Result, call.Clean(msg.Exten, 64))
}

// attendedTransfer: a party connected the others of its two conversations.
func (m *Machine) attendedTransfer(msg *message) {
	first, second := m.known(msg.FirstLeg), m.known(msg.SecondLeg)
	if first == nil || first.leg == nil {
		first = second
	}
	if first == nil || first.leg == nil {
		return
	}
	to := ""
	if target := m.known(msg.Target); target != nil {
		if to = target.address; target.sort == local {
			to, _, _ = cut(target.pair)
		}
		if transferee := m.known(msg.Transferee); transferee != nil && msg.Result == success {
			m.link(transferee.conv, target.conv)
		}
	}
	m.transferred(first, second, msg.Result, to)
}

const success = "Success"

func (m *Machine) transferred(c, second *channel, result, to string) {
	if result != success {
		m.tell(c, call.Event{Kind: call.TransferCancelled, To: to, Reason: result})
		return
	}
	c.passed = true
	if second != nil {
		second.passed = true
	}
	m.tell(c, call.Event{Kind: call.TransferCompleted, To: to})
}
