package smdr

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// printed is a record as the test means it, and the line that says so.
type printed struct {
	line     string
	number   string
	start    int64
	duration int
	whole    bool // carries a duration, so that it may be torn
}

// layouts print a call in each pattern.
func layouts() map[Family][]string {
	return map[Family][]string{
		TDA: {
			"%[1]s %7[2]s %5[3]s %02[4]d %-25[5]s %4[6]s %8[7]s %-10[8]s %-3[9]s",
			"%[1]s %7[2]s %5[3]s %02[4]d %-20.20[5]s %8[7]s %-10[10]s %-10[8]s %-2[9]s",
			"%[1]s %7[2]s %5[3]s %04[4]d %-50[5]s %4[6]s %8[7]s %-11[10]s %-10[8]s %-3[9]s",
		},
		TD: {"%[1]s %7[2]s %5[3]s %02[4]d %-25[5]s %4[6]s %8[7]s %-10[8]s %-3[9]s"},
		TA: {"%[1]s  %7[2]s %3.3[3]s  %02[4]d  %-32[5]s  %8[7]s  %-4.4[8]s"},
	}
}

func drawRecord(t *rapid.T, f Family) printed {
	var r printed
	hour, minute := rapid.IntRange(0, 23).Draw(t, "hour"), rapid.IntRange(0, 59).Draw(t, "minute")
	day := rapid.IntRange(1, 28).Draw(t, "day")
	ring := rapid.IntRange(0, 599).Draw(t, "ring")
	r.duration = rapid.IntRange(0, 99*3600).Draw(t, "duration")
	r.number = rapid.StringMatching(`0[0-9]{4,10}`).Draw(t, "number")
	r.whole = true
	layout := rapid.SampledFrom(layouts()[f]).Draw(t, "layout")
	mark := rapid.SampledFrom([]string{"", "<I>"}).Draw(t, "mark")
	if f == TA && mark != "" {
		mark = "< incoming >"
	}
	suffix := "AM"
	h := hour
	if h >= 12 {
		h, suffix = h-12, "PM"
	}
	if h == 0 {
		h = 12
	}
	ringText := ""
	if mark != "" && strings.Contains(layout, "[6]") {
		ringText = fmt.Sprintf("%d'%02d", ring/60, ring%60)
	} else {
		ring = 0
	}
	account := rapid.StringMatching(`([1-9][0-9]{3})?`).Draw(t, "account")
	if f == TA && account == "" {
		account = "...."
	}
	r.line = strings.TrimRight(fmt.Sprintf(layout,
		fmt.Sprintf("%02d/11/26", day), fmt.Sprintf("%02d:%02d%s", h, minute, suffix),
		rapid.StringMatching(`[1-9][0-9]{2}`).Draw(t, "ext"), rapid.IntRange(1, 24).Draw(t, "trunk"),
		mark+r.number, ringText, fmt.Sprintf("%02d:%02d'%02d", r.duration/3600, r.duration/60%60, r.duration%60),
		account, rapid.SampledFrom([]string{"", "TR", "D0"}).Draw(t, "code"), "00000.00"), " ")
	r.start = int64(civilDay(2026, 11, day))*86400 + int64(hour*3600+minute*60)
	if !f.PrintsStart() {
		r.start -= int64(ring + r.duration)
	}
	return r
}

// TestTornAndGlued prints records, joins some of their lines, breaks others,
// cuts the bytes into packets anywhere, and expects the same records.
func TestTornAndGlued(t *testing.T) {
	for family := range layouts() {
		t.Run(family.String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				records := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) printed { return drawRecord(t, family) }), 1, 12).Draw(t, "records")
				var stream []byte
				glued := 0
				for _, r := range records {
					text := disturb(t, r)
					if glued++; text != r.line {
						glued = 0
					} else if glued > 2 { // more would pass the longest line
						text, glued = text+"\r", 0
					}
					stream = append(stream, text...)
				}
				p := Parser{Family: family, Order: DMY}
				var raw []byte
				var got []printed
				var r Record
				eachLine(p, packets(t, stream), func(f Frame) {
					raw = append(raw, f.Raw...)
					if p.Parse(f.Line, &r) {
						got = append(got, printed{number: string(r.Number), start: r.Start(), duration: r.Duration})
					}
				})
				if !bytes.Equal(raw, stream) {
					t.Fatalf("raw bytes differ:\n%q\n%q", raw, stream)
				}
				if len(got) != len(records) {
					t.Fatalf("%d records of %d from %q", len(got), len(records), stream)
				}
				for i, want := range records {
					if got[i].number != want.number || got[i].start != want.start || got[i].duration != want.duration {
						t.Fatalf("record %d is %+v, want %+v, from %q", i, got[i], want, stream)
					}
				}
			})
		})
	}
}

