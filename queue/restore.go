package queue

import (
	"time"

	"markaz/call"
)

// Fold lets a closed floor take over a fact about an agent, as it was recorded
// before a restart; others do nothing. Facts come in the order of the log.
// What an agent wished, why he is paused, since when he has been idle, how
// long his wrap-up lasts, and how often he did not answer are restored. That
// he is on a call is believed only if [Floor.Adopt] says so.
func (f *Floor) Fold(e call.Event) {
	a := f.agentOf[e.Agent]
	state, ok := ParseState(e.State)
	if f.open || e.Kind != call.AgentChanged || a == nil || !ok {
		return
	}
	a.pauseReason, a.wrapTo = "", time.Time{}
	switch {
	case state == Offline || e.Mode == string(WishOffline):
		a.wishes(WishOffline)
	case state == Paused || e.Mode == string(WishPaused):
		a.wishes(WishPaused)
		a.pauseReason = e.Reason
	default:
		a.wishes(WishAvailable)
	}
	switch state {
	case Talking, Paused, Offline:
		a.noAnswers = 0
	case Resting:
		if e.Reason == string(call.NoAnswer) {
			a.noAnswers++
		}
	}
	if e.DurationMS > 0 {
		a.wrapTo = e.At.Add(time.Duration(e.DurationMS) * time.Millisecond)
	}
	f.change(e.At, a, condition{state, e.Reason, Wish(e.Mode), e.Ref, e.Queue})
}

// Adopt tells that an agent is talking on a call of a queue, as was found after
// a restart, or because the call was transferred to him. An agent who rings or
// talks already stays as he is.
func (f *Floor) Adopt(at time.Time, name, id, queue string) Out {
	var o Out
	a := f.agentOf[name]
	if a == nil || a.phase == ringing || a.phase == talking {
		return o
	}
	f.cancelTimer(&o, &a.timer)
	a.phase, a.call, a.queue = talking, id, f.queueOf[queue]
	f.show(&o, at, a, a.condition())
	return o
}

// resume lets an agent go on from what was folded and adopted.
func (f *Floor) resume(o *Out, at time.Time, a *agent) {
	if left := a.wrapTo.Sub(at); a.phase == idle && left > 0 {
		f.pauseFor(o, a, wrapping, left)
	}
	f.show(o, at, a, a.condition())
}
