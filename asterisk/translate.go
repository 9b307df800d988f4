package asterisk

import (
	"context"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
	"markaz/dialplan"
)

// Channel states as Asterisk writes them.
const (
	stateUp      = "Up"
	stateRinging = "Ringing"
)

// take translates one event of Asterisk. What happens to a caller whose
// variables are still being read waits until he has been announced.
func (s *Switch) take(e ari.Event) {
	s.log.Debug("event", "type", e.Body.GetType(), "channel", channelOf(e.Body))
	waits := false
	s.legs.with(channelOf(e.Body), func(l *leg) {
		if waits = l.stage == arriving; waits {
			l.early = append(l.early, e)
		}
	})
	if !waits {
		s.translate(e)
	}
}

// channelOf names the channel an event is about, or "".
func channelOf(body lib.Event) string {
	switch b := body.(type) {
	case *lib.StasisEnd:
		return b.Channel.ID
	case *lib.ChannelStateChange:
		return b.Channel.ID
	case *lib.ChannelDestroyed:
		return b.Channel.ID
	case *lib.ChannelHangupRequest:
		return b.Channel.ID
	case *lib.ChannelDtmfReceived:
		return b.Channel.ID
	case *lib.ChannelHold:
		return b.Channel.ID
	case *lib.ChannelUnhold:
		return b.Channel.ID
	case *lib.ChannelEnteredBridge:
		return b.Channel.ID
	case *lib.ChannelLeftBridge:
		return b.Channel.ID
	case *lib.ChannelUserevent:
		return b.Channel.ID
	}
	return ""
}

func (s *Switch) translate(e ari.Event) {
	switch b := e.Body.(type) {
	case *lib.StasisStart:
		s.stasisStart(e, b)
	case *lib.StasisEnd:
		s.stasisEnd(e, b)
	case *lib.ChannelStateChange:
		s.stateChange(e, b)
	case *lib.ChannelHangupRequest:
		s.legs.with(b.Channel.ID, func(l *leg) { l.ending.request(b.Soft, b.Cause, e.TechCause) })
	case *lib.ChannelUserevent:
		fields, _ := b.Userevent.(map[string]any)
		why, _ := fields[dialplan.EndWhy].(string)
		s.legs.with(b.Channel.ID, func(l *leg) { l.ending.refused(why) })
	case *lib.ChannelDestroyed:
		s.legs.with(b.Channel.ID, func(l *leg) { l.ending.told(b.Cause, e.TechCause) })
		s.finish(b.Channel.ID, e.At)
		s.snoopEnded(e.At, b.Channel.ID)
	case *lib.ChannelDtmfReceived:
		s.digit(e, b)
	case *lib.ChannelHold:
		s.tellOf(b.Channel.ID, e.At, call.Event{Kind: call.CallHeld})
	case *lib.ChannelUnhold:
		s.tellOf(b.Channel.ID, e.At, call.Event{Kind: call.CallResumed})
	case *lib.ChannelEnteredBridge:
		s.joined(e, b)
	case *lib.ChannelLeftBridge:
		s.left(e, b)
	case *lib.BridgeBlindTransfer:
		s.blindTransfer(e, b)
	case *lib.BridgeAttendedTransfer:
		s.attendedTransfer(e, b)
	case *lib.PlaybackFinished:
		s.playbackFinished(e, b)
	case *lib.RecordingStarted:
		s.recordingStarted(e, b.Recording)
	case *lib.RecordingFinished:
		s.recordingFinished(e, b.Recording)
	case *lib.RecordingFailed:
		s.recordingFailed(e, b.Recording)
	}
}

// tellOf emits an event about a leg, if it is one of ours.
func (s *Switch) tellOf(id string, at time.Time, e call.Event) {
	if l := s.legs.get(id); l != nil {
		s.tell(l, at, e)
	}
}

// stateChange tells that a phone rings, and that a leg is picked up. One that
// we called is so only when it is in Stasis: before that it cannot talk.
func (s *Switch) stateChange(e ari.Event, b *lib.ChannelStateChange) {
	var rings *leg
	up := false
	s.legs.with(b.Channel.ID, func(l *leg) {
		switch {
		case b.Channel.State == stateRinging && l.stage == calling:
			l.stage, rings = ringing, l
		case b.Channel.State == stateUp:
			up = !l.made || l.stage == present
		}
	})
	switch {
	case rings != nil:
		s.tell(rings, e.At, call.Event{Kind: call.LegRinging})
	case up:
		s.answered(b.Channel.ID, e.At)
	}
}

// answered tells that a leg has been picked up, once. One that we are hanging
// up was too late.
func (s *Switch) answered(id string, at time.Time) {
	var of *leg
	s.legs.with(id, func(l *leg) {
		if !l.answered && !l.ending.asked {
			l.answered, of = true, l
		}
	})
	if of != nil {
		s.tell(of, at, call.Event{Kind: call.LegAnswered})
	}
}

// stasisEnd is the end of a leg, or it has been taken from us alive: by the
// lease, by a transfer, or because we let it go.
func (s *Switch) stasisEnd(e ari.Event, b *lib.StasisEnd) {
	id, clear := b.Channel.ID, true
	known := s.legs.with(id, func(l *leg) {
		clear = l.ending.seen || l.ending.asked || l.ending.released || l.ending.moved != ""
	})
	switch {
	case !known:
		s.snoopEnded(e.At, id)
	case clear:
		s.finish(id, e.At)
	default:
		s.lanes.beside(func(ctx context.Context) {
			s.taken(ctx, id)
			s.finish(id, e.At)
		})
	}
}

// finish tells the end of a leg, once.
func (s *Switch) finish(id string, at time.Time) {
	if l := s.legs.remove(id); l != nil {
		s.deafen(id)
		s.hungUpWith(l)
		if l.ending.replaced && !l.ending.replacedOK { // the bridge tells, which may come later than the end of the channel
			s.tell(l, at, call.Event{Kind: call.TransferCompleted})
		}
		s.tell(l, at, l.ending.verdict(l.who.Role, l.made, l.answered))
		s.leftAlone(l)
	}
}
