package asterisk

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"markaz/asterisk/fastagi"
	"markaz/call"
	"markaz/dialplan"
)

// While a leg has nothing to do it waits for keys, and looks for actions in
// between. Asterisk drops keys that come when no command of ours waits for
// them, so the pauses between commands must be next to nothing: after an event
// the loop has agiPatience to answer, which it mostly does at once; then keys
// are waited for again, at first not long. WAIT FOR DIGIT could be interrupted,
// but each time Asterisk logs a warning.
const (
	agiPatience  = 2 * time.Millisecond
	agiFirstWait = 20 * time.Millisecond
	agiWait      = 250 * time.Millisecond
)

// What callers send is cut to this many characters.
const (
	numberLength = 64
	nameLength   = 80
)

// agiLeg is a caller in a FastAGI session. Its goroutine is the handler's: one
// command at a time, each result told as an event, so that who reads the events
// cannot tell this leg from one in Stasis.
type agiLeg struct {
	desk    *agiDesk
	session *fastagi.Session
	mail    *agiMail
	lease   agiLease
	keys    keyLimit

	id, call string
	from     string
	language string // of the channel at the beginning
	spoken   string // and now
	up       bool   // answered
	told     bool   // the end
}

// inbound serves a caller from the first question to the end of the session.
func (d *agiDesk) inbound(s *fastagi.Session) {
	given, err := s.GetVariables(dialplan.VarTo, dialplan.VarTrunk, dialplan.VarLease, "CHANNEL(state)")
	if err != nil {
		return
	}
	l := &agiLeg{
		desk: d, session: s, mail: newAGIMail(d.room, s.Interrupt, s.Proceed),
		lease: newAGILease(s, given[2], d.now),
		id:    s.Request.UniqueID, call: d.newID(), from: call.Clean(s.Request.CallerID, numberLength),
		language: s.Request.Language, spoken: s.Request.Language,
	}
	if err := s.SetVariable(dialplan.VarCall, l.call); err != nil {
		return
	}
	defer l.abandon()
	d.host.hold(l, l.started(given[0], given[1]))
	if given[3] == "Up" {
		l.answered()
	}
	l.serve()
}

// started is the event that begins the call.
func (l *agiLeg) started(to, trunk string) call.Event {
	r := &l.session.Request
	if to == "" && strings.ContainsAny(r.Extension, "0123456789") {
		to = r.Extension
	}
	if to == "" {
		to = r.DNID
	}
	to = call.Clean(to, numberLength)
	return call.Event{
		Kind: call.CallStarted, Call: l.call, Leg: l.id, Ref: l.id,
		Direction: call.Inbound, Origin: call.PSTN, Caps: capabilities(),
		From: l.from, FromName: call.Clean(r.CallerName, nameLength), To: to, DID: to, Trunk: trunk,
		Role: call.RoleCaller, Address: l.from,
	}
}

// do implements holder.
func (l *agiLeg) do(a call.Action) bool { return l.mail.put(a) }

// tell emits an event about the leg.
func (l *agiLeg) tell(e call.Event) {
	e.Call, e.Leg, e.Role, e.Address = l.call, l.id, call.RoleCaller, l.from
	l.desk.host.emit(e)
}

// serve does what comes until the session is over.
func (l *agiLeg) serve() {
	l.mail.wait(agiPatience)
	wait := agiFirstWait
	for l.session.Err() == nil && !l.told {
		l.tendLease()
		if a := l.mail.take(); a != nil {
			if err := l.perform(a); err != nil && l.session.Err() == nil {
				l.desk.host.failed(a, err.Error())
			}
			wait = agiFirstWait
			continue
		}
		if key, err := l.session.WaitForDigit(wait); err == nil && key != "" {
			l.pressed(key)
			l.mail.wait(agiPatience)
			wait = agiFirstWait
		} else {
			wait = agiWait
		}
	}
	if !l.told {
		l.lost(l.session.Err())
	}
}

// tendLease does what the loop wishes with the lease.
func (l *agiLeg) tendLease() {
	renew, any := l.mail.leaseWish()
	if !any {
		return
	}
	do := l.lease.lift
	if renew {
		do = l.lease.renew
	}
	if err := do(); err != nil && l.session.Err() == nil {
		l.desk.host.failed(call.Lease{Leg: l.id, On: renew}, err.Error())
	}
}

