package prompt

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"markaz/call"
	"markaz/lang"
)

// Ensure that a caller hears the configured sound first, then the sentence,
// then at least the number.
func TestPositionAndWait(t *testing.T) {
	s := fastStore(t, func(c *Config) {
		c.AsteriskDir = "/pbx"
		c.Announce.Position = map[int]string{1: "tone:600/200ms", 2: "sound:custom/two"}
		c.Announce.Wait = map[int]string{0: "tone:700"}
	})
	if got := s.Position("en", 3); !slices.Equal(got, []call.Prompt{{Kind: call.Number, Value: "3"}}) {
		t.Errorf("before it is made: %v", got)
	}
	if got := s.Wait("en", 3); !slices.Equal(got, []call.Prompt{{Kind: call.Number, Value: "3"}}) {
		t.Errorf("before it is made: %v", got)
	}
	if err := s.Prepare(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	words := lang.New()
	for _, item := range []Item{
		{Lang: "en", Text: words.T("en", "spoken.position", "n", 3)},
		{Lang: "fa", Text: words.T("fa", "spoken.position", "n", 3)},
		{Lang: "en", Text: words.T("en", "spoken.wait", "n", 1)},
		{Lang: "en", Text: words.T("en", "spoken.wait.long")},
	} {
		if err := s.Prepare(t.Context(), []Item{item}); err != nil {
			t.Fatal(err)
		}
	}
	textOf := func(l, text string) string { path, _ := s.Text(l, text); return path }
	toneOf := func(spec string) string { path, _ := s.Tone(spec); return path }
	tests := []struct {
		name string
		got  []call.Prompt
		kind call.PromptKind
		want string
	}{
		{"configured tone", s.Position("en", 1), call.Sound, toneOf("600/200ms")},
		{"configured sound", s.Position("fa", 2), call.Sound, "custom/two"},
		{"sentence", s.Position("en", 3), call.Sound, textOf("en", "You are number 3 in line.")},
		{"sentence of a region", s.Position("fa-IR", 3), call.Sound, textOf("fa", words.T("fa", "spoken.position", "n", 3))},
		{"English for a language that we do not speak", s.Position("de", 3), call.Sound, textOf("en", "You are number 3 in line.")},
		{"not made", s.Position("ru", 3), call.Number, "3"},
		{"far behind", s.Position("en", MostPositions+1), call.Number, "51"},
		{"configured wait", s.Wait("en", 0), call.Sound, toneOf("700")},
		{"less than nothing", s.Wait("en", -5), call.Sound, toneOf("700")},
		{"a minute", s.Wait("en", 1), call.Sound, textOf("en", "Your estimated wait is about 1 minute.")},
		{"hours", s.Wait("en", 500), call.Sound, textOf("en", "Your estimated wait is more than an hour.")},
	}
	for _, tt := range tests {
		if !slices.Equal(tt.got, []call.Prompt{{Kind: tt.kind, Value: tt.want}}) {
			t.Errorf("%s: %v, want %s", tt.name, tt.got, tt.want)
		}
		if tt.kind == call.Sound && !strings.HasPrefix(tt.want, "/pbx/") && tt.want != "custom/two" {
			t.Errorf("%s: %s is not as the PBX sees it", tt.name, tt.want)
		}
	}
	if got := s.Position("en", 0); got != nil {
		t.Errorf("no position: %v", got)
	}
}

func TestTemplates(t *testing.T) {
	s := fastStore(t, func(c *Config) {
		c.Announce = Announce{PositionSound: "custom/pos-{n}", WaitSound: "custom/wait-{n}", Wait: map[int]string{5: "custom/five"}}
	})
	for want, got := range map[string][]call.Prompt{
		"custom/pos-7": s.Position("en", 7), "custom/wait-0": s.Wait("en", 0), "custom/wait-90": s.Wait("en", 90), "custom/five": s.Wait("en", 5),
	} {
		if !slices.Equal(got, []call.Prompt{{Kind: call.Sound, Value: want}}) {
			t.Errorf("%v, want %s", got, want)
		}
	}
}

// Ensure that all sentences are there in the end, in every language.
func TestPreparePhrases(t *testing.T) {
	s := fastStore(t, nil)
	if err := s.PreparePhrases(t.Context(), []string{"en", "zh"}); err != nil {
		t.Fatal(err)
	}
	for _, l := range []string{"en", "zh"} {
		if p := s.Kept(l); len(p) != 1 || p[0].Kind != call.Sound {
			t.Errorf("%s: kept is %v", l, p)
		}
		for n := range MostPositions {
			if p := s.Position(l, n+1); p[0].Kind != call.Sound {
				t.Errorf("%s: position %d is %v", l, n+1, p)
			}
		}
		for n := range MostMinutes + 2 {
			if p := s.Wait(l, n); p[0].Kind != call.Sound {
				t.Errorf("%s: wait %d is %v", l, n, p)
			}
		}
	}
}

// Ensure that nothing is made that the configuration replaces.
func TestPreparePhrasesThatAreConfigured(t *testing.T) {
	s := fastStore(t, func(c *Config) {
		c.Announce = Announce{PositionSound: "custom/pos-{n}", Wait: map[int]string{1: "custom/one"}}
	})
	if err := s.PreparePhrases(t.Context(), []string{"en"}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		s.words.T("en", "spoken.position", "n", 1): false, s.words.T("en", "spoken.wait", "n", 1): false,
		s.words.T("en", "spoken.wait", "n", 2): true, s.words.T("en", keptKey): true,
	} {
		if _, made := s.look(s.textName("en", text)); made != want {
			t.Errorf("%q is made: %v, want %v", text, made, want)
		}
	}
}

// Ensure that small numbers, which callers need most, come first.
func TestPhrasesInOrder(t *testing.T) {
	if !slices.IsSortedFunc(phrases(), func(a, b phrase) int { return cmp.Compare(a.n, b.n) }) {
		t.Errorf("phrases = %v", phrases())
	}
	if got := len(phrases()); got != MostPositions+MostMinutes+3 { // less than a minute, more than an hour, and Kept
		t.Errorf("%d phrases", got)
	}
}

func TestPreparePhrasesEnds(t *testing.T) {
	s := fastStore(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.PreparePhrases(ctx, []string{"en"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	err := Config{
		Dir: "relative", AsteriskDir: "relative", Command: []string{"{text}"}, Timeout: -1, Processes: -1,
		Announce: Announce{
			Position: map[int]string{1: "tone:5", 2: "http://x"}, Wait: map[int]string{3: "sound:../x"},
			PositionSound: "a b {n}", WaitSound: "x&{n}",
		},
	}.Validate()
	for _, want := range []string{
		"dir: ", "asterisk_dir: ", "command: \"{text}\" is not a program", "command: no argument names", "timeout: ", "processes: ",
		"announce.position.1: ", "announce.position.2: ", "announce.wait.3: ", "announce.position_sound: ", "announce.wait_sound: ",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no fault %q in:\n%v", want, err)
		}
	}
	if err := (Config{Dir: "/var/lib/x"}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}
