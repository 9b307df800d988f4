package chain

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"markaz/call"
	"markaz/call/number"
	"markaz/legacy/smdr"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite testdata")
	flag.Parse()
	os.Exit(m.Run())
}

// memory is a Seen that forgets nothing.
type memory map[[2]uint64]bool

func (m memory) Has(minute int64, key uint64) bool { return m[[2]uint64{uint64(minute), key}] }
func (m memory) Add(minute int64, key uint64)      { m[[2]uint64{uint64(minute), key}] = true }

func tehran(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Tehran")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func config(t testing.TB) Config {
	t.Helper()
	numbers, err := number.New(number.Plan{Country: "IR", City: "21", Release: "9"})
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Source: "old", Zone: tehran(t), Number: numbers, Text: func(b []byte) string { return string(b) },
		DISA: []string{"9204"}, Groups: []string{"601"}, Replays: true,
	}
}

// play runs a script: "09:41:07 line" is a line received at that time of 23
// October 2026, "session" and "tick" are what they say, "hungup 3" is what a
// recorder heard, "flush" ends it. Below each line stand the events that
// follow, and at the end of a scene the calls.
type play struct {
	t      *testing.T
	parser smdr.Parser
	seen   memory
	m      *Machine
	book   call.Book
	order  []string
	out    strings.Builder
	known  map[string]bool // ids of events
}

func (p *play) scene(title string) {
	p.finish()
	cfg := config(p.t)
	p.parser = smdr.Parser{Family: smdr.TDA, Order: smdr.DMY}
	if strings.Contains(title, "KX-TES824") {
		p.parser.Family = smdr.TA
	}
	cfg.Correct = strings.Contains(title, "corrected")
	p.seen = memory{}
	p.m = New(cfg, p.seen)
	p.book, p.order, p.known = call.Book{}, nil, map[string]bool{}
}

func (p *play) step(line string) {
	at, rest, _ := strings.Cut(line, " ")
	clock, err := time.ParseInLocation("2006-01-02 15:04:05", "2026-10-23 "+at, p.m.cfg.Zone)
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	word, arg, _ := strings.Cut(rest, " ")
	switch word {
	case "session":
		p.m.Session(clock)
	case "tick":
		if due := p.m.Due(); due.IsZero() || due.After(clock) {
			fmt.Fprintf(&p.out, "  nothing is due\n")
		}
		p.show(p.m.Tick(clock))
	case "flush":
		p.show(p.m.Flush(clock))
	case "hungup":
		p.show(p.m.HungUp(clock, arg, clock))
	case "restart":
		p.restart()
	default:
		var r smdr.Record
		if !p.parser.Parse([]byte(rest), &r) {
			p.t.Fatalf("%q is %v", rest, r.Kind)
		}
		events, verdict := p.m.Record(clock.UTC(), &r, []byte(rest))
		if verdict != Taken {
			fmt.Fprintf(&p.out, "  verdict %d\n", verdict)
		}
		p.show(events)
	}
}

// restart puts a snapshot into a new machine.
func (p *play) restart() {
	b, err := p.m.Snapshot()
	if err != nil {
		p.t.Fatal(err)
	}
	p.m = New(p.m.cfg, p.seen)
	if err := p.m.Restore(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *play) show(events []call.Event) {
	for _, e := range events {
		if p.known[e.ID] {
			p.t.Fatalf("two events have the id %s", e.ID)
		}
		p.known[e.ID] = true
		if e.Call != "" && p.book[e.Call] == nil {
			p.order = append(p.order, e.Call)
		}
		if c, changed := p.book.Apply(e); c != nil && !changed {
			p.t.Fatalf("an event changed nothing: %+v", e)
		}
		fmt.Fprintf(&p.out, "  %s\n", describe(e, p.order, p.m.cfg.Zone))
	}
}

func describe(e call.Event, order []string, zone *time.Location) string {
	var b strings.Builder
	for i, id := range order {
		if id == e.Call {
			fmt.Fprintf(&b, "#%d ", i+1)
		}
	}
	fmt.Fprintf(&b, "%s %s", e.At.In(zone).Format("15:04:05"), e.Kind)
	for _, f := range []struct{ name, value string }{
		{"dir", string(e.Direction)},
		{"from", e.From},
		{"name", e.FromName},
		{"to", e.To},
		{"e164", e.FromE164 + e.ToE164},
		{"trunk", e.Trunk},
		{"leg", e.Leg},
		{"role", string(e.Role)},
		{"ext", e.Address},
		{"result", string(e.Result)},
		{"disposition", string(e.Disposition)},
		{"state", e.State},
		{"reason", e.Reason},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, " %s=%s", f.name, f.value)
		}
	}
	if e.RingMS > 0 {
		fmt.Fprintf(&b, " ring=%v", time.Duration(e.RingMS)*time.Millisecond)
	}
	if d := e.TalkMS + e.DurationMS; d > 0 {
		fmt.Fprintf(&b, " talk=%v", time.Duration(max(e.TalkMS, e.DurationMS))*time.Millisecond)
	}
	if e.Into != "" {
		b.WriteString(" into another")
	}
	if e.Live {
		b.WriteString(" live")
	}
	return b.String()
}

// finish writes the calls of a scene.
func (p *play) finish() {
	for i, id := range p.order {
		c := p.book[id]
		fmt.Fprintf(&p.out, "= #%d %s %s %s", i+1, c.Direction, c.State, c.Disposition)
		fmt.Fprintf(&p.out, ", %s-%s, talk %v", c.Started.In(p.m.cfg.Zone).Format("15:04:05"), ended(c, p.m.cfg.Zone), time.Duration(c.TalkMS)*time.Millisecond)
		if c.Reached != "" {
			fmt.Fprintf(&p.out, ", reached %s", c.Reached)
		}
		for _, l := range c.Legs {
			fmt.Fprintf(&p.out, "; %s %s %s %v", l.Role, l.Address, l.Result, time.Duration(l.TalkMS)*time.Millisecond)
		}
		if c.MergedInto != "" {
			p.out.WriteString("; merged")
		}
		p.out.WriteString("\n")
	}
	p.order = nil
}

func ended(c *call.Call, zone *time.Location) string {
	if c.Ended == nil {
		return "now"
	}
	return c.Ended.In(zone).Format("15:04:05")
}

func TestScenes(t *testing.T) {
	const path = "testdata/scenes.txt"
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &play{t: t}
	for line := range strings.Lines(string(want)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "## "):
			p.scene(line)
			fmt.Fprintf(&p.out, "\n%s\n", line)
		case line == "" || strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "= "):
		case strings.HasPrefix(line, "#"):
			fmt.Fprintln(&p.out, line)
		default:
			fmt.Fprintln(&p.out, line)
			p.step(line)
		}
	}
	p.finish()
	got := strings.TrimPrefix(p.out.String(), "\n")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(want) {
		t.Errorf("scenes differ; run with -update and look at the change\n%s", got)
	}
}
