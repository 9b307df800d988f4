package legacy

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"markaz/call"
	"markaz/legacy/chain"
	"markaz/legacy/journal"
	"markaz/legacy/smdr"
)

// How long silence lasts before an unfinished line is taken as it is.
const (
	lineIdle  = 2 * time.Second
	halfIdle  = 10 * time.Second
	tornWait  = time.Minute // for a line that was cut off to be printed again
	tornLines = 8
)

// panasonic makes events of what an exchange sends.
type panasonic struct {
	parser smdr.Parser
	chain  *chain.Machine
	watch  watch

	framer smdr.Framer
	lines  smdr.Lines
	record smdr.Record
	torn   [][]byte  // lines that the end of a session cut off
	fresh  time.Time // when the session began
	heard  time.Time // when bytes came last
	at     time.Time
	out    []call.Event
}

// watch is told of every line; it may be nil.
type watch func(raw []byte, r *smdr.Record, verdict chain.Verdict)

func newPanasonic(s Source, c chain.Config, seen chain.Seen, w watch) (*panasonic, error) {
	family, err := smdr.FamilyOf(s.Model)
	if err != nil {
		return nil, err
	}
	order, err := smdr.ParseDateOrder(s.Date)
	if err != nil {
		return nil, err
	}
	p := &panasonic{parser: smdr.Parser{Family: family, Order: order}, chain: chain.New(c, seen), watch: w}
	if s.Calendar == "jalali" {
		p.parser.Calendar = smdr.Jalali
	}
	p.framer.SevenBits = s.Link.SevenBits()
	p.lines.Parser = p.parser
	return p, nil
}

// panasonicState is what survives a restart.
type panasonicState struct {
	Pending []byte          `json:"pending,omitempty"`
	Held    []byte          `json:"held,omitempty"`
	Torn    [][]byte        `json:"torn,omitempty"`
	Fresh   time.Time       `json:"fresh"`
	Heard   time.Time       `json:"heard"`
	Chain   json.RawMessage `json:"chain"`
}

func (p *panasonic) Snapshot() ([]byte, error) {
	c, err := p.chain.Snapshot()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(panasonicState{p.framer.Pending(), p.lines.Held(), p.torn, p.fresh, p.heard, c})
	if err != nil {
		return nil, fmt.Errorf("save source: %w", err)
	}
	return b, nil
}

func (p *panasonic) Restore(b []byte) error {
	var st panasonicState
	if err := json.Unmarshal(b, &st); err != nil {
		return fmt.Errorf("restore source: %w", err)
	}
	p.torn, p.fresh, p.heard = st.Torn, st.Fresh, st.Heard
	p.framer.Write(st.Pending, func(smdr.Frame) {}) // no line of it has ended
	p.lines.Hold(st.Held)
	return p.chain.Restore(st.Chain)
}

// Step takes a journal entry. The events are good until the next call.
func (p *panasonic) Step(e journal.Entry) []call.Event {
	p.out, p.at = p.out[:0], e.At
	switch e.Kind {
	case journal.Data:
		p.heard = e.At
		p.framer.Write(e.Bytes, p.frame)
	case journal.Edge:
		p.framer.Flush(p.frame)
	case journal.Up:
		p.session(e)
	case journal.Tick:
		p.tick()
	}
	return p.out
}

// Due is when a tick has something to do; zero means never.
func (p *panasonic) Due() time.Time {
	due := p.chain.Due()
	earlier := func(t time.Time) {
		if due.IsZero() || t.Before(due) {
			due = t
		}
	}
	if len(p.framer.Pending()) > 0 {
		earlier(p.heard.Add(lineIdle))
	} else if len(p.lines.Held()) > 0 {
		earlier(p.heard.Add(halfIdle))
	}
	if len(p.torn) > 0 {
		earlier(p.fresh.Add(tornWait))
	}
	return due
}

func (p *panasonic) frame(f smdr.Frame) { p.lines.Add(f, p.line) }

// session begins a new connection. A line that the old one cut off will most
// likely be printed again; it is kept until that has happened.
func (p *panasonic) session(e journal.Entry) {
	p.framer.Flush(func(f smdr.Frame) {
		p.torn = append(p.torn, append([]byte(nil), f.Line...))
	})
	p.lines.Flush(p.line)
	if len(p.torn) > tornLines {
		p.torn = p.torn[1:]
	}
	p.fresh = e.At
	p.chain.Session(e.At)
}

func (p *panasonic) tick() {
	if len(p.framer.Pending()) > 0 && p.at.Sub(p.heard) >= lineIdle {
		p.framer.Flush(p.frame)
	}
	if p.at.Sub(p.heard) >= halfIdle {
		p.lines.Flush(p.line)
	}
	if len(p.torn) > 0 && p.at.Sub(p.fresh) >= tornWait {
		p.takeTorn()
	}
	p.out = append(p.out, p.chain.Tick(p.at)...)
}

// takeTorn takes lines that were cut off and not printed again, as far as they
// are whole.
func (p *panasonic) takeTorn() {
	torn := p.torn
	p.torn = nil
	for _, line := range torn {
		if p.parser.Parse(line, &p.record) && p.record.Complete() {
			p.line(smdr.Frame{Raw: line, Line: line})
		} else if p.watch != nil {
			p.record.Kind = smdr.KindNoise
			p.watch(line, &p.record, chain.Ignored)
		}
	}
}

func (p *panasonic) line(f smdr.Frame) {
	for i, t := range p.torn {
		if strings.HasPrefix(string(f.Line), string(t)) {
			p.torn = append(p.torn[:i:i], p.torn[i+1:]...)
			break
		}
	}
	verdict := chain.Ignored
	if p.parser.Parse(f.Line, &p.record) {
		var events []call.Event
		events, verdict = p.chain.Record(p.at, &p.record, f.Line)
		p.out = append(p.out, events...)
	}
	if p.watch != nil {
		p.watch(f.Raw, &p.record, verdict)
	}
}

// Finish takes what is unfinished and settles every call: nothing more will
// come.
func (p *panasonic) Finish(at time.Time) []call.Event {
	p.out, p.at = p.out[:0], at
	p.framer.Flush(p.frame)
	p.lines.Flush(p.line)
	p.takeTorn()
	p.out = append(p.out, p.chain.Flush(at)...)
	return p.out
}

// HungUp tells that a recorder heard a line being hung up.
func (p *panasonic) HungUp(at time.Time, line string, when time.Time) []call.Event {
	return p.chain.HungUp(at, line, when)
}
