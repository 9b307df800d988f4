package prompt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/lang"
)

// Ensure that every language is spoken: loud enough, not cut off, and for
// about as long as a person would take.
func TestEveryLanguageIsSpoken(t *testing.T) {
	s := espeak(t)
	words := lang.New()
	for _, l := range words.Languages() {
		for _, key := range []string{"spoken.welcome", "spoken.closed", "spoken.wait"} {
			text := words.T(l, key, "n", 12)
			path, err := s.Render(t.Context(), l, text)
			if err != nil {
				t.Fatal(err)
			}
			samples := heard(t, path)
			letters := len([]rune(text))
			perLetter := float64(len(samples)) / rate / float64(letters)
			least, most := 0.03, 0.15
			if l == "zh" {
				least, most = 0.12, 0.5
			}
			t.Logf("%s %s: %.2f s, %.3f s a letter, level %.3f", l, key, float64(len(samples))/rate, perLetter, rms(samples))
			if perLetter < least || perLetter > most {
				t.Errorf("%s: %q takes %.3f s a letter", l, text, perLetter)
			}
			if r := rms(samples); r < 0.05 || r > 0.12 {
				t.Errorf("%s: %q has level %.3f", l, text, r)
			}
		}
	}
}

// Ensure that no default voice falls back to spelling in English, as the plain
// Chinese voice of espeak-ng 1.51 does.
func TestVoicesSpeakTheirLanguage(t *testing.T) {
	espeak(t)
	words := lang.New()
	for _, l := range []string{"fa", "ru", "zh"} {
		for _, key := range words.Keys("spoken.") {
			text := words.T(l, key, "n", 3, "key", 0)
			sounds, err := exec.CommandContext(t.Context(), "espeak-ng", "-q", "-x", "-v", DefaultVoice(l), "--", text).Output()
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(sounds), "(en)") {
				t.Errorf("%s: %q is spelt in English: %s", l, text, sounds)
			}
		}
	}
}

// Ensure that a text full of what shells and speech programs obey is only
// spoken: no file appears.
func TestTextIsNeverObeyed(t *testing.T) {
	s := espeak(t)
	// A short path, for it is spoken.
	dir := t.TempDir()
	t.Chdir(dir)
	for _, text := range []string{
		"$(touch c) `touch c`; touch c | tee c > c && touch c; '; touch c; ' \"; touch c; \"",
		"-w c", "--stdin -wc", "{out} {text} ${HOME} %s a",
	} {
		if _, err := s.Render(t.Context(), "en", text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("the canary is alive: %v, %v", entries, err)
	}
}

// Ensure that a program gets a text as one argument, unchanged but for the
// blank in front of a hyphen.
func TestTextIsOneArgument(t *testing.T) {
	s := speaker{command: []string{"program", "-o", "{out}", "-v{voice}", "{lang}", "{text}"}}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text") + rapid.SampledFrom([]string{"", "{out}", "{text}", "$(x)"}).Draw(t, "more")
		args, stdin := s.args("fa", "voice", text, "/x/y.wav")
		if strings.HasPrefix(text, "-") {
			text = " " + text
		}
		if want := []string{"-o", "/x/y.wav", "-vvoice", "fa", text}; !slices.Equal(args, want) || stdin != nil {
			t.Fatalf("%q, want %q", args, want)
		}
	})

	// And that is what the program sees.
	fake, diary := fakeStore(t, nil)
	text := "-x $(y) `z` \"a\" 'b' \\ * ; | & > {out}"
	if _, err := fake.Render(t.Context(), "en", text); err != nil {
		t.Fatal(err)
	}
	if ran := readDiary(t, diary); len(ran) != 2 || len(ran[0]) != 5 || ran[0][2] != " "+text || ran[0][3] != "en-us" || ran[0][4] != "en" {
		t.Errorf("%q was given as %q", text, ran)
	}
}

// Ensure that a text goes to the standard input of a program that takes it
// there.
func TestTextOnStandardInput(t *testing.T) {
	s := speaker{command: []string{"program", "--out", "{out}"}}
	args, stdin := s.args("en", "v", "hello", "/x.wav")
	if len(args) != 2 || args[1] != "/x.wav" || stdin == nil {
		t.Errorf("args %q, stdin %v", args, stdin)
	}
	s.command = append(s.command, "{text}")
	if _, stdin := s.args("en", "v", "hello", "/x.wav"); stdin != nil {
		t.Error("the text is given twice")
	}
}

