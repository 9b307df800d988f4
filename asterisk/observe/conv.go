package observe

import (
	"slices"
	"time"

	"markaz/call"
)

// conv is one conversation: all channels that belong together.
type conv struct {
	id       string
	began    time.Time
	channels []*channel // in the order in which they came
	caller   *channel   // the party that is told as the caller

	started  bool         // CallStarted has been told
	pending  []call.Event // what happened before
	silent   bool         // nothing is told: Markaz handles it, or it is to be ignored
	into     string       // the handled call
	after    string       // the handled call that it goes on from, in the fall-back
	sofar    *call.Call   // what was told of it, if so
	internal string       // what was dialled, of a call within the house
	answered bool
	holder   *channel
	queue    *stay
	menu     string
	group    string // the leg of a ring group
	tapes    int
	over     time.Time
	spans    bool       // it was going on while nobody watched
	past     []*channel // those of its channels that have ended since
	left     []string   // names of the parties that were told last of those that are gone
}

// mostLeft bounds those: of a call that rings many for long, the records of the
// last are of interest.
const mostLeft = 32

// stay is a wait in a queue.
type stay struct {
	name    string
	at      time.Time
	channel *channel
	left    bool
}

// leg is what has been told of a party.
type leg struct {
	role     call.Role
	from     time.Time // when it began to ring
	told     bool
	answered bool
	talking  bool
}

// patience is how long a call may stay without a caller, while it is dialled
// by something that may yet turn out to belong to another call.
const patience = 2 * time.Second

func (m *Machine) newConv(first *channel) *conv {
	v := &conv{id: m.callID(first.id, first.created), began: first.created}
	v.silent = matches(m.names.ignore, first.context)
	m.convs = append(m.convs, v)
	return v
}

func (m *Machine) join(c *channel, v *conv) {
	c.conv = v
	v.channels = append(v.channels, c)
}

// begin is a call that somebody makes.
func (m *Machine) begin(c *channel) {
	v := m.newConv(c)
	m.join(c, v)
	m.start(v, c, c.exten)
}

// start tells that a call has begun. to is what was dialled.
func (m *Machine) start(v *conv, caller *channel, to string) {
	if v.started || v.silent {
		return
	}
	v.started, v.caller = true, caller
	told := caller.leg != nil // it was rung by a program
	caller.leg = &leg{role: call.RoleCaller, from: caller.created, told: true, answered: told && caller.leg.answered}
	e := call.Event{
		Kind: call.CallStarted, Call: v.id, Leg: caller.id, At: v.began, Ref: caller.id, Caps: m.caps(),
		From: caller.address, FromName: caller.display, Role: call.RoleCaller, Address: caller.address, Agent: m.cfg.Agents[caller.address],
		Direction: call.Inbound, Origin: call.PSTN, Trunk: caller.trunk,
	}
	switch {
	case caller.made || caller.by != nil:
		e.Direction, e.Origin, e.To = call.Outbound, call.ClickToCall, to
		if caller.sort == phone && (to == "" || m.names.internal.MatchString(to)) {
			e.Direction = call.Internal
		}
	case caller.sort == trunk:
		e.To, e.DID = digitsOf(to), digitsOf(to)
	case m.names.internal.MatchString(to):
		e.Direction, e.Origin, e.To = call.Internal, "", to
	default:
		e.Direction, e.To = call.Outbound, to
	}
	if e.Direction == call.Internal {
		v.internal = e.To
	}
	pending := v.pending
	v.pending = nil
	m.emit(v, e)
	m.out = append(m.out, ofOthers(pending, caller.id)...)
	if caller.leg.answered {
		m.tell(caller, call.Event{Kind: call.LegAnswered})
	}
}

// digitsOf is a number that was dialled; a dialplan's own names, such as s,
// are none.
func digitsOf(exten string) string {
	for _, r := range exten {
		if r >= '0' && r <= '9' {
			return call.Clean(exten, 64)
		}
	}
	return ""
}

// ofOthers drops what was noted of the party that turned out to be the caller.
func ofOthers(events []call.Event, caller string) []call.Event {
	return slices.DeleteFunc(events, func(e call.Event) bool { return e.Leg == caller })
}

