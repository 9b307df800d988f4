package monitor

import (
	"strconv"
	"time"

	"markaz/call"
	"markaz/legacy/ident"
)

// lineState is where a telephone line stands.
type lineState uint8

const (
	idle    lineState = iota
	ringing           // somebody calls
	talking           // the call was answered
	lifted            // the handset is up, perhaps dialling
	calling           // a number was dialled, the call has been told
)

// String names the state.
func (s lineState) String() string {
	return [...]string{"idle", "ringing", "talking", "lifted", "calling"}[s]
}

// line is one telephone line and the call on it.
type line struct {
	Name  string    `json:"name"`
	State lineState `json:"state"`

	Call       string    `json:"call,omitempty"`
	Seq        uint64    `json:"seq,omitempty"`
	Revision   int       `json:"rev,omitempty"`
	Told       bool      `json:"told,omitempty"` // the start was stated
	Began      time.Time `json:"began"`
	LastRing   time.Time `json:"ring"`
	Lifted     time.Time `json:"lifted"` // by us: answered, or lifted to dial
	LastDigit  time.Time `json:"digit"`
	Answered   time.Time `json:"answered"` // by the other side, where the device tells
	Number     string    `json:"number,omitempty"`
	CallerName string    `json:"caller,omitempty"`
	Dialled    string    `json:"dialled,omitempty"` // digits pressed for a menu too
	Shown      string    `json:"shown,omitempty"`   // the number that was called, as told
	Due        time.Time `json:"due"`
}

const (
	callerLeg = "caller"
	otherLeg  = "1"
)

// begin makes the call of a line that was idle.
func (m *Machine) begin(l *line, s lineState) {
	m.st.Calls++
	*l = line{Name: l.Name, State: s, Began: m.at}
	l.Call = ident.Call(m.cfg.Source, l.Name+"/"+strconv.FormatUint(m.st.Calls, 10), m.at)
}

// rest puts a line at rest.
func (m *Machine) rest(l *line) { *l = line{Name: l.Name} }

// tell states the start of the call, once.
func (m *Machine) tell(l *line) {
	if l.Told {
		return
	}
	l.Told = true
	e := call.Event{Kind: call.CallStarted, At: l.Began, Leg: callerLeg, Origin: call.PSTN, Trunk: l.Name, Caps: m.caps(), Ref: l.Call}
	phone := call.Event{Kind: call.LegRinging, At: l.Began, Leg: otherLeg, Role: call.RoleAgent, Address: m.cfg.Extensions[l.Name]}
	if l.State == ringing {
		n := m.cfg.Number.Caller(l.Number)
		e.Direction, e.From, e.FromE164, e.FromName = call.Inbound, n.Shown, n.E164, l.CallerName
	} else {
		n := m.cfg.Number.Dialled(l.Dialled)
		e.Direction, e.From, e.To, e.ToE164 = call.Outbound, phone.Address, n.Shown, m.e164(l.Dialled)
		phone.Role, phone.Address, phone.Trunk = call.RoleExternal, n.Shown, l.Name
		l.Shown = n.Shown
	}
	m.emit(l, e)
	m.emit(l, phone)
}

// e164 reads a dialled number to which digits for a menu may have been added:
// it is cut at the first length that makes a valid number.
func (m *Machine) e164(dialled string) string {
	n := m.cfg.Number.Dialled(dialled)
	for cut := len(dialled) - 1; n.E164 == "" && cut >= 7; cut-- {
		if n = m.cfg.Number.Dialled(dialled[:cut]); n.Unproven {
			n.E164 = ""
		}
	}
	return n.E164
}

// amend corrects the parties of a call that was told.
func (m *Machine) amend(l *line, e call.Event) {
	l.Revision++
	e.Kind, e.At, e.Revision = call.CallAmended, m.at, l.Revision
	m.emit(l, e)
}

// emit states a fact of a line's call.
func (m *Machine) emit(l *line, e call.Event) {
	l.Seq++
	e.V, e.Source, e.Call, e.Seq, e.SeenAt, e.Live = call.Schema, m.cfg.Source, l.Call, l.Seq, m.at.UTC(), true
	e.At = e.At.UTC()
	e.ID = ident.Event(l.Call, l.Seq, e.At)
	m.out = append(m.out, e)
}

// end states the end of a call and puts its line at rest.
func (m *Machine) end(l *line, at time.Time, d call.Disposition, reason string, talk time.Duration) {
	m.tell(l)
	result, caller := call.NoAnswer, call.NoAnswer
	switch d {
	case call.CallAnsweredD:
		result, caller = call.Answered, call.Answered
	case call.CallCancelled:
		result = call.Cancelled
	case call.CallLost:
		result, caller = call.Lost, call.Lost
	}
	leg := call.Event{Kind: call.LegEnded, At: at, Leg: otherLeg, Result: result}
	if result == call.Answered {
		leg.TalkMS = talk.Milliseconds()
	}
	m.emit(l, leg)
	m.emit(l, call.Event{Kind: call.LegEnded, At: at, Leg: callerLeg, Result: caller})
	m.emit(l, call.Event{Kind: call.CallEnded, At: at, Disposition: d, Reason: reason})
	m.rest(l)
}

// pickUp states that the called party talks.
func (m *Machine) pickUp(l *line, at time.Time, address string) {
	m.emit(l, call.Event{Kind: call.LegAnswered, At: at, Leg: otherLeg})
	m.emit(l, call.Event{Kind: call.LegJoined, At: at, Leg: otherLeg})
	m.emit(l, call.Event{Kind: call.CallAnswered, At: at, Leg: otherLeg, Address: address})
}
