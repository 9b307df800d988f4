package prompt

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"markaz/lang"
)

// helper names the variable that makes this test program a speech program. Its
// value is the folder of its diary.
const helper = "MARKAZ_TEST_SPEECH"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helper); dir != "" {
		os.Exit(beSpeechProgram(dir, os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// beSpeechProgram writes a second of tone for any text but those that name a
// fault, and keeps a diary of when it ran with what.
func beSpeechProgram(dir string, args []string) int {
	diary, err := os.OpenFile(filepath.Join(dir, "diary"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 9
	}
	note := func(kind string) {
		line, _ := json.Marshal(append([]string{kind}, args...))
		_, _ = diary.Write(append(line, '\n'))
	}
	note("start")
	defer note("end")
	out, text := args[0], args[1]
	samples := TonePart{Frequencies: []float64{500}, Length: time.Second}.samples()
	switch {
	case strings.Contains(text, "fail"):
		fmt.Fprintln(os.Stderr, "no such voice")
		return 1
	case strings.Contains(text, "hang"):
		time.Sleep(time.Minute)
	case strings.Contains(text, "slow"):
		time.Sleep(30 * time.Millisecond)
	case strings.Contains(text, "silent"):
		clear(samples)
	case strings.Contains(text, "nothing"):
		return 0
	}
	if err := os.WriteFile(out, encode(samples), 0o600); err != nil {
		return 8
	}
	return 0
}

// fakeStore is a store whose speech program is this test program.
func fakeStore(t *testing.T, change func(*Config)) (*Store, string) {
	t.Helper()
	diary := t.TempDir()
	t.Setenv(helper, diary)
	// Under the race detector a program idles for a second before it exits.
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := store(t, Config{Command: []string{program, "{out}", "{text}", "{voice}", "{lang}"}}, change)
	return s, filepath.Join(diary, "diary")
}

// fastStore is a store whose speech program only copies a tone, which takes no
// time.
func fastStore(t *testing.T, change func(*Config)) *Store {
	t.Helper()
	tone := filepath.Join(t.TempDir(), "tone.wav")
	if err := os.WriteFile(tone, encode(sine(500, rate)), 0o600); err != nil {
		t.Fatal(err)
	}
	return store(t, Config{Command: []string{"cp", tone, "{out}"}}, change)
}

func store(t *testing.T, cfg Config, change func(*Config)) *Store {
	t.Helper()
	cfg.Dir = t.TempDir()
	if change != nil {
		change(&cfg)
	}
	s, err := NewStore(cfg, lang.New(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// readDiary gives the lines of the speech program's diary: what happened, then
// its arguments.
func readDiary(t testing.TB, path string) [][]string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var lines [][]string
	for line := range strings.Lines(string(raw)) {
		var fields []string
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fields)
	}
	return lines
}

// espeak skips a test where espeak-ng is missing, unless real programs are
// required.
func espeak(t *testing.T) *Store {
	t.Helper()
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		if os.Getenv("REQUIRE_REAL") == "1" {
			t.Fatal(err)
		}
		t.Skip("espeak-ng is not installed")
	}
	return store(t, Config{}, nil)
}

// heard reads a file of ours back, by nothing but its bytes.
func heard(t testing.TB, path string) []float64 {
	t.Helper()
	if err := verify(path + ".wav"); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path + ".wav")
	if err != nil {
		t.Fatal(err)
	}
	if string(raw[:4]) != "RIFF" || raw[22] != 1 || raw[24] != 0x40 || raw[25] != 0x1F || raw[34] != 16 {
		t.Fatalf("header % x", raw[:headerSize])
	}
	s, err := decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return s.samples
}

func rms(samples []float64) float64 {
	var sum float64
	for _, s := range samples {
		sum += s * s
	}
	return math.Sqrt(sum / float64(len(samples)))
}

// goertzel is the amplitude of one frequency.
func goertzel(samples []float64, hertz float64, perSecond int) float64 {
	var re, im float64
	for i, s := range samples {
		phase := 2 * math.Pi * hertz * float64(i) / float64(perSecond)
		re += s * math.Cos(phase)
		im += s * math.Sin(phase)
	}
	return 2 * math.Hypot(re, im) / float64(len(samples))
}