// Ensure that many who want the same text wait for one program, and that no
// more programs run at a time than are allowed.
func TestOneProgramForManyCallers(t *testing.T) {
	s, diary := fakeStore(t, func(c *Config) { c.Processes = 2 })
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := s.Render(t.Context(), "en", fmt.Sprintf("slow %d", i%4)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	running, most, starts := 0, 0, 0
	for _, line := range readDiary(t, diary) {
		switch line[0] {
		case "start":
			running++
			starts++
		case "end":
			running--
		}
		most = max(most, running)
	}
	if starts != 4 || most > 2 {
		t.Errorf("%d programs, %d at a time; want 4, 2", starts, most)
	}
}

func TestFaultsOfTheProgram(t *testing.T) {
	s, diary := fakeStore(t, nil)
	for text, want := range map[string]string{
		"fail":         "no such voice",
		"silent":       "silence",
		"nothing":      "no such file",
		"a\nb":         "control character",
		"...":          "no letter",
		"x\xff\xfe":    "not valid UTF-8",
		"\u202eabc":    "direction mark",
		"":             "no letter",
		longText(1001): "1001 characters",
	} {
		if _, err := s.Render(t.Context(), "en", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q gives %v, want %q", text, err, want)
		}
		if path, ok := s.Text("en", text); ok {
			t.Errorf("%.20q is taken for made: %s", text, path)
		}
	}
	s.speaker.timeout = 100 * time.Millisecond
	if _, err := s.Render(t.Context(), "en", "hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a program that hangs gives %v", err)
	}
	for _, line := range readDiary(t, diary) {
		if line[0] == "start" && line[2] == "..." {
			t.Error("a text that cannot be spoken was given to the program")
		}
	}
	left, err := os.ReadDir(s.cfg.Dir)
	if err != nil || len(left) > 0 {
		t.Errorf("files are left behind: %v, %v", left, err)
	}
}

func longText(n int) string { return strings.Repeat("a", n) }

// Ensure that a caller who gives up does not spoil it for another one who
// waits for the same text.
func TestOthersOutliveTheFirst(t *testing.T) {
	s, diary := fakeStore(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := s.Render(ctx, "en", "slow and steady")
		first <- err
	}()
	for len(readDiary(t, diary)) == 0 {
		time.Sleep(time.Millisecond)
	}
	second := make(chan error, 1)
	go func() {
		_, err := s.Render(t.Context(), "en", "slow and steady")
		second <- err
	}()
	cancel()
	if err := <-first; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the first gets %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("the second gets %v", err)
	}
}

// Ensure that files are kept and used again by the next store, but not one that
// was cut short, and that other voices and commands make other files.
func TestFilesAreKept(t *testing.T) {
	s, diary := fakeStore(t, nil)
	path, err := s.Render(t.Context(), "en", "hello")
	if err != nil {
		t.Fatal(err)
	}
	file := path + ".wav"
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("file %v, %v", info, err)
	}
	again := func(change func(*Config)) *Store {
		cfg := s.cfg
		if change != nil {
			change(&cfg)
		}
		s, err := NewStore(cfg, lang.New(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Render(t.Context(), "en", "hello"); err != nil {
			t.Fatal(err)
		}
		return s
	}
	runs := func() int { return len(readDiary(t, diary)) / 2 }
	again(nil)
	if runs() != 1 {
		t.Errorf("a whole file is made again: %d runs", runs())
	}
	if err := os.Truncate(file, 1000); err != nil {
		t.Fatal(err)
	}
	again(nil)
	if runs() != 2 || verify(file) != nil {
		t.Errorf("a file that was cut short is kept: %d runs, %v", runs(), verify(file))
	}
	other := again(func(c *Config) { c.Voices = map[string]string{"en": "en-gb"}; c.AsteriskDir = "/pbx/sounds" })
	if p, ok := other.Text("en", "hello"); runs() != 3 || !ok || filepath.Dir(p) != "/pbx/sounds" || filepath.Base(p) == filepath.Base(path) {
		t.Errorf("another voice gives %s, %d runs", p, runs())
	}
}

func TestStaleFilesAreSwept(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, temporary+"1"), filepath.Join(dir, temporary+"2")
	for _, f := range []string{old, fresh} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * stale)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	if _, err := NewStore(Config{Dir: dir}, lang.New(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a stale file is left: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("a fresh file is gone: %v", err)
	}
}

// Ensure that Prepare tells every failure with its path, a missing program
// once, and only logs what callers can do without.
func TestPrepareReports(t *testing.T) {
	s, _ := fakeStore(t, func(c *Config) { c.Announce.Position = map[int]string{1: "tone:600", 2: "sound:custom/two"} })
	err := s.Prepare(t.Context(), []Item{
		{Path: "menus.main.prompt[0]", Lang: "en", Text: "hello"},
		{Path: "menus.main.prompt[1]", Lang: "en", Text: "fail"},
		{Path: "menus.main.silence[0]", Tone: "5"},
		{Path: "wrong_key[0]", Lang: "en", Text: "fail here", Optional: true},
	})
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.Split(err.Error(), "\n")
	if len(got) != 2 || !strings.HasPrefix(got[0], "menus.main.prompt[1]: run ") || !strings.HasPrefix(got[1], "menus.main.silence[0]: parse tone") {
		t.Errorf("errors:\n%v", err)
	}
	if _, ok := s.Tone("600"); !ok {
		t.Error("the tone of an announcement is not made")
	}

	s.speaker.command = []string{"no-such-speech-program"}
	err = s.Prepare(t.Context(), []Item{{Path: "a", Lang: "en", Text: "one"}, {Path: "b", Lang: "en", Text: "two"}})
	want := `a, b: speech program not found: "no-such-speech-program"; install it (Debian: apt-get install espeak-ng) or set prompts.command`
	if !errors.Is(err, ErrNoProgram) || err.Error() != want {
		t.Errorf("missing program: %v", err)
	}
	if err := s.PreparePhrases(t.Context(), []string{"en", "fa"}); !errors.Is(err, ErrNoProgram) || strings.Contains(err.Error(), "\n") {
		t.Errorf("missing program: %v", err)
	}
}
