package legacy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"markaz/legacy/link"
)

// stats is what a source has sent.
type stats struct {
	lines   uint64
	records uint64
	noise   noise
	events  uint64
	kinds   map[string]uint64
	heard   time.Time

	behind    time.Duration // the exchange's clock
	skewKnown bool
	advice    []string
}

func (s *stats) count(kind string, record bool) {
	s.lines++
	s.kinds[kind]++
	if record {
		s.records++
	}
}

// Status is how a source stands.
type Status struct {
	Key        string            `json:"key"`
	Kind       string            `json:"kind"` // the model or the profile
	Connected  bool              `json:"connected"`
	Refused    bool              `json:"refused,omitempty"` // by the device: a wrong password, or it serves another
	Since      time.Time         `json:"since"`
	Reconnects int               `json:"reconnects"`
	Error      string            `json:"error,omitempty"`
	LastLine   time.Time         `json:"last_line"`
	Lines      uint64            `json:"lines"`
	Records    uint64            `json:"records"`
	Bytes      uint64            `json:"bytes"`
	Events     uint64            `json:"events"`
	Kinds      map[string]uint64 `json:"kinds"`
	Skew       float64           `json:"clock_behind_s"` // of the exchange's clock
	SkewKnown  bool              `json:"clock_known"`
	Sounds     *SoundStatus      `json:"recordings,omitempty"`
	Warnings   []string          `json:"warnings,omitempty"`
}

func (s *source) status(now time.Time) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l link.Status
	if s.link != nil {
		l = s.link.Status()
	}
	st := Status{
		Key: s.cfg.Key, Kind: s.cfg.Model + s.cfg.Profile,
		Connected: l.Connected, Refused: l.Refused, Since: l.Since, Reconnects: l.Reconnects, Error: l.Error,
		LastLine: s.stat.heard, Lines: s.stat.lines, Records: s.stat.records, Bytes: s.stat.noise.bytes, Events: s.stat.events,
		Kinds: maps.Clone(s.stat.kinds), Skew: s.stat.behind.Seconds(), SkewKnown: s.stat.skewKnown,
	}
	if s.sounds != nil {
		sounds := s.sounds.status
		st.Sounds = &sounds
	}
	st.Warnings = s.warnings(st, now)
	return st
}

// Bounds of what passes without a warning.
const (
	skewMost    = 3 * time.Minute
	noRingsIn   = 50   // incoming calls
	strangeRate = 0.05 // of lines
)

// warnings tells in plain words what is wrong.
func (s *source) warnings(st Status, now time.Time) []string {
	var w []string
	if skew := s.stat.behind; s.stat.skewKnown && skew.Abs() > skewMost {
		way := "behind ours"
		if skew < 0 {
			way = "ahead of ours"
		}
		w = append(w, fmt.Sprintf("the exchange's clock is %v %s", skew.Abs().Round(time.Second), way))
	}
	if last := s.stat.heard; s.cfg.Hours.From != "" && s.cfg.Hours.open(now.In(s.zone)) && now.Sub(later(last, st.Since)) > s.cfg.Quiet {
		w = append(w, fmt.Sprintf("nothing has come for %v in working hours", now.Sub(later(last, st.Since)).Round(time.Minute)))
	}
	if wrong := s.stat.noise.judge(); wrong != "" {
		w = append(w, wrong)
	}
	if strange := st.Kinds["unknown"] + st.Kinds["bad_date"] + st.Kinds["future"]; st.Lines > 40 && float64(strange) > strangeRate*float64(st.Lines) {
		w = append(w, fmt.Sprintf("%d of %d lines are not understood", strange, st.Lines))
	}
	if n := st.Kinds["bad_date"]; n > 0 && n*2 > st.Records {
		w = append(w, "dates are impossible in the order set: look at the setting date")
	}
	return append(w, s.stat.advice...)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// advise notes what the exchange's records say of its programming. It is
// called by the engine.
func (s *source) advise() {
	if s.chain == nil {
		return
	}
	skew, known := s.chain.Skew()
	rings, _, ended, disa := s.chain.Counts()
	var advice []string
	if rings == 0 && ended >= noRingsIn {
		advice = append(advice, fmt.Sprintf("no ring record in %d incoming calls: switch on the printing of received calls", ended))
	}
	if len(disa) > 0 {
		slices.Sort(disa)
		advice = append(advice, "extensions that look like DISA lines are not set as such: "+strings.Join(disa, ", "))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stat.behind, s.stat.skewKnown, s.stat.advice = skew, known, advice
}
