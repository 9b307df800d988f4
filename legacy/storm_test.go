package legacy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"markaz/call"
	"markaz/legacy/chain"
	"markaz/legacy/journal"
	"markaz/legacy/smdr"
)

// memory is what was taken, without a disk.
type memory map[[2]uint64]bool

func (m memory) Has(minute int64, key uint64) bool { return m[[2]uint64{uint64(minute), key}] }
func (m memory) Add(minute int64, key uint64)      { m[[2]uint64{uint64(minute), key}] = true }

// dialect is how a family prints a call to outside.
type dialect struct {
	model  string
	format string        // date, time, extension, line, number, duration
	clock  time.Duration // how far the exchange's clock is ahead
	zone   string
	from   string // the day begins
}

func dialects() []dialect {
	return []dialect{
		{"KX-TDA200", "%s %s   %d %02d %-25s      %s", 0, "Europe/Berlin", "2026-10-24T12:00:00"},                    // the night in which an hour comes twice
		{"KX-NS1000", "%s %s   %d %04d %-50s      %s 00000.00", 3 * time.Hour, "Asia/Tehran", "2026-12-31T04:00:00"}, // the year changes
		{"KX-TD1232", "%s %s   %d %02d %-25s      %s", -3 * time.Hour, "Europe/Berlin", "2027-03-27T12:00:00"},       // the night that lacks an hour
		{"KX-TES824", "%s  %s  %d  %02d  %-32s  %s\"  ....", 0, "Asia/Tehran", "2026-12-31T12:00:00"},
	}
}

// Ten thousand lines of each dialect, the link cut fifty times in the middle
// of a line, everything replayed twice, through nights that are longer or
// shorter and with a clock that is hours off: every call is told once.
func TestStorm(t *testing.T) {
	for _, d := range dialects() {
		t.Run(d.model, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(d.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.ParseInLocation("2006-01-02T15:04:05", d.from, zone)
			if err != nil {
				t.Fatal(err)
			}
			s := Source{Key: "storm", Model: d.model, Date: "DD/MM/YY", Zone: d.zone}
			s.Link.Type = "tcp"
			s.setDefaults()
			src, err := newSource(s, memory{})
			if err != nil {
				t.Fatal(err)
			}
			storm := &storm{t: t, src: src, chance: rand.New(rand.NewPCG(7, 7)), calls: map[string]string{}}
			storm.blow(d, at)
		})
	}
}

type storm struct {
	t      *testing.T
	src    *source
	chance *rand.Rand
	all    [][]byte          // every line so far
	calls  map[string]string // by number, the call
	now    time.Time
}

const stormLines = 10_000

func (s *storm) blow(d dialect, at time.Time) {
	s.now = at
	s.step(journal.Up, []byte("{}"))
	for i := range stormLines {
		s.now = at.Add(time.Duration(i) * 12 * time.Second)
		line := d.line(s.now, i)
		s.all = append(s.all, line)
		if i%(stormLines/50) == 100 {
			s.cut(line)
			continue
		}
		s.step(journal.Data, line)
	}
	if behind, known := s.src.chain.Skew(); d.model != "KX-TES824" && (!known || (behind+d.clock).Abs() > time.Minute) {
		s.t.Errorf("the clock is behind by %v (%v), truly by %v", behind, known, -d.clock)
	}
	for range 2 {
		s.now = s.now.Add(time.Minute)
		s.step(journal.Up, []byte("{}"))
		s.step(journal.Data, bytes.Join(s.all, nil))
	}
	for range 30 {
		s.now = s.now.Add(time.Minute)
		s.step(journal.Tick, nil)
	}
	if n := len(s.calls); n != stormLines {
		s.t.Errorf("%d calls of %d", n, stormLines)
	}
	if n := s.src.stat.kinds["unknown"] + s.src.stat.kinds["noise"] + s.src.stat.kinds["bad_date"] + s.src.stat.kinds["future"]; n > 0 {
		s.t.Errorf("garbled lines: %v", s.src.stat.kinds)
	}
}

// cut loses the connection in the middle of a line; the exchange begins again
// some lines before it.
func (s *storm) cut(line []byte) {
	s.step(journal.Data, line[:1+s.chance.IntN(len(line)-2)])
	s.step(journal.Down, []byte("cut"))
	s.now = s.now.Add(2 * time.Second)
	s.step(journal.Up, []byte("{}"))
	s.step(journal.Data, bytes.Join(s.all[max(0, len(s.all)-60):], nil))
}

func (s *storm) step(kind journal.Kind, b []byte) {
	s.t.Helper()
	for _, e := range s.src.step(journal.Entry{At: s.now.UTC(), Source: "storm", Kind: kind, Bytes: b}) {
		if e.Kind != call.CallStarted {
			continue
		}
		if other, there := s.calls[e.To]; there {
			s.t.Fatalf("%s is told twice: %s and %s", e.To, other, e.Call)
		}
		s.calls[e.To] = e.Call
	}
}

// line is call number i, as printed when it ends; where the family prints the
// start, when it began.
func (d dialect) line(end time.Time, i int) []byte {
	talk := time.Duration(i%50+5) * time.Second
	shown := end.Add(d.clock)
	if family, err := smdr.FamilyOf(d.model); err == nil && family.PrintsStart() {
		shown = shown.Add(-talk)
	}
	text := fmt.Sprintf(d.format, shown.Format("02/01/06"), shown.Format("03:04PM"), 101+i%40, 1+i%20, fmt.Sprintf("0912%07d", i),
		fmt.Sprintf("00:%02d'%02d", int(talk.Minutes()), int(talk.Seconds())%60))
	return []byte(text + "\r\n")
}

var _ chain.Seen = memory{}
