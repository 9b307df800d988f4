package asterisk

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
)

// playing is a call.Play under way. Each prompt is a playback of its own, all
// queued at once: in a list of several media Asterisk passes over a missing
// file without a word, and between playbacks there is no more of a gap than
// within a list.
type playing struct {
	barge   string
	lang    string
	media   []string
	since   time.Time // when the prompt began that is heard now, as far as is known
	posting bool      // prompts are still being queued
	posted  int
	ended   int
	stopped bool
	failed  string // the first medium that failed
}

// done reports whether nothing more will be heard, and how it ended.
func (p *playing) done() (reason string, yes bool) {
	switch {
	case p.posting || p.ended < p.posted:
		return "", false
	case p.stopped:
		return "stopped", true
	case p.failed != "":
		return "failed", true
	}
	return "ok", true
}

// The playbacks of the Play "x" are x, x~1, x~2 …

func playbackID(play string, i int) string {
	if i == 0 {
		return play
	}
	return play + "~" + strconv.Itoa(i)
}

func playOf(playback string) (play string, i int) {
	play, n, ok := strings.Cut(playback, "~")
	if !ok {
		return playback, 0
	}
	i, _ = strconv.Atoi(n)
	return play, i
}

func (s *Switch) play(ctx context.Context, a call.Play) error {
	media, err := mediaOf(a.Prompts)
	if err != nil {
		return err
	}
	s.cover(a)
	s.flush(ctx, a.Leg) // as long as that can be done
	p := &playing{barge: a.Barge, lang: a.Lang, media: media, since: s.now(), posting: true}
	if !s.legs.with(a.Leg, func(l *leg) { l.plays[a.ID] = p }) {
		return errors.New("the leg is gone")
	}
	for i, medium := range media {
		stopped := false
		s.legs.with(a.Leg, func(*leg) {
			if stopped = p.stopped; !stopped {
				p.posted++ // before asking: the end of a short sound may be told at once
			}
		})
		if stopped {
			break
		}
		if err = s.ari.Play(ctx, a.Leg, playbackID(a.ID, i), medium, a.Lang); err != nil {
			s.legs.with(a.Leg, func(*leg) {
				p.posted--
				p.failed = fmt.Sprintf("%s: %v", medium, err)
			})
			break
		}
	}
	var late bool
	s.legs.with(a.Leg, func(*leg) { p.posting, late = false, p.stopped })
	if late { // whoever stopped it could not know of the last one
		s.stopPlaybacks(ctx, a.ID, p.posted)
	}
	s.concludePlay(a.Leg, a.ID, s.now())
	return nil
}

// stopPlay ends a Play at once.
func (s *Switch) stopPlay(ctx context.Context, legID, play string) {
	posted := 0
	s.legs.with(legID, func(l *leg) {
		if p := l.plays[play]; p != nil && !p.stopped {
			p.stopped, posted = true, p.posted
		}
	})
	s.stopPlaybacks(ctx, play, posted)
}

// stopPlaybacks stops the last one first, so that none begins when the one
// before it ends.
func (s *Switch) stopPlaybacks(ctx context.Context, play string, n int) {
	for i := n - 1; i >= 0; i-- {
		if err := ignoreGone(s.ari.StopPlayback(ctx, playbackID(play, i))); err != nil {
			s.log.Warn("stop playback", "playback", playbackID(play, i), "err", err)
		}
	}
}

// playbackFinished counts the end of one prompt.
func (s *Switch) playbackFinished(e ari.Event, b *lib.PlaybackFinished) {
	id, isChannel := strings.CutPrefix(b.Playback.TargetURI, "channel:")
	if !isChannel {
		return
	}
	if s.beeped(id) {
		return
	}
	play, i := playOf(b.Playback.ID)
	s.legs.with(id, func(l *leg) {
		p := l.plays[play]
		if p == nil {
			return
		}
		p.ended++
		if b.Playback.State == "done" && !p.stopped && i < len(p.media) {
			s.learn(p.lang, p.media[i], e.At.Sub(p.since))
		}
		p.since = e.At
		switch {
		case b.Playback.State != "failed" || p.failed != "":
		case l.ending.seen || l.ending.asked:
			p.stopped = true // a hang-up, not a fault of the file
		default:
			p.failed = b.Playback.MediaURI
		}
	})
	s.concludePlay(id, play, e.At)
}

// concludePlay tells the end of a Play when it has come.
func (s *Switch) concludePlay(id, play string, at time.Time) {
	var e call.Event
	var of *leg
	s.legs.with(id, func(l *leg) {
		p := l.plays[play]
		if p == nil {
			return
		}
		reason, done := p.done()
		if !done {
			return
		}
		delete(l.plays, play)
		of, e = l, call.Event{Kind: call.PlayDone, Ref: play, Reason: reason}
		if reason == "failed" {
			e.Text = "cannot play " + p.failed
		}
	})
	if of == nil {
		return
	}
	s.tell(of, at, e)
	s.afterPlay(id)
}

// digit reports a key and stops what it barges in on.
func (s *Switch) digit(e ari.Event, b *lib.ChannelDtmfReceived) {
	l := s.legs.get(b.Channel.ID)
	if l == nil {
		return
	}
	for _, play := range s.barged(l.id, b.Digit) {
		s.lanes.beside(func(ctx context.Context) { s.stopPlay(ctx, l.id, play) })
	}
	s.tell(l, e.At, call.Event{Kind: call.LegDigit, Digits: b.Digit})
}

func (s *Switch) barged(id, key string) (plays []string) {
	s.legs.with(id, func(l *leg) {
		for play, p := range l.plays {
			if key != "" && strings.Contains(p.barge, key) {
				plays = append(plays, play)
			}
		}
	})
	return plays
}

// mediaOf turns prompts into media URIs.
func mediaOf(prompts []call.Prompt) ([]string, error) {
	media := make([]string, len(prompts))
	for i, p := range prompts {
		if !playable(p) {
			return nil, fmt.Errorf("not a prompt: %s %q", p.Kind, p.Value)
		}
		media[i] = string(p.Kind) + ":" + p.Value
	}
	return media, nil
}

func playable(p call.Prompt) bool {
	switch p.Kind {
	case call.Sound:
		// No other scheme: Asterisk would fetch http addresses.
		return len(p.Value) <= 1024 && p.Value != "" && !strings.ContainsFunc(p.Value, func(r rune) bool { return r == ':' || r < ' ' })
	case call.Number:
		return madeOf(strings.TrimPrefix(p.Value, "-"), decimal, 12)
	case call.Digits:
		return madeOf(p.Value, decimal+"*#", 64)
	}
	return false
}

// openPlay names a Play whose end has not been told, and its last playback.
type openPlay struct {
	leg, play string
	last      int
}

// playsOf lists the Plays under way on a leg.
func (r *registry) playsOf(id string) (open []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.legs[id]; l != nil {
		for play, p := range l.plays {
			if !p.posting {
				open = append(open, play)
			}
		}
	}
	return open
}

// plays lists the Plays under way.
func (r *registry) plays() (open []openPlay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, l := range r.legs {
		for play, p := range l.plays {
			if !p.posting {
				open = append(open, openPlay{id, play, p.posted - 1})
			}
		}
	}
	return open
}
