package fastagi

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A peer plays Asterisk on the other end of a pipe.
type peer struct {
	net.Conn
	in *bufio.Reader
}

const patience = 5 * time.Second

// pipe returns a session of a given header and its peer.
func pipe(t testing.TB, h string) (*Session, *peer) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	s := open(pipeEnd{ours}, []byte(h), patience, time.Now().Add(time.Minute))
	return s, &peer{theirs, bufio.NewReader(theirs)}
}

// pipeEnd tells the end of the other side as TCP does.
type pipeEnd struct{ net.Conn }

func (p pipeEnd) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = syscall.EPIPE
	}
	return n, err
}

func pipeSession(t testing.TB, h string) *Session {
	t.Helper()
	s, _ := pipe(t, h)
	return s
}

// step is one command and what Asterisk says to it.
type step struct{ want, reply string }

// play has the peer follow a script, and then hang up.
func (p *peer) play(t testing.TB, script ...step) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		defer p.Close()
		for _, st := range script {
			got, err := p.in.ReadString('\n')
			if err != nil || got != st.want+"\n" {
				t.Errorf("have %q, want %q (%v)", got, st.want, err)
				return
			}
			if _, err := io.WriteString(p, st.reply); err != nil {
				t.Errorf("after %q: %v", got, err)
				return
			}
		}
	}()
	return done
}

func scripted(t testing.TB, script ...step) *Session {
	t.Helper()
	s, p := pipe(t, header())
	done := p.play(t, script...)
	t.Cleanup(func() {
		_ = s.wire.conn.Close()
		<-done
	})
	return s
}

func TestCommands(t *testing.T) {
	s := scripted(t,
		step{`ANSWER`, "200 result=0\n"},
		step{`STREAM FILE "hello" "12" 0`, "200 result=0 endpos=16000\n"},
		step{`STREAM FILE "hello" "12" 800`, "200 result=50 endpos=5920\n"},
		step{`STREAM FILE "hello" "12" 1073741824`, "200 result=50 endpos=16000\n"},
		step{`SAY NUMBER -7 "*#"`, "200 result=42\n"},
		step{`SAY DIGITS "0123" ""`, "200 result=0\n"},
		step{`WAIT FOR DIGIT 250`, "200 result=35\n"},
		step{`WAIT FOR DIGIT 250`, "200 result=0\n"},
		step{`WAIT FOR DIGIT 250`, "200 result=102\n"},
		step{`SET MUSIC ON`, "200 result=0\n"},
		step{`SET MUSIC ON "jazz"`, "200 result=0\n"},
		step{`SET MUSIC OFF`, "200 result=0\n"},
		step{`SET VARIABLE TIMEOUT(absolute) "10"`, "200 result=1\n"},
		step{`EXEC Dial "PJSIP/101,20"`, "200 result=0\n"},
		step{`VERBOSE "say \"hi\\\"" 2`, "200 result=1\n"},
		step{`CHANNEL STATUS`, "200 result=6\n"},
		step{`NOOP`, "200 result=0\n"},
		step{`HANGUP`, "200 result=1\n"},
	)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	played := func(want Played) func(Played, error) {
		return func(have Played, err error) {
			t.Helper()
			if have != want || err != nil {
				t.Errorf("have %+v %v, want %+v", have, err, want)
			}
		}
	}
	key := func(want string) func(string, error) {
		return func(have string, err error) {
			t.Helper()
			if have != want || err != nil {
				t.Errorf("have key %q %v, want %q", have, err, want)
			}
		}
	}
	ok(s.Answer())
	played(Played{Position: 16000})(s.StreamFile("hello", "12", 0, 0))
	played(Played{Key: "2", Position: 5920})(s.StreamFile("hello", "12", 800, 0))
	if d, key, err := s.Length("hello", "12"); d != 2*time.Second || key != "2" || err != nil {
		t.Errorf("length %v %q %v", d, key, err)
	}
	key("*")(s.SayNumber(-7, "*#"))
	key("")(s.SayDigits("0123", ""))
	key("#")(s.WaitForDigit(250 * time.Millisecond))
	key("")(s.WaitForDigit(250 * time.Millisecond))
	key("")(s.WaitForDigit(250 * time.Millisecond)) // a fax machine
	ok(s.SetMusic(true, ""))
	ok(s.SetMusic(true, "jazz"))
	ok(s.SetMusic(false, "jazz"))
	ok(s.SetVariable("TIMEOUT(absolute)", "10"))
	ok(s.Exec("Dial", "PJSIP/101,20", time.Second))
	ok(s.Verbose(`say "hi\"`, 2))
	if st, err := s.ChannelStatus(); st != 6 || err != nil {
		t.Errorf("status %v %v", st, err)
	}
	ok(s.Noop())
	ok(s.Hangup())
	if err := s.Noop(); !errors.Is(err, ErrHangup) || !errors.Is(s.Err(), ErrHangup) {
		t.Errorf("after the end: %v", err)
	}
}