// disturb ends a line, or forgets to, or breaks it after its time.
func disturb(t *rapid.T, r printed) string {
	end := rapid.SampledFrom([]string{"\r", "\n", "\r\n", "\r\n\r\n"}).Draw(t, "end")
	switch rapid.IntRange(0, 4).Draw(t, "disturb") {
	case 0: // glued to the next
		return r.line
	case 1: // torn between the time and the last digit of the duration
		last := strings.LastIndexByte(r.line, '\'') + 2
		at := rapid.IntRange(17, last).Draw(t, "tear")
		return r.line[:at] + end + r.line[at:] + end
	case 2: // noise of the line
		return "\x00" + r.line + "\x07\xff\xfb\x01" + end
	}
	return r.line + end
}

func packets(t *rapid.T, stream []byte) [][]byte {
	cuts := rapid.SliceOf(rapid.IntRange(0, len(stream))).Draw(t, "cuts")
	cuts = append(cuts, 0, len(stream))
	slices.Sort(cuts)
	var out [][]byte
	for i := 1; i < len(cuts); i++ {
		out = append(out, bytes.Clone(stream[cuts[i-1]:cuts[i]]))
	}
	return out
}

func FuzzFraming(f *testing.F) {
	for _, seed := range []string{
		"23/10/26 01:07PM   204 01 09125550101                    00:01'05\r\n",
		"-SMDR\rEnter Password:*******\r\n7/ 4/26   9:18AM 107  01   09125550101    00:00'15\" ....",
		"\xff\xfa\x18\x00\xff\xf0\xff\xff\xff\xfd\x03\r\r\n\f\x00\x7f",
		strings.Repeat("x", 3*MaxLine),
	} {
		f.Add([]byte(seed), uint8(7), false)
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8, seven bool) {
		fr := Framer{SevenBits: seven}
		lines := Lines{Parser: Parser{Family: Family(size%3 + 1), Order: DateOrder(size%4 + 1)}}
		var framed, lined []byte
		emit := func(f Frame) {
			if len(f.Line) > 2*MaxLine {
				t.Fatalf("a line of %d bytes", len(f.Line))
			}
			lined = append(lined, f.Raw...)
		}
		add := func(f Frame) {
			if len(f.Raw) > MaxLine {
				t.Fatalf("a frame of %d bytes", len(f.Raw))
			}
			if i := bytes.IndexFunc(f.Line, func(r rune) bool { return r < 0x20 || r == 0x7f }); i >= 0 {
				t.Fatalf("a control character in %q", f.Line)
			}
			framed = append(framed, f.Raw...)
			lines.Add(f, emit)
		}
		for rest := stream; len(rest) > 0; {
			n := min(int(size)+1, len(rest))
			fr.Write(rest[:n], add)
			rest = rest[n:]
		}
		fr.Flush(add)
		lines.Flush(emit)
		if !bytes.Equal(framed, stream) || !bytes.Equal(lined, stream) {
			t.Fatalf("bytes lost: %d framed and %d lined of %d", len(framed), len(lined), len(stream))
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"23/10/26 01:07PM   204 01 <D>88776600<I>NOVIN TEB02122  0'05 00:01'05 4711       TR",
		" 7/ 4/26  *9:55AM 107  01   <    incoming    >02188          00:00'45\" 1.25USD 4536",
		"**/**/** **:****   204 01 09=1P2...",
		"23/10/26 10:03AM  1230 0112 <I>NOVIN                                            0'07 00:04'05 00560.00EUR 4711       TR",
	} {
		f.Add([]byte(seed), uint8(0))
	}
	f.Fuzz(func(t *testing.T, line []byte, mode uint8) {
		p := Parser{Family: Family(mode%3 + 1), Order: DateOrder(mode/3%4 + 1), Calendar: Calendar(mode / 12 % 2)}
		var r Record
		ok := p.Parse(line, &r)
		if ok != r.Kind.Dated() || r.Kind == 0 {
			t.Fatalf("Parse says %v, kind %v", ok, r.Kind)
		}
		if r.Ring < NotPrinted || r.Ring >= 1000*60 || r.Duration < NotPrinted || r.Duration >= 1000*3600 {
			t.Fatalf("ring %d, duration %d", r.Ring, r.Duration)
		}
		if ok && !r.HasTime && !r.ClockChanged {
			t.Fatal("a record without time")
		}
		for _, b := range [][]byte{r.Ext, r.Trunk, r.Number, r.Name, r.DID, r.Account, r.Charge, r.Condition, r.Text} {
			if len(b) > len(line) {
				t.Fatalf("a field of %d bytes from a line of %d", len(b), len(line))
			}
		}
		FormOf(&r, func(b []byte) string { return string(b) })
	})
}
