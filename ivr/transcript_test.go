package ivr

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"markaz/call"
	"markaz/lang"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata")

// namedSounds makes sounds whose path says what they are.
type namedSounds struct{}

func (namedSounds) Text(lang, text string) (string, bool) { return lang + "«" + text + "»", true }
func (namedSounds) Tone(spec string) (string, bool)       { return "tone(" + spec + ")", true }

// readConfig decodes a configuration as strictly as the program does.
func readConfig(t testing.TB, path string) Config {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return decodeConfig(t, string(raw))
}

func decodeConfig(t testing.TB, text string) Config {
	t.Helper()
	var c Config
	if err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

func newBook(t testing.TB, c Config) *Book {
	t.Helper()
	b, err := NewBook(c, namedSounds{}, lang.New())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Ensure that each call in testdata/calls, told as lines "> event", has the
// facts, actions and choice that stand below each event.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/calls/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	book := newBook(t, readConfig(t, "testdata/office.yaml"))
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := playTranscript(t, book, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("the transcript differs; -update rewrites it.\ngot:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// player plays one transcript.
type player struct {
	t     *testing.T
	book  *Book
	now   time.Time
	state State
}

func playTranscript(t *testing.T, book *Book, text string) string {
	p := &player{t: t, book: book, now: time.Date(2026, 3, 10, 6, 30, 0, 0, time.UTC)} // 10:00 in Tehran
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		event, isEvent := strings.CutPrefix(line, "> ")
		if !isEvent && !strings.HasPrefix(line, "#") && line != "" {
			continue // output of before
		}
		fmt.Fprintln(&out, line)
		if isEvent {
			out.WriteString(p.do(event))
		}
	}
	return out.String()
}

// do lets one event happen and tells what comes of it.
func (p *player) do(event string) string {
	word, arg, _ := strings.Cut(event, " ")
	e := call.Event{Call: "c", Leg: "leg", At: p.now}
	switch word {
	case "at":
		at, err := time.Parse(time.RFC3339, arg)
		if err != nil {
			p.t.Fatal(err)
		}
		p.now = at
		return ""
	case "dial":
		way, ok := p.book.Route(arg, "", p.now)
		if !ok {
			return "no route\n"
		}
		return fmt.Sprintf("way %s lang=%s closed=%v\n", way.To, way.Lang, way.Closed) + p.tell(p.book.Enter("c", "leg", way, p.now))
	case "return":
		return p.tell(p.book.Return(p.state, Destination(arg), p.now))
	case "unknown":
		return p.tell(p.book.Unknown(p.state, arg, p.now))
	case "resume":
		raw, err := json.Marshal(p.state)
		if err != nil {
			p.t.Fatal(err)
		}
		var s State
		if err := json.Unmarshal(raw, &s); err != nil {
			p.t.Fatal(err)
		}
		return fmt.Sprintf("state %s\n", raw) + p.tell(p.book.Resume(s, p.now))
	case "key":
		e.Kind, e.Digits = call.LegDigit, arg
	case "played", "stopped", "failed":
		e.Kind, e.Ref, e.Reason = call.PlayDone, p.state.playID(p.state.Play), word
		if arg != "" {
			e.Ref = "leg-" + arg
		}
	case "timer":
		e.Kind, e.Ref = call.TimerFired, p.state.timerID(p.state.Timer)
		if arg != "" {
			e.Ref = "leg-" + arg
		}
	case "hangup":
		e.Kind = call.LegEnded
	default:
		p.t.Fatalf("unknown event %q", event)
	}
	return p.tell(p.book.Step(p.state, e))
}

func (p *player) tell(s State, out call.Out, choice *Choice) string {
	p.state = s
	var b strings.Builder
	for _, f := range out.Facts {
		fmt.Fprintf(&b, "%s %s", f.Kind, f.Menu)
		for _, field := range [][2]string{{"digits", f.Digits}, {"reason", f.Reason}, {"to", f.To}} {
			if field[1] != "" {
				fmt.Fprintf(&b, " %s=%s", field[0], field[1])
			}
		}
		b.WriteString("\n")
	}
	for _, a := range out.Actions {
		b.WriteString("  " + actionLine(a) + "\n")
	}
	if choice != nil {
		fmt.Fprintf(&b, "choice %s %s by %s lang=%s\n", choice.Kind, choice.Target, choice.Reason, choice.Lang)
	}
	fmt.Fprintf(&b, "  %s\n", s.Phase)
	return b.String()
}

func actionLine(a call.Action) string {
	switch a := a.(type) {
	case call.Answer:
		return "answer"
	case call.Play:
		parts := []string{"play", a.ID}
		for _, p := range a.Prompts {
			parts = append(parts, string(p.Kind)+":"+p.Value)
		}
		return strings.Join(append(parts, "barge="+a.Barge, "lang="+a.Lang), " ")
	case call.StopPlay:
		return "stop " + a.ID
	case call.SetTimer:
		return "set " + a.ID + " " + a.After.String()
	case call.CancelTimer:
		return "cancel " + a.ID
	}
	return fmt.Sprintf("unexpected %#v", a)
}
