package board

import (
	"cmp"
	"slices"
	"time"

	"markaz/call"
)

// extension is a telephone and what its owner does.
type extension struct {
	Person
	agentState string // what the queues, or the source, say
	agentSince time.Time
	reason     string
	pending    string
	lost       bool // cannot be reached
	lostSince  time.Time
	on         []string // calls, in order of their coming
	idleSince  time.Time
	handled    int
	talk       int64
}

// longestExtension is how many digits an extension that no configuration
// names may have.
const longestExtension = 7

// extensionOf finds the extension of a leg; "" if it is none of ours.
func (b *Board) extensionOf(l *call.Leg) string {
	if x := b.exts[l.Address]; x != nil {
		return l.Address
	}
	if l.Role != call.RoleAgent && l.Role != call.RoleSupervisor || !digits(l.Address) || len(b.exts) >= maxExtensions {
		return ""
	}
	b.exts[l.Address] = &extension{Person: Person{Number: l.Address}, agentState: "free"}
	return l.Address
}

func digits(s string) bool {
	if s == "" || len(s) > longestExtension {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func (b *Board) agentChanged(e call.Event) {
	number := cmp.Or(b.agents[e.Agent], e.Address)
	x := b.exts[number]
	if x == nil {
		if !digits(number) || len(b.exts) >= maxExtensions {
			return
		}
		x = &extension{Person: Person{Number: number, Agent: e.Agent}}
		b.exts[number] = x
	}
	if e.At.Before(x.agentSince) {
		return // an old one, told late
	}
	if e.State != x.agentState {
		x.agentSince = e.At
	}
	x.agentState, x.reason, x.pending = agentWord(e.State), e.Reason, e.Mode
	b.touch("x:" + number)
	for _, q := range x.Queues {
		b.touch("q:" + q)
	}
}

// agentWord turns a state of the queues into one of the board: what somebody
// does with his telephone his calls tell better.
func agentWord(state string) string {
	switch state {
	case "available", "ringing", "talking", "busy":
		return "free"
	}
	return state
}

func (b *Board) extensionChanged(e call.Event) {
	x := b.exts[e.Address]
	if x == nil {
		if !digits(e.Address) || len(b.exts) >= maxExtensions {
			return
		}
		x = &extension{Person: Person{Number: e.Address}, agentState: "free"}
		b.exts[e.Address] = x
	}
	lost := slices.Contains([]string{"offline", "unreachable", "unavailable", "unregistered"}, e.State)
	if lost != x.lost {
		x.lost, x.lostSince = lost, e.At
	}
	b.touch("x:" + e.Address)
}

// relate notes on which extensions, queue and line a call is shown.
func (b *Board) relate(l *liveCall) {
	b.touch("c:" + l.ID)
	var now []string
	for i := range l.Legs {
		if leg := &l.Legs[i]; leg.Ended == nil && !l.Over() {
			if number := b.extensionOf(leg); number != "" && !slices.Contains(now, number) {
				now = append(now, number)
			}
		}
	}
	for _, number := range l.exts {
		b.touch("x:" + number)
		if !slices.Contains(now, number) {
			x := b.exts[number]
			x.on = slices.DeleteFunc(x.on, func(id string) bool { return id == l.ID })
			if len(x.on) == 0 {
				x.idleSince = b.now
			}
		}
	}
	for _, number := range now {
		b.touch("x:" + number)
		if !slices.Contains(l.exts, number) {
			b.exts[number].on = append(b.exts[number].on, l.ID)
		}
	}
	l.exts = now
	b.relateQueue(l)
	b.relateLine(l)
}

// unrelate removes an ended call from where it was shown.
func (b *Board) unrelate(l *liveCall) {
	for _, number := range l.exts {
		x := b.exts[number]
		x.on = slices.DeleteFunc(x.on, func(id string) bool { return id == l.ID })
		b.touch("x:" + number)
	}
	l.exts = nil
}

// extensionRow makes what is shown of an extension.
func (b *Board) extensionRow(number string, x *extension) Row {
	row := Row{Key: "x:" + number, Ext: number, Agent: x.Agent}
	body := Extension{
		Kind: "x", Number: number, Name: x.Name, Agent: x.Agent, Queues: x.Queues, Teams: x.Teams,
		Reason: x.reason, Pending: x.pending, Handled: x.handled, TalkMS: x.talk,
	}
	for _, id := range x.on {
		l := b.calls[id]
		if l == nil {
			continue
		}
		for i := range l.Legs {
			if leg := &l.Legs[i]; leg.Address == number && leg.Ended == nil {
				body.On = append(body.On, l.onCall(leg))
				row.Calls = append(row.Calls, l.Call)
				break
			}
		}
	}
	body.State, body.Since = x.state(body.On)
	row.Body = body
	body.On = nil
	row.Bare = body
	return row
}

// state is the most telling of what is known of an extension.
func (x *extension) state(on []OnCall) (string, int64) {
	best := -1
	for i := range on {
		if best < 0 || weight(on[i].State) > weight(on[best].State) {
			best = i
		}
	}
	switch {
	case best >= 0:
		return on[best].State, on[best].Since
	case x.lost:
		return "unreachable", milli(x.lostSince)
	case x.agentState != "free":
		return x.agentState, milli(x.agentSince)
	}
	return "free", milli(x.idleSince)
}

func weight(state string) int {
	return slices.Index([]string{"monitoring", "held", "ringing", "dialling", "talking"}, state)
}

// onCall is a call as it looks from one of its legs.
func (l *liveCall) onCall(leg *call.Leg) OnCall {
	on := OnCall{Call: l.ID, Leg: leg.ID, Dir: string(l.Direction), Queue: leg.Queue, Since: milli(leg.Started)}
	on.Peer, on.Name = l.From, cmp.Or(l.Known, l.FromName)
	if leg.Role == call.RoleCaller || l.Direction == call.Outbound {
		on.Peer, on.Name = l.To, l.Known
		if other := l.talker(leg); other != nil {
			on.Peer = cmp.Or(other.Address, on.Peer)
		}
	}
	switch {
	case leg.Role == call.RoleSupervisor && leg.Answered != nil:
		on.State, on.Since = "monitoring", milli(*leg.Answered)
	case leg.Answered == nil && leg.Talking == nil && leg.Role != call.RoleCaller:
		on.State = "ringing"
	case l.held[leg.ID]:
		on.State, on.Since = "held", milli(l.since)
	case leg.Talking != nil:
		on.State, on.Since = "talking", milli(*leg.Talking)
	case leg.Role == call.RoleCaller && l.Answered == nil:
		on.State = "dialling"
	default:
		on.State, on.Since = "talking", milli(orElse(leg.Answered, leg.Started))
	}
	return on
}

// talker is the person on the other side of a leg.
func (l *liveCall) talker(from *call.Leg) *call.Leg {
	for i := range l.Legs {
		if leg := &l.Legs[i]; leg != from && leg.Ended == nil && leg.Answered != nil && leg.Role.Person() {
			return leg
		}
	}
	return nil
}

func orElse(t *time.Time, other time.Time) time.Time {
	if t != nil {
		return *t
	}
	return other
}
