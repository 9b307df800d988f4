package smdr

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/call"
)

// reference reads a line of pattern A, B or C as one reads the table of the
// guide: every field is cut out at its columns, blanks are taken off. It is
// slow and plain.
type reference struct {
	ext, trunk, number, account, condition string
	inbound                                bool
	ring, duration                         int
	start                                  time.Time
}

func readReference(line string, pattern byte) (reference, error) {
	line += strings.Repeat(" ", 130)
	columns := map[byte][6][2]int{ // trunk, dial, ring, duration, account, condition
		'A': {{23, 25}, {26, 51}, {52, 56}, {57, 65}, {66, 76}, {77, 80}},
		'B': {{23, 25}, {26, 46}, {0, 0}, {47, 55}, {67, 77}, {78, 80}},
		'C': {{23, 27}, {28, 78}, {79, 83}, {84, 92}, {105, 115}, {116, 119}},
	}[pattern]
	cell := func(i int) string { return strings.TrimSpace(line[columns[i][0]:columns[i][1]]) }
	r := reference{ext: strings.TrimSpace(line[17:22]), trunk: cell(0), account: cell(4), condition: cell(5)}
	r.number, r.inbound = strings.CutPrefix(cell(1), "<I>")
	r.ring, r.duration = seconds(cell(2)), seconds(cell(3))
	end, err := time.Parse("02/01/06 03:04PM", line[:8]+" "+strings.TrimSpace(line[9:16]))
	r.start = end.Add(-time.Duration(max(r.ring, 0)+max(r.duration, 0)) * time.Second)
	return r, err
}

// seconds reads H:MM'SS and M'SS; -1 if nothing is there.
func seconds(text string) int {
	if text == "" {
		return NotPrinted
	}
	n := 0
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ':' || r == '\'' }) {
		v, err := strconv.Atoi(part)
		if err != nil {
			return -2
		}
		n = n*60 + v
	}
	return n
}

// The fast parser and the plain one read the same from lines of all patterns.
func TestReferenceAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		printed := drawRecord(t, TDA)
		pattern := byte('A')
		switch { // by what the layouts print
		case printed.line[23:25] == "00" && printed.line[25] != ' ':
			pattern = 'C'
		case len(printed.line) > 54 && printed.line[53] == '\'' || len(printed.line) > 52 && printed.line[52] == '\'':
			pattern = 'B'
		}
		if len(printed.line) > 62 && printed.line[62] == '\'' {
			pattern = 'A'
		}
		want, err := readReference(printed.line, pattern)
		if err != nil {
			t.Fatal(err)
		}
		p := Parser{Family: TDA, Order: DMY}
		var r Record
		if !p.Parse([]byte(printed.line), &r) {
			t.Fatalf("%q is %v", printed.line, r.Kind)
		}
		got := referenceOf(&r)
		if got != want {
			t.Fatalf("%q of pattern %c\nours      %+v\nreference %+v", printed.line, pattern, got, want)
		}
	})
}

// referenceOf is what the parser under test read.
func referenceOf(r *Record) reference {
	return reference{
		ext: string(r.Ext), trunk: string(r.Trunk), number: string(r.Number), account: string(r.Account), condition: string(r.Condition),
		inbound: r.Direction == call.Inbound, ring: r.Ring, duration: r.Duration, start: time.Unix(r.Start(), 0).UTC(),
	}
}

// Every date that an exchange can print is the day that the library says.
func TestDaysAgree(t *testing.T) {
	p := Parser{Family: TDA, Order: YMD}
	for day := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2080; day = day.AddDate(0, 0, 1) {
		got := p.findDate([]byte(day.Format("06/01/02 ")))
		if got.found != dated || got.day != int(day.Unix()/86400) {
			t.Fatalf("%v is %+v", day, got)
		}
	}
}

// A time cell is read at once as it is read with care.
func TestClockCellAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-2 ][0-9a:/][:;0][0-6:][0-9:][APMX ][M ] `).Draw(t, "cell")
		sec, ok := clockCell([]byte(text))
		careful := strings.TrimSpace(text)
		want, n, wantOK := clock([]byte(careful))
		wantOK = wantOK && n == len(careful)
		if ok != wantOK || ok && sec != want {
			t.Fatalf("%q: %d %v, want %d %v", text, sec, ok, want, wantOK)
		}
	})
}

// Numbers are read eight digits at a time as they are one by one.
func TestDigitsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.StringMatching(`[0-9]{0,20}[ -~\x80-\xff]{0,9}`).Draw(t, "field"))
		n := 0
		for n < len(b) && b[n] >= '0' && b[n] <= '9' {
			n++
		}
		if got := digits(b); got > n || n == len(b) && n >= 8 && got != n {
			t.Fatalf("%d digits in %q, want %d", got, b, n)
		}
	})
}

// Eight bytes at once are judged as each alone, up to the first that is not
// printable.
func TestPrintableAgrees(t *testing.T) {
	word := []byte("!0aZ~ /'")
	for at := range word {
		for c := range 256 {
			for _, after := range []byte{0x00, 0x1f, ' ', '~', 0x7f, 0x80, 0xff} {
				b := append([]byte(nil), word...)
				if at < 7 {
					b[at+1] = after
				}
				b[at] = byte(c)
				want := 0
				for want < 8 && b[want] >= 0x20 && b[want] < 0x7f {
					want++
				}
				if got := bits.TrailingZeros64(unprintable8(binary.LittleEndian.Uint64(b))) / 8; got != want {
					t.Fatalf("%q: %d printable, want %d", b, got, want)
				}
			}
		}
	}
}
