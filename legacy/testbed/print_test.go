package testbed

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"markaz/legacy/smdr"
)

// The layouts printed here are those of the guide: every field stands in its
// columns, and is read from there.
func TestPrintedLinesAreInTheirColumns(t *testing.T) {
	at := time.Date(2026, 10, 23, 9, 44, 0, 0, time.UTC)
	r := record{ext: "207", trunk: 3, dial: "<I>02188776655", ring: 6 * time.Second, talk: 168 * time.Second, talked: true, code: "TR"}
	for pattern, want := range map[byte]string{
		'A': "23/10/26 09:44AM   207 03 <I>02188776655            0'06 00:02'48            TR",
		'B': "23/10/26 09:44AM   207 03 <I>02188776655       00:02'48                       TR",
		'C': "23/10/26 09:44AM   207 0003 <I>02188776655                                     0'06 00:02'48 00000.00               TR",
	} {
		got := r.text(at, pattern)
		var rec smdr.Record
		p := smdr.Parser{Family: smdr.TDA, Order: smdr.DMY}
		if !p.Parse([]byte(got), &rec) || string(rec.Number) != "02188776655" || rec.Duration != 168 || string(rec.Condition) != "TR" {
			t.Errorf("pattern %c is read as %+v", pattern, rec)
		}
		if got != want {
			t.Errorf("pattern %c\n got %q\nwant %q", pattern, got, want)
		}
	}
}

func TestOfficeIsTheSameForTheSameChance(t *testing.T) {
	o := func() *Office {
		return &Office{
			Trunks: 20, Extensions: 30, Pattern: 'A', Rings: true, Answers: true, PerMinute: 8,
			Start: time.Date(2026, 10, 23, 8, 0, 0, 0, time.UTC), Chance: rand.New(rand.NewPCG(1, 2)),
		}
	}
	calls, lines := o().Calls(500)
	again, sameLines := o().Calls(500)
	if len(calls) < 500 || len(calls) != len(again) || len(lines) != len(sameLines) {
		t.Fatalf("%d calls, %d again", len(calls), len(again))
	}
	twins := 0
	for i, l := range lines {
		if l.Text != sameLines[i].Text {
			t.Fatalf("line %d differs", i)
		}
		if i > 0 && l.Text == lines[i-1].Text && !strings.HasSuffix(l.Text, "RC") {
			twins++
		}
	}
	if twins == 0 {
		t.Error("no equal lines among 500 calls")
	}
}
