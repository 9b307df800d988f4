package fastagi

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

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
