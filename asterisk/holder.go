package asterisk

import (
	"context"
	"time"

	"markaz/asterisk/ari"
	"markaz/call"
)

// handoverPatience is how long a leg may be between its FastAGI session and
// Stasis, where the dialplan has a few steps to do.
const handoverPatience = 2 * time.Second

// holder is who carries out the actions of a leg that is not (yet) in Stasis:
// its FastAGI session.
//
// The life of such a leg: the session calls [Switch.hold] with its CallStarted
// and then takes actions through do. Handover is the last action it gets: the
// session ends itself with MARKAZ_DONE=handover and calls [Switch.handedOver];
// whatever is asked of the leg meanwhile waits for its StasisStart. A session
// that ends in any other way calls [Switch.letGo] with its LegEnded.
type holder interface {
	// do takes an action and never blocks; false says that there is no room
	// for it, and then the Switch reports ActionFailed.
	do(call.Action) bool
}

// hold makes h responsible for the leg started.Leg of the call started.Call,
// and emits started (a CallStarted). The two are one step, so that reconciling
// never meets a leg that the loop has not heard of.
func (s *Switch) hold(h holder, started call.Event) {
	s.syncing.RLock()
	defer s.syncing.RUnlock()
	l := newLeg(started.Leg, started.Call, who{Role: call.RoleCaller, Address: started.From, Trunk: started.Trunk}, held)
	l.holder = h
	s.legs.add(l)
	s.emit(started)
}

// handedOver tells that the leg's FastAGI session is over and that Stasis has
// it next. Should it not come in time, the Switch looks for it and ends it.
func (s *Switch) handedOver(id string) {
	s.legs.with(id, func(l *leg) {
		if l.stage == held {
			l.stage, l.holder = handing, nil
		}
	})
	canCome := s.trouble.Load() == nil
	s.lanes.beside(func(ctx context.Context) { s.expect(ctx, id, canCome) })
}

// letGo ends a leg whose session is over for good: ended is its LegEnded,
// emitted unless the leg's end has been told already.
func (s *Switch) letGo(ended call.Event) {
	if s.legs.remove(ended.Leg) != nil {
		s.emit(ended)
	}
}

// expect waits for a leg that is on its way into Stasis, where it cannot come
// while there is no connection.
func (s *Switch) expect(ctx context.Context, id string, canCome bool) {
	l := s.legs.get(id)
	if l == nil {
		return
	}
	for {
		late := time.NewTimer(handoverPatience)
		select {
		case <-l.entered:
		case <-l.gone:
		case <-ctx.Done():
		case <-late.C:
			if !s.settle(ctx, id, canCome) {
				continue
			}
		}
		late.Stop()
		return
	}
}

// settle finds out what has become of a leg that did not come; false when
// Asterisk cannot be asked.
func (s *Switch) settle(ctx context.Context, id string, canCome bool) bool {
	ch, err := s.ari.Channel(ctx, id)
	switch {
	case ari.Gone(err):
		s.legs.with(id, func(l *leg) {
			if canCome {
				l.ending.request(false, 0, 0) // the caller hung up in between
			} else {
				l.ending.moved = call.Fallback
			}
		})
		s.finish(id, s.now())
	case err != nil:
		return false
	case s.inApp(ch):
		s.enter(id, s.now(), ch.State == stateUp) // its StasisStart got lost with a connection
	default:
		s.legs.with(id, func(l *leg) { l.ending.moved = call.Fallback })
		s.finish(id, s.now())
	}
	return true
}
