package testbed

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zaf/g711"

	"markaz/asterisk/testbed/tone"
)

// Ear keeps all that one side of a conversation heard, with the time of each
// 20 ms, and says which tones were in it.
type Ear struct {
	mu     sync.Mutex
	frames []frame
	from   int                         // what WaitHeard has not looked at yet
	names  func() map[tone.Tone]string // to speak of prompts by name
}

type frame struct {
	at   time.Time
	ulaw []byte // 20 ms
}

// Span is a stretch of time in which something was heard.
type Span struct{ From, To time.Time }

const (
	frameTime  = 20 * time.Millisecond
	leastHeard = 5                      // windows in a row, each 20 ms after the other, that make a sound heard
	staleAfter = 200 * time.Millisecond // sound older than that is not "now"; RTP that stops for longer is a break
)

func (e *Ear) hear(ulaw []byte, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ; len(ulaw) >= tone.FrameLen; ulaw = ulaw[tone.FrameLen:] {
		e.frames = append(e.frames, frame{at, slices.Clone(ulaw[:tone.FrameLen])})
	}
}

func (e *Ear) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.frames)
}

// between are the frames from number n on, up to and without number m.
func (e *Ear) between(n, m int) []frame {
	e.mu.Lock()
	defer e.mu.Unlock()
	m = min(m, len(e.frames))
	return e.frames[min(max(n, 0), m):m:m] // frames never change, more are only added behind
}

// sound is a window with the time in which it was heard.
type sound struct {
	tone.Window
	Span
}

// sounds are the windows that end with the frames from number n up to m, each
// 20 ms after the other. One with a break in it is not among them.
func (e *Ear) sounds(n, m int) []sound {
	frames := e.between(n-tone.WindowFrames+1, m)
	var list []sound
	for i := tone.WindowFrames - 1; i < len(frames); i++ {
		part := frames[i-tone.WindowFrames+1 : i+1]
		span := Span{part[0].at, frames[i].at}
		if span.To.Sub(span.From) > staleAfter {
			continue
		}
		var ulaw []byte
		for _, f := range part {
			ulaw = append(ulaw, f.ulaw...)
		}
		list = append(list, sound{tone.NewWindow(ulaw), span})
	}
	return list
}

// now are the sounds that decide what is heard at this moment.
func (e *Ear) now() []sound {
	n := e.count()
	list := e.sounds(n-leastHeard, n)
	if len(list) < leastHeard || time.Since(list[len(list)-1].To) > staleAfter {
		return nil
	}
	return list
}

// Hears tells whether t sounds now, whatever else sounds. The zero Tone asks
// whether there is silence, that is, no sound or no RTP at all.
func (e *Ear) Hears(t tone.Tone) bool { return in(e.now(), t) }

// in tells whether t is in all the sounds; in none, only silence is.
func in(sounds []sound, t tone.Tone) bool {
	for _, s := range sounds {
		if !s.Has(t) {
			return false
		}
	}
	return len(sounds) > 0 || t.Silent()
}

// HearsOnly tells whether exactly these tones sound now, of all those that have
// a name on this bed.
func (e *Ear) HearsOnly(tones ...tone.Tone) bool {
	now := e.now()
	for _, t := range tones {
		if !in(now, t) {
			return false
		}
	}
	for t := range e.names() {
		if !slices.Contains(tones, t) && in(now, t) {
			return false
		}
	}
	return true
}

// WaitHears waits until t sounds, now or later.
func (e *Ear) WaitHears(ctx context.Context, t tone.Tone) error {
	return e.wait(ctx, "hear "+e.name(t), func() bool { return e.Hears(t) })
}

// WaitHearsOnly waits until exactly these tones sound, of those that have a name.
func (e *Ear) WaitHearsOnly(ctx context.Context, tones ...tone.Tone) error {
	names := make([]string, len(tones))
	for i, t := range tones {
		names[i] = e.name(t)
	}
	return e.wait(ctx, "hear only "+strings.Join(names, " and "), func() bool { return e.HearsOnly(tones...) })
}

