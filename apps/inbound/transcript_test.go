package inbound

import (
	"encoding/json"
	"flag"
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
	"markaz/ivr"
	"markaz/lang"
	"markaz/queue"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) // a Saturday

// voice says positions and waits as sounds of that name.
type voice struct{}

func (voice) Position(_ string, n int) []call.Prompt {
	return []call.Prompt{{Kind: call.Sound, Value: "position-" + strconv.Itoa(n)}}
}

func (voice) Wait(_ string, n int) []call.Prompt {
	return []call.Prompt{{Kind: call.Sound, Value: "wait-" + strconv.Itoa(n)}}
}

func (voice) Kept(string) []call.Prompt { return []call.Prompt{{Kind: call.Sound, Value: "kept"}} }

type noSpeech struct{}

func (noSpeech) Text(string, string) (string, bool) { return "said", true }
func (noSpeech) Tone(string) (string, bool)         { return "tone", true }

func office() (ivr.Config, queue.Config) {
	sound := func(name string) []ivr.Piece { return []ivr.Piece{{Sound: name}} }
	menus := ivr.Config{
		Person: ivr.Person{To: "queue:sales"},
		Routes: []ivr.Route{
			{Number: "0211", To: "queue:sales"},
			{Number: "0212", To: "extension:102"},
			{Number: "0213", To: "external:09121234567"},
			{To: "menu:main"},
		},
		Menus: map[string]ivr.Menu{"main": {
			Prompt: sound("welcome"),
			Keys:   map[string]ivr.Option{"1": {To: "queue:sales"}, "2": {To: "extension:103"}},
		}},
		WrongKey: sound("wrong"), Silence: sound("silence"),
	}
	floor := queue.Config{
		Agents: []queue.AgentConfig{
			{ID: "sara", Extension: "101", AutoLogin: true},
			{ID: "reza", Extension: "102", AutoLogin: true},
		},
		Queues: []queue.QueueConfig{{
			Name: "sales", Agents: []string{"sara", "reza"}, RingTimeout: 15 * time.Second, Wrapup: 5 * time.Second,
			Announce: queue.AnnounceConfig{AtJoin: true, Position: true, Every: 30 * time.Second},
			Exit:     queue.Exit{Key: "9", To: "menu:main"}, Music: "calm",
		}},
	}
	return menus, floor
}

// stage is the application with a loop of its own, a clock in our hands, and
// everything that comes out of it written down.
type stage struct {
	t    *testing.T
	now  time.Time
	loop *apps.Loop
	out  []string

	restored uint64 // events, all of one call
}

func newStage(t *testing.T) *stage {
	t.Helper()
	menus, agents := office()
	book, err := ivr.NewBook(menus, noSpeech{}, lang.New())
	if err != nil {
		t.Fatal(err)
	}
	floor, err := queue.New(agents)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Trunk: "trunk", NoAnswer: "queue:sales", Music: "ring"}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, now: noon}
	n := 0
	s.loop, err = apps.NewLoop(apps.Config{}, apps.Deps{
		Log: s, Switch: s, Machines: []apps.Machine{New(cfg, book, floor, voice{})},
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
			if v.Type().Field(i).Name == "State" {
				text = stateless(text)
			}
			words = append(words, strings.ToLower(v.Type().Field(i).Name)+"="+strings.ReplaceAll(text, " ", "_"))
		}
	}
	s.out = append(s.out, strings.Join(words, " "))
}

// stateless shortens a remembered state to its phase.
func stateless(text string) string {
	var m memory
	if json.Unmarshal([]byte(text), &m) != nil || len(text) > 1000 {
		return "broken"
	}
	return string(m.Phase)
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

// play takes one line: "+1.5 kind key=value …", the seconds since the last; or
// "< kind key=value …", an event of an earlier process.
func (s *stage) play(line string) {
	s.t.Helper()
	words := strings.Fields(line)
	if len(words) < 2 {
		s.t.Fatalf("bad line %q", line)
	}
	s.out = append(s.out, line)
	if words[0] == "<" {
		e := s.event(words[1:])
		s.restored++
		e.At, e.Seq = s.now, s.restored
		s.loop.Restore(e)
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
		if n, err := strconv.Atoi(v); err == nil && !slices.Contains([]string{"digits", "from", "to", "address"}, k) {
			fields[k] = n
		} else if k == "alone" {
			fields["data"] = map[string]string{k: v}
		} else {
			fields[k] = v
		}
	}
	raw, err := json.Marshal(fields)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		s.t.Fatalf("%v: %v", words, err)
	}
	return e
}

// Each transcript is what comes in, at the margin, and what comes out, below it.
func TestTranscripts(t *testing.T) {
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
			s := newStage(t)
			for line := range strings.Lines(string(data)) {
				line = strings.TrimRight(line, "\n")
				switch {
				case strings.HasPrefix(line, "+"), strings.HasPrefix(line, "<"):
					s.play(line)
				case strings.HasPrefix(line, "#"), line == "":
					s.out = append(s.out, line)
				}
			}
			got := strings.Join(s.out, "\n") + "\n"
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(data) {
				t.Errorf("%s differs; run with -update and look at the difference:\n%s", file, got)
			}
		})
	}
}