// The library's Get returned the answer to the command before, for the rest of
// the session, once a HANGUP line had come.
func TestAnswersDoNotShiftAfterHangup(t *testing.T) {
	for name, reply := range map[string]string{
		"before, at once": "HANGUP\n200 result=1 (one)\n",
		"behind, at once": "200 result=1 (one)\nHANGUP\n",
	} {
		s := scripted(t,
			step{"GET VARIABLE V1", reply},
			step{"GET VARIABLE V2", "200 result=1 (two)\n"},
			step{"WAIT FOR DIGIT 100", "511 Command Not Permitted on a dead channel or intercept routine\n"},
		)
		for _, want := range []string{"one", "two"} {
			if have, ok, err := s.GetVariable("V" + map[string]string{"one": "1", "two": "2"}[want]); have != want || !ok || err != nil {
				t.Errorf("%s: have %q %v %v, want %q", name, have, ok, err, want)
			}
		}
		if _, err := s.WaitForDigit(100 * time.Millisecond); !errors.Is(err, ErrHangup) {
			t.Errorf("%s: dead channel: %v", name, err)
		}
	}
}

// A HANGUP line that comes later, alone, belongs to no command either.
func TestHangupLineBetweenCommands(t *testing.T) {
	s, p := pipe(t, header())
	go func() {
		_, _ = p.in.ReadString('\n')
		_, _ = io.WriteString(p, "200 result=0\n")
		_, _ = p.in.ReadString('\n')
		_, _ = io.WriteString(p, "HANGUP\n")
		_, _ = io.WriteString(p, "200 result=-1\n")
	}()
	if err := s.Noop(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.WaitForDigit(time.Second); !errors.Is(err, ErrHangup) {
		t.Errorf("have %v", err)
	}
}

const usage520 = "520-Invalid command syntax.  Proper usage follows:\n Usage: SAY NUMBER <number>\n\tSay it.\n520 End of proper usage.\n"

// The library read one line of the several that a usage error has, and took
// the rest for the answers to later commands.
func TestAnswersDoNotShiftAfterUsageError(t *testing.T) {
	s := scripted(t,
		step{`SET MUSIC ON`, usage520},
		step{"GET VARIABLE V", "200 result=1 (right)\n"},
		step{`SET MUSIC ON`, "520 Invalid command syntax.  Proper usage not available.\n"},
		step{`SET MUSIC ON`, "510 Invalid or unknown command\n"},
		step{"GET VARIABLE V", "200 result=1 (right)\n"},
	)
	want := func(err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("have %v, want %v", err, want)
		}
	}
	right := func() {
		t.Helper()
		if v, ok, err := s.GetVariable("V"); v != "right" || !ok || err != nil {
			t.Errorf("have %q %v %v", v, ok, err)
		}
	}
	err := s.SetMusic(true, "")
	want(err, ErrUsage)
	if !strings.Contains(err.Error(), "Usage: SAY NUMBER") {
		t.Errorf("the usage is lost: %v", err)
	}
	right()
	want(s.SetMusic(true, ""), ErrUsage)
	want(s.SetMusic(true, ""), ErrInvalid)
	right()
}

// Failures that the library reported as success.
func TestFailuresAreErrors(t *testing.T) {
	alive, gone := "200 result=6\n", "511 Command Not Permitted on a dead channel\n"
	status := func(reply string) step { return step{"CHANNEL STATUS", reply} }
	for _, c := range []struct {
		name   string
		run    func(*Session) error
		script []step
		want   error
	}{
		{"missing file", func(s *Session) error { _, err := s.StreamFile("x", "", 0, 0); return err }, []step{{`STREAM FILE "x" "" 0`, "200 result=-1 endpos=0\n"}, status(alive)}, ErrFailed},
		{"hang-up in a file", func(s *Session) error { _, err := s.StreamFile("x", "", 0, 0); return err }, []step{{`STREAM FILE "x" "" 0`, "200 result=-1 endpos=880\n"}, status(gone)}, ErrHangup},
		{"closed in a file", func(s *Session) error { _, err := s.StreamFile("x", "", 0, 0); return err }, []step{{`STREAM FILE "x" "" 0`, "200 result=-1 endpos=880\n"}}, ErrHangup},
		{"missing file measured", func(s *Session) error { _, _, err := s.Length("x", ""); return err }, []step{{`STREAM FILE "x" "" 1073741824`, "200 result=-1 endpos=1073741824\n"}, status(alive)}, ErrFailed},
		{"answer", func(s *Session) error { return s.Answer() }, []step{{"ANSWER", "200 result=-1\n"}, status(gone)}, ErrHangup},
		{"digit", func(s *Session) error { _, err := s.WaitForDigit(time.Second); return err }, []step{{"WAIT FOR DIGIT 1000", "200 result=-1\n"}, status(gone)}, ErrHangup},
		{"no such application", func(s *Session) error { return s.Exec("Nope", "", 0) }, []step{{`EXEC Nope ""`, "200 result=-2\n"}}, ErrNoApp},
		{"application failed", func(s *Session) error { return s.Exec("Read", "", 0) }, []step{{`EXEC Read ""`, "200 result=-1\n"}, status(alive)}, ErrFailed},
		{"closed", func(s *Session) error { return s.Noop() }, nil, ErrHangup},
	} {
		if err := c.run(scripted(t, c.script...)); !errors.Is(err, c.want) {
			t.Errorf("%s: have %v, want %v", c.name, err, c.want)
		}
	}
}

