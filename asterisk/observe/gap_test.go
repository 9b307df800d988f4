package observe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/ari"
	"markaz/call"
	"markaz/dialplan"
)

// noon is when the scenes of these tests begin.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// scene is an Observer without an Asterisk: what that says, and writes to its
// records, is said here.
type scene struct {
	*Observer
	t    *testing.T
	now  time.Time
	told []call.Event
}

func newScene(t *testing.T) *scene {
	s := &scene{t: t, now: noon}
	cfg := DefaultConfig()
	cfg.Source, cfg.CDR, cfg.CDRZone, cfg.Ignore = "pbx", filepath.Join(t.TempDir(), "Master.csv"), "UTC", []string{"^from-door$"}
	o, err := New(cfg, Deps{
		ARI: ari.DefaultConfig(), Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return s.now },
		Sink: func(e call.Event) { s.told = append(s.told, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Observer = o
	s.records()
	s.connect()
	return s
}

// connect has Asterisk answer, with no channels.
func (s *scene) connect() {
	s.t.Helper()
	if err := s.resume(Snapshot{Asked: s.now, At: s.now, Channels: []byte("[]"), Bridges: []byte("[]")}); err != nil {
		s.t.Fatal(err)
	}
}

// hear has an event of the nth channel come late: Asterisk said it before.
func (s *scene) hear(late time.Duration, kind string, n int, state string) {
	at := s.now.Add(-late).Format("2006-01-02T15:04:05.000-0700")
	raw := fmt.Sprintf(`{"type":%q,"timestamp":%q,"channel":{"id":%q,"name":"PJSIP/trunk-%08x","state":%q,"creationtime":%q,
		"caller":{"number":"0912%d"},"dialplan":{"context":"from-trunk","exten":"0211"}}}`, kind, at, unique(n), n, state, at, n)
	s.Event(ari.Event{Raw: []byte(raw), At: s.now})
}

func unique(n int) string { return fmt.Sprintf("1795319802.%d", n) }

// records is what the file of the PBX has.
func (s *scene) records(rows ...string) {
	s.t.Helper()
	text := ""
	for _, r := range rows {
		text += r + "\n"
	}
	if err := os.WriteFile(s.cfg.CDR, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// row is a call by the nth channel that nobody picked up, in seconds after noon.
func row(n, from, to int) string {
	at := func(s int) string { return noon.Add(time.Duration(s) * time.Second).Format(time.DateTime) }
	return fmt.Sprintf(`"","0912%d","101","ext-local","","PJSIP/trunk-%08x","PJSIP/101-0000ffff","Dial","","%s",,"%s",9,0,"NO ANSWER","DOCUMENTATION",%q,""`,
		n, n, at(from), at(to), unique(n))
}

// outage has nobody watch for so long, and then waits until the records of that
// time are read.
func (s *scene) outage(d time.Duration) {
	s.t.Helper()
	s.Lost(errors.New("cut"))
	s.now = s.now.Add(d)
	s.connect()
	s.stats.connection(true)
	for range 4 {
		s.now = s.now.Add(time.Second)
		s.second()
	}
}

// started lists from whom calls were told, each time.
func (s *scene) started() (from []string) {
	for _, e := range s.told {
		if e.Kind == call.CallStarted {
			from = append(from, e.From)
		}
	}
	slices.Sort(from)
	return from
}

func (s *scene) want(from ...string) {
	s.t.Helper()
	if got := s.started(); !slices.Equal(got, from) {
		s.t.Errorf("calls told of %q, want %q", got, from)
	}
}

// Asterisk's events come late, as on a busy machine, and then no more: what
// they had not told yet is in the records before the time of the loss.
func TestGapBeginsWithTheLastWordOfAsterisk(t *testing.T) {
	s := newScene(t)
	s.now = noon.Add(20 * time.Second)
	s.hear(9*time.Second, "ChannelCreated", 1, "Ring")
	s.hear(8*time.Second, "ChannelDestroyed", 1, "Ring")
	s.records(row(1, 11, 12), row(2, 13, 15), row(3, 19, 21))
	s.outage(5 * time.Second)
	s.want("09121", "09122", "09123")
}

// A channel that has not begun to ring, when nobody watches any more, is a call
// that is still to be told, however long ago it came.
func TestGapTakesCallsThatWereOnlySeen(t *testing.T) {
	s := newScene(t)
	s.hear(0, "ChannelCreated", 1, "Down")
	s.now = noon.Add(10 * time.Second)
	s.hear(0, "ChannelCreated", 2, "Ring")
	s.records(row(1, 0, 12), row(2, 10, 13), row(3, 0, 13))
	s.outage(5 * time.Second)
	s.want("09121", "09122") // the third began before, and nothing was seen of it: not ours to tell
}

// However long nobody watches: a call that ended just before is not told again.
func TestGapDoesNotRepeatCalls(t *testing.T) {
	s := newScene(t)
	s.hear(0, "ChannelCreated", 1, "Ring")
	s.now = noon.Add(400 * time.Millisecond)
	s.hear(0, "ChannelDestroyed", 1, "Ring")
	s.records(row(1, 0, 0), row(2, 60, 61))
	s.outage(10 * time.Minute)
	s.want("09121", "09122")
}

// What was told from a record is not told again by events that come later still.
func TestGapIsNotToldTwice(t *testing.T) {
	s := newScene(t)
	s.records(row(1, 5, 6))
	s.outage(7 * time.Second)
	s.hear(6*time.Second, "ChannelCreated", 1, "Ring")
	s.hear(5*time.Second, "ChannelDestroyed", 1, "Ring")
	s.want("09121")
}

// Wherever in a call Asterisk falls silent, records tell the rest: it is one
// call, with who answered it, and nobody is in it twice.
func TestGapAnywhereInACall(t *testing.T) {
	for _, shape := range []string{"inbound_answered", "ring_group_of_phones", "ring_group_by_Local_channels"} {
		for _, version := range []string{"16", "22"} {
			t.Run(shape+"."+version, func(t *testing.T) {
				text, err := os.ReadFile(filepath.Join("testdata", shape+"."+version+".ari"))
				if err != nil {
					t.Fatal(err)
				}
				lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
				for n := range len(lines) + 1 {
					s := newScene(t)
					answers, rows := s.recordsOf(lines)
					s.records(rows...)
					for _, l := range lines[:n] {
						s.Event(ari.Event{Raw: l, At: s.now})
					}
					if n == 0 { // of the time before the first event nothing is owed
						s.seen = s.now.Add(-time.Second)
					}
					s.outage(10 * time.Second)
					s.wantAnswered(fmt.Sprintf("cut before event %d of %d", n, len(lines)), answers)
				}
			})
		}
	}
}

// recordsOf makes the records of a call that was recorded event by event, and
// says which telephone answers. It sets the clock to when the call ended.
func (s *scene) recordsOf(lines [][]byte) (answers string, rows []string) {
	s.t.Helper()
	var caller *wireChannel
	var began, up, end time.Time
	halves, phones := map[string]*wireChannel{}, []*wireChannel{}
	for _, l := range lines {
		var m message
		if err := json.Unmarshal(l, &m); err != nil {
			s.t.Fatal(err)
		}
		c := m.Channel
		end = m.Timestamp.Time
		switch {
		case c == nil:
		case m.Type == "ChannelStateChange" && c.State == stateUp && strings.HasPrefix(c.Name, "PJSIP/") && answers == "":
			answers, up = c.Name, end
		case m.Type != "ChannelCreated":
		case caller == nil:
			caller, began = c, end
		case strings.HasPrefix(c.Name, "Local/"):
			halves[c.Name] = c
		default:
			phones = append(phones, c)
		}
	}
	row := func(by *wireChannel, partner string, answered bool) {
		at, how := "", "NO ANSWER"
		if answered {
			at, how = up.Format(time.DateTime), "ANSWERED"
		}
		rows = append(rows, fmt.Sprintf(`"",%q,"6101","ext-group","",%q,%q,"Dial","","%s","%s","%s",1,1,%q,"DOCUMENTATION",%q,""`,
			caller.Caller.Number, by.Name, partner, began.Format(time.DateTime), at, end.Format(time.DateTime), how, by.ID))
	}
	for _, p := range phones {
		by := caller
		for name, half := range halves {
			if ext := extension(p.Name); strings.HasPrefix(name, "Local/"+ext+"@") && strings.HasSuffix(name, ";2") {
				row(caller, strings.TrimSuffix(name, "2")+"1", p.Name == answers)
				by = half
			}
		}
		row(by, p.Name, p.Name == answers)
	}
	s.now = end
	return extension(answers), rows
}

// extension is that of a channel PJSIP/EXTENSION-00000000.
func extension(name string) string { return strings.TrimPrefix(name, "PJSIP/")[:3] }

func (s *scene) wantAnswered(when, ext string) {
	s.t.Helper()
	book := call.Book{}
	for _, e := range s.told {
		book.Apply(e)
	}
	if len(book) != 1 {
		s.t.Fatalf("%s: %d calls", when, len(book))
	}
	for _, c := range book {
		seen := map[string]bool{}
		for i := range c.Legs {
			l := &c.Legs[i]
			// One that was not told to have ended is closed by the owner of the calls.
			if seen[l.Address] || l.Ended != nil && l.Address == ext && l.Result != call.Answered {
				s.t.Errorf("%s: %+v", when, *l)
			}
			seen[l.Address] = true
		}
		if c.Answered == nil || !seen[ext] {
			s.t.Errorf("%s: answered %v, %v", when, c.Answered, seen)
		}
	}
}

// A call that Markaz had taken on when it was killed is merged by the next, and
// not told from its records.
func TestRestoredCallThatIsHandledIsMerged(t *testing.T) {
	s := newScene(t)
	s.hear(0, "ChannelCreated", 1, "Ring")
	book := call.Book{}
	for _, e := range append(s.told, call.Event{Kind: call.CallStarted, Call: "handled", Leg: unique(1), Role: call.RoleCaller, Source: "pbx", At: s.now}) {
		book.Apply(e)
	}
	next := newScene(t)
	next.records(row(1, 0, 9))
	next.machine.Restore(slices.Collect(maps.Values(book)))
	next.seen = next.now
	next.outage(10 * time.Second)
	var kinds []call.Kind
	for _, e := range next.told {
		if e.Call != "" {
			kinds = append(kinds, e.Kind)
		}
	}
	if len(kinds) != 1 || kinds[0] != call.CallMerged {
		t.Errorf("told %v", kinds)
	}
}

// Calls that are nobody's business, and those that Markaz handled, are not told
// from their records; nor are phones that it called, whose channels it named.
func TestGapTellsNothingOfOthers(t *testing.T) {
	s := newScene(t)
	leg := call.NewID(noon, [10]byte{}) + "-l1"
	s.records(
		strings.Replace(row(1, 2, 3), "ext-local", "from-door", 1),
		strings.Replace(row(2, 2, 3), "ext-local", dialplan.ContextServe, 1),
		strings.Replace(row(3, 2, 3), unique(3), leg, 1),
		row(4, 2, 3),
	)
	s.outage(5 * time.Second)
	s.want("09124")
}
