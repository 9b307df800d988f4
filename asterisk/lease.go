package asterisk

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"markaz/call"
)

// The dead-man's switch of a leg in Stasis is TIMEOUT(absolute) on its channel,
// renewed while the loop lives. While a channel plays something Asterisk 22
// lets a request to set a variable wait for the end of the playback, and 16
// sets it without effect (both seen). So nothing is set during a playback;
// before one that the lease would not outlast, it is made longer by the length
// of what is to be heard: a frozen Markaz is noticed one lease after the last
// word.

// setLease starts the switch anew (on) or lifts it. A leg in FastAGI does that
// over its session: REST sets no variables of channels that are not in Stasis.
func (s *Switch) setLease(ctx context.Context, id string, on bool) error {
	if !on {
		s.legs.with(id, func(l *leg) { l.leaseEnds = time.Time{} })
		return s.setTimeout(ctx, id, 0)
	}
	playing := false
	s.legs.with(id, func(l *leg) {
		if playing = len(l.plays) > 0; !playing {
			l.leaseEnds = s.now().Add(s.cfg.Lease)
		}
	})
	if playing {
		return nil
	}
	return s.setTimeout(ctx, id, s.cfg.Lease)
}

func (s *Switch) setTimeout(ctx context.Context, id string, d time.Duration) error {
	return s.ari.SetVariable(ctx, id, timeoutVariable, strconv.FormatFloat(d.Seconds(), 'f', 1, 64))
}

// cover makes the lease last through a Play, and half of itself after it.
func (s *Switch) cover(ctx context.Context, a call.Play) error {
	length := s.lengthOf(a)
	short := false
	s.legs.with(a.Leg, func(l *leg) {
		now := s.now()
		if short = !l.leaseEnds.IsZero() && l.leaseEnds.Sub(now) < length+s.cfg.Lease/2; short {
			l.leaseEnds = now.Add(length + s.cfg.Lease)
		}
	})
	if !short {
		return nil
	}
	return s.setTimeout(ctx, a.Leg, length+s.cfg.Lease)
}

// uncover takes back what cover added and was not needed.
func (s *Switch) uncover(id string) {
	long := false
	s.legs.with(id, func(l *leg) {
		long = !l.leaseEnds.IsZero() && l.leaseEnds.Sub(s.now()) > s.cfg.Lease+time.Second
	})
	if long {
		lease := call.Lease{Leg: id, On: true}
		s.inLane(id, lease, func(ctx context.Context) error { return s.setLease(ctx, id, true) })
	}
}

// How long prompts are taken to be whose length is not known.
const (
	unknownSound = 30 * time.Second
	perDigit     = 2 * time.Second // of a number or of single digits
	learntKept   = time.Hour
)

// lengthOf adds up what is to be heard.
func (s *Switch) lengthOf(a call.Play) time.Duration {
	var sum time.Duration
	for _, p := range a.Prompts {
		if p.Kind != call.Sound {
			sum += perDigit * time.Duration(len(p.Value))
			continue
		}
		length, ok := s.lengths.get(a.Lang, p.Value, s.now())
		if !ok {
			length = s.fileLength(a.Lang, p.Value)
		}
		sum += length
	}
	return sum
}

// learn remembers how long a sound lasted that was heard to its end.
func (s *Switch) learn(lang, medium string, length time.Duration) {
	if file, ok := strings.CutPrefix(medium, string(call.Sound)+":"); ok && length > 0 {
		s.lengths.put(lang, file, length, s.now().Add(learntKept))
	}
}

// fileLength looks at the sound itself where it is on this machine.
func (s *Switch) fileLength(lang, file string) time.Duration {
	paths := []string{file}
	if !strings.HasPrefix(file, "/") {
		if s.cfg.Sounds == "" {
			return unknownSound
		}
		paths = []string{filepath.Join(s.cfg.Sounds, lang, file), filepath.Join(s.cfg.Sounds, file), filepath.Join(s.cfg.Sounds, "en", file)}
	}
	for _, path := range paths {
		for _, f := range soundFormats() {
			if info, err := os.Stat(path + f.ext); err == nil && info.Mode().IsRegular() {
				length := time.Duration(float64(info.Size()) / f.rate * float64(time.Second))
				s.lengths.put(lang, file, length, s.now().Add(lengthsKept))
				return length
			}
		}
	}
	return unknownSound
}

type soundFormat struct {
	ext  string
	rate float64 // bytes per second
}

// soundFormats are those that Asterisk's sound packages come in.
func soundFormats() []soundFormat {
	return []soundFormat{
		{".wav", 16000}, {".ulaw", 8000}, {".alaw", 8000}, {".gsm", 1650}, {".sln", 16000},
		{".sln16", 32000}, {".g722", 8000}, {".g729", 1000},
	}
}
