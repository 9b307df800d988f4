package asterisk

import (
	"fmt"
	"strings"
	"time"

	"markaz/call"
)

// emit fills in what all events of this PBX have in common (V, Source, Live
// and, where they are zero, At and SeenAt) and hands the event to the sink,
// which may block for a moment. Ids are given by the owner of the log.
func (s *Switch) emit(e call.Event) {
	e.V, e.Source, e.Live = call.Schema, s.cfg.Source, true
	if e.SeenAt.IsZero() {
		e.SeenAt = s.now()
	}
	if e.At.IsZero() {
		e.At = e.SeenAt
	}
	if e.Kind == call.LegAnswered { // a FastAGI session says it here only
		s.legs.with(e.Leg, func(l *leg) { l.answered = true })
	}
	s.sink(e)
}

// tell emits an event about a leg.
func (s *Switch) tell(l *leg, at time.Time, e call.Event) {
	e.Call, e.Leg, e.At = l.call, l.id, at
	e.Role, e.Address, e.Agent, e.Queue, e.Trunk = l.who.Role, l.who.Address, l.who.Agent, l.who.Queue, l.who.Trunk
	s.emit(e)
}

// newID makes an id for a call.
func (s *Switch) newID() string {
	var chance [10]byte
	s.chanceLock.Lock()
	defer s.chanceLock.Unlock()
	if _, err := s.chance.Read(chance[:]); err != nil {
		panic(fmt.Sprintf("read chance: %v", err)) // crypto/rand never fails
	}
	return call.NewID(s.now(), chance)
}

// failed tells that an action was not done, in general and in the way that
// whoever waits for that action understands.
func (s *Switch) failed(a call.Action, reason string) {
	e := about(a)
	if l := s.legs.get(e.Leg); l != nil {
		e.Call = l.call
	}
	s.stats.failed.WithLabelValues(name(a)).Inc()
	s.log.Warn("action failed", "action", name(a), "call", e.Call, "leg", e.Leg, "reason", reason)
	e.Kind, e.Ref, e.Reason = call.ActionFailed, name(a), reason
	s.emit(e)
	switch a := a.(type) {
	case call.Play:
		s.emit(call.Event{Kind: call.PlayDone, Call: e.Call, Leg: a.Leg, Ref: a.ID, Reason: "failed", Text: reason})
	case call.Record:
		s.legs.untape(a.ID)
		s.emit(call.Event{Kind: call.RecordingFailed, Call: a.Call, Recording: a.ID, Reason: reason})
	case call.Ring:
		s.unreachable(a, reason)
	case call.Snoop:
		s.emit(call.Event{Kind: call.SnoopDown, Call: a.Call, Ref: a.ID, Leg: a.Leg, Reason: reason})
	}
}

// name is an action's name in ActionFailed: "Answer" for call.Answer.
func name(a call.Action) string {
	_, short, _ := strings.Cut(fmt.Sprintf("%T", a), ".")
	return short
}

// about says what an action concerns: its call, leg and recording, where it
// names them.
func about(a call.Action) call.Event {
	switch a := a.(type) {
	case call.Bridge:
		e := call.Event{Call: a.Call}
		if len(a.Legs) == 1 {
			e.Leg = a.Legs[0]
		}
		return e
	case call.Ring:
		return call.Event{Call: a.Call, Leg: a.Leg}
	case call.Record:
		return call.Event{Call: a.Call, Recording: a.ID}
	case call.Snoop:
		return call.Event{Call: a.Call, Leg: a.Supervisor}
	case call.Beep:
		return call.Event{Leg: a.Leg}
	case call.PauseRecord:
		return call.Event{Recording: a.ID}
	case call.StopRecord:
		return call.Event{Recording: a.ID}
	case call.SetTimer:
		return call.Event{Call: a.Call}
	case call.CancelTimer:
		return call.Event{Call: a.Call}
	}
	return call.Event{Leg: legOf(a)}
}

// legOf names the one leg that an action is done to, or "".
func legOf(a call.Action) string {
	switch a := a.(type) {
	case call.Answer:
		return a.Leg
	case call.Play:
		return a.Leg
	case call.StopPlay:
		return a.Leg
	case call.Music:
		return a.Leg
	case call.StopMusic:
		return a.Leg
	case call.Ring:
		return a.Leg
	case call.Unbridge:
		return a.Leg
	case call.Hangup:
		return a.Leg
	case call.Handover:
		return a.Leg
	case call.Release:
		return a.Leg
	case call.Remember:
		return a.Leg
	case call.Lease:
		return a.Leg
	case call.Ringback:
		return a.Leg
	}
	return ""
}
