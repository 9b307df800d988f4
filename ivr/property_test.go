package ivr

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/call"
	"markaz/lang"
)

var (
	menuNames    = []string{"main", "a", "b", "c"}
	messageNames = []string{"x", "y"}
	places       = []string{
		"menu:main", "menu:a", "menu:b", "menu:c", "message:x", "message:y", "queue:q", "extension:101", "external:+98212345678", "hangup",
	}
)

// drawConfig draws a configuration; it may well have errors.
func drawConfig(t *rapid.T) Config {
	place := rapid.Map(rapid.SampledFrom(places), func(s string) Destination { return Destination(s) })
	prompt := rapid.SampledFrom([][]Piece{{{Sound: "s"}}, {{Tone: "425"}, {Digits: "1"}}, {{Phrase: "welcome"}}})
	hours := rapid.SampledFrom([]string{"", "", "office"})
	c := Config{
		Languages: []string{"en", "fa"},
		Routes:    []Route{{To: place.Draw(t, "route"), Hours: hours.Draw(t, "hours"), Closed: place.Draw(t, "closed")}},
		Hours:     map[string]Hours{"office": {Zone: "Asia/Tehran", Open: []string{"sat-wed 08:00-17:00"}, Closed: place.Draw(t, "closed")}},
		Messages:  map[string]Message{},
		Menus:     map[string]Menu{},
		Person: Person{
			To: rapid.SampledFrom([]Destination{"", "queue:q"}).Draw(t, "person"), Hours: hours.Draw(t, "hours"), Closed: place.Draw(t, "closed"),
		},
	}
	for _, name := range messageNames {
		then := rapid.OneOf(place, rapid.Just(Back), rapid.Just(Destination(""))).Draw(t, "then")
		c.Messages[name] = Message{Prompt: prompt.Draw(t, "prompt"), Then: then}
	}
	for _, name := range menuNames {
		barge := rapid.Bool().Draw(t, "barge in")
		m := Menu{
			Prompt: prompt.Draw(t, "prompt"), BargeIn: &barge, Keys: map[string]Option{}, Attempts: rapid.IntRange(0, 3).Draw(t, "attempts"),
			After: rapid.OneOf(place, rapid.Just(Destination(""))).Draw(t, "after"), Hours: hours.Draw(t, "hours"), Closed: place.Draw(t, "closed"),
		}
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"1", "2", "12", "123", "3", "#"}), 1, 5, rapid.ID).Draw(t, "keys") {
			m.Keys[key] = Option{To: place.Draw(t, "to"), Language: rapid.SampledFrom([]string{"", "fa"}).Draw(t, "language")}
		}
		if rapid.Bool().Draw(t, "extension") {
			m.Extension = &Extension{Pattern: "1XX", Allowed: []string{"10X"}}
		}
		c.Menus[name] = m
	}
	return c
}

func drawBook(t *rapid.T, words *lang.Catalogue) *Book {
	c := drawConfig(t)
	for _, f := range Check(c, Known{}, words.In("en")) {
		if f.Severity == Error {
			t.Skip("the configuration has errors")
		}
	}
	b, err := NewBook(c, namedSounds{}, words)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// stay watches one caller and what is owed to him.
type stay struct {
	*rapid.T
	state  State
	play   string // id that is outstanding
	timer  string
	inside int // entered minus left
	inputs int
	used   map[string]bool
	choice *Choice
	hungUp bool
}

// take takes an answer of the machine and checks what must always hold.
func (s *stay) take(state State, out call.Out, choice *Choice) {
	for _, f := range out.Facts {
		switch f.Kind {
		case call.IVREntered:
			s.inside++
		case call.IVRLeft:
			s.inside--
		case call.IVRInput, call.DTMFCollected:
			s.inputs++
		}
		if s.inside < 0 || s.inside > 1 || f.Menu == "" || f.Call != "c" {
			s.Fatalf("fact out of place: %+v", f)
		}
	}
	for _, a := range out.Actions {
		s.act(a)
	}
	s.state = state
	if choice != nil {
		if s.choice != nil || Destination(choice.Kind).ours() {
			s.Fatalf("choice %+v after %+v", choice, s.choice)
		}
		s.choice = choice
	}
	switch {
	case state.Over():
		if s.play != "" || s.timer != "" || s.inside != 0 || (s.choice == nil) != s.hungUp {
			s.Fatalf("left with play %q, timer %q, inside %d, choice %v", s.play, s.timer, s.inside, s.choice)
		}
	case (s.play == "") == (s.timer == "") || s.inside != 1:
		s.Fatalf("stuck: play %q, timer %q, inside %d, state %+v", s.play, s.timer, s.inside, state)
	}
	raw, err := json.Marshal(state)
	if err != nil || len(raw) > 512 {
		s.Fatalf("state of %d bytes, %v", len(raw), err)
	}
	if err := json.Unmarshal(raw, &s.state); err != nil || s.state != state {
		s.Fatalf("state %s reads back as %+v, %v", raw, s.state, err)
	}
}

func (s *stay) act(a call.Action) {
	switch a := a.(type) {
	case call.Play:
		if s.used[a.ID] || s.play != "" || len(a.Prompts) == 0 {
			s.Fatalf("play %+v while %q plays", a, s.play)
		}
		s.play, s.used[a.ID] = a.ID, true
	case call.StopPlay:
		if a.ID == s.play {
			s.play = ""
		}
	case call.SetTimer:
		if s.used[a.ID] || s.timer != "" || a.After <= 0 {
			s.Fatalf("timer %+v while %q runs", a, s.timer)
		}
		s.timer, s.used[a.ID] = a.ID, true
	case call.CancelTimer:
		if a.ID == s.timer {
			s.timer = ""
		}
	}
}

// silence lets the next thing happen of itself.
func (s *stay) silence(b *Book, now time.Time) {
	e := call.Event{Kind: call.PlayDone, Call: "c", Leg: "l", At: now, Ref: s.play, Reason: "ok"}
	if s.play == "" {
		e.Kind, e.Ref = call.TimerFired, s.timer
		s.timer = ""
	}
	s.play = ""
	s.take(b.Step(s.state, e))
}

// Ensure that whatever a caller does, there is always a play or a timer
// outstanding, never both; that he has left or is in one place; that ids never
// come twice; and that whoever falls silent gets out.
func TestNeverStuck(t *testing.T) {
	words := lang.New()
	rapid.Check(t, func(t *rapid.T) {
		b := drawBook(t, words)
		now := time.Date(2026, 3, 9, 8, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 7*24*60).Draw(t, "start")) * time.Minute)
		s := &stay{T: t, used: map[string]bool{}}
		way, ok := b.Route("1000", "", now)
		if !ok {
			t.Fatal("no route")
		}
		s.take(b.Enter("c", "l", way, now))
		for range rapid.IntRange(0, 60).Draw(t, "events") {
			if s.state.Over() {
				break
			}
			now = now.Add(time.Minute)
			s.step(b, now)
		}
		if s.inputs > (maxMoves+2)*(mostAttempts+1) {
			t.Fatalf("%d inputs recorded", s.inputs)
		}
		for i := 0; !s.state.Over(); i++ {
			if i > 200 {
				t.Fatalf("a silent caller is still there: %+v", s.state)
			}
			s.silence(b, now)
		}
	})
}

