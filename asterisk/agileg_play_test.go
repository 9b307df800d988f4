package asterisk

import (
	"strings"
	"testing"
	"time"

	"markaz/call"
)

// heard is a call with two sounds, and short words for what is told of it.
type heard struct {
	*agiRig
	*fakeCall
}

func newHeard(t *testing.T) heard {
	t.Helper()
	r := newAGIRig(t)
	h := heard{r, r.inbound()}
	h.sound("hello", 60*time.Millisecond)
	h.sound("long", time.Minute)
	return h
}

func (h heard) ask(id, barge string, prompts ...call.Prompt) {
	h.agiRig.t.Helper()
	h.agiRig.ask(call.Play{Leg: fakeLeg, ID: id, Barge: barge, Prompts: prompts})
}

func sound(file string) call.Prompt { return call.Prompt{Kind: call.Sound, Value: file} }

func (h heard) done(ref, reason, text string) {
	h.agiRig.t.Helper()
	if e := h.await(call.PlayDone); e.Ref != ref || e.Reason != reason || e.Text != text || e.Call != "CALL1" || e.Leg != fakeLeg {
		h.agiRig.t.Errorf("have %+v, want %s %s %q", e, ref, reason, text)
	}
}

func (h heard) digits(want string) {
	h.agiRig.t.Helper()
	for _, k := range want {
		if e := h.await(call.LegDigit); e.Digits != string(k) {
			h.agiRig.t.Errorf("have key %q, want %q", e.Digits, string(k))
		}
	}
}

// sent counts the commands that begin so.
func (h heard) sent(command string) int { return len(h.commands(command)) }

func TestAGIPlay(t *testing.T) {
	h := newHeard(t)
	h.ask("p", "", sound("hello"), sound("hello"))
	h.done("p", "ok", "")
	if n := h.sent(`STREAM FILE "hello" "0123456789*#ABCD" 0`); n != 2 {
		t.Errorf("played %d times", n)
	}
}

func TestAGIKeysWhileAPromptPlays(t *testing.T) {
	h := newHeard(t)
	h.ask("p", "12", sound("long"), sound("long"))
	h.plays("long")
	h.press("2") // stops it
	h.digits("2")
	h.done("p", "stopped", "")

	h.ask("q", "1", sound("hello"))
	h.plays("hello")
	h.press("9#") // do not
	h.digits("9#")
	h.done("q", "ok", "")
	all := h.commands(`STREAM FILE "hello"`)
	if last := all[len(all)-1]; strings.HasSuffix(last, " 0") {
		t.Errorf("played from the beginning again: %q", all)
	}
}

func TestAGIPromptThatIsMissing(t *testing.T) {
	h := newHeard(t)
	h.ask("p", "", sound("nowhere"), sound("hello"))
	h.done("p", "failed", "cannot play sound:nowhere")
	if n := h.sent(`STREAM FILE "hello" "0123456789*#ABCD" 0`); n != 1 {
		t.Errorf("the other was played %d times", n)
	}
	h.ask("q", "", sound("http://x/y"))
	if e := h.await(call.ActionFailed); e.Ref != "Play" || !strings.Contains(e.Reason, "not a prompt") {
		t.Errorf("have %+v", e)
	}
}

func TestAGINumbersAndDigits(t *testing.T) {
	h := newHeard(t)
	h.agiRig.ask(call.Play{Leg: fakeLeg, ID: "p", Lang: "fa", Prompts: []call.Prompt{{Kind: call.Number, Value: "-12"}, {Kind: call.Digits, Value: "*7#"}}})
	h.done("p", "ok", "")
	h.ask("q", "", sound("hello"))
	h.done("q", "ok", "")
	for _, c := range []string{
		`SET VARIABLE CHANNEL(language) "fa"`, `SAY NUMBER -12 `, `STREAM FILE "digits/star" "0123456789*#ABCD" 0`, `SAY DIGITS "7"`,
		`STREAM FILE "digits/pound" "0123456789*#ABCD" 0`, `SET VARIABLE CHANNEL(language) "en"`,
	} {
		if n := h.sent(c); n != 1 {
			t.Errorf("%q was sent %d times", c, n)
		}
	}

	h.sound("digits/1", time.Minute)
	h.ask("r", "*", call.Prompt{Kind: call.Number, Value: "1"})
	h.says("SAY NUMBER 1")
	h.press("5*")
	h.digits("5*")
	h.done("r", "stopped", "")
}

func TestAGIStopPlay(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	f.sound("long", time.Minute)
	play := func(id string) call.Play {
		return call.Play{Leg: fakeLeg, ID: id, Barge: "1", Prompts: []call.Prompt{{Kind: call.Sound, Value: "long"}, {Kind: call.Digits, Value: "1"}}}
	}
	stopped := func(id string) {
		t.Helper()
		if e := r.await(call.PlayDone); e.Ref != id || e.Reason != "stopped" {
			t.Errorf("have %+v, want %s", e, id)
		}
	}
	// Whatever the moment at which it comes.
	for i := range 60 {
		id := "a" + strings.Repeat("x", i)
		r.ask(play(id))
		time.Sleep(time.Duration(i%20) * 100 * time.Microsecond)
		r.ask(call.StopPlay{Leg: fakeLeg, ID: id})
		stopped(id)
	}
	// One that waits for another to end is stopped when it is due.
	r.ask(play("first"), play("second"), call.StopPlay{Leg: fakeLeg, ID: "second"}, call.StopPlay{Leg: fakeLeg, ID: "unknown"})
	f.plays("long")
	f.press("1")
	stopped("first")
	stopped("second")
	r.ask(call.StopPlay{Leg: fakeLeg, ID: "second"}) // has ended
	r.ask(play("third"))
	f.plays("long")
	f.press("1")
	stopped("third")
	if n := r.count(call.ActionFailed); n > 0 {
		t.Errorf("failures:\n%s", r.told())
	}
}

// Keys typed fast are never lost, in whatever state the leg is.
func TestAGIKeysAreNotLost(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	f.sound("hello", 30*time.Millisecond)
	typed := "0123456789*#ABCD7"
	for i, k := range typed {
		if i%5 == 3 {
			r.ask(call.Play{Leg: fakeLeg, ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "hello"}}})
		}
		f.press(string(k))
	}
	for _, k := range typed {
		if e := r.await(call.LegDigit); e.Digits != string(k) {
			t.Fatalf("have %q, want %q", e.Digits, string(k))
		}
	}
}

func TestAGIKeyFloodIsBounded(t *testing.T) {
	r := newAGIRig(t)
	f := r.inbound()
	begun := time.Now()
	for range 10 {
		f.press(strings.Repeat("5", 30))
	}
	f.hangUp()
	r.await(call.LegEnded)
	most := keysAtOnce + 1 + int(time.Since(begun).Seconds()*keysPerSecond)
	if n := r.count(call.LegDigit); n < keysAtOnce || n > most {
		t.Errorf("%d of 300 keys came through, want %d to %d", n, keysAtOnce, most)
	}
}
