package smdr

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
)

func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite testdata")
	flag.Parse()
	os.Exit(m.Run())
}

// TestGolden reads testdata/*.txt: "model" sets the parser, a line after ">"
// is what the exchange sends, with Go's escapes, and the JSON below it is what
// comes out: nothing, or one object for each record or header.
func TestGolden(t *testing.T) {
	for _, name := range []string{"tda", "td", "ta", "stream"} {
		t.Run(name, func(t *testing.T) {
			path := "testdata/" + name + ".txt"
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := replay(t, string(want))
			if updating() {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			compare(t, string(want), got)
		})
	}
}

func compare(t *testing.T, want, got string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	input := ""
	for i := range min(len(w), len(g)) {
		if strings.HasPrefix(w[i], ">") {
			input = w[i]
		}
		if w[i] != g[i] {
			t.Fatalf("line %d, after %s\nwant %s\ngot  %s", i+1, input, w[i], g[i])
		}
	}
	if len(w) != len(g) {
		t.Fatalf("%d lines, want %d", len(g), len(w))
	}
}

// replay keeps comments, models and inputs and writes what comes out of each
// input below it.
func replay(t *testing.T, script string) string {
	t.Helper()
	var out strings.Builder
	var p Parser
	for line := range strings.Lines(script) {
		switch {
		case strings.HasPrefix(line, "model "):
			p = modelLine(t, line)
		case strings.HasPrefix(line, ">"):
			out.WriteString(line)
			out.WriteString(forms(t, p, unescape(t, line[1:])))
			continue
		case strings.HasPrefix(line, "{"):
			continue
		}
		out.WriteString(line)
	}
	return out.String()
}

func modelLine(t *testing.T, line string) Parser {
	t.Helper()
	f := strings.Fields(line)
	family, err := FamilyOf(f[1])
	if err != nil {
		t.Fatal(err)
	}
	order, err := ParseDateOrder(f[2])
	if err != nil {
		t.Fatal(err)
	}
	p := Parser{Family: family, Order: order}
	if len(f) > 3 && f[3] == "jalali" {
		p.Calendar = Jalali
	}
	return p
}

func unescape(t *testing.T, s string) []byte {
	t.Helper()
	s = strings.TrimSuffix(strings.TrimPrefix(s, " "), "\n")
	raw, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return []byte(raw)
}

// forms is what comes out of a stream, as JSON lines.
func forms(t *testing.T, p Parser, stream []byte) string {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	latin1 := func(b []byte) string {
		s, err := charmap.ISO8859_1.NewDecoder().Bytes(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(s)
	}
	var r Record
	eachLine(p, [][]byte{stream}, func(f Frame) {
		if p.Parse(f.Line, &r) || r.Kind == KindHeader || r.Kind == KindUnknown || r.Kind == KindBadDate {
			if err := enc.Encode(FormOf(&r, latin1)); err != nil {
				t.Fatal(err)
			}
		}
	})
	return out.String()
}

// eachLine runs chunks of a stream through a Framer and Lines to its end.
func eachLine(p Parser, chunks [][]byte, emit func(Frame)) {
	var f Framer
	lines := Lines{Parser: p}
	add := func(fr Frame) { lines.Add(fr, emit) }
	for _, c := range chunks {
		f.Write(c, add)
	}
	f.Flush(add)
	lines.Flush(emit)
}
