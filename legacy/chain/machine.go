package chain

import (
	"encoding/json"
	"fmt"
	"time"

	"markaz/call"
	"markaz/call/number"
	"markaz/legacy/smdr"
)

// Machine makes calls of the records of one exchange.
type Machine struct {
	cfg  Config
	seen Seen
	st   state

	at      time.Time // when the input being worked on came
	out     []call.Event
	numbers memo
	due     time.Time // the earliest Due of an open call; zero: none
}

// state is all that must survive a restart.
type state struct {
	Now      time.Time          `json:"now"`  // the exchange's clock, as far as it is known
	Last     time.Time          `json:"last"` // when the last input came, while connected
	Lanes    map[string]*opened `json:"lanes,omitempty"`
	Forwards []*opened          `json:"forwards,omitempty"` // outgoing halves of calls passed on to a trunk
	Skew     Skew               `json:"skew"`
	Lines    ordinals           `json:"lines,omitempty"`
	DISA     map[string]bool    `json:"disa,omitempty"`
	Rings    uint64             `json:"rings,omitempty"` // received-call records so far
	Answers  uint64             `json:"answers,omitempty"`
	Callers  uint64             `json:"callers,omitempty"` // records with a caller's number
	Calls    uint64             `json:"calls,omitempty"`   // records of incoming calls that ended
}

// New makes a machine with nothing behind it.
func New(cfg Config, seen Seen) *Machine {
	if cfg.RingHold == 0 {
		cfg.RingHold = DefaultRingHold
	}
	if cfg.LegHold == 0 {
		cfg.LegHold = DefaultLegHold
	}
	if cfg.Emergency == nil {
		cfg.Emergency = DefaultEmergency()
	}
	m := &Machine{cfg: cfg, seen: seen}
	m.st.Lanes, m.st.DISA = map[string]*opened{}, map[string]bool{}
	return m
}

// Config is what the machine was made with.
func (m *Machine) Config() Config { return m.cfg }

// Snapshot is all that Restore needs to go on from here.
func (m *Machine) Snapshot() ([]byte, error) {
	m.forget()
	b, err := json.Marshal(m.st)
	if err != nil {
		return nil, fmt.Errorf("save calls: %w", err)
	}
	return b, nil
}

// Restore puts a snapshot back.
func (m *Machine) Restore(b []byte) error {
	st := state{Lanes: map[string]*opened{}, DISA: map[string]bool{}}
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("restore calls: %w", err)
	}
	m.st = st
	m.schedule()
	return nil
}

// Verdict says what became of a record.
type Verdict uint8

// The verdicts.
const (
	Taken     Verdict = iota
	Duplicate         // taken before
	Future            // printed more than two days ahead of our clock
	Ignored           // a kind that tells nothing of calls
)

// future is how far ahead of our clock a date may be.
const future = 48 * time.Hour

// Record takes a record that came at a time with its line, and returns what
// follows from it. The events are good until the next call.
func (m *Machine) Record(at time.Time, r *smdr.Record, line []byte) ([]call.Event, Verdict) {
	m.begin(at)
	printed := at
	if r.HasTime {
		if printed = utc(r.Printed, m.cfg.Zone, at); printed.After(at.Add(future)) {
			return nil, Future
		}
	}
	moment, shown := printed, r.Printed
	if r.StartTime {
		moment, shown = printed.Add(time.Duration(max(r.Duration, 0))*time.Second), shown+int64(max(r.Duration, 0))
	}
	minute := shown / 60 // as printed: in the hour that comes twice, one cannot tell which it was
	if !r.HasTime {
		minute = 0
	}
	fingerprint := lineKey(line)
	key := recordKey(fingerprint, m.st.Lines.next(minute, fingerprint))
	if m.seen.Has(minute, key) {
		return nil, Duplicate
	}
	m.seen.Add(minute, key)
	live := !m.cfg.Late && (!r.HasTime || m.st.Skew.judge(at, moment))
	verdict := Taken
	rec := m.read(r, moment, live, key)
	switch r.Kind {
	case smdr.KindRing, smdr.KindAnswer, smdr.KindCall:
		m.take(&rec)
	case smdr.KindAgent, smdr.KindAlarm:
		m.notice(&rec, r)
	default:
		verdict = Ignored
	}
	m.reach(moment)
	return m.out, verdict
}

