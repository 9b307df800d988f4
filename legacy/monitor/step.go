package monitor

import (
	"time"

	"markaz/call"
)

// step moves a line by what its device reported.
func (m *Machine) step(s Signal) {
	l := m.line(s.Line)
	switch s.Event {
	case Ring, CID:
		m.ring(l, s)
	case OffHook:
		m.lift(l, s)
	case Digit:
		m.digit(l, s.Digit)
	case Answer, Polarity:
		if (l.State == lifted || l.State == calling) && l.Dialled != "" && l.Answered.IsZero() {
			l.Answered = m.at
		}
	case OnHook:
		m.hangUp(l, s)
	case Missed:
		m.missed(l)
	case LineDown, LineUp:
		m.alarm(l, s.Event)
	}
	m.plan(l)
}

// ring takes a ring, or the caller's number, which comes before the first ring
// or after it, or even after the handset was lifted.
func (m *Machine) ring(l *line, s Signal) {
	switch l.State {
	case talking:
		if s.Event == CID {
			m.identify(l, s)
			return
		}
		m.lost(l) // a line in use does not ring: its hang-up was missed
	case lifted, calling:
		if s.Event == CID {
			return // call waiting
		}
		m.lost(l)
	}
	if l.State == idle {
		m.begin(l, ringing)
	}
	l.LastRing = m.at
	m.identify(l, s)
	if l.Number != "" || s.Restricted || m.profile.CIDWaitMS == 0 {
		m.tell(l)
	}
}

// identify notes who calls, and corrects the call if it was told without.
func (m *Machine) identify(l *line, s Signal) {
	news := call.Event{}
	if s.Number != "" && l.Number == "" {
		l.Number = s.Number
		n := m.cfg.Number.Caller(s.Number)
		news.From, news.FromE164 = n.Shown, n.E164
	}
	if s.Name != "" && l.CallerName == "" {
		l.CallerName = call.Clean(s.Name, 64)
		news.FromName = l.CallerName
	}
	if l.Told && news.From+news.FromName != "" {
		m.amend(l, news)
	}
}

// lift takes the handset being lifted: an answer if the line rang just now.
func (m *Machine) lift(l *line, s Signal) {
	switch {
	case l.State == ringing && m.at.Sub(l.LastRing) <= ms(m.profile.AnswerWindowMS):
		m.tell(l)
		l.State, l.Lifted = talking, m.at
		m.pickUp(l, m.at, m.cfg.Extensions[l.Name])
		return
	case l.State == ringing:
		m.missed(l)
	case l.State == talking, l.State == calling:
		m.lost(l)
	}
	if l.State == idle {
		m.begin(l, lifted)
		l.Lifted = m.at
	}
	for _, c := range digits(s.Dialled) {
		m.digit(l, string(c))
	}
	if s.Dialled != "" {
		m.dialled(l)
	}
}

func (m *Machine) digit(l *line, d string) {
	if l.State == idle {
		m.begin(l, lifted) // the lifting was not heard
		l.Lifted = m.at
	}
	switch l.State {
	case lifted:
		l.Dialled += d
		l.LastDigit = m.at
	case calling: // for a menu
		l.Dialled += d
	}
}

// dialled states an outgoing call whose number is complete.
func (m *Machine) dialled(l *line) {
	if l.State == lifted && l.Dialled != "" {
		m.tell(l)
		l.State = calling
	}
}

// hangUp takes the handset being put down.
func (m *Machine) hangUp(l *line, s Signal) {
	printed, known := m.duration(s.Printed)
	switch l.State {
	case ringing: // the device tells only the end
		if !known || printed == 0 {
			m.missed(l)
			return
		}
		m.tell(l)
		m.pickUp(l, m.at.Add(-printed), m.cfg.Extensions[l.Name])
		m.end(l, m.at, call.CallAnsweredD, "", printed)
	case talking:
		m.end(l, m.at, call.CallAnsweredD, "", m.talk(m.at.Sub(l.Lifted), s.Printed))
	case lifted, calling:
		m.endOutgoing(l, s)
	case idle:
		if s.Dialled != "" { // the lifting was not heard
			m.begin(l, lifted)
			l.Began = m.at.Add(-printed)
			l.Lifted, l.LastDigit, l.Dialled = l.Began, l.Began, digits(s.Dialled)
			m.endOutgoing(l, s)
		}
	}
}

// endOutgoing ends a call to outside. Unless the device tells of the answer,
// a call that lasted is assumed to have been answered.
func (m *Machine) endOutgoing(l *line, s Signal) {
	if d := digits(s.Dialled); len(d) > len(l.Dialled) {
		l.Dialled = d
	}
	if l.Dialled == "" {
		m.rest(l) // lifted and put down
		return
	}
	m.tell(l)
	answered := l.LastDigit
	if !l.Answered.IsZero() {
		answered = l.Answered
	}
	lasted := m.talk(m.at.Sub(answered), s.Printed)
	if l.Answered.IsZero() && lasted < ms(m.profile.AnsweredMS) {
		m.end(l, m.at, call.CallCancelled, "", 0)
		return
	}
	m.pickUp(l, answered, l.Shown)
	m.end(l, m.at, call.CallAnsweredD, "", lasted)
}

// missed ends a call that nobody took.
func (m *Machine) missed(l *line) {
	switch l.State {
	case idle:
		m.begin(l, ringing)
		l.LastRing = m.at
	case ringing:
	default:
		return
	}
	if m.profile.NoHook {
		m.end(l, l.LastRing, call.CallLost, "the device cannot tell whether it was answered", 0)
		return
	}
	m.end(l, l.LastRing, call.Missed, "", 0)
}

// lost ends a call whose end was not heard.
func (m *Machine) lost(l *line) {
	switch l.State {
	case idle:
	case ringing:
		m.missed(l)
	case talking:
		m.end(l, m.at, call.CallAnsweredD, "hang-up not heard", m.at.Sub(l.Lifted))
	default:
		if l.Dialled == "" {
			m.rest(l)
			return
		}
		m.end(l, m.at, call.CallLost, "hang-up not heard", 0)
	}
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// digits keeps what can be dialled.
func digits(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c >= '0' && c <= '9' || c == '*' || c == '#' || c >= 'A' && c <= 'D' {
			out = append(out, c)
		}
	}
	return string(out)
}
