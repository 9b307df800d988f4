package testbed

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"markaz/legacy/monitor"
)

// What the fake device says is what the profile of the real one understands,
// and it refuses what cannot happen on a line.
func TestSegalSpeaksItsProtocol(t *testing.T) {
	var out bytes.Buffer
	s, err := NewSegal(2, &out)
	if err != nil {
		t.Fatal(err)
	}
	s.Cadence = time.Millisecond
	for i, err := range []error{
		s.Ring(1, "09121234567", 2), s.Lift(1), s.HangUp(1), s.Ring(2, "", 1), s.Lift(2), s.Dial(2, "0#"), s.HangUp(2),
	} {
		if err != nil {
			t.Errorf("step %d: %v", i, err)
		}
	}
	want := "L1C09121234567@ L1R01@ L1R02@ L1HF@ L1HND: T0000@ L2R01@ L2HF@ L2D0@ L2D#@ L2HND:0# T0000@"
	if got := strings.ReplaceAll(strings.TrimSpace(out.String()), "\r\n", " "); got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
	p, err := monitor.Shipped("segal")
	if err != nil {
		t.Fatal(err)
	}
	monitor.NewCutter(p.Frame).Write(out.Bytes(), func(_, frame []byte) {
		if len(frame) > 0 && p.Match(time.Now(), frame).Event == monitor.Unknown {
			t.Errorf("the profile does not know %q", frame)
		}
	})
	if err := s.Lift(1); err != nil {
		t.Error(err)
	}
	for i, err := range []error{s.Ring(1, "0912", 1), s.Lift(1), s.Lift(3), s.Dial(2, "1"), s.Dial(1, "x"), s.HangUp(2)} {
		if err == nil {
			t.Errorf("impossible step %d was taken", i)
		}
	}
	if _, err := NewSegal(5, &out); err == nil {
		t.Error("a device of five lines was made")
	}
}
