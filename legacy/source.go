package legacy

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"markaz/call"
	"markaz/call/number"
	"markaz/legacy/chain"
	"markaz/legacy/journal"
	"markaz/legacy/link"
	"markaz/legacy/monitor"
	"markaz/legacy/smdr"
)

// source is one source at work. Its machine belongs to the engine's goroutine.
type source struct {
	cfg     Source
	machine machine
	chain   *chain.Machine // of an exchange; nil for a line monitor
	decode  func([]byte) string
	zone    *time.Location
	sounds  *sounds // nil without a recorder
	dirty   bool

	place  link.Place // of a file: where this session began
	read   int64      // and how much of it has come since
	paced  time.Time  // the Due for which a tick was written, and when
	ticked time.Time

	mu   sync.Mutex
	link *link.Link // once the source is where it was
	due  time.Time
	up   bool
	stat stats
	view view
}

// newSource makes a source. seen and notes are its part of the state.
func newSource(cfg Source, seen chain.Seen) (*source, error) {
	s := &source{cfg: cfg}
	s.stat.kinds = map[string]uint64{}
	var err error
	if s.zone, err = cfg.location(); err != nil {
		return nil, err
	}
	if s.decode, err = cfg.decoder(); err != nil {
		return nil, err
	}
	numbers, err := number.New(cfg.Number)
	if err != nil {
		return nil, fmt.Errorf("numbers: %w", err)
	}
	if cfg.Profile != "" {
		return s, s.monitor(numbers)
	}
	p, err := newPanasonic(cfg, s.chainConfig(numbers), seen, s.watchRecord)
	if err != nil {
		return nil, err
	}
	s.machine, s.chain = p, p.chain
	return s, nil
}

func (s *source) monitor(numbers *number.Reader) error {
	profile, err := s.cfg.profile()
	if err != nil {
		return err
	}
	s.machine = lines{monitor.New(monitor.Config{
		Source: s.cfg.Key, Number: numbers, Extensions: s.cfg.Lines, Caps: s.caps(), Heard: s.watchFrame,
	}, profile)}
	return nil
}

func (s *source) chainConfig(numbers *number.Reader) chain.Config {
	return chain.Config{
		Source: s.cfg.Key, Zone: s.zone, Number: numbers, Text: s.decode, DISA: s.cfg.DISA, Groups: s.cfg.Groups,
		Emergency: s.cfg.Emergency, Caps: s.caps(), Replays: s.cfg.Link.Replays(), Correct: s.cfg.CorrectClock,
		RingHold: s.cfg.RingHold, LegHold: s.cfg.LegHold,
	}
}

// caps is what the source can tell because of how it is set up.
func (s *source) caps() []call.Cap {
	var caps []call.Cap
	if t := s.cfg.Telsa; t != nil {
		caps = append(caps, call.CapRecording)
		if !t.NoHangUp && s.cfg.Profile == "" {
			caps = append(caps, call.CapEndAtOnce)
		}
	}
	return caps
}

// watchRecord counts what an exchange sent, and shows it.
func (s *source) watchRecord(raw []byte, r *smdr.Record, verdict chain.Verdict) {
	kind := r.Kind.String()
	switch verdict {
	case chain.Duplicate:
		kind = "duplicate"
	case chain.Future:
		kind = "future"
	}
	if r.Kind == smdr.KindBlank {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stat.count(kind, r.Kind.Dated())
	if verdict == chain.Duplicate {
		return // seen before, in every sense
	}
	s.view.add(s.stat.heard, raw, func() string {
		if !r.Kind.Dated() {
			return kind
		}
		b, err := json.Marshal(smdr.FormOf(r, s.decode))
		if err != nil {
			return kind
		}
		return string(b)
	})
}

// watchFrame counts what a line monitor sent, and shows it.
func (s *source) watchFrame(raw, _ []byte, sig monitor.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stat.count(string(sig.Event), sig.Event != monitor.Unknown)
	s.view.add(s.stat.heard, raw, sig.String)
}

// step takes a journal entry.
func (s *source) step(e journal.Entry) []call.Event {
	s.dirty = true
	s.mu.Lock()
	switch e.Kind {
	case journal.Data:
		s.stat.heard = e.At
		s.stat.noise.add(e.Bytes)
		s.read += int64(len(e.Bytes))
	case journal.Up:
		s.place, s.read = link.Place{}, 0
		_ = json.Unmarshal(e.Bytes, &s.place) // only a file's session tells its place
	}
	s.mu.Unlock()
	if e.Kind == journal.Up && s.place.Offset > 0 {
		return nil // a file is gone on with: no new session
	}
	return s.machine.Step(e)
}

// publish lets the pacer know when the machine has something to do.
func (s *source) publish() {
	due := s.machine.Due()
	if s.sounds != nil {
		if d := s.sounds.due(); !d.IsZero() && (due.IsZero() || d.Before(due)) {
			due = d
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.due = due
}

// ripe reports whether a tick should be written at a time: once for every
// Due, and while a device whose records are waited for is connected.
func (s *source) ripe(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	const again = 5 * time.Second // should the first have been lost
	if s.due.IsZero() || now.Before(s.due) || s.due.Equal(s.paced) && now.Sub(s.ticked) < again || s.chain != nil && !s.up {
		return false
	}
	s.paced, s.ticked = s.due, now
	return true
}

// resume is the detail of the session to go on with: how far a file was read.
func (s *source) resume() []byte {
	if s.cfg.Link.Type != "file" || s.place.Head == 0 {
		return nil
	}
	at := s.place
	at.Offset += s.read
	b, err := json.Marshal(at)
	if err != nil {
		return nil
	}
	return b
}

// saved is what survives a restart.
type saved struct {
	Machine json.RawMessage `json:"machine"`
	Sounds  []waiting       `json:"sounds,omitempty"`
	Place   link.Place      `json:"place"`
	Read    int64           `json:"read,omitempty"`
}

func (s *source) snapshot() ([]byte, error) {
	m, err := s.machine.Snapshot()
	if err != nil {
		return nil, err
	}
	v := saved{Machine: m, Place: s.place, Read: s.read}
	if s.sounds != nil {
		v.Sounds = s.sounds.waiting
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("save source %s: %w", s.cfg.Key, err)
	}
	return b, nil
}

func (s *source) restore(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	var v saved
	if err := json.Unmarshal(b, &v); err != nil {
		return fmt.Errorf("restore source %s: %w", s.cfg.Key, err)
	}
	s.place, s.read = v.Place, v.Read
	if s.sounds != nil {
		s.sounds.waiting = v.Sounds
	}
	if err := s.machine.Restore(v.Machine); err != nil {
		return fmt.Errorf("restore source %s: %w", s.cfg.Key, err)
	}
	return nil
}

// lineOf is a line's number as a recorder would say it: 03, 0003 and 3 are the
// same.
func lineOf(trunk string) string {
	if n, err := strconv.Atoi(trunk); err == nil {
		return strconv.Itoa(n)
	}
	return trunk
}
