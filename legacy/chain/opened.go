package chain

import (
	"strconv"
	"time"

	"markaz/call"
	"markaz/legacy/ident"
)

// opened is a call to which records may still belong: one that has not ended,
// or the last one of its line.
type opened struct {
	ID       string         `json:"id"`
	Lane     string         `json:"lane"`
	Dir      call.Direction `json:"dir"`
	Number   string         `json:"number,omitempty"`
	Seq      uint64         `json:"seq"`
	Revision int            `json:"rev,omitempty"`
	Phase    phase          `json:"phase"`
	Legs     []leg          `json:"legs,omitempty"`
	Started  time.Time      `json:"started"`
	Last     time.Time      `json:"last"` // the latest thing told, as told
	Due      time.Time      `json:"due"`  // when it is settled, by the exchange's clock
	Live     bool           `json:"live,omitempty"`
	Ended    bool           `json:"ended,omitempty"`
	Answered bool           `json:"answered,omitempty"` // by a person
	Guessed  bool           `json:"guessed,omitempty"`  // ended without a record that says so: one may still come
	Recorded bool           `json:"recorded,omitempty"` // a recorder heard the line being hung up
	Talk     time.Duration  `json:"talk,omitempty"`     // of persons

	// By the exchange's clock as printed.
	PrintedStart time.Time `json:"ps"`
	PrintedEnd   time.Time `json:"pe"`
}

// phase is what an open call waits for.
type phase uint8

const (
	ringing phase = iota // for somebody to answer
	talking              // for the end of a leg that was answered
	between              // for a person, after a machine
)

// String names the phase.
func (p phase) String() string { return [...]string{"ringing", "talking", "between"}[p] }

type leg struct {
	ID       string    `json:"id"`
	Ext      string    `json:"ext"`
	Role     call.Role `json:"role"`
	Answered bool      `json:"answered,omitempty"`
	Done     bool      `json:"done,omitempty"`
	Rings    int64     `json:"rings,omitempty"` // ms
	At       time.Time `json:"at"`              // of the answer, as printed
}

// open lists the calls that have not ended, in the order of their start.
func (m *Machine) open() []*opened {
	var list []*opened
	for _, c := range m.st.Lanes {
		if !c.Ended {
			list = append(list, c)
		}
	}
	sortByStart(list)
	return list
}

// start makes the call that a record begins and states its start.
func (m *Machine) start(r *record, live bool) *opened {
	c := &opened{
		Lane: r.lane, Dir: r.dir, Number: r.number, Started: r.start, Last: r.start, Live: r.live,
		PrintedStart: r.printedStart, PrintedEnd: r.printedEnd,
	}
	c.ID = ident.Call(m.cfg.Source, ident.Key(r.key), r.start)
	e := call.Event{
		Kind: call.CallStarted, At: r.start, Leg: callerLeg, Direction: r.dir, Origin: call.PSTN, Trunk: r.trunk, DID: r.did,
		Ref: ident.Key(r.key), Caps: m.caps(),
	}
	switch r.dir {
	case call.Inbound:
		e.From, e.FromE164, e.FromName, e.To = r.number, r.e164, r.name, r.did
	default:
		e.From, e.To, e.ToE164 = r.ext, r.number, r.e164
	}
	if r.dir == call.Internal {
		e.Origin = ""
	}
	m.emit(c, e, r.grain, live)
	m.st.Lanes[c.Lane] = c
	return c
}

const callerLeg = "caller"

// caps is what this exchange has shown itself able to tell, and what was set.
func (m *Machine) caps() []call.Cap {
	caps := append([]call.Cap{call.CapTransfer}, m.cfg.Caps...)
	if m.st.Rings > 0 {
		caps = append(caps, call.CapRing)
	}
	if m.st.Answers > 0 {
		caps = append(caps, call.CapAnswer)
	}
	if m.st.Callers > 0 {
		caps = append(caps, call.CapCallerID)
	}
	return caps
}

// emit states a fact of a call.
func (m *Machine) emit(c *opened, e call.Event, grain int64, live bool) {
	c.Seq++
	e.V, e.Source, e.Call, e.Seq = call.Schema, m.cfg.Source, c.ID, c.Seq
	e.SeenAt, e.GrainMS, e.Live = m.at.UTC(), grain, live
	e.ID = ident.Event(c.ID, c.Seq, e.At)
	if e.At.After(c.Last) {
		c.Last = e.At
	}
	m.out = append(m.out, e)
}

// sure reports whether a record has told the end.
func (c *opened) sure() bool { return c.Ended && !c.Guessed }

// leg finds the leg of an extension that is not done; nil if there is none.
func (c *opened) leg(ext string) *leg {
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Ext == ext && !l.Done {
			return l
		}
	}
	return nil
}

// add begins a leg and states that it rings.
func (m *Machine) add(c *opened, r *record, at time.Time, live bool) *leg {
	c.Legs = append(c.Legs, leg{ID: strconv.Itoa(len(c.Legs) + 1), Ext: r.ext, Role: r.role})
	l := &c.Legs[len(c.Legs)-1]
	e := call.Event{Kind: call.LegRinging, At: at, Leg: l.ID, Role: l.Role, Address: l.Ext}
	if l.Role == call.RoleExternal {
		e.Trunk = r.trunk
	}
	m.emit(c, e, r.grain, live)
	return l
}

// pickUp states that a leg answered, and the first person that the call is.
func (m *Machine) pickUp(c *opened, l *leg, r *record, live bool) {
	l.Answered, l.At = true, r.printedEnd.Add(-r.talk)
	m.emit(c, call.Event{Kind: call.LegAnswered, At: r.answer, Leg: l.ID, RingMS: r.ring.Milliseconds()}, r.grain, live)
	if !l.Role.Person() {
		return
	}
	m.emit(c, call.Event{Kind: call.LegJoined, At: r.answer, Leg: l.ID}, r.grain, live)
	if !c.Answered {
		c.Answered = true
		m.emit(c, call.Event{Kind: call.CallAnswered, At: r.answer, Leg: l.ID, Address: l.Ext}, r.grain, live)
	}
}

// others ends the legs that still ring, all but one.
func (m *Machine) others(c *opened, but *leg, at time.Time, result call.Result, grain int64, live bool) {
	for i := range c.Legs {
		if l := &c.Legs[i]; l != but && !l.Done && !l.Answered {
			l.Done = true
			m.emit(c, call.Event{Kind: call.LegEnded, At: at, Leg: l.ID, Result: result}, grain, live)
		}
	}
}

// end states the end of a call.
func (m *Machine) end(c *opened, e call.Event, grain int64, live bool) {
	e.Kind = call.CallEnded
	result, left := call.NoAnswer, call.NoAnswer
	if c.Answered {
		result, left = call.Answered, call.AnsweredElsewhere
	}
	m.others(c, nil, e.At, left, grain, live)
	m.emit(c, call.Event{Kind: call.LegEnded, At: e.At, Leg: callerLeg, Result: result}, grain, live)
	m.emit(c, e, grain, live)
	c.Ended, c.Due = true, time.Time{}
}
