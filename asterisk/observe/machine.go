package observe

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"markaz/call"
)

// Machine translates what Asterisk says into call events. It is not for use by
// several goroutines.
type Machine struct {
	cfg      Config
	names    names
	channels map[string]*channel
	bridges  map[string]*bridge
	locals   map[string]*channel // one half, by the name that both share
	convs    []*conv             // living, oldest first
	handled  func(channel string) (call string)
	at       time.Time            // of the newest event, or later if time alone has passed
	heard    time.Time            // of the last event, by the clock of Asterisk
	recent   map[string]time.Time // channels that have ended within keepRecent, and when
	unsaid   map[string]bool      // channels that went unseen before anything was told of their calls
	out      []call.Event
	spanned  []*conv // that were going on while nobody watched, and are over
}

// NewMachine makes a machine. handled says which call of ours a channel is in
// that Markaz itself handles, "" for none; nil if it handles none.
func NewMachine(cfg Config, handled func(channel string) string) (*Machine, error) {
	p, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	if handled == nil {
		handled = func(string) string { return "" }
	}
	return &Machine{
		cfg: cfg, names: names{patterns: p, none: regexp.MustCompile(noTelephone)}, handled: handled,
		recent: map[string]time.Time{}, unsaid: map[string]bool{},
		channels: map[string]*channel{}, bridges: map[string]*bridge{}, locals: map[string]*channel{},
	}, nil
}

// Step takes one event of Asterisk in its JSON form and tells what follows
// from it. An event that cannot be read changes nothing and is an error.
func (m *Machine) Step(raw []byte) ([]call.Event, error) {
	var msg message
	if err := json.Unmarshal(raw, &msg); err != nil {
		return nil, fmt.Errorf("read event of Asterisk: %w", err)
	}
	if at := msg.Timestamp.Time; !at.IsZero() {
		m.heard = at
	}
	if m.heard.After(m.at) {
		m.at = m.heard
	}
	m.take(&msg)
	m.ripen()
	return m.told(), nil
}

// keepRecent is how long a channel that has ended is remembered: its record may
// be read as one of a time in which nobody watched, for records have whole
// seconds and come late.
const keepRecent = time.Minute

// Tick tells what the passing of time alone decides.
func (m *Machine) Tick(now time.Time) []call.Event {
	if now.After(m.at) {
		m.at = now
	}
	m.ripen()
	return m.told()
}

// lapse forgets the channels that ended long ago. It is not for a time whose
// records are still to be read.
func (m *Machine) lapse() {
	clear(m.unsaid)
	for id, ended := range m.recent {
		if m.at.Sub(ended) > keepRecent {
			delete(m.recent, id)
		}
	}
}

func (m *Machine) told() []call.Event {
	out := m.out
	m.out = nil
	return out
}

func (m *Machine) take(msg *message) {
	switch msg.Type {
	case "ChannelCreated":
		m.created(msg)
	case "Dial":
		m.dial(msg)
	case "BridgeBlindTransfer":
		m.blindTransfer(msg)
	case "BridgeAttendedTransfer":
		m.attendedTransfer(msg)
	case "BridgeDestroyed":
		m.bridgeGone(msg.Bridge)
	default:
		if c := m.known(msg.Channel); c != nil {
			m.happened(c, msg)
		}
	}
}

// happened is an event of one known channel.
func (m *Machine) happened(c *channel, msg *message) {
	switch msg.Type {
	case "ChannelStateChange":
		m.stateChange(c, msg.Channel.State)
	case "ChannelDialplan":
		m.runs(c, msg)
	case "ChannelVarset":
		m.variable(c, msg.Variable, msg.Value)
	case "ChannelDtmfReceived":
		m.key(c, msg.Digit)
	case "ChannelHold":
		m.hold(c, true)
	case "ChannelUnhold":
		m.hold(c, false)
	case "ChannelEnteredBridge":
		m.enter(c, msg.Bridge)
	case "ChannelLeftBridge":
		m.leave(c)
	case "ChannelHangupRequest":
		c.requested(msg)
	case "ChannelDestroyed":
		m.destroyed(c, msg)
	}
}

// known returns a channel whose beginning was told; what comes late of one
// that is gone is nothing. It sees, too, whether Markaz has taken it on.
func (m *Machine) known(w *wireChannel) *channel {
	if w == nil {
		return nil
	}
	c := m.channels[w.ID]
	if c == nil {
		return nil
	}
	if w.Name != c.name { // another telephone has taken its place
		m.names.identify(c, w.Name)
		c.number(w)
	}
	m.mind(c)
	return c
}

// mind leaves a call to whoever handles it in Markaz.
func (m *Machine) mind(c *channel) {
	if c.conv == nil || c.conv.into != "" {
		return
	}
	if id := m.handled(c.id); id != "" && id != c.conv.after {
		m.hush(c.conv, id)
	}
}