// WaitHeard waits until each of the tones was heard after the one before it.
// It begins where the last WaitHeard or Forget ended, so a short prompt that is
// over when the test asks for it is not missed.
func (e *Ear) WaitHeard(ctx context.Context, tones ...tone.Tone) error {
	for _, t := range tones {
		run := 0
		err := e.wait(ctx, "hear "+e.name(t), func() bool {
			for n := e.cursor(); n < e.count() && run < leastHeard; n++ {
				if s := e.sounds(n, n+1); len(s) > 0 && s[0].Has(t) {
					run++
				} else {
					run = 0
				}
				e.setCursor(n + 1)
			}
			return run >= leastHeard
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (e *Ear) cursor() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.from
}

func (e *Ear) setCursor(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.from = n
}

// WaitGone waits until t does not sound any more.
func (e *Ear) WaitGone(ctx context.Context, t tone.Tone) error {
	return e.wait(ctx, "hear no more "+e.name(t), func() bool { return !e.Hears(t) })
}

// WaitSilence waits until there was silence for d without a break.
func (e *Ear) WaitSilence(ctx context.Context, d time.Duration) error {
	begin := time.Now()
	return e.wait(ctx, "hear silence for "+d.String(), func() bool {
		now := time.Now()
		return now.Sub(begin) >= d && e.DeadAir(now.Add(-d), now) >= d-frameTime
	})
}

// Forget makes WaitHeard begin at this moment.
func (e *Ear) Forget() {
	e.setCursor(e.count())
}

func (e *Ear) wait(ctx context.Context, what string, ok func() bool) error {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; heard instead:\n%s", what, ctx.Err(), e.Timeline())
		}
	}
	return nil
}

// Spans are the times at which t was heard.
func (e *Ear) Spans(t tone.Tone) []Span { return spans(e.sounds(0, e.count()), t) }

func spans(sounds []sound, t tone.Tone) []Span {
	var list []Span
	windows := 0 // in the last span
	drop := func() {
		if len(list) > 0 && windows < leastHeard {
			list = list[:len(list)-1]
		}
	}
	for _, s := range sounds {
		if !s.Has(t) {
			continue
		}
		if last := len(list) - 1; last >= 0 && s.From.Sub(list[last].To) <= 0 {
			list[last].To = s.To
			windows++
			continue
		}
		drop()
		list = append(list, s.Span)
		windows = 1
	}
	drop()
	return list
}

// EverHeard tells whether t was heard at any time.
func (e *Ear) EverHeard(t tone.Tone) bool { return len(e.Spans(t)) > 0 }

// DeadAir is the longest time between from and to in which nothing was heard:
// silence, or no RTP at all.
func (e *Ear) DeadAir(from, to time.Time) time.Duration {
	last, longest := from, time.Duration(0)
	frames := e.between(0, e.count())
	first, _ := slices.BinarySearchFunc(frames, from, func(f frame, at time.Time) int { return f.at.Compare(at) })
	for _, f := range frames[first:] {
		if f.at.After(to) || tone.Silent(f.ulaw) {
			continue
		}
		longest = max(longest, f.at.Sub(last))
		last = f.at
	}
	return max(longest, to.Sub(last))
}

// Samples are all that was heard, for tone.WriteSamples. Times without RTP are
// left out.
func (e *Ear) Samples() []int16 {
	var samples []int16
	for _, f := range e.between(0, e.count()) {
		for _, b := range f.ulaw {
			samples = append(samples, g711.DecodeUlawFrame(b))
		}
	}
	return samples
}

// Timeline tells in lines what was heard when, by the names of the tones.
func (e *Ear) Timeline() string {
	frames := e.between(0, e.count())
	if len(frames) == 0 {
		return "nothing, not even silence"
	}
	type line struct {
		Span
		name string
	}
	var lines []line
	sounds := e.sounds(0, len(frames))
	for t, name := range e.names() {
		for _, s := range spans(sounds, t) {
			lines = append(lines, line{s, name})
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.name, b.name)) })
	start := frames[0].at
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%7.2f – %.2f s  %s\n", l.From.Sub(start).Seconds(), l.To.Sub(start).Seconds(), l.name)
	}
	fmt.Fprintf(&b, "%7.2f s  last RTP, %.0f s of sound in all", frames[len(frames)-1].at.Sub(start).Seconds(),
		(time.Duration(len(frames)) * frameTime).Seconds())
	return b.String()
}

func (e *Ear) name(t tone.Tone) string {
	if name, ok := e.names()[t]; ok {
		return name + " (" + t.String() + ")"
	}
	return t.String()
}