func TestUnsetIsNotEmpty(t *testing.T) {
	s := scripted(t,
		step{"GET VARIABLE A", "200 result=0\n"}, step{"GET VARIABLE A", "200 result=1 ()\n"},
		step{"GET VARIABLE A", "200 result=1 ( (a) b )\n"},
	)
	for _, want := range []struct {
		value string
		ok    bool
	}{{"", false}, {"", true}, {" (a) b ", true}} {
		if v, ok, err := s.GetVariable("A"); v != want.value || ok != want.ok || err != nil {
			t.Errorf("have %q %v %v, want %+v", v, ok, err, want)
		}
	}
}

// What is no answer, or not the answer to our command, ends the session: the
// next command fails without being sent.
func TestNonsenseEndsTheSession(t *testing.T) {
	for name, reply := range map[string]string{
		"no AGI":               "hello\n",
		"no status":            "result=1\n",
		"other status":         "404 result=1\n",
		"no result":            "200 OK\n",
		"result no number":     "200 result=1*5\n",
		"empty":                "\n",
		"two answers":          "200 result=1 (a)\n200 result=1 (forged)\n",
		"more behind":          "200 result=1 (a\nb)\n",
		"header goes on":       "agi_callingpres: 0\n",
		"line without end":     strings.Repeat("2", 2*maxAnswer),
		"usage without end":    "520-x\n" + strings.Repeat("x\n", 2*maxAnswer),
		"mark of nobody":       "200 result=1 (markaz-mark-1)\n",
		"huge number":          "200 result=99999999999999999999\n",
		"hang-up and nonsense": "HANGUP\nHANGUP\nX\n",
	} {
		s, p := pipe(t, header())
		go func() {
			_, _ = p.in.ReadString('\n')
			_, _ = io.WriteString(p, reply)
		}()
		if _, _, err := s.GetVariable("V"); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: have %v", name, err)
		}
		if err := s.Noop(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: the session goes on: %v", name, err)
		}
	}
}

func TestLongAnswer(t *testing.T) {
	long := strings.Repeat("a long value ", 2000)
	s := scripted(t, step{"GET VARIABLE V", "200 result=1 (" + long[:shortVariable] + ")\n"}, step{"GET FULL VARIABLE ${V}", "200 result=1 (" + long + ")\n"}, step{"NOOP", "200 result=0\n"})
	if v, _, err := s.GetVariable("V"); v != long || err != nil {
		t.Errorf("%d bytes, %v", len(v), err)
	}
	if err := s.Noop(); err != nil {
		t.Error(err)
	}
}

func TestArgumentsAreRefused(t *testing.T) {
	s := scripted(t, step{"NOOP", "200 result=0\n"}) // nothing but this is ever sent
	for name, err := range map[string]error{
		"injection":       s.SetVariable("X", "1\nSET VARIABLE INJ pwned"),
		"carriage return": s.SetVariable("X", "1\rEXEC System reboot"),
		"nul":             s.Verbose("a\x00b", 1),
		"variable name":   s.SetVariable("X Y", "1"),
		"application":     s.Exec("Set(X=1)\n", "", 0),
		"too long":        s.SetVariable("X", strings.Repeat("x", 2048)),
	} {
		if !errors.Is(err, ErrArgument) {
			t.Errorf("%s: have %v", name, err)
		}
	}
	if _, err := s.SayDigits("12*", ""); !errors.Is(err, ErrArgument) {
		t.Errorf("digits: %v", err)
	}
	if _, _, err := s.GetVariable("A\n"); !errors.Is(err, ErrArgument) {
		t.Errorf("get: %v", err)
	}
	if _, err := s.GetVariables("A", "B}"); !errors.Is(err, ErrArgument) {
		t.Errorf("get several: %v", err)
	}
	if err := s.Noop(); err != nil {
		t.Errorf("a refused argument is not the end: %v", err)
	}
}