func (s *stay) step(b *Book, now time.Time) {
	e := call.Event{Call: "c", Leg: "l", At: now}
	switch what := rapid.SampledFrom([]string{"key", "key", "key", "next", "stopped", "old", "other", "resume", "hangup"}).Draw(s.T, "event"); what {
	case "key":
		e.Kind, e.Digits = call.LegDigit, rapid.SampledFrom([]string{"0", "1", "2", "3", "9", "*", "#", "A", "11", ""}).Draw(s.T, "key")
	case "next":
		s.silence(b, now)
		return
	case "stopped":
		if s.play == "" {
			return
		}
		e.Kind, e.Ref, e.Reason = call.PlayDone, s.play, "stopped"
		s.play = ""
	case "old":
		e.Kind, e.Ref = rapid.SampledFrom([]call.Kind{call.PlayDone, call.TimerFired}).Draw(s.T, "kind"), fmt.Sprint("l-p", s.state.Count+1)
	case "other":
		e.Kind, e.Leg, e.Digits = call.LegDigit, "another", "1"
	case "resume":
		s.play, s.timer = "", ""
		s.take(b.Resume(s.state, now))
		return
	case "hangup":
		if rapid.IntRange(0, 3).Draw(s.T, "really") > 0 {
			return
		}
		e.Kind = call.LegEnded
		s.hungUp = true
		s.play = ""
	}
	before := s.state
	state, out, choice := b.Step(s.state, e)
	if again, _, _ := b.Step(before, e); again != state {
		s.Fatalf("the same event gives %+v and %+v", state, again)
	}
	s.take(state, out, choice)
}

// Ensure that no state that could be read back, however wrong, makes the
// machine panic or leaves a caller in silence.
func TestAnyState(t *testing.T) {
	words := lang.New()
	rapid.Check(t, func(t *rapid.T) {
		b := drawBook(t, words)
		name := rapid.SampledFrom([]string{"main", "a", "gone"})
		s := State{
			Call: "c", Leg: "l", Lang: rapid.SampledFrom([]string{"", "en", "fa", "xx"}).Draw(t, "lang"),
			Phase: rapid.SampledFrom([]Phase{"", Asking, Waiting, Collecting, Telling, "nonsense"}).Draw(t, "phase"),
			Menu:  name.Draw(t, "menu"), Message: rapid.SampledFrom([]string{"", "x", "gone"}).Draw(t, "message"),
			Digits: rapid.StringMatching(`[0-9]{0,12}`).Draw(t, "digits"), Ahead: rapid.StringMatching(`[0-9*#]{0,30}`).Draw(t, "ahead"),
			Play: rapid.IntRange(-1, 3).Draw(t, "play"), Timer: rapid.IntRange(-1, 3).Draw(t, "timer"), Count: rapid.IntRange(-5, 9).Draw(t, "count"),
			Attempts: rapid.IntRange(-2, 9).Draw(t, "attempts"), Moves: rapid.IntRange(-2, 30).Draw(t, "moves"),
		}
		now := time.Date(2026, 3, 10, 8, 0, 0, 0, time.UTC)
		for _, e := range []call.Event{
			{Kind: call.LegDigit, Digits: "1"},
			{Kind: call.LegDigit, Digits: "9"},
			{Kind: call.PlayDone, Ref: "l-p1"},
			{Kind: call.TimerFired, Ref: "l-t1"},
		} {
			e.Call, e.Leg, e.At = "c", "l", now
			b.Step(s, e)
		}
		w := &stay{T: t, used: map[string]bool{}, inside: 1}
		w.take(b.Resume(s, now))
	})
}
