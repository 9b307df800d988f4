package monitor

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"markaz/call"
	"markaz/call/number"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite testdata")
	flag.Parse()
	os.Exit(m.Run())
}

func config(t testing.TB) Config {
	t.Helper()
	numbers, err := number.New(number.Plan{Country: "IR", City: "21"})
	if err != nil {
		t.Fatal(err)
	}
	return Config{Source: "lines", Number: numbers, Extensions: map[string]string{"2": "102"}}
}

func profile(t testing.TB, name string) *Profile {
	t.Helper()
	p, err := Shipped(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestScenes plays testdata/scenes.txt: "## profile: title" begins a scene,
// "12.5 bytes" is what came 12.5 s after its beginning (with Go's escapes,
// frames ended as the profile says), "12.5" alone lets time pass. Below stand
// the events that follow, and at the end of a scene the calls.
func TestScenes(t *testing.T) {
	const path = "testdata/scenes.txt"
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &play{t: t}
	for line := range strings.Lines(string(want)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case line == "" || strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "= "):
		case strings.HasPrefix(line, "## "):
			p.scene(line)
		default:
			fmt.Fprintln(&p.out, line)
			if !strings.HasPrefix(line, "#") {
				p.step(line)
			}
		}
	}
	p.finish()
	got := strings.TrimPrefix(p.out.String(), "\n")
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != string(want) {
		t.Errorf("scenes differ; run with -update and look at the change\n%s", got)
	}
}

type play struct {
	t     *testing.T
	m     *Machine
	began time.Time
	book  call.Book
	order []string
	out   strings.Builder
}

func (p *play) scene(title string) {
	p.finish()
	name, _, _ := strings.Cut(strings.TrimPrefix(title, "## "), ":")
	cfg := config(p.t)
	cfg.Heard = func(_, frame []byte, s Signal) {
		if s.Event == Unknown {
			fmt.Fprintf(&p.out, "  unknown frame %q\n", frame)
		}
	}
	p.m = New(cfg, profile(p.t, name))
	if strings.Contains(title, "hook not swapped") {
		p.m.profile.HookSwap = false
	}
	p.began = time.Date(2026, 10, 23, 9, 0, 0, 0, time.UTC)
	p.book, p.order = call.Book{}, nil
	fmt.Fprintf(&p.out, "\n%s\n", title)
}

func (p *play) step(line string) {
	seconds, rest, _ := strings.Cut(line, " ")
	s, err := strconv.ParseFloat(seconds, 64)
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	at := p.began.Add(time.Duration(s * float64(time.Second)))
	for due := p.m.Due(); !due.IsZero() && !due.After(at); due = p.m.Due() {
		p.show(p.m.Tick(due))
	}
	if rest == "restart" {
		p.restart()
		return
	}
	text, err := strconv.Unquote(`"` + rest + `"`)
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	if end := p.m.profile.Frame.End[0]; text != "" && !strings.HasSuffix(text, end) {
		text += end
	}
	p.show(p.m.Data(at, []byte(text)))
}

