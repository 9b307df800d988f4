package fastagi

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/CyCoreSystems/agi"
	"pgregory.net/rapid"
)

// aCommand is one command, what Asterisk is sent and says, and what comes of it.
type aCommand struct {
	run   func(*Session) (any, error)
	sent  string
	reply string
	want  any
}

func commandsTable() []aCommand {
	only := func(f func(*Session) error) func(*Session) (any, error) {
		return func(s *Session) (any, error) { return nil, f(s) }
	}
	return []aCommand{
		{only((*Session).Answer), `ANSWER`, "200 result=0", nil},
		{func(s *Session) (any, error) { return s.StreamFile("hello", "12", 0, 0) }, `STREAM FILE "hello" "12" 0`, "200 result=0 endpos=16000", Played{Position: 16000}},
		{func(s *Session) (any, error) { return s.StreamFile("hello", "12", 800, 0) }, `STREAM FILE "hello" "12" 800`, "200 result=50 endpos=5920", Played{Key: "2", Position: 5920}},
		{func(s *Session) (any, error) { d, key, err := s.Length("hello", "12"); return d.String() + key, err }, `STREAM FILE "hello" "12" 1073741824`, "200 result=50 endpos=16000", "2s2"},
		{func(s *Session) (any, error) { return s.SayNumber(-7, "*#") }, `SAY NUMBER -7 "*#"`, "200 result=42", "*"},
		{func(s *Session) (any, error) { return s.SayDigits("0123", "") }, `SAY DIGITS "0123" ""`, "200 result=0", ""},
		{func(s *Session) (any, error) { return s.WaitForDigit(time.Second / 4) }, `WAIT FOR DIGIT 250`, "200 result=35", "#"},
		{func(s *Session) (any, error) { return s.WaitForDigit(time.Second / 4) }, `WAIT FOR DIGIT 250`, "200 result=0", ""},
		{func(s *Session) (any, error) { return s.WaitForDigit(time.Second / 4) }, `WAIT FOR DIGIT 250`, "200 result=102", ""}, // a fax machine
		{only(func(s *Session) error { return s.SetMusic(true, "") }), `SET MUSIC ON`, "200 result=0", nil},
		{only(func(s *Session) error { return s.SetMusic(true, "jazz") }), `SET MUSIC ON "jazz"`, "200 result=0", nil},
		{only(func(s *Session) error { return s.SetMusic(false, "jazz") }), `SET MUSIC OFF`, "200 result=0", nil},
		{only(func(s *Session) error { return s.SetVariable("TIMEOUT(absolute)", "10") }), `SET VARIABLE TIMEOUT(absolute) "10"`, "200 result=1", nil},
		{only(func(s *Session) error { return s.Exec("Dial", "PJSIP/101,20", time.Second) }), `EXEC Dial "PJSIP/101,20"`, "200 result=0", nil},
		{only(func(s *Session) error { return s.Verbose(`say "hi\"`, 2) }), `VERBOSE "say \"hi\\\"" 2`, "200 result=1", nil},
		{func(s *Session) (any, error) { return s.ChannelStatus() }, `CHANNEL STATUS`, "200 result=6", agi.StateUp},
		{only((*Session).Noop), `NOOP`, "200 result=0", nil},
		{only((*Session).Hangup), `HANGUP`, "200 result=1", nil},
	}
}

func TestCommands(t *testing.T) {
	var script []step
	for _, c := range commandsTable() {
		script = append(script, step{c.sent, c.reply + "\n"})
	}
	s := scripted(t, script...)
	for _, c := range commandsTable() {
		if have, err := c.run(s); have != c.want || err != nil {
			t.Errorf("%s: have %v %v, want %v", c.sent, have, err, c.want)
		}
	}
	if err := s.Noop(); !errors.Is(err, ErrHangup) || !errors.Is(s.Err(), ErrHangup) {
		t.Errorf("after the end: %v", err)
	}
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