// perform carries out one action.
func (l *agiLeg) perform(a call.Action) error {
	switch a := a.(type) {
	case call.Answer:
		if err := l.session.Answer(); err != nil {
			return err
		}
		l.answered()
		return nil
	case call.Play:
		return l.play(a)
	case call.Music:
		return l.session.SetMusic(true, a.Class)
	case call.StopMusic:
		return l.session.SetMusic(false, "")
	case call.Remember:
		if len(a.State) > stateLimit {
			return errors.New("state is longer than 1 kB")
		}
		return l.session.SetVariable(dialplan.VarState, a.State)
	case call.Handover:
		return l.handOver()
	case call.Release:
		return l.release(a)
	case call.Hangup:
		return l.hangUp(a)
	}
	return errors.New("not possible before Handover")
}

// answered tells that the channel is up, once.
func (l *agiLeg) answered() {
	if !l.up {
		l.up = true
		l.tell(call.Event{Kind: call.LegAnswered})
	}
}

// pressed tells a key. A caller presses ten in a second at most; more is a
// flood, and is left out.
func (l *agiLeg) pressed(key string) {
	if !l.keys.allow(l.desk.now()) {
		if l.keys.dropped%100 == 1 {
			l.desk.log.Warn("keys of a flood are left out", "call", l.call, "leg", l.id, "dropped", l.keys.dropped)
		}
		return
	}
	l.tell(call.Event{Kind: call.LegDigit, Digits: key})
}

func (l *agiLeg) handOver() error {
	if err := l.speak(""); err != nil {
		return err
	}
	if err := l.session.SetVariable(dialplan.VarDone, dialplan.DoneHandover); err != nil {
		return err
	}
	l.told = true
	l.mail.close()
	l.desk.host.handedOver(l.id)
	return nil
}

// release gives the channel back to the dialplan.
func (l *agiLeg) release(a call.Release) error {
	if err := l.session.SetVariable(dialplan.VarDest, a.Destination); err != nil {
		return err
	}
	if err := l.session.SetVariable(dialplan.VarDone, dialplan.DoneRelease); err != nil {
		return err
	}
	l.end(ending{released: true})
	return nil
}

// hangUp ends the call. The dialplan does it when the session is over; a cause
// other than its own has to be given by us.
func (l *agiLeg) hangUp(a call.Hangup) error {
	cause := a.Cause
	if cause == 0 {
		cause = call.CauseNormal
	}
	if err := l.session.SetVariable(dialplan.VarDone, dialplan.DoneHangup); err != nil {
		return err
	}
	if cause != call.CauseNormal {
		// It answers -1, if at all: the channel is gone.
		if err := l.session.Exec("Hangup", fmt.Sprint(cause), 0); err != nil && !errors.Is(err, fastagi.ErrHangup) && !errors.Is(err, fastagi.ErrFailed) {
			return err
		}
	}
	l.end(ending{asked: true, askedCause: cause})
	return nil
}

// lost tells the end that was not ours.
func (l *agiLeg) lost(err error) {
	switch {
	case !errors.Is(err, fastagi.ErrHangup):
		l.end(ending{moved: fmt.Sprintf("FastAGI session broke: %v", err)})
	case l.lease.over():
		l.end(ending{moved: call.Fallback})
	default:
		l.end(ending{seen: true, cause: call.CauseNormal})
	}
}

// abandon tells the end when a fault of ours has ended the session.
func (l *agiLeg) abandon() {
	if !l.told {
		l.end(ending{moved: "fault in Markaz"})
	}
}

// end tells the end of the leg, once.
func (l *agiLeg) end(how ending) {
	l.told = true
	l.mail.close()
	e := how.verdict(call.RoleCaller, false, l.up)
	e.Call, e.Leg, e.Role, e.Address = l.call, l.id, call.RoleCaller, l.from
	l.desk.host.letGo(e)
}

// keyLimit lets keys through at no more than a steady rate.
type keyLimit struct {
	tokens  float64
	last    time.Time
	dropped int
}

const (
	keysAtOnce    = 40
	keysPerSecond = 20
)

func (k *keyLimit) allow(now time.Time) bool {
	if k.last.IsZero() {
		k.tokens = keysAtOnce
	} else {
		k.tokens = min(keysAtOnce, k.tokens+now.Sub(k.last).Seconds()*keysPerSecond)
	}
	k.last = now
	if k.tokens < 1 {
		k.dropped++
		return false
	}
	k.tokens--
	return true
}