// Session tells that the connection was made anew.
func (m *Machine) Session(at time.Time) {
	m.at, m.st.Last = at, at
	if m.cfg.Replays {
		m.st.Lines = nil
	}
}

// Tick tells that time has passed while the connection stood.
func (m *Machine) Tick(at time.Time) []call.Event {
	m.begin(at)
	m.expire()
	return m.out
}

// Flush tells that nothing more will come, and settles what is open.
func (m *Machine) Flush(at time.Time) []call.Event {
	m.begin(at)
	for _, c := range m.open() {
		m.settle(c)
	}
	m.schedule()
	return m.out
}

// Due is when Tick has something to do, if the connection stands until then;
// zero means never.
func (m *Machine) Due() time.Time {
	if m.due.IsZero() {
		return time.Time{}
	}
	return m.st.Last.Add(m.due.Sub(m.st.Now))
}

// begin moves the exchange's clock on by what has passed on ours since the
// last input. Between sessions it stands still, so that records that were
// held back while the link was away are still waited for.
func (m *Machine) begin(at time.Time) {
	m.out = m.out[:0]
	m.at = at
	if passed := at.Sub(m.st.Last); !m.st.Last.IsZero() && passed > 0 {
		m.st.Now = m.st.Now.Add(passed)
	}
	m.st.Last = at
}

// reach moves the exchange's clock to a time it has printed, and settles what
// has been waited for long enough.
func (m *Machine) reach(t time.Time) {
	if t.After(m.st.Now) {
		m.st.Now = t
	}
	m.expire()
}

func (m *Machine) expire() {
	if m.due.IsZero() || m.st.Now.Before(m.due) {
		return
	}
	for _, c := range m.open() {
		if !c.Due.After(m.st.Now) {
			m.settle(c)
		}
	}
	m.schedule()
}

// schedule finds the earliest Due.
func (m *Machine) schedule() {
	m.due = time.Time{}
	for _, c := range m.st.Lanes {
		if !c.Ended && (m.due.IsZero() || c.Due.Before(m.due)) {
			m.due = c.Due
		}
	}
}

// wait sets how long an open call is waited for.
func (m *Machine) wait(c *opened, hold time.Duration) {
	c.Due = m.st.Now
	if c.PrintedEnd.After(c.Due) {
		c.Due = c.PrintedEnd
	}
	c.Due = c.Due.Add(hold)
	if m.due.IsZero() || c.Due.Before(m.due) {
		m.due = c.Due
	}
}

// forget drops calls to which nothing can come any more.
func (m *Machine) forget() {
	const memory = 26 * time.Hour // longer than any talk that is waited for
	for lane, c := range m.st.Lanes {
		if c.Ended && m.st.Now.Sub(c.PrintedEnd) > memory {
			delete(m.st.Lanes, lane)
		}
	}
}

// Skew tells how far the exchange's clock is behind ours, once that is known.
func (m *Machine) Skew() (time.Duration, bool) { return m.st.Skew.Measured() }

// Counts tells how many records of calls received, calls answered and incoming
// calls ended there were, and which extensions were found to be DISA lines
// without being set as such.
func (m *Machine) Counts() (received, answered, ended uint64, disa []string) {
	for ext := range m.st.DISA {
		if !contains(m.cfg.DISA, ext) {
			disa = append(disa, ext)
		}
	}
	return m.st.Rings, m.st.Answers, m.st.Calls, disa
}

// memo keeps the last numbers read: reading one takes microseconds, and the
// same numbers come again and again.
type memo map[string]number.Number

func (m *Machine) caller(raw string) number.Number  { return m.number("<"+raw, raw) }
func (m *Machine) dialled(raw string) number.Number { return m.number(">"+raw, raw) }

func (m *Machine) number(key, raw string) number.Number {
	if n, ok := m.numbers[key]; ok {
		return n
	}
	var n number.Number
	if key[0] == '<' {
		n = m.cfg.Number.Caller(raw)
	} else {
		n = m.cfg.Number.Dialled(raw)
	}
	if m.numbers == nil || len(m.numbers) >= 4096 {
		m.numbers = make(memo, 256)
	}
	m.numbers[key] = n
	return n
}
