package asterisk

import (
	"context"
	"errors"
	"time"

	"markaz/asterisk/ari"
	"markaz/call"
	"markaz/dialplan"
)

// Do has an action done. It never blocks; actions of one leg are done in
// order, and what cannot be done is told by ActionFailed.
func (s *Switch) Do(a call.Action) {
	switch a := a.(type) {
	case call.Bridge:
		s.bridge(a)
	case call.Record:
		s.record(a)
	case call.PauseRecord:
		s.inLane(s.recordingLane(a.ID), a, func(ctx context.Context) error { return s.pauseRecord(ctx, a) })
	case call.StopRecord:
		s.inLane(s.recordingLane(a.ID), a, func(ctx context.Context) error { return ignoreGone(s.ari.StopRecording(ctx, a.ID)) })
	case call.Ring:
		s.ring(a)
	case call.Handover:
		s.handover(a)
	case call.Snoop:
		s.inLane(a.Supervisor, a, func(ctx context.Context) error { return s.snoop(ctx, a) })
	case call.Unsnoop:
		s.unsnoop(a)
	case call.Beep:
		s.inLane("beep/"+a.ID, a, func(ctx context.Context) error { return s.beep(ctx, a) })
	default:
		s.toLeg(a)
	}
}

// toLeg gives an action to whoever holds its leg.
func (s *Switch) toLeg(a call.Action) {
	id := legOf(a)
	if id == "" {
		s.failed(a, "not an action of the switch")
		return
	}
	var h holder
	s.legs.with(id, func(l *leg) {
		if l.stage == held {
			h = l.holder
		}
	})
	switch {
	case h == nil:
		s.inLane(id, a, func(ctx context.Context) error { return s.perform(ctx, a) })
	case !h.do(a):
		s.failed(a, "too many actions wait for this leg")
	}
}

// inLane has an action carried out after those before it in the lane; false
// when there is no room.
func (s *Switch) inLane(key string, a call.Action, do func(context.Context) error) bool {
	refused := s.lanes.add(key, func(ctx context.Context) {
		if err := do(ctx); err != nil {
			s.failed(a, err.Error())
			return
		}
		s.stats.done.WithLabelValues(name(a)).Inc()
	})
	if refused != "" {
		s.stats.refused.Inc()
		s.failed(a, refused)
	}
	return refused == ""
}

// perform carries out an action of a leg in Stasis.
func (s *Switch) perform(ctx context.Context, a call.Action) error {
	switch a := a.(type) {
	case call.Answer:
		return s.answer(ctx, a)
	case call.Play:
		return s.play(ctx, a)
	case call.StopPlay:
		s.stopPlay(ctx, a.Leg, a.ID)
		return nil
	case call.Music:
		return s.ari.StartMusic(ctx, a.Leg, a.Class)
	case call.StopMusic:
		return ignoreGone(s.ari.StopMusic(ctx, a.Leg))
	case call.Ringback:
		return s.ringback(ctx, a)
	case call.Unbridge:
		return s.unbridge(ctx, a)
	case call.Hangup:
		return s.hangup(ctx, a)
	case call.Release:
		return s.release(ctx, a)
	case call.Remember:
		return s.remember(a)
	case call.Lease:
		s.setLease(a.Leg, a.On)
		return nil
	}
	return errors.New("not an action of the switch")
}

// answer picks a leg up, unless the dialplan has done so before.
func (s *Switch) answer(ctx context.Context, a call.Answer) error {
	up := false
	s.legs.with(a.Leg, func(l *leg) { up = l.answered })
	if up {
		return nil
	}
	return s.ari.Answer(ctx, a.Leg)
}

// ignoreGone is for commands that end something: it is no error when there is
// nothing left to end.
func ignoreGone(err error) error {
	if ari.Gone(err) {
		return nil
	}
	return err
}

// handover sends a leg from FastAGI to Stasis; what is asked of it from now on
// waits until it is there.
func (s *Switch) handover(a call.Handover) {
	var h holder
	s.legs.with(a.Leg, func(l *leg) {
		if l.stage == held {
			h, l.stage, l.holder = l.holder, handing, nil
		}
	})
	if h == nil {
		return
	}
	l := s.legs.get(a.Leg)
	s.inLane(a.Leg, a, func(ctx context.Context) error {
		select {
		case <-l.entered:
		case <-l.gone:
		case <-ctx.Done():
		}
		return nil
	})
	if h.do(a) {
		return
	}
	s.legs.with(a.Leg, func(l *leg) { l.stage, l.holder = held, h })
	s.failed(a, "too many actions wait for this leg")
}

// hush stops what a leg hears. A channel that plays does nothing else: asked to
// join a bridge, or to set a variable, it lets us wait until the sound is over
// (Asterisk 22 and 16).
func (s *Switch) hush(ctx context.Context, id string) {
	for _, play := range s.legs.playsOf(id) {
		s.stopPlay(ctx, id, play)
	}
}

// release gives a leg back to the dialplan, which reads why in MARKAZ_DONE.
func (s *Switch) release(ctx context.Context, a call.Release) error {
	s.hush(ctx, a.Leg)
	why := []variable{{dialplan.VarDest, a.Destination}, {dialplan.VarDone, dialplan.DoneRelease}}
	if err := s.setAll(ctx, a.Leg, why); err != nil {
		return err
	}
	s.legs.with(a.Leg, func(l *leg) { l.ending.released = true })
	return s.ari.Continue(ctx, a.Leg)
}

// letOut makes a channel that was never told go on in the dialplan at its
// fall-back.
func (s *Switch) letOut(ctx context.Context, id string) error {
	if err := s.ari.SetVariable(ctx, id, dialplan.VarDone, dialplan.DoneRelease); err != nil {
		return err
	}
	return s.ari.Continue(ctx, id)
}

const (
	hangupPatience = 30 * time.Second // for a channel to go, before that is called a failure
	hangupPause    = 100 * time.Millisecond
	hangupProof    = time.Second // between Asterisk's consent and the proof that the channel is gone
)

// hangup asks until the channel is gone: in overload Asterisk agrees, or does
// not answer, and the channel stays.
func (s *Switch) hangup(ctx context.Context, a call.Hangup) error {
	cause := a.Cause
	if cause == 0 {
		cause = call.CauseNormal
	}
	gone := make(<-chan struct{})
	s.legs.with(a.Leg, func(l *leg) {
		l.ending.asked, l.ending.askedCause = true, cause
		if gone = l.gone; a.Transferred {
			l.ending.moved = transferred
		}
	})
	ctx, cancel := context.WithTimeout(ctx, hangupPatience)
	defer cancel()
	pause := hangupPause
	for {
		err := s.ari.Hangup(ctx, a.Leg, cause)
		switch {
		case ari.Gone(err):
			select { // what led to its end may still be on the way
			case <-gone:
			case <-time.After(hangupProof):
			case <-ctx.Done():
			}
			s.finish(a.Leg, s.now())
			return nil
		case err == nil:
			pause = hangupProof
		default:
			pause = min(2*pause, hangupProof)
		}
		select {
		case <-gone:
			return nil
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}