func (p *play) restart() {
	b, err := p.m.Snapshot()
	if err != nil {
		p.t.Fatal(err)
	}
	p.m = New(p.m.cfg, p.m.profile)
	if err := p.m.Restore(b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *play) show(events []call.Event) {
	for _, e := range events {
		if e.Call != "" && p.book[e.Call] == nil {
			p.order = append(p.order, e.Call)
		}
		if c, changed := p.book.Apply(e); c != nil && !changed {
			p.t.Fatalf("an event changed nothing: %+v", e)
		}
		fmt.Fprintf(&p.out, "  %v %s", e.At.Sub(p.began), e.Kind)
		for _, f := range []struct{ name, value string }{
			{"dir", string(e.Direction)},
			{"from", e.From},
			{"name", e.FromName},
			{"to", e.To},
			{"e164", e.FromE164 + e.ToE164},
			{"line", e.Trunk},
			{"leg", e.Leg},
			{"ext", e.Address},
			{"result", string(e.Result)},
			{"disposition", string(e.Disposition)},
			{"state", e.State},
			{"reason", e.Reason},
		} {
			if f.value != "" {
				fmt.Fprintf(&p.out, " %s=%s", f.name, f.value)
			}
		}
		fmt.Fprintln(&p.out)
	}
}

func (p *play) finish() {
	for i, id := range p.order {
		c := p.book[id]
		other := c.From
		if c.Direction == call.Outbound {
			other = c.To
		}
		fmt.Fprintf(&p.out, "= #%d %s %q %s %s, talk %v\n", i+1, c.Direction, other, c.State, c.Disposition, time.Duration(c.TalkMS)*time.Millisecond)
	}
	p.order = nil
}

// Every line of the makers' samples, rewritten, matches the rule it should.
func TestMatch(t *testing.T) {
	at := time.Date(2026, 12, 30, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ profile, frame, want string }{
		{"segal", "L2C09121234567", `2 cid number="09121234567"`},
		{"segal", "L1C", `1 cid restricted`},
		{"segal", "L12R03", `12 ring count=3`},
		{"segal", "L1HND:09121234567 T0257", `1 on_hook dialled="09121234567" duration="0257"`},
		{"segal", "L1HND: T0000", `1 on_hook duration="0000"`},
		{"segal", "L1XX", `1 unknown`},
		{"segal-old", "L109121234567", `1 cid number="09121234567"`},
		{"segal-old", "L1R01", `1 ring count=1`},
		{"danjeh", "L3:09121234567@", `3 cid number="09121234567"`},
		{"danjeh", "L3 hook-on", `3 off_hook`},
		{"danjeh", "L3 HOOK-OFF", `3 on_hook`},
		{"danjeh", "L3 Dialed: 0912", `3 on_hook dialled="0912"`},
		{"techno", "D1:L2:Ring=1.", `2 ring count=1`},
		{"techno", "D1:L2:CallerID=02166590000.", `2 cid number="02166590000"`},
		{"techno", "D1:L2:HangUp.", `2 off_hook`},
		{"techno", "D1:L2:HangDown,Time=0001.", `2 on_hook duration="0001"`},
		{"techno", "D1:L2:MissCall,Ring=10.", `2 missed count=10`},
		{"techno", "D1:L1:ErrorCode=1.", `1 error code="1"`},
		{"techno", "D1:DeviceConnect,Serial=0,CountLine=2.", `1 device_up`},
		{"tline", "L1 12:00 CallerID:02166590000 ", `1 cid number="02166590000"`},
		{"tline", "L1 Dialed:0912 Duration:31 ", `1 on_hook dialled="0912" duration="31"`},
		{"whozz", "^^<U>abcdef<S>ghijkl$02 I S 0276 G B3 09/26 11:28 AM 800-240-4637   Shop Ltd", `2 cid number="800-240-4637" name="Shop Ltd" printed=2026-09-26T11:28:00`},
		{"whozz", "02 I S 0000 G A0 01/02 04:54 PM Private", `2 cid restricted printed=2027-01-02T16:54:00`},
		{"whozz", "01 O S 0000 G A0 12/17 04:54 PM 770-263-7111   SHOP", `1 off_hook dialled="770-263-7111" printed=2026-12-17T16:54:00`},
		{"whozz", "01 I E 0007 G A2 03/14 12:23 PM 333 333 3333   Caller three", `1 on_hook duration="0007"`},
		{"whozz", "01 R             09/26 11:28:05", `1 ring printed=2026-09-26T11:28:05`},
		{"whozz", "01     09/26     02:30 PM     8002404637     I     Shop", `1 cid number="8002404637" name="Shop" printed=2026-09-26T14:30:00`},
		{"ncid", "CIDINFO: *LINE*1*RING*4*TIME*16:20:05*", `1 ring count=4`},
		{"ncid", "CIDINFO: *LINE*POTS*RING*0*TIME*16:20:05*", `POTS off_hook`},
		{"ncid", "CIDINFO: *LINE*VOIP*RING*-1*TIME*16:20:05*", `VOIP missed`},
		{"ncid", "CID: *DATE*01152027*TIME*0010*LINE*4901*NMBR*0123456*MESG*NONE*NAME*SHOP*", `4901 cid number="0123456" name="SHOP" printed=2027-01-15T00:10:00`},
		{"ncid", "OUT: *DATE*12152026*TIME*0010*LINE*4901*NMBR*012345611*MESG*NONE*NAME*NO NAME*", `4901 off_hook dialled="012345611" printed=2026-12-15T00:10:00`},
		{"ncid", "OUT: *DATE*01152017*TIME*0010*LINE*4901*NMBR*012345611*MESG*NONE*NAME*NO NAME*", `4901 off_hook dialled="012345611" printed=2017-01-15T00:10:00`},
		{"ncid", "OUT: *DATE*1215*TIME*0010*LINE*4901*NMBR*012345611*MESG*NONE*NAME*NO NAME*", `4901 off_hook dialled="012345611" printed=2026-12-15T00:10:00`},
		{"ncid", "200 Server: NCID", `1 ignore`},
		{"voice-modem", "NMBR = 02166590000", `1 cid number="02166590000"`},
		{"voice-modem", "NMBR=P", `1 cid restricted`},
		{"voice-modem", "RING", `1 ring`},
	} {
		if got := profile(t, c.profile).Match(at, []byte(c.frame)).String(); got != c.want {
			t.Errorf("%s: %q\n got %s\nwant %s", c.profile, c.frame, got, c.want)
		}
	}
}

// A device prints month and day only: the year is the one nearest to now.
func TestYearIsSupplied(t *testing.T) {
	p := profile(t, "whozz")
	for _, c := range []struct{ now, printed, want string }{
		{"2026-12-31 23:59", "01/01 12:00 AM", "2027-01-01 00:00"},
		{"2027-01-01 00:01", "12/31 11:59 PM", "2026-12-31 23:59"},
		{"2026-06-15 10:00", "06/15 09:59 AM", "2026-06-15 09:59"},
		{"2026-03-01 10:00", "02/29 09:59 AM", "0001-01-01 00:00"},
	} {
		now, err := time.Parse("2006-01-02 15:04", c.now)
		if err != nil {
			t.Fatal(err)
		}
		got := p.Match(now, []byte("01 I S 0000 G A0 "+c.printed+" 770-263-7111   X")).Stamp
		if got.Format("2006-01-02 15:04") != c.want {
			t.Errorf("at %s, %s is %v", c.now, c.printed, got)
		}
	}
}

func TestFaultyProfilesAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"name: x\nrules: [{event: rang, re: 'x'}]":                                "rules[0]: event",
		"name: x\nrules: [{event: ring, re: '('}]":                                "rules[0]: re",
		"name: x\nrules: [{event: ring, re: '(?P<lane>x)'}]":                      "group \"lane\"",
		"name: x\nframe: {end: [\"\\n\"], max: 1}\nrules: [{event: ring, re: x}]": "frame.max",
		"rules: [{event: ring, re: x}]":                                           "name: missing",
		"name: x\ncolour: red\nrules: [{event: ring, re: x}]":                     "colour",
	} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngave %v, want %q in it", text, err, want)
		}
	}
}