func (m *Machine) created(msg *message) {
	w := msg.Channel
	if w == nil || m.channels[w.ID] != nil {
		return
	}
	if _, ended := m.recent[w.ID]; ended {
		return // it was told from its record
	}
	c := m.add(w)
	switch {
	case c.sort == local:
		m.pairUp(c)
	case c.party() && w.State == stateRing:
		c.calls = true
		m.begin(c)
	}
	m.mind(c)
}

// add makes a channel known.
func (m *Machine) add(w *wireChannel) *channel {
	c := &channel{
		id: w.ID, created: w.Created.Time, up: w.State == stateUp,
		context: w.Dialplan.Context, exten: w.Dialplan.Exten, app: w.Dialplan.App, data: w.Dialplan.Data,
	}
	if c.created.IsZero() {
		c.created = m.at
	}
	m.names.identify(c, w.Name)
	c.number(w)
	c.entered = digitsOf(c.exten)
	m.channels[c.id] = c
	return c
}

// number takes who calls, and the number on the other side of a trunk.
func (c *channel) number(w *wireChannel) {
	c.display = w.Caller.Name
	if c.sort == trunk {
		c.address = call.Clean(w.Caller.Number, 64)
	}
}

// pairUp joins the halves of a Local channel.
func (m *Machine) pairUp(c *channel) {
	twin := m.locals[c.pair]
	if twin == nil || twin == c {
		m.locals[c.pair] = c
		m.join(c, m.newConv(c))
		return
	}
	delete(m.locals, c.pair)
	c.twin, twin.twin = twin, c
	m.join(c, twin.conv)
}

// callID makes the id of a call from its first channel: a log that is read
// again gives the same ids.
func (m *Machine) callID(first string, at time.Time) string {
	sum := sha256.Sum256([]byte(m.cfg.Source + "\x00" + first))
	return call.NewID(at, [10]byte(sum[:10]))
}

// dial is somebody, or a program, calling a channel; and how that goes.
func (m *Machine) dial(msg *message) {
	peer := m.known(msg.Peer)
	caller := m.known(msg.Caller)
	switch {
	case peer == nil:
		return
	case caller == nil && msg.DialStatus == "":
		peer.made = true
		if peer.conv == nil {
			m.join(peer, m.newConv(peer))
		}
		m.rung(peer, msg.DialString)
	case caller == nil || caller.conv == nil:
	default:
		peer.by = caller
		if peer.conv == nil {
			m.join(peer, caller.conv)
		} else {
			m.link(caller.conv, peer.conv)
		}
		m.rung(peer, msg.DialString)
	}
	switch msg.DialStatus {
	case "", "RINGING", "PROGRESS", "PROCEEDING":
	default:
		if peer.status == "" {
			peer.status = msg.DialStatus
		}
	}
}

// rung tells that a party is being called, once.
func (m *Machine) rung(c *channel, dialString string) {
	if !c.party() || c.leg != nil || c.calls {
		return
	}
	if c.sort == trunk {
		if n := dialled(dialString, c.trunk); n != "" {
			c.address = n
		}
	}
	c.leg = &leg{role: m.role(c), from: m.at}
	m.tellRinging(c)
	m.goesOut(c)
	if c.up {
		m.picked(c)
	}
}

// goesOut corrects the direction of a call whose number looked like one of the
// house.
func (m *Machine) goesOut(c *channel) {
	v := c.conv
	if c.sort == trunk && v.started && v.internal != "" && strings.HasSuffix(c.address, v.internal) {
		v.internal = ""
		m.emit(v, call.Event{Kind: call.CallAmended, Direction: call.Outbound})
	}
}

func (m *Machine) tellRinging(c *channel) {
	c.leg.told = true
	m.tell(c, call.Event{Kind: call.LegRinging, Queue: c.conv.queueName()})
}

func (m *Machine) stateChange(c *channel, state string) {
	if state == stateRing && c.conv == nil && c.party() {
		c.calls = true
		m.begin(c)
	}
	if state != stateUp || c.up {
		return
	}
	c.up = true
	m.picked(c)
}

// picked tells that a party's telephone has been picked up.
func (m *Machine) picked(c *channel) {
	if c.leg == nil || !c.leg.told || c.leg.answered {
		return
	}
	c.leg.answered = true
	m.tell(c, call.Event{Kind: call.LegAnswered})
}

// hush leaves a call to the one that Markaz handles, or to nobody.
func (m *Machine) hush(v *conv, into string) {
	if v.started && into != "" {
		m.out = append(m.out, m.stamped(call.Event{Kind: call.CallMerged, Call: v.id, Into: into, Reason: "handled"}))
	}
	v.silent, v.into, v.pending = true, into, nil
}
