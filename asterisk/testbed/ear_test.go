package testbed

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"markaz/asterisk/testbed/tone"
)

// earOf names two prompts and two voices.
func earOf() *Ear {
	names := map[tone.Tone]string{
		tone.Prompt(0): "first", tone.Prompt(1): "second", tone.Voice(0): "Ali", tone.Voice(1): "Sara",
	}
	return &Ear{names: func() map[tone.Tone]string { return names }}
}

// play lets the ear hear a mix for d, in real time of the bubble.
func play(e *Ear, d time.Duration, tones ...tone.Tone) {
	for n := 0; n < int(d/frameTime); n++ {
		e.hear(tone.Mix(n*tone.FrameLen, tones...), time.Now())
		time.Sleep(frameTime)
	}
}

func TestWaitHeardKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := earOf()
		play(e, 400*time.Millisecond, tone.Prompt(0))
		play(e, 300*time.Millisecond)
		play(e, 400*time.Millisecond, tone.Prompt(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.WaitHeard(ctx, tone.Prompt(0), tone.Prompt(1)); err != nil {
			t.Error(err)
		}
		err := e.WaitHeard(ctx, tone.Prompt(0))
		if err == nil || !strings.Contains(err.Error(), "first") || !strings.Contains(err.Error(), "second") {
			t.Errorf("the first prompt is over, and the error should tell what was heard: %v", err)
		}
	})
}

func TestHearsIsAboutNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := earOf()
		if !e.Hears(tone.Tone{}) || e.Hears(tone.Voice(0)) {
			t.Error("before any RTP there is silence")
		}
		play(e, 300*time.Millisecond, tone.Voice(0), tone.Voice(1))
		if !e.HearsOnly(tone.Voice(0), tone.Voice(1)) || e.HearsOnly(tone.Voice(0)) || e.Hears(tone.Tone{}) {
			t.Error("two voices at once")
		}
		play(e, 300*time.Millisecond, tone.Voice(1))
		if !e.HearsOnly(tone.Voice(1)) {
			t.Error("one of the voices is gone")
		}
		time.Sleep(time.Second)
		if e.Hears(tone.Voice(1)) || !e.Hears(tone.Tone{}) {
			t.Error("RTP that stopped is silence")
		}
		play(e, 60*time.Millisecond, tone.Voice(0))
		if e.Hears(tone.Voice(0)) {
			t.Error("60 ms are not enough to be heard")
		}
	})
}

func TestSpansAndDeadAir(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := earOf()
		begin := time.Now()
		play(e, time.Second, tone.Prompt(0))
		play(e, 2*time.Second)
		play(e, time.Second, tone.Prompt(0))
		time.Sleep(3 * time.Second) // no RTP at all
		play(e, time.Second, tone.Prompt(1))
		end := time.Now()
		spans := e.Spans(tone.Prompt(0))
		if len(spans) != 2 {
			t.Fatalf("spans: %v", spans)
		}
		for i, want := range []time.Duration{0, 3 * time.Second} {
			if off := (spans[i].From.Sub(begin) - want).Abs(); off > 80*time.Millisecond {
				t.Errorf("span %d is %v off", i, off)
			}
			if long := spans[i].To.Sub(spans[i].From); (long - time.Second).Abs() > 80*time.Millisecond {
				t.Errorf("span %d lasts %v", i, long)
			}
		}
		if got := e.DeadAir(begin, end); (got - 3*time.Second).Abs() > 80*time.Millisecond {
			t.Errorf("dead air %v", got)
		}
		if got := e.DeadAir(begin, begin.Add(4*time.Second)); (got - 2*time.Second).Abs() > 80*time.Millisecond {
			t.Errorf("dead air in the first 4 s: %v", got)
		}
		if e.EverHeard(tone.Voice(0)) || !e.EverHeard(tone.Prompt(1)) {
			t.Error("ever heard")
		}
		if text := e.Timeline(); strings.Count(text, "first") != 2 || strings.Count(text, "second") != 1 {
			t.Error(text)
		}
	})
}

func TestWaitSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := earOf()
		go play(e, time.Second, tone.Voice(0))
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		time.Sleep(100 * time.Millisecond)
		if err := e.WaitSilence(ctx, 500*time.Millisecond); err != nil {
			t.Error(err)
		}
		if d := time.Since(begin); d < 1400*time.Millisecond || d > 1700*time.Millisecond {
			t.Errorf("silence noticed after %v", d)
		}
	})
}
