package asterisk

import (
	"context"
	"strings"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
)

// A phone may transfer by itself (SIP REFER). In a bridge of Stasis, Asterisk
// then puts a channel of its own, which leads to the new party, in the place of
// the phone's leg; the other leg stays. No leg may be lost or told twice by it.

const transferred = "transferred"

// replaces is the key of an event's data that names the leg whose place a new
// one has taken.
const replaces = "replaces"

// blindTransfer: the phone sent the other party to an extension.
func (s *Switch) blindTransfer(e ari.Event, b *lib.BridgeBlindTransfer) {
	out := call.Event{Kind: call.TransferCompleted, To: b.Exten}
	if b.Result != "Success" {
		out.Kind, out.Reason = call.TransferCancelled, b.Result
	}
	s.tellTransfer(b.Channel.ID, e.At, out)
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
	s.tellTransfer(id, e.At, call.Event{Kind: kind, To: b.TransferTarget.GetCaller().GetNumber(), Reason: b.DestinationType})
}

func (s *Switch) tellTransfer(id string, at time.Time, out call.Event) {
	s.legs.with(id, func(l *leg) { l.ending.replacedOK = true })
	s.tellOf(id, at, out)
}

// replace puts a channel in the place of a leg: it goes on in the same call as
// a new leg, which rings until its far end answers. False when the replaced
// channel is none of ours.
func (s *Switch) replace(e ari.Event, b *lib.StasisStart) bool {
	old := s.legs.get(b.ReplaceChannel.ID)
	if old == nil {
		return false
	}
	s.legs.with(old.id, func(l *leg) { l.ending.moved, l.ending.replaced = transferred, true })
	l := newLeg(b.Channel.ID, old.call, who{Role: call.RoleExternal, Address: leadsTo(b.Channel.Name)}, present)
	l.made, l.substitute = true, true
	s.legs.add(l)
	s.tell(l, e.At, call.Event{Kind: call.LegRinging, Data: map[string]string{replaces: old.id}})
	if b.Channel.State == stateUp {
		s.answered(l.id, e.At)
	}
	return true
}

// leadsTo reads the number from the name of a channel that Asterisk made for a
// blind transfer, "Local/103@context-0001;1"; "" for an attended one, whose
// other end it does not name.
func leadsTo(channel string) string {
	number, _, _ := strings.Cut(strings.TrimPrefix(channel, "Local/"), "@")
	if !madeOf(number, decimal+"+*#", 32) {
		return ""
	}
	return number
}

// dismiss hangs up substitutes that are left without anybody in a bridge. Who
// asks for actions may never have taken note of them.
func (s *Switch) dismiss(legs []string) {
	for _, id := range legs {
		substitute := false
		s.legs.with(id, func(l *leg) { substitute = l.substitute })
		if !substitute {
			return
		}
	}
	for _, id := range legs {
		s.Do(call.Hangup{Leg: id})
	}
}

// taken looks whether a channel that left Stasis without a hang-up lives on.
func (s *Switch) taken(ctx context.Context, id string) {
	if _, err := s.ari.Channel(ctx, id); !ari.Gone(err) {
		s.legs.with(id, func(l *leg) { l.ending.moved = call.Fallback })
	}
}
