package fastagi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed"
)

// realDialplan enters AGI as the shipped dialplan does, and for numbers that
// begin with * without its settings, so that HANGUP lines come.
const realDialplan = `
[t]
exten => _X.,1,Set(AGISIGHUP=no)
 same => n,Set(AGIEXITONHANGUP=yes)
 same => n,Set(NL=${URIDECODE(a)%%0A200 result=1 (forged)})
 same => n,AGI(agi://%[1]s/${EXTEN}?k=x,one,two words)
 same => n,Hangup()
exten => _*X.,1,AGI(agi://%[1]s/${EXTEN:1})
 same => n,Hangup()
`

type realBed struct {
	*testbed.Asterisk
	caller *testbed.Phone
	next   chan func(*Session)
}

// onAsterisk starts an Asterisk whose calls are served by the functions given
// to its call method.
func onAsterisk(t *testing.T) *realBed {
	t.Helper()
	b := &realBed{next: make(chan func(*Session), 1)}
	srv := start(t, func(_ context.Context, s *Session) { (<-b.next)(s) }, nil)
	b.Asterisk = testbed.StartT(t, testbed.Options{
		TrunkContext: "t",
		Files:        map[string]string{"extensions.conf": fmt.Sprintf(realDialplan, srv.Addr())},
	})
	b.caller = testbed.NewCaller(t, b.Asterisk)
	return b
}

// call has one call served by serve, and returns when both are done with it.
func (b *realBed) call(t *testing.T, number string, serve func(*Session, *testbed.Conversation)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	talks, done := make(chan *testbed.Conversation, 1), make(chan struct{})
	b.next <- func(s *Session) {
		defer close(done)
		if err := s.Answer(); err != nil {
			t.Errorf("answer: %v", err)
		}
		serve(s, <-talks)
	}
	talk, err := b.caller.Call(ctx, number)
	if err != nil {
		t.Fatal(err)
	}
	talks <- talk
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatal(ctx.Err())
	}
	_ = talk.Hangup(ctx) // it may be over
	if _, err := talk.WaitEnd(ctx); err != nil {
		t.Error(err)
	}
}

func TestRealAsterisk(t *testing.T) {
	b := onAsterisk(t)
	long, err := b.Prompt("long", 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("request and variables", func(t *testing.T) {
		b.call(t, "100", func(s *Session, _ *testbed.Conversation) { realVariables(t, s) })
	})
	t.Run("refusals", func(t *testing.T) {
		b.call(t, "100", func(s *Session, _ *testbed.Conversation) { realRefusals(t, s) })
	})
	t.Run("keys", func(t *testing.T) {
		b.call(t, "100", func(s *Session, talk *testbed.Conversation) { realKeys(t, s, talk, "long") })
	})
	t.Run("interrupt", func(t *testing.T) {
		b.call(t, "100", func(s *Session, talk *testbed.Conversation) {
			realInterrupt(t, s)
			if err := talk.WaitHeard(t.Context(), long); err != nil {
				t.Error(err)
			}
		})
	})
	for _, number := range []string{"100", "*100"} {
		t.Run("hang-up while playing "+number, func(t *testing.T) {
			b.call(t, number, func(s *Session, talk *testbed.Conversation) { realHangup(t, s, talk) })
		})
	}
	b.NothingLeft(t)
}

func realVariables(t *testing.T, s *Session) {
	r := s.Request
	if r.Path != "/100" || r.Query.Get("k") != "x" || r.Arg(1) != "one" || r.Arg(2) != "two words" || r.UniqueID == "" || !strings.HasPrefix(r.Channel, "PJSIP/") {
		t.Errorf("request %+v", r)
	}
	for _, v := range []string{"plain", "", `a "b" c\d`, "comma, ${X} $[1+1] 'q' | ) ( : é ی", "a)\tb", "*#0", strings.Repeat("x", 1500)} {
		if err := s.SetVariable("V", v); err != nil {
			t.Errorf("set %q: %v", v, err)
		}
		if have, ok, err := s.GetVariable("V"); have != v || !ok || err != nil {
			t.Errorf("set %.60q, got %.60q %v %v", v, have, ok, err)
		}
	}
	if v, ok, err := s.GetVariable("NEVER_SET"); v != "" || ok || err != nil {
		t.Errorf("never set: %q %v %v", v, ok, err)
	}
	_ = s.SetVariable("A", "one|two (three)\tand%")
	got, err := s.GetVariables("A", "NOT_SET", "TIMEOUT(absolute)")
	if err != nil || len(got) != 3 || got[0] != "one|two (three)\tand%" || got[1] != "" || got[2] != "0" {
		t.Errorf("several: %q %v", got, err)
	}
	// A value with a line break in it could forge an answer.
	if got, err = s.GetVariables("NL"); err != nil || got[0] != "a)\n200 result=1 (forged" {
		t.Errorf("line break: %q %v", got, err)
	}
	if v, _, err := s.GetVariable("NL"); !errors.Is(err, ErrProtocol) {
		t.Errorf("line break, raw: %q %v", v, err)
	}
}

func realRefusals(t *testing.T, s *Session) {
	if err := s.Exec("NoSuchApp", "", 0); !errors.Is(err, ErrNoApp) {
		t.Errorf("no app: %v", err)
	}
	if _, err := s.send(command(nil, "SET VARIABLE"), 0); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "Invalid command syntax") {
		t.Errorf("usage: %v", err)
	}
	if _, err := s.send(command(nil, "BOGUS"), 0); !errors.Is(err, ErrInvalid) {
		t.Errorf("bogus: %v", err)
	}
	if _, err := s.StreamFile("no-such-file", "", 0, time.Second); !errors.Is(err, ErrFailed) {
		t.Errorf("missing file: %v", err)
	}
	if _, _, err := s.Length("no-such-file", "1"); !errors.Is(err, ErrFailed) {
		t.Errorf("missing file measured: %v", err)
	}
	if st, err := s.ChannelStatus(); st != 6 || err != nil {
		t.Errorf("still up: %v %v", st, err)
	}
}