// Asterisk's end of SET VARIABLE and GET VARIABLE, for any value.
func TestSetAndGetRoundTrip(t *testing.T) {
	s, p := pipe(t, header())
	lines := 0
	go func() {
		vars := map[string]string{}
		for {
			ln, err := p.in.ReadString('\n')
			if err != nil {
				return
			}
			lines++
			args := parseArgs(strings.TrimSuffix(ln, "\n"))
			reply := "200 result=1\n"
			if args[0] == "SET" {
				vars[args[2]] = args[3]
			} else if v, ok := vars[args[2]]; ok {
				reply = "200 result=1 (" + v[:min(len(v), shortVariable)] + ")\n"
			} else if args[1] == "FULL" {
				reply = "200 result=1 (" + vars["X"] + ")\n"
			}
			_, _ = io.WriteString(p, reply)
		}
	}()
	want := 0 // lines
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[\\"() \t\nx]{0,20}`)).Draw(t, "value")
		if err := s.SetVariable("X", value); err != nil {
			if !errors.Is(err, ErrArgument) || !strings.ContainsAny(value, "\r\n\x00") && len(value) < maxLine/2 {
				t.Fatalf("set %q: %v", value, err)
			}
			return
		}
		if want += 2; len(value) >= shortVariable {
			want++
		}
		if have, ok, err := s.GetVariable("X"); have != value || !ok || err != nil {
			t.Fatalf("set %q, got %q %v %v", value, have, ok, err)
		}
		if lines != want {
			t.Fatalf("%d lines on the wire for %d commands", lines, want)
		}
	})
}

func TestGetVariables(t *testing.T) {
	s, p := pipe(t, header())
	reply := func(f func(once string) string) {
		go func() {
			ln, _ := p.in.ReadString('\n')
			once, _, _ := strings.Cut(strings.TrimPrefix(ln, `GET FULL VARIABLE "`), "|")
			if !strings.HasSuffix(ln, `|${URIENCODE(${A})}|${URIENCODE(${CALLERID(num)})}"`+"\n") {
				t.Errorf("sent %q", ln)
			}
			_, _ = io.WriteString(p, "200 result=1 ("+f(once)+")\n")
		}()
	}
	reply(func(once string) string { return once + "|a%20%7C%0Ab|" })
	got, err := s.GetVariables("A", "CALLERID(num)")
	if err != nil || len(got) != 2 || got[0] != "a |\nb" || got[1] != "" {
		t.Errorf("have %q %v", got, err)
	}
	for name, f := range map[string]func(string) string{
		"foreseen": func(string) string { return "AAAAAAAAAAAAA|a|b" },
		"too few":  func(once string) string { return once + "|a" },
		"too many": func(once string) string { return once + "|a|b|c" },
		"encoding": func(once string) string { return once + "|%zz|" },
	} {
		s, p = pipe(t, header())
		reply(f)
		if _, err := s.GetVariables("A", "CALLERID(num)"); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: have %v", name, err)
		}
	}
}

func TestNoAnswerInTime(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	s := open(ours, []byte(header()), 20*time.Millisecond, time.Now().Add(time.Minute))
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	if err := s.Noop(); !errors.Is(err, ErrTimeout) {
		t.Errorf("have %v", err)
	}
	s = open(ours, []byte(header()), time.Minute, time.Now().Add(20*time.Millisecond))
	if _, err := s.StreamFile("long", "", 0, time.Hour); !errors.Is(err, ErrTimeout) {
		t.Errorf("beyond the end of the session: %v", err)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"200 result=1 (x)\n", usage520, "HANGUP\n200 result=0\n", "511 dead\n", "200 result=1 (markaz-mark-1)\n", "200 result=-1 endpos=12\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, p := pipe(t, header())
		go func() {
			_, _ = p.in.ReadString('\n')
			_, _ = p.Write(b)
			_ = p.Close()
		}()
		v, ok, err := s.GetVariable("V")
		if err != nil {
			return
		}
		// What is believed is exactly one answer, whole.
		text := strings.TrimPrefix(string(b), "HANGUP\n")
		if !strings.HasPrefix(text, "200 result=") || ok && v != "" && !strings.Contains(text, v) {
			t.Errorf("%q was read as %q", b, v)
		}
	})
}
