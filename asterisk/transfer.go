package asterisk

import (
	"context"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
)

// A phone may transfer by itself (SIP REFER). Asterisk carries that out and
// tells us; no leg may be lost or told twice by it.

const transferred = "transferred"

// blindTransfer: the phone sent the other party to an extension of the
// dialplan and hangs up. The other party leaves Stasis alive.
func (s *Switch) blindTransfer(e ari.Event, b *lib.BridgeBlindTransfer) {
	if b.Result != "Success" {
		s.tellOf(b.Channel.ID, e.At, call.Event{Kind: call.TransferCancelled, To: b.Exten, Reason: b.Result})
		return
	}
	s.tellOf(b.Channel.ID, e.At, call.Event{Kind: call.TransferCompleted, To: b.Exten})
	for _, id := range s.legs.in(append(b.Bridge.ChannelIDs, b.Transferee.ID)) {
		if id != b.Channel.ID {
			s.legs.with(id, func(l *leg) { l.ending.moved = transferred })
		}
	}
}

// attendedTransfer: the phone joined the other parties of its two calls.
func (s *Switch) attendedTransfer(e ari.Event, b *lib.BridgeAttendedTransfer) {
	id := b.TransfererFirstLeg.ID
	if s.legs.get(id) == nil {
		id = b.TransfererSecondLeg.ID
	}
	kind := call.TransferCompleted
	if b.Result != "Success" {
		kind = call.TransferCancelled
	}
	s.tellOf(id, e.At, call.Event{Kind: kind, To: b.TransferTarget.GetCaller().GetNumber(), Reason: b.DestinationType})
}

// replace puts a channel in the place of a leg: it goes on in the same call as
// a new leg. False when the replaced channel is none of ours.
func (s *Switch) replace(e ari.Event, b *lib.StasisStart) bool {
	old := s.legs.get(b.ReplaceChannel.ID)
	if old == nil {
		return false
	}
	s.legs.with(old.id, func(l *leg) { l.ending.moved = transferred })
	l := newLeg(b.Channel.ID, old.call, who{Role: call.RoleExternal, Address: b.Channel.GetCaller().GetNumber()}, calling)
	l.made = true
	s.legs.add(l)
	s.enter(l.id, e.At, true)
	return true
}

// taken looks whether a channel that left Stasis without a hang-up lives on.
func (s *Switch) taken(ctx context.Context, id string) {
	if _, err := s.ari.Channel(ctx, id); !ari.Gone(err) {
		s.legs.with(id, func(l *leg) { l.ending.moved = "taken back by the dialplan" })
	}
}
