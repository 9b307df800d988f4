package asterisk

import (
	"context"
	"fmt"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
)

// reconcile brings both sides together after each connect: what lives is told
// by LegFound, what is gone by LegEnded, and SwitchSynced says that this was
// all. Events wait meanwhile.
func (s *Switch) reconcile(ctx context.Context) error {
	before := s.legs.all()
	info, err := s.ari.Info(ctx)
	if err != nil {
		return fmt.Errorf("read start-up time: %w", err)
	}
	started := time.Time(info.StatusInfo.StartupTime)
	reason := s.sinceLast(started)
	inv, err := s.takeInventory(ctx)
	if err != nil {
		return fmt.Errorf("list channels and bridges: %w", err)
	}
	s.recheck(ctx)
	s.sweepSnoops(ctx, inv)

	s.syncing.Lock() // a caller who arrives now by FastAGI is told after SwitchSynced
	told := s.tellFound(inv)
	s.tellHeld(told)
	s.tellOthers(inv)
	s.buryMissing(before, inv, told, reason)
	s.emit(call.Event{Kind: call.SwitchSynced, Reason: reason})
	s.syncing.Unlock()
	s.started = started

	for _, ch := range inv.strays {
		s.translate(ari.Event{At: s.now(), Body: &lib.StasisStart{Channel: *ch, Args: appArgs(ch)}})
	}
	for i := range inv.bridges {
		if len(s.legs.in(inv.bridges[i].ChannelIDs)) == 0 {
			s.removeBridge(inv.bridges[i].ID)
		}
	}
	s.log.Info("switch synced", "version", info.SystemInfo.Version, "legs", len(told), "reason", reason)
	return nil
}

// sinceLast says why legs may be missing. Another start-up time means that
// Asterisk was restarted and has none of its old channels.
func (s *Switch) sinceLast(started time.Time) string {
	if !s.started.IsZero() && !s.started.Equal(started) {
		return call.Restarted
	}
	return call.Unseen
}

// tellFound makes the found legs known and tells them.
func (s *Switch) tellFound(inv *inventory) map[string]bool {
	told := map[string]bool{}
	for _, f := range inv.ours {
		l := s.adopt(f)
		if l == nil {
			continue
		}
		told[l.id] = true
		e := call.Event{Kind: call.LegFound, State: f.state}
		if f.in != nil {
			e.Ref = f.in.ID
		}
		if f.alone {
			e.Data = map[string]string{"alone": "1"}
		}
		s.tell(l, s.now(), e)
	}
	return told
}

// adopt makes the leg's entry agree with what Asterisk has. A known leg that
// is with its FastAGI session, or on the way from there, is left to that.
func (s *Switch) adopt(f *finding) *leg {
	up, in := f.ch.State == stateUp, s.inApp(*f.ch)
	if s.legs.get(f.ch.ID) == nil {
		l := newLeg(f.ch.ID, f.call, f.who, calling)
		l.made = !cameIn(f.ch)
		if in {
			l.stage, l.answered = present, up
			close(l.entered)
		}
		s.legs.add(l)
	}
	bridge := ""
	if f.in != nil {
		bridge = f.in.ID
	}
	var l *leg
	enters := false
	s.legs.with(f.ch.ID, func(known *leg) {
		known.bridge, known.moving = bridge, false
		s.legs.put(known, bridge)
		enters = in && known.stage != present && known.stage != arriving
		if known.stage != arriving {
			l = known
		}
	})
	if enters { // its StasisStart got lost with the connection
		s.enter(f.ch.ID, s.now(), up)
	}
	return l
}

// tellHeld tells the legs that are with their FastAGI sessions: those live as
// long as the session does.
func (s *Switch) tellHeld(told map[string]bool) {
	for _, id := range s.legs.all() {
		with := false
		s.legs.with(id, func(l *leg) { with = l.stage == held || l.stage == handing })
		if with && !told[id] {
			told[id] = true
			s.tellOf(id, s.now(), call.Event{Kind: call.LegFound})
		}
	}
}

// tellOthers tells, without a call, the channels that are not with us: an
// earlier process may have had one that is with the dialplan's fall-back now.
func (s *Switch) tellOthers(inv *inventory) {
	for id := range inv.channels {
		if s.legs.get(id) == nil {
			s.emit(call.Event{Kind: call.LegFound, Leg: id})
		}
	}
}

// buryMissing ends the legs that were known before the inventory was taken and
// are not in it.
func (s *Switch) buryMissing(before []string, inv *inventory, told map[string]bool, reason string) {
	for _, id := range before {
		if told[id] || inv.channels[id] != nil && !s.lostFromStasis(id, inv.channels[id]) {
			continue
		}
		if s.endArriving(id) {
			continue
		}
		l := s.legs.remove(id)
		if l == nil {
			continue
		}
		e := call.Event{Kind: call.LegEnded, Result: call.Lost, By: call.ByPBX, Reason: reason}
		switch {
		case inv.channels[id] != nil:
			e.Result, e.Reason = call.Transferred, call.Fallback
		case l.answered:
			e.Result = call.Answered
		}
		s.tell(l, s.now(), e)
	}
}

// endArriving lets a leg that nobody has been told of be told first.
func (s *Switch) endArriving(id string) bool {
	yes := false
	s.legs.with(id, func(l *leg) {
		if yes = l.stage == arriving; yes {
			gone := &lib.ChannelDestroyed{Channel: lib.ChannelData{ID: id}}
			l.early = append(l.early, ari.Event{At: s.now(), Body: gone})
		}
	})
	return yes
}

// lostFromStasis reports whether a leg that was in our application is now
// somewhere else.
func (s *Switch) lostFromStasis(id string, ch *lib.ChannelData) bool {
	lost := false
	s.legs.with(id, func(l *leg) { lost = l.stage == present })
	return lost && !s.inApp(*ch)
}

// recheck tells the ends of playbacks and recordings that came while nobody
// listened: whoever waits for one would wait for ever.
func (s *Switch) recheck(ctx context.Context) {
	for _, p := range s.legs.plays() {
		if running, err := s.ari.Playing(ctx, playbackID(p.play, p.last)); err == nil && !running {
			s.legs.with(p.leg, func(l *leg) {
				if open := l.plays[p.play]; open != nil {
					open.ended = open.posted
				}
			})
			s.concludePlay(p.leg, p.play, s.now())
		}
	}
	s.askTapes(ctx, s.legs.tapes(""))
}
