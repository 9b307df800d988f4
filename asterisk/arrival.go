package asterisk

import (
	"context"
	"strconv"
	"strings"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
	"markaz/dialplan"
)

// stasisStart is a channel that has entered our application: a leg we called,
// one that comes from FastAGI, a new caller, or something else.
func (s *Switch) stasisStart(e ari.Event, b *lib.StasisStart) {
	id, up := b.Channel.ID, b.Channel.State == stateUp
	switch {
	case b.ReplaceChannel.ID != "" && s.replace(e, b):
	case s.legs.get(id) != nil:
		s.leased(id, e.At, b.Args)
		s.enter(id, e.At, up)
	case len(b.Args) > 0 && b.Args[0] == dialplan.EntryInbound:
		s.arrive(e.At, &b.Channel, b.Args)
	case len(b.Args) > 0 && b.Args[0] == dialplan.EntryLeg:
		s.enterUnknown(e.At, id, b.Args)
	case ownMedia(b.Channel.Name):
		s.snoops.entered(id)
	default:
		s.log.Warn("channel entered Stasis without a purpose we know", "channel", b.Channel.Name, "args", b.Args)
		s.lanes.beside(func(ctx context.Context) { _ = s.letOut(ctx, id) })
	}
}

// ownMedia reports the channels that we or Asterisk make for sound only. They
// enter the application like callers and must never be served like one.
func ownMedia(channel string) bool {
	for _, technology := range []string{"Snoop/", "UnicastRTP/", "Recorder/", "Announcer/", "WebSocket/", "AudioSocket/"} {
		if strings.HasPrefix(channel, technology) {
			return true
		}
	}
	return false
}

// enter puts a known leg in Stasis. A leg that we called is answered by that;
// one that comes from FastAGI was told there.
func (s *Switch) enter(id string, at time.Time, up bool) {
	made, lifts := false, false
	s.legs.with(id, func(l *leg) {
		if l.stage == present || l.stage == arriving {
			return // told twice: by reconciling and by the event that waited meanwhile
		}
		l.stage, l.holder = present, nil
		close(l.entered)
		if made = l.made; !made {
			l.answered = up
		}
		lifts = made && !l.leaseEnds.IsZero()
	})
	if made {
		if lifts {
			s.setLease(id, false)
		}
		s.answered(id, at)
	}
}

// enterUnknown takes on a leg that an earlier process called.
func (s *Switch) enterUnknown(at time.Time, id string, args []string) {
	callID, w, err := readLegArgs(args)
	if err != nil {
		s.log.Warn("leg entered Stasis without its call", "leg", id, "args", args)
		s.lanes.beside(func(ctx context.Context) { _ = s.ari.Hangup(ctx, id, call.CauseNormal) })
		return
	}
	l := newLeg(id, callID, w, calling)
	l.made = true
	s.legs.add(l)
	s.enter(id, at, true)
}

// arrive takes on a new caller. The dialplan gives the dialled number, the trunk
// and the lease as arguments; from an older one that does not they are read from the channel, and meanwhile
// the caller's events wait.
func (s *Switch) arrive(at time.Time, ch *lib.ChannelData, args []string) {
	if s.draining.Load() {
		s.lanes.beside(func(ctx context.Context) { _ = s.letOut(ctx, ch.ID) })
		return
	}
	w := who{Role: call.RoleCaller, Address: ch.GetCaller().GetNumber()}
	l := newLeg(ch.ID, s.newID(), w, arriving)
	if s.legs.add(l) != nil {
		return
	}
	s.leased(ch.ID, at, args)
	if len(args) >= 3 {
		s.announce(at, l, ch, args[1], args[2])
		return
	}
	s.lanes.beside(func(ctx context.Context) {
		to := s.variable(ctx, ch.ID, dialplan.VarTo)
		trunk := s.variable(ctx, ch.ID, dialplan.VarTrunk)
		s.announce(at, l, ch, to, trunk)
	})
}

// leased takes note of the lease with which the dialplan has let a caller in.
func (s *Switch) leased(id string, at time.Time, args []string) {
	if len(args) < 4 || args[0] != dialplan.EntryInbound {
		return
	}
	if n, err := strconv.Atoi(args[3]); err == nil && n > 0 {
		s.legs.with(id, func(l *leg) { l.leaseEnds = at.Add(time.Duration(n) * time.Second) })
	}
}

// variable reads a variable that may be missing: a call without it is still a
// call.
func (s *Switch) variable(ctx context.Context, id, name string) string {
	value, err := s.ari.Variable(ctx, id, name)
	if err != nil {
		s.log.Warn("read variable", "leg", id, "variable", name, "err", err)
	}
	return value
}

// announce tells of a new caller, and then what has happened to him since.
func (s *Switch) announce(at time.Time, l *leg, ch *lib.ChannelData, to, trunk string) {
	if exten := ch.GetDialplan().GetExten(); to == "" && strings.ContainsAny(exten, "0123456789") {
		to = exten
	}
	s.setSoon(l.id, dialplan.VarCall, l.call)
	started := call.Event{
		Kind: call.CallStarted, Call: l.call, Leg: l.id, At: at, Ref: l.id,
		Direction: call.Inbound, Origin: call.PSTN, Caps: capabilities(),
		From: l.who.Address, FromName: ch.GetCaller().GetName(), To: to, DID: to, Trunk: trunk,
		Role: call.RoleCaller, Address: l.who.Address,
	}
	s.syncing.RLock()
	s.emit(started)
	s.syncing.RUnlock()
	if ch.State == stateUp {
		s.answered(l.id, at)
	}
	s.catchUp(l)
}

// catchUp tells what happened to a caller while he was arriving, until nothing
// is left and his events go the straight way.
func (s *Switch) catchUp(l *leg) {
	for {
		var early []ari.Event
		alive := s.legs.with(l.id, func(l *leg) {
			early, l.early = l.early, nil
			if len(early) == 0 {
				l.stage = present
				close(l.entered)
			}
		})
		if !alive || len(early) == 0 {
			return
		}
		for _, e := range early {
			s.translate(e)
		}
	}
}

// capabilities is what this source can tell and do.
func capabilities() []call.Cap {
	return []call.Cap{
		call.CapRing, call.CapRingExtension, call.CapAnswer, call.CapEndAtOnce, call.CapRecording,
		call.CapOriginate, call.CapSpy, call.CapHold, call.CapTransfer, call.CapCallerID,
	}
}
