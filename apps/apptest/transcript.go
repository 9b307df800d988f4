// Package apptest plays transcripts to machines, for the tests of applications:
// events in, facts and actions out, with the loop of the product and a clock of
// the test. It is never linked into the product.
package apptest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"markaz/apps"
	"markaz/call"
)

// stage is the application with a loop of its own, a clock in our hands, and
// everything that comes out of it written down.
type stage struct {
	t    *testing.T
	now  time.Time
	loop *apps.Loop
	out  []string

	restored uint64 // events, all of one call
	memory   func(state string) string
}

func newStage(t *testing.T, memory func(string) string, machines ...apps.Machine) *stage {
	t.Helper()
	s := &stage{t: t, now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), memory: memory}
	n := 0
	var err error
	s.loop, err = apps.NewLoop(apps.Config{}, apps.Deps{
		Log: s, Switch: s, Machines: machines,
		Now: func() time.Time { return s.now }, Logger: slog.New(slog.DiscardHandler), Source: "pbx",
		NewID: func() string { n++; return strconv.Itoa(n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Append implements apps.Log.
func (s *stage) Append(e call.Event) error {
	s.out = append(s.out, "  fact "+show(e))
	return nil
}

// Do implements apps.Switch.
func (s *stage) Do(a call.Action) {
	v := reflect.ValueOf(a)
	words := []string{"  do", v.Type().Name()}
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			text := fmt.Sprint(f.Interface())
			if v.Type().Field(i).Name == "State" && s.memory != nil {
				text = s.memory(text)
			}
			words = append(words, strings.ToLower(v.Type().Field(i).Name)+"="+strings.ReplaceAll(text, " ", "_"))
		}
	}
	s.out = append(s.out, strings.Join(words, " "))
}

// show writes the fields of an event that a transcript is about.
func show(e call.Event) string {
	raw, err := json.Marshal(e)
	if err != nil {
		return err.Error()
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err.Error()
	}
	words := []string{}
	for k, v := range fields {
		if !slices.Contains([]string{"v", "id", "kind", "seq", "at", "seen_at", "live", "source"}, k) {
			words = append(words, fmt.Sprintf("%s=%v", k, v))
		}
	}
	slices.Sort(words)
	return strings.Join(append([]string{string(e.Kind)}, words...), " ")
}

// play takes one line: "+1.5 kind key=value …", the seconds since the last; "<
// kind key=value …", an event of an earlier process; "? call", to show its
// monitors.
func (s *stage) play(line string) {
	s.t.Helper()
	words := strings.Fields(line)
	s.out = append(s.out, line)
	switch words[0] {
	case "<":
		e := s.event(words[1:])
		s.restored++
		e.At, e.Seq = s.now, s.restored
		s.loop.Restore(e)
		return
	case "?":
		for _, m := range s.loop.Call(words[1]).Monitors {
			s.out = append(s.out, fmt.Sprintf("  monitor %s %s at %s hears %s %v, open: %v, %s", m.ID, m.Agent, m.Address, m.Leg, m.Modes, m.Ended == nil, m.Why))
		}
		for _, l := range s.loop.Call(words[1]).Legs {
			s.out = append(s.out, fmt.Sprintf("  leg %s %s %s", l.ID, l.Role, l.Result))
		}
		return
	}
	wait, err := strconv.ParseFloat(strings.TrimPrefix(words[0], "+"), 64)
	if err != nil {
		s.t.Fatalf("bad line %q", line)
	}
	s.now = s.now.Add(time.Duration(wait * float64(time.Second)))
	s.loop.Take(s.event(words[1:]))
}

// event reads "kind key=value …".
func (s *stage) event(words []string) (e call.Event) {
	s.t.Helper()
	fields := map[string]any{"kind": words[0], "source": "pbx"}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		switch n, err := strconv.Atoi(v); {
		case k == "caps":
			fields[k] = []string{v}
		case k == "modes", k == "alone":
			fields["data"] = map[string]string{k: v}
		case k == "observed":
			fields[k] = true
		case err == nil && !slices.Contains([]string{"digits", "from", "to", "to_e164", "address"}, k):
			fields[k] = n
		default:
			fields[k] = v
		}
	}
	raw, err := json.Marshal(fields)
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	if err != nil {
		s.t.Fatalf("%v: %v", words, err)
	}
	return e
}

// Transcripts plays each file of testdata on machines of its own. A file is what
// comes in, at the margin, and what comes out, below it. Its first line may set
// the configuration: "! {json}". Memory, if given, shortens the states that are
// remembered on legs.
func Transcripts(t *testing.T, update bool, memory func(state string) string, make func(t *testing.T, config string) []apps.Machine) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, _, _ := strings.Cut(string(data), "\n")
			config, given := strings.CutPrefix(head, "! ")
			if !given {
				config = "{}"
			}
			s := newStage(t, memory, make(t, config)...)
			for line := range strings.Lines(string(data)) {
				line = strings.TrimRight(line, "\n")
				switch {
				case strings.HasPrefix(line, "#"), strings.HasPrefix(line, "!"), line == "":
					s.out = append(s.out, line)
				case !strings.HasPrefix(line, " "):
					s.play(line)
				}
			}
			got := strings.Join(s.out, "\n") + "\n"
			if update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(data) {
				t.Errorf("%s differs; run with -update and look at the difference:\n%s", file, got)
			}
		})
	}
}
