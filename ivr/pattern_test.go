package ivr

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPattern(t *testing.T) {
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{"1000", []string{"1000"}, []string{"", "100", "10000", "1001"}},
		{"_1XX", []string{"100", "199"}, []string{"10", "200", "1*0"}},
		{"ZN[25-7]", []string{"122", "197"}, []string{"022", "112", "124", "128"}},
		{"+98 21-8X.", []string{"+9821805", "+9821812345"}, []string{"+982180", "982180", "+98219"}},
		{".", []string{"1", "*", "+1"}, []string{""}},
		{"*7#", []string{"*7#"}, []string{"*7", "7#"}},
	}
	for _, tt := range tests {
		p, err := parsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		for _, number := range tt.yes {
			if !p.match(number) {
				t.Errorf("%s does not fit %s", number, tt.pattern)
			}
		}
		for _, number := range tt.no {
			if p.match(number) {
				t.Errorf("%s fits %s", number, tt.pattern)
			}
		}
	}
	for _, bad := range []string{"", "_", "1.2", "[", "[]", "[5-2]", "[1-#]", "1A", "۱۲", "1[2"} {
		if _, err := parsePattern(bad); err == nil {
			t.Errorf("%q is taken for a pattern", bad)
		}
	}
}

// Ensure that the relations between patterns are those between the sets of
// numbers that fit them.
func TestPatternRelations(t *testing.T) {
	symbol := rapid.SampledFrom([]string{"1", "2", "X", "Z", "N", "[13]", "[2-4]"})
	draw := func(t *rapid.T, name string) pattern {
		text := strings.Join(rapid.SliceOfN(symbol, 1, 3).Draw(t, name), "") + rapid.SampledFrom([]string{"", "."}).Draw(t, name+" dot")
		p, err := parsePattern(text)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	rapid.Check(t, func(t *rapid.T) {
		p, q := draw(t, "p"), draw(t, "q")
		number := rapid.StringMatching(`[0-4]{0,5}`).Draw(t, "number")
		longer := number + rapid.StringMatching(`[0-4]{1,2}`).Draw(t, "more")
		if p.match(longer) && !p.extends(number) {
			t.Fatalf("%s fits and %s does not begin it", longer, number)
		}
		if p.within(q) && p.match(number) && !q.match(number) {
			t.Fatalf("p is within q, and %s fits p only", number)
		}
		if !p.open && !q.open && p.match(number) && q.match(number) && !p.meets(q) {
			t.Fatalf("%s fits both, and they do not meet", number)
		}
	})
}

func TestRoute(t *testing.T) {
	b := newBook(t, readConfig(t, "testdata/office.yaml"))
	open := at(t, "2026-03-10T10:00:00+03:30")
	tests := []struct {
		to, did string
		want    Way
		ok      bool
	}{
		{"1000", "", Way{To: "menu:main", Lang: "en"}, true},
		{"s", "+982188776655", Way{To: "menu:main", Lang: "fa"}, true},
		{"", "1002", Way{To: "queue:vip", Lang: "en"}, true},
		{"9", "9", Way{}, false},
		{"", "", Way{}, false},
	}
	for _, tt := range tests {
		if way, ok := b.Route(tt.to, tt.did, open); way != tt.want || ok != tt.ok {
			t.Errorf("Route(%q, %q) = %+v, %v", tt.to, tt.did, way, ok)
		}
	}
	if s, ok := b.Hours("office"); !ok || !s.Open(open) {
		t.Error("the office is not open")
	}
	if _, ok := b.Hours("none"); ok {
		t.Error("there are hours without a name")
	}
}
