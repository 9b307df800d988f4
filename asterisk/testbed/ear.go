package testbed

import (
	"cmp"
	"context"
	"errors"
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
	staleAfter = 200 * time.Millisecond // sound older than that is not "now"; also the longest gap within one span
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

// since is a copy of the frames from number n on; frames never change.
func (e *Ear) since(n int) []frame {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.frames[min(max(n, 0), len(e.frames)):])
}

// window is the sound that ends with frames[i]; not ok while there was none of
// that length without a break.
func window(frames []frame, i int) (w tone.Window, ok bool) {
	first := i - tone.WindowFrames + 1
	if first < 0 || frames[i].at.Sub(frames[first].at) > staleAfter {
		return w, false
	}
	var ulaw []byte
	for _, f := range frames[first : i+1] {
		ulaw = append(ulaw, f.ulaw...)
	}
	return tone.NewWindow(ulaw), true
}

// firstHeard is the index of the frame by which t had been heard, or -1.
func firstHeard(frames []frame, t tone.Tone) int {
	run := 0
	for i := range frames {
		if w, ok := window(frames, i); ok && w.Has(t) {
			run++
		} else {
			run = 0
		}
		if run >= leastHeard {
			return i
		}
	}
	return -1
}

// now are the frames that decide what is heard at this moment.
func (e *Ear) now() []frame { return e.since(e.count() - tone.WindowFrames - leastHeard + 1) }

// Hears tells whether t sounds now, whatever else sounds. The zero Tone asks
// whether there is silence, that is, no sound or no RTP at all.
func (e *Ear) Hears(t tone.Tone) bool {
	frames := e.now()
	if len(frames) == 0 || time.Since(frames[len(frames)-1].at) > staleAfter {
		return t.Silent()
	}
	return firstHeard(frames, t) >= 0
}

// HearsOnly tells whether exactly these tones sound now, of all those that have
// a name on this bed.
func (e *Ear) HearsOnly(tones ...tone.Tone) bool {
	for _, t := range tones {
		if !e.Hears(t) {
			return false
		}
	}
	for t := range e.names() {
		if !slices.Contains(tones, t) && e.Hears(t) {
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
		err := e.wait(ctx, "hear "+e.name(t), func() bool {
			e.mu.Lock()
			from := e.from
			e.mu.Unlock()
			i := firstHeard(e.since(from), t)
			if i < 0 {
				return false
			}
			e.mu.Lock()
			e.from = from + i
			e.mu.Unlock()
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
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
	n := e.count()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.from = n
}

func (e *Ear) wait(ctx context.Context, what string, ok func() bool) error {
	tick := time.NewTicker(frameTime)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w; heard instead:\n%s", what, errors.Join(ctx.Err()), e.Timeline())
		}
	}
	return nil
}

// Spans are the times at which t was heard.
func (e *Ear) Spans(t tone.Tone) []Span {
	frames := e.since(0)
	var spans []Span
	for i := range frames {
		w, ok := window(frames, i)
		if !ok || !w.Has(t) {
			continue
		}
		begin, end := frames[i-tone.WindowFrames+1].at, frames[i].at
		if last := len(spans) - 1; last >= 0 && begin.Sub(spans[last].To) < staleAfter {
			spans[last].To = end
		} else {
			spans = append(spans, Span{begin, end})
		}
	}
	least := (leastHeard + tone.WindowFrames - 2) * frameTime / 2
	return slices.DeleteFunc(spans, func(s Span) bool { return s.To.Sub(s.From) < least })
}

// EverHeard tells whether t was heard at any time.
func (e *Ear) EverHeard(t tone.Tone) bool { return firstHeard(e.since(0), t) >= 0 }

// DeadAir is the longest time between from and to in which nothing was heard:
// silence, or no RTP at all.
func (e *Ear) DeadAir(from, to time.Time) time.Duration {
	last, longest := from, time.Duration(0)
	for _, f := range e.since(0) {
		if f.at.Before(from) || f.at.After(to) || tone.NewWindow(f.ulaw).Silent() {
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
	for _, f := range e.since(0) {
		for _, b := range f.ulaw {
			samples = append(samples, g711.DecodeUlawFrame(b))
		}
	}
	return samples
}

// Timeline tells in lines what was heard when, by the names of the tones.
func (e *Ear) Timeline() string {
	frames := e.since(0)
	if len(frames) == 0 {
		return "nothing, not even silence"
	}
	type line struct {
		Span
		name string
	}
	var lines []line
	for t, name := range e.names() {
		for _, s := range e.Spans(t) {
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