func realKeys(t *testing.T, s *Session, talk *testbed.Conversation, file string) {
	sent := make(chan error, 1)
	press := func(keys string) { go func() { sent <- talk.SendDTMF(t.Context(), keys) }() }
	press("5")
	p, err := s.StreamFile(file, "0123456789*#", 0, time.Minute)
	if p.Key != "5" || p.Position <= 0 || err != nil || <-sent != nil {
		t.Errorf("in a file: %+v %v", p, err)
	}
	press("*")
	if key, err := s.WaitForDigit(5 * time.Second); key != "*" || err != nil || <-sent != nil {
		t.Errorf("waiting: %q %v", key, err)
	}
	press("#")
	if key, err := s.SayDigits("123456789123456789", "#"); key != "#" || err != nil || <-sent != nil {
		t.Errorf("while saying: %q %v", key, err)
	}
	if key, err := s.SayNumber(1, ""); key != "" || err != nil {
		t.Errorf("number: %q %v", key, err)
	}
	if key, err := s.WaitForDigit(50 * time.Millisecond); key != "" || err != nil {
		t.Errorf("nothing: %q %v", key, err)
	}
	if d, key, err := s.Length(file, "1"); err != nil || key != "" || d < 19*time.Second || d > 21*time.Second {
		t.Errorf("length %v %q %v", d, key, err)
	}
}

func realInterrupt(t *testing.T, s *Session) {
	for _, after := range []time.Duration{300 * time.Millisecond, 20 * time.Millisecond, time.Millisecond, 0, 0, 0} {
		s.Proceed()
		go func() {
			for !s.wire.isRunning() { // the shortest moment there can be between the two
				time.Sleep(10 * time.Microsecond)
			}
			time.Sleep(after)
			s.Interrupt()
		}()
		p, err := s.StreamFile("long", "", 0, time.Minute)
		if err != nil || !p.Interrupted { // else it plays to its end
			t.Errorf("after %v: %+v %v", after, p, err)
		}
		if v, _, err := s.GetVariable("NONE"); v != "" || err != nil {
			t.Errorf("next answer: %q %v", v, err)
		}
	}
}

// The answers after a hang-up are those to our questions, or errors; with the
// library they were those to the questions before.
func realHangup(t *testing.T, s *Session, talk *testbed.Conversation) {
	for _, v := range []string{"1", "2", "3"} {
		if err := s.SetVariable("V"+v, "value "+v); err != nil {
			t.Error(err)
		}
	}
	go func() {
		time.Sleep(100 * time.Millisecond)
		if err := talk.Hangup(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	_, err := s.StreamFile("long", "", 0, time.Minute)
	if !errors.Is(err, ErrHangup) && !errors.Is(err, ErrFailed) {
		t.Errorf("have %v", err)
	}
	for _, v := range []string{"1", "2", "3"} {
		have, _, err := s.GetVariable("V" + v)
		if err == nil && have != "value "+v {
			t.Errorf("V%s is %q", v, have)
		}
	}
	if _, err := s.WaitForDigit(time.Second); !errors.Is(err, ErrHangup) {
		t.Errorf("end: %v", err)
	}
}
