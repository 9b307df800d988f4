package ivr

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"markaz/lang"
)

// world knows everything but what is called gone, bad, missing or 999.
func world() Known {
	return Known{
		Sound:     func(path string) bool { return !strings.HasPrefix(path, "missing/") },
		Queue:     func(name string) bool { return name != "gone" },
		Extension: func(number string) bool { return number != "999" },
		Tone: func(spec string) error {
			if spec == "bad" {
				return errors.New("no frequency")
			}
			return nil
		},
	}
}

// Ensure that each configuration in testdata/check has the findings that stand
// in the file beside it, and that together they show every finding there is.
func TestCheck(t *testing.T) {
	files, err := filepath.Glob("testdata/check/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	words := lang.New()
	seen := map[string]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			var out strings.Builder
			for _, f := range Check(readConfig(t, file), world(), words.In("en")) {
				seen["check."+f.Code] = true
				fmt.Fprintf(&out, "%s %s: %s (%s)\n    %s\n", f.Severity, f.Path, f.Message, f.Code, f.Fix)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if out.String() != string(want) {
				t.Errorf("the findings differ; -update rewrites them.\ngot:\n%s\nwant:\n%s", &out, want)
			}
		})
	}
	for _, key := range words.Keys("check.") {
		if !strings.HasSuffix(key, ".fix") && !seen[key] {
			t.Errorf("no configuration in testdata/check shows %s", key)
		}
	}
}

// Ensure that a finding speaks the language that was asked for, with all its
// values in place, and that its path leads to a place in the file.
func TestFindingsInEveryLanguage(t *testing.T) {
	files, _ := filepath.Glob("testdata/check/*.yaml")
	words := lang.New()
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range words.Languages() {
			for _, f := range Check(readConfig(t, file), world(), words.In(l)) {
				for _, s := range []string{f.Message, f.Fix} {
					if strings.HasPrefix(s, "check.") || strings.ContainsAny(strings.ReplaceAll(s, "routes: [{", ""), "{") {
						t.Errorf("%s: %s: %s: unfinished sentence %q", file, l, f.Path, s)
					}
				}
				findPath(t, file, raw, f.Path)
			}
		}
	}
}

// findPath checks that a path can be looked up by the YAML library, and that
// the part of the file in which something is wrong or missing is there.
func findPath(t *testing.T, file string, raw []byte, path string) {
	t.Helper()
	if _, err := yaml.PathString("$." + path); err != nil {
		t.Errorf("%s: path %s: %v", file, path, err)
	}
	above, err := yaml.PathString("$." + parent(path))
	if err != nil {
		t.Errorf("%s: parent of path %s: %v", file, path, err)
		return
	}
	if _, err := above.AnnotateSource(raw, false); err != nil && strings.Contains(parent(path), ".") {
		t.Errorf("%s: path %s is not in the file: %v", file, path, err)
	}
}

// parent is the part of the configuration in which something may be missing.
func parent(path string) string {
	if i := strings.LastIndexAny(path, ".["); i > 0 {
		return path[:i]
	}
	return path
}

// Ensure that other parts of the configuration are checked alike, and that
// what only they lead to is not taken for unreachable.
func TestDestinationsElsewhere(t *testing.T) {
	c := readConfig(t, "testdata/check/keys.yaml")
	words := lang.New().In("en")
	known := world()
	known.Entries = []Destination{"message:lost"}
	for _, f := range Check(c, known, words) {
		if f.Path == "messages.lost" {
			t.Errorf("%s: %s", f.Path, f.Message)
		}
	}
	if found := CheckDestination(c, "queues.a.overflow", "message:lost", known, words); found != nil {
		t.Errorf("a message that is there: %v", found)
	}
	found := CheckDestination(c, "queues.a.overflow", "message:none", known, words)
	if len(found) != 1 || found[0].Path != "queues.a.overflow" || found[0].Code != "unknown" {
		t.Errorf("a message that is not there: %v", found)
	}
}

func TestCheckOfNothing(t *testing.T) {
	if found := Check(Config{}, Known{}, lang.New().In("en")); found != nil {
		t.Errorf("an empty configuration has findings: %v", found)
	}
}

func TestNewBookRefuses(t *testing.T) {
	words := lang.New()
	bad := readConfig(t, "testdata/check/names.yaml")
	_, err := NewBook(bad, namedSounds{}, words)
	if err == nil || !strings.Contains(err.Error(), `routes[0].to: “mian” is not one of the menus.`) {
		t.Errorf("a configuration with errors gives %v", err)
	}
	_, err = NewBook(readConfig(t, "testdata/office.yaml"), noSounds{}, words)
	for _, want := range []string{"messages.closed: no sound", "menus.main: no sound"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing sounds give %v, want %q in it", err, want)
		}
	}
}

// noSounds has no speech program.
type noSounds struct{}

func (noSounds) Text(string, string) (string, bool) { return "", false }
func (noSounds) Tone(string) (string, bool)         { return "", false }

// Ensure that without a speech program menus of sound files still work, only
// without a word about the fault.
func TestNoSpeechProgram(t *testing.T) {
	c := decodeConfig(t, `{routes: [{to: "menu:main"}], menus: {main: {prompt: [{sound: x}], keys: {"1": "queue:a"}, after: hangup}}}`)
	b, err := NewBook(c, noSounds{}, lang.New())
	if err != nil {
		t.Fatal(err)
	}
	if u := b.menus["main"].wrongKey["en"]; len(u) != 0 {
		t.Errorf("a prompt out of nowhere: %v", u)
	}
}

func TestSpeech(t *testing.T) {
	var lines []string
	for _, s := range readConfig(t, "testdata/office.yaml").Speech(lang.New()) {
		lines = append(lines, fmt.Sprintf("%s|%s|%s|%s|%v", s.Path, s.Lang, s.Text, s.Tone, s.Optional))
	}
	want := []string{
		"wrong_key[0]|en|That is not one of the choices.||true",
		"wrong_key[0]|fa|این کلید جزو گزینه\u200cها نیست.||true",
		"silence[0]|en|We did not get your choice.||true",
		"silence[0]|fa|انتخاب شما دریافت نشد.||true",
		"messages.closed.prompt[0]|en|We are closed.||false",
		"messages.closed.prompt[0]|fa|تعطیل است.||false",
		"messages.notice.prompt[0]|en|This call may be recorded.||false",
		"messages.notice.prompt[0]|fa|این تماس ممکن است ضبط شود.||false",
		"menus.main.prompt[1]|en|For sales press 1.||false",
		"menus.main.prompt[1]|fa|فروش، یک.||false",
		"menus.support.prompt[0]|||425|false",
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("speech:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}
