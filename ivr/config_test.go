package ivr

import (
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"markaz/call"
)

func TestConfigForms(t *testing.T) {
	c := decodeConfig(t, `
menus:
  main:
    barge_in: false
    timeout: 1500ms
    prompt: [{number: 0}]
    keys:
      1: queue:a
      "2": {to: menu:main, language: fa}
      '*': hangup
`)
	m := c.Menus["main"]
	if m.Keys["1"].To != "queue:a" || m.Keys["2"] != (Option{To: "menu:main", Language: "fa"}) || m.Keys["*"].To != Hangup {
		t.Errorf("keys = %+v", m.Keys)
	}
	if m.bargeIn() || m.Timeout != 1500*time.Millisecond || m.Prompt[0].Number == nil {
		t.Errorf("menu = %+v", m)
	}
}

// Ensure that a misspelt word is refused with its place, in a mapping of an
// option too.
func TestConfigIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		"menus: {main: {promt: []}}":                                  "[1:16] unknown field",
		"menus:\n  main:\n    keys:\n      1: {to: a, langage: fa}\n": "[4:18] unknown field",
	} {
		var c Config
		err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(&c)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %q", text, err, want)
		}
	}
}

// BenchmarkStep is the cost of one key that leads to another menu.
func BenchmarkStep(b *testing.B) {
	book := newBook(b, readConfig(b, "testdata/office.yaml"))
	now := time.Date(2026, 3, 10, 6, 30, 0, 0, time.UTC)
	s, _, _ := book.Enter("c", "leg", Way{To: "menu:main"}, now)
	key := call.Event{Kind: call.LegDigit, Call: "c", Leg: "leg", At: now, Digits: "2"}
	b.ReportAllocs()
	for b.Loop() {
		book.Step(s, key)
	}
}
