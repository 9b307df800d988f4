package monitor

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"markaz/call"
	"markaz/call/number"
	"markaz/legacy/ident"
)

// Config is what a machine must know of where its device stands.
type Config struct {
	Source     string
	Number     *number.Reader
	Extensions map[string]string // by line: the extension of the phone on it, if there is one
	Caps       []call.Cap
	Heard      func(raw, frame []byte, s Signal) // told of every frame; may be nil
}

// Machine makes calls of what one device reports.
type Machine struct {
	cfg     Config
	profile *Profile
	cutter  *Cutter
	st      state

	at  time.Time
	out []call.Event
}

// state is all that must survive a restart.
type state struct {
	Lines   map[string]*line `json:"lines"`
	Pending []byte           `json:"pending,omitempty"`
	Heard   time.Time        `json:"heard"`
	Calls   uint64           `json:"calls"`
	MMSS    int              `json:"mmss"` // how often our clock agreed with minutes and seconds rather than seconds
}

// New makes a machine with nothing behind it.
func New(cfg Config, p *Profile) *Machine {
	return &Machine{cfg: cfg, profile: p, cutter: NewCutter(p.Frame), st: state{Lines: map[string]*line{}}}
}

// Snapshot is all that Restore needs to go on from here.
func (m *Machine) Snapshot() ([]byte, error) {
	m.st.Pending = m.cutter.Pending()
	b, err := json.Marshal(m.st)
	if err != nil {
		return nil, fmt.Errorf("save lines: %w", err)
	}
	return b, nil
}

// Restore puts a snapshot back.
func (m *Machine) Restore(b []byte) error {
	st := state{Lines: map[string]*line{}}
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("restore lines: %w", err)
	}
	m.st = st
	m.cutter.Resume(st.Pending)
	return nil
}

// Data takes bytes that came at a time, and returns what follows. The events
// are good until the next call.
func (m *Machine) Data(at time.Time, chunk []byte) []call.Event {
	m.begun(at)
	m.cutter.Write(chunk, m.frame)
	m.st.Heard = at
	return m.out
}

// Session tells that the connection was made anew: half a frame is lost.
func (m *Machine) Session(at time.Time) []call.Event {
	m.begun(at)
	m.cutter.Flush(m.frame)
	return m.out
}

// Tick tells that time has passed.
func (m *Machine) Tick(at time.Time) []call.Event {
	m.begun(at)
	if len(m.cutter.Pending()) > 0 && !at.Before(m.st.Heard.Add(ms(m.profile.Frame.IdleFlushMS))) {
		m.cutter.Flush(m.frame)
	}
	return m.out
}

// Due is when Tick has something to do; zero means never.
func (m *Machine) Due() time.Time {
	var due time.Time
	for _, l := range m.st.Lines {
		if !l.Due.IsZero() && (due.IsZero() || l.Due.Before(due)) {
			due = l.Due
		}
	}
	if len(m.cutter.Pending()) > 0 {
		if flush := m.st.Heard.Add(ms(m.profile.Frame.IdleFlushMS)); due.IsZero() || flush.Before(due) {
			due = flush
		}
	}
	return due
}

// begun starts on an input; what was due before it happens first.
func (m *Machine) begun(at time.Time) {
	m.out = m.out[:0]
	for _, name := range slices.Sorted(maps.Keys(m.st.Lines)) {
		if l := m.st.Lines[name]; !l.Due.IsZero() && !l.Due.After(at) {
			m.at = l.Due
			m.expire(l)
			m.plan(l)
		}
	}
	m.at = at
}

// expire does what a line has waited for.
func (m *Machine) expire(l *line) {
	switch l.State {
	case ringing:
		if m.at.Sub(l.LastRing) >= ms(m.profile.RingGapMS) {
			m.missed(l)
			return
		}
		m.tell(l) // its number has been waited for long enough
	case lifted:
		m.dialled(l)
	}
}

// plan sets when a line has something to do by itself.
func (m *Machine) plan(l *line) {
	l.Due = time.Time{}
	switch l.State {
	case ringing:
		l.Due = l.LastRing.Add(ms(m.profile.RingGapMS))
		if told := l.Began.Add(ms(m.profile.CIDWaitMS)); !l.Told && told.Before(l.Due) {
			l.Due = told
		}
	case lifted:
		if l.Dialled != "" {
			l.Due = l.LastDigit.Add(ms(m.profile.DialGapMS))
		}
	}
}

func (m *Machine) frame(raw, frame []byte) {
	if len(frame) == 0 {
		return
	}
	s := m.profile.Match(m.at, frame)
	if m.cfg.Heard != nil {
		m.cfg.Heard(raw, frame, s)
	}
	m.step(s)
}

func (m *Machine) line(name string) *line {
	l := m.st.Lines[name]
	if l == nil {
		l = &line{Name: name}
		m.st.Lines[name] = l
	}
	return l
}

// HungUp tells that a recorder heard a line being hung up, for devices that
// cannot tell it themselves.
func (m *Machine) HungUp(at time.Time, name string, when time.Time) []call.Event {
	m.begun(at)
	if l := m.st.Lines[name]; l != nil && m.profile.NoHook && l.State == ringing && !when.Before(l.Began) {
		m.tell(l)
		m.pickUp(l, l.LastRing, m.cfg.Extensions[l.Name])
		m.end(l, when, call.CallAnsweredD, "recorded", when.Sub(l.LastRing))
	}
	return m.out
}

// caps is what such a device can tell.
func (m *Machine) caps() []call.Cap {
	caps := append([]call.Cap{call.CapRing, call.CapCallerID}, m.cfg.Caps...)
	if !m.profile.NoHook {
		caps = append(caps, call.CapAnswer, call.CapEndAtOnce)
	}
	return caps
}

// alarm tells that a line was cut off, or is back.
func (m *Machine) alarm(l *line, e Event) {
	state := "up"
	if e == LineDown {
		state = "down"
		m.lost(l)
	}
	m.st.Calls++
	m.out = append(m.out, call.Event{
		V: call.Schema, Kind: call.TrunkAlarm, Source: m.cfg.Source, Trunk: l.Name, State: state, At: m.at.UTC(), SeenAt: m.at.UTC(), Live: true,
		ID: ident.Event(m.cfg.Source+"/"+l.Name, m.st.Calls, m.at),
	})
}

// duration reads what the device printed.
func (m *Machine) duration(printed string) (time.Duration, bool) {
	format := m.profile.Duration.Format
	if format == "auto" {
		format = "mmss" // all samples known have less than sixty in the last two digits
		if m.st.MMSS < 0 {
			format = "seconds"
		}
	}
	s, ok := readDuration(printed, format)
	if !ok {
		s, ok = readDuration(printed, "seconds")
	}
	return time.Duration(s) * time.Second, ok
}

// talk chooses between our clock and the device's duration, and learns from
// the difference how the device prints it.
func (m *Machine) talk(clock time.Duration, printed string) time.Duration {
	mmss, okM := readDuration(printed, "mmss")
	seconds, okS := readDuration(printed, "seconds")
	if okM && okS && mmss != seconds && m.profile.Duration.Format == "auto" {
		c := int(clock / time.Second)
		if abs(c-mmss) < abs(c-seconds) {
			m.st.MMSS = min(m.st.MMSS+1, 8)
		} else {
			m.st.MMSS = max(m.st.MMSS-1, -8)
		}
	}
	if d, ok := m.duration(printed); ok && m.profile.Duration.Prefer == "device" {
		return d
	}
	return max(clock, 0)
}

func abs(n int) int { return max(n, -n) }