// However the bytes are cut into packets, the same events follow.
func TestPacketsDoNotMatter(t *testing.T) {
	stream := []byte("L1C09121234567@\r\nL1R01@L1R02@\r\n\x00L1HF@L1D1@garbage@L1HND: T0005@L2HF@L2D0@L2D9@L2HND:09 T0000@")
	at := time.Date(2026, 10, 23, 9, 0, 0, 0, time.UTC)
	want := len(New(config(t), profile(t, "segal")).Data(at, stream))
	if want == 0 {
		t.Fatal("nothing follows")
	}
	rapid.Check(t, func(rt *rapid.T) {
		m := New(config(t), profile(t, "segal"))
		n, rest := 0, stream
		for len(rest) > 0 {
			cut := rapid.IntRange(1, len(rest)).Draw(rt, "cut")
			n += len(m.Data(at, bytes.Clone(rest[:cut])))
			rest = rest[cut:]
		}
		if n != want {
			rt.Fatalf("%d events, want %d", n, want)
		}
	})
}

func FuzzFrames(f *testing.F) {
	for i := range ShippedNames() {
		f.Add([]byte("L1C0912@\nL1HF@D1:L1:Ring=1.\r\n01 I S 0000 G A0 12/17 04:54 PM 770-263-7111   X\nRING\nNMBR=09\n"), uint8(i))
	}
	var profiles []*Profile
	for _, name := range ShippedNames() {
		profiles = append(profiles, profile(f, name))
	}
	cfg := config(f)
	f.Fuzz(func(t *testing.T, stream []byte, which uint8) {
		p := profiles[int(which)%len(profiles)]
		var raw []byte
		cut := NewCutter(p.Frame)
		keep := func(r, _ []byte) { raw = append(raw, r...) }
		cut.Write(stream, keep)
		cut.Flush(keep)
		if !bytes.Equal(raw, stream) {
			t.Fatalf("%d of %d bytes", len(raw), len(stream))
		}
		m := New(cfg, p)
		book := call.Book{}
		at := time.Date(2026, 10, 23, 9, 0, 0, 0, time.UTC)
		for i := 0; i < len(stream); i += 16 {
			at = at.Add(time.Duration(stream[i]) * time.Second / 8)
			for _, e := range m.Data(at, stream[i:min(i+16, len(stream))]) {
				if c, changed := book.Apply(e); c != nil && !changed {
					t.Fatalf("an event changed nothing: %+v", e)
				}
			}
		}
	})
}
