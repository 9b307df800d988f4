package asterisk

import (
	"context"

	"markaz/call"
)

// holder is who carries out the actions of a leg that is not (yet) in Stasis:
// its FastAGI session.
//
// The life of such a leg: the session calls [Switch.hold], emits CallStarted,
// and takes actions through do. Handover is the last action it gets: the
// session ends itself with MARKAZ_DONE=handover and calls [Switch.handedOver];
// whatever is asked of the leg meanwhile waits for its StasisStart. A session
// that ends in any other way emits LegEnded and calls [Switch.letGo].
type holder interface {
	// do takes an action and never blocks; false says that there is no room
	// for it, and then the Switch reports ActionFailed.
	do(call.Action) bool
}

// hold makes h responsible for the actions of a leg.
func (s *Switch) hold(leg, callID string, h holder) {}

// handedOver tells that the leg's FastAGI session is over and that Stasis has
// it next. Should it not come within 2 s, the Switch looks for it and ends it.
func (s *Switch) handedOver(leg string) {}

// letGo forgets a leg whose session has ended for good.
func (s *Switch) letGo(leg string) {}

// setLease starts the leg's dead-man's switch anew (on) or lifts it, by
// TIMEOUT(absolute), which works for channels in FastAGI as well.
func (s *Switch) setLease(ctx context.Context, leg string, on bool) error { return nil }

// emit fills in what all events of this PBX have in common (V, ID, Source,
// Live and, where they are zero, At and SeenAt) and hands the event to the
// sink, which may block for a moment.
func (s *Switch) emit(e call.Event) {}

// newID makes an id for a call, a leg or a playback.
func (s *Switch) newID() string { return "" }