// caps is what can be told of an observed call. Asterisk 16 tells no SIP code
// of its own; what is told instead follows from the Q.850 cause.
func (m *Machine) caps() []call.Cap {
	caps := []call.Cap{
		call.CapRing, call.CapRingExtension, call.CapAnswer, call.CapEndAtOnce,
		call.CapHold, call.CapTransfer, call.CapCallerID,
	}
	if m.cfg.Recordings != "" {
		caps = append(caps, call.CapRecording)
	}
	return caps
}

// emit tells a fact of a conversation, now or when it has started.
func (m *Machine) emit(v *conv, e call.Event) {
	if v.silent {
		return
	}
	e.Call = v.id
	e = m.stamped(e)
	v.keep(e)
	if v.started {
		m.out = append(m.out, e)
	} else {
		v.pending = append(v.pending, e)
	}
}

func (m *Machine) stamped(e call.Event) call.Event {
	e.V, e.Source, e.Observed, e.Live = call.Schema, m.cfg.Source, true, true
	if e.At.IsZero() {
		e.At = m.at
	}
	return e
}

// tell tells a fact of a party.
func (m *Machine) tell(c *channel, e call.Event) { m.emit(c.conv, m.said(c, e)) }

func (m *Machine) said(c *channel, e call.Event) call.Event {
	e.Leg, e.Role, e.Address, e.Trunk = c.id, c.leg.role, c.address, c.trunk
	e.Agent = m.cfg.Agents[c.address]
	return e
}

// link makes one conversation of two.
func (m *Machine) link(a, b *conv) *conv {
	if a == b || a == nil || b == nil {
		return a
	}
	keep, drop := a, b
	if older(b, a) {
		keep, drop = b, a
	}
	m.convs = slices.DeleteFunc(m.convs, func(v *conv) bool { return v == drop })
	both := drop.started && keep.started && !drop.silent && !keep.silent
	switch {
	case keep.silent && keep.into == "", drop.silent && drop.into == "":
		keep.silent = keep.silent && drop.silent // there is something to be told of it after all
	case keep.silent && !drop.silent:
		m.hush(drop, keep.into)
	case drop.silent && !keep.silent:
		m.hush(keep, drop.into)
	case both:
		m.out = append(m.out, m.stamped(call.Event{Kind: call.CallMerged, Call: drop.id, Into: keep.id}))
	}
	for _, e := range drop.pending {
		m.emit(keep, e)
	}
	for _, c := range drop.channels {
		m.join(c, keep)
		if both && c.leg != nil {
			m.carry(c)
		}
	}
	if keep.queue == nil {
		keep.queue = drop.queue
	}
	return keep
}

// older says which of two conversations goes on: one that was told of, the
// earlier of two.
func older(a, b *conv) bool {
	if a.started != b.started {
		return a.started
	}
	return a.began.Before(b.began)
}

// carry takes a party into the call that goes on. One that rings is told at
// once, one that talks when it is connected there; one that only dialled to
// get there is never told.
func (m *Machine) carry(c *channel) {
	c.leg = &leg{role: m.role(c), from: c.leg.from}
	if !c.calls && !c.up {
		m.tellRinging(c)
	}
}

// ripen starts the calls that have waited long enough for a caller.
func (m *Machine) ripen() {
	for _, v := range m.convs {
		if !v.started && !v.silent && len(v.pending) > 0 && m.at.Sub(v.began) > patience && !v.made() {
			m.startOwn(v, "")
		}
	}
}

// made reports whether a program makes this call: then it starts when the
// party that is rung first has answered, and it is known what it wants.
func (v *conv) made() bool {
	return slices.ContainsFunc(v.channels, func(c *channel) bool { return c.made })
}

// startOwn starts a call that a program makes: its caller is the party that
// was rung first.
func (m *Machine) startOwn(v *conv, to string) {
	var caller *channel
	for _, c := range v.channels {
		if c.leg != nil && (caller == nil || c.up && !caller.up) {
			caller = c
		}
	}
	if caller != nil {
		m.start(v, caller, to)
	}
}
