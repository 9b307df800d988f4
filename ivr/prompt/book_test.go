package prompt

import (
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"markaz/ivr"
	"markaz/lang"
)

// Ensure that what the menus need can be prepared, and that they then have a
// sound for everything.
func TestStoreServesMenus(t *testing.T) {
	raw, err := os.ReadFile("../testdata/office.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cfg ivr.Config
	if err := yaml.NewDecoder(strings.NewReader(string(raw)), yaml.Strict()).Decode(&cfg); err != nil {
		t.Fatal(err)
	}
	words := lang.New()
	s := fastStore(t, nil)
	if _, err := ivr.NewBook(cfg, s, words); err == nil {
		t.Error("menus are made of sounds that are not there")
	}
	var items []Item
	for _, speech := range cfg.Speech(words) {
		items = append(items, Item(speech))
	}
	if err := s.Prepare(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	if _, err := ivr.NewBook(cfg, s, words); err != nil {
		t.Error(err)
	}
	known := ivr.Known{Tone: CheckTone}
	for _, f := range ivr.Check(cfg, known, words.In("en")) {
		if f.Severity == ivr.Error {
			t.Errorf("%s: %s", f.Path, f.Message)
		}
	}
}

// BenchmarkPosition is the cost of an announcement to the loop.
func BenchmarkPosition(b *testing.B) {
	s, err := NewStore(Config{Dir: b.TempDir()}, lang.New(), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Position("fa", 7)
	}
}
