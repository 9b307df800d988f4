package ivr

import (
	"time"

	"markaz/call"
)

// Bounds that keep a caller, or a machine that plays tones, from going round
// for ever and from filling the memory.
const (
	maxMoves = 20 // from menu to menu
	maxAhead = 20 // keys typed ahead; what is typed beyond them is noise
	maxInput = 10 // keys of one input: an option or an extension

	maxExtension = maxInput
)

// resumeGap is added to the count of plays and timers on Resume: numbers given
// out after the state was last remembered must not come again.
const resumeGap = 100

// factsPerMove is how many facts a move states: input, left, entered.
const factsPerMove = 3

// keyLag is how long to wait for the key that stopped a message: over some
// connections the stop is told before the key.
const keyLag = time.Second

// walk is one step being taken: the state on its way, and what comes of it.
type walk struct {
	book   *Book
	at     time.Time
	s      State
	out    call.Out
	choice *Choice
}

// Enter takes a caller in. Where the way leads past this package, the choice
// is given at once; otherwise the leg is answered and the first prompt plays.
func (b *Book) Enter(callID, leg string, way Way, at time.Time) (State, call.Out, *Choice) {
	s := State{Call: callID, Leg: leg, Lang: b.language(way.Lang), Closed: way.Closed, Shut: way.Closed}
	return b.enter(s, way.To, at)
}

// Return takes a caller in again who had left: one whose queue sends him to a
// message, say. His language is kept, and ids go on from where they were.
func (b *Book) Return(s State, to Destination, at time.Time) (State, call.Out, *Choice) {
	return b.enter(State{Call: s.Call, Leg: s.Leg, Lang: b.language(s.Lang), Count: s.Count, Shut: s.Shut}, to, at)
}

func (b *Book) enter(s State, to Destination, at time.Time) (State, call.Out, *Choice) {
	w := &walk{book: b, at: at, s: s}
	to, closed := b.open(door{to: to}, at)
	w.s.Closed = s.Closed || closed
	if to.ours() {
		w.out.Do(call.Answer{Leg: s.Leg})
	}
	w.arrive(to, ByRoute)
	return w.s, w.out, w.choice
}

// Step takes an event: call.LegDigit, call.PlayDone, call.TimerFired or
// call.LegEnded of the caller. Any other event, and one about a play or timer
// that is no longer of interest, changes nothing. The choice is nil until the
// caller leaves, and for ever if he hangs up.
func (b *Book) Step(s State, e call.Event) (State, call.Out, *Choice) {
	if s.Over() || !s.concerns(e) {
		return s, call.Out{}, nil
	}
	w := &walk{book: b, at: e.At, s: s}
	// A state that was read back may be of another book.
	if !b.has(s.at()) || (s.Phase == Telling) != (s.Message != "") {
		w.goTo(w.shelter(), ByReload)
		return w.s, w.out, w.choice
	}
	switch e.Kind {
	case call.LegDigit:
		w.typed(e.Digits)
	case call.PlayDone:
		if s.isPlay(e) {
			w.s.Play = 0
			w.played(e.Reason)
		}
	case call.TimerFired:
		if s.isTimer(e) {
			w.s.Timer = 0
			w.timedOut()
		}
	case call.LegEnded:
		w.hungUp()
	}
	w.drain()
	return w.s, w.out, w.choice
}

// Unknown takes a caller in again whose choice was an extension that is not
// there: it was a wrong key after all, and counts as one.
func (b *Book) Unknown(s State, extension string, at time.Time) (State, call.Out, *Choice) {
	w := &walk{book: b, at: at, s: s}
	if s.Message != "" || !b.has(s.at()) {
		w.arrive(w.shelter(), ByReload)
		return w.s, w.out, w.choice
	}
	w.enteredHere()
	w.fault(extension, inputInvalid)
	return w.s, w.out, w.choice
}

// Resume takes a caller up again whose state was remembered before a restart:
// what was typed is forgotten, and the menu or message plays anew. The book
// may be another one than before.
func (b *Book) Resume(s State, at time.Time) (State, call.Out, *Choice) {
	if s.Over() {
		return s, call.Out{}, nil
	}
	w := &walk{book: b, at: at, s: s}
	w.quiet()
	w.s.Count += resumeGap
	w.s.Digits, w.s.Ahead = "", ""
	w.s.Lang = b.language(s.Lang)
	switch {
	case !b.has(s.at()):
		w.goTo(w.shelter(), ByReload)
	case s.Message != "":
		w.tell()
	default:
		w.ask(nil)
	}
	return w.s, w.out, w.choice
}

// played follows the end of a prompt.
func (w *walk) played(reason string) {
	switch w.s.Phase {
	case Asking:
		w.s.Phase = Waiting
		if w.s.Ahead == "" {
			w.timer(w.menu().timeout)
		}
	case Telling:
		if reason == "stopped" {
			w.timer(keyLag)
			return
		}
		w.told()
	}
}

// timedOut follows the end of the wait for a key.
func (w *walk) timedOut() {
	switch w.s.Phase {
	case Waiting:
		w.fault("", inputTimeout)
	case Collecting:
		w.settle()
	case Telling:
		w.told()
	}
}

// hungUp follows the caller's end.
func (w *walk) hungUp() {
	w.s.Play = 0
	w.leave(ByHangup, "")
	w.s.Phase = Left
}

// goTo leaves for another place.
func (w *walk) goTo(to Destination, why Reason) {
	dest, closed := w.book.open(door{to: to}, w.at)
	w.goOpen(dest, closed, why)
}

// goPerson leaves for a person.
func (w *walk) goPerson(why Reason) {
	dest, closed := w.book.open(w.book.person, w.at)
	w.goOpen(dest, closed, why)
}

// goOpen leaves for a place that is known to be open. Closed tells that it is
// not the place that was wanted.
func (w *walk) goOpen(to Destination, closed bool, why Reason) {
	w.s.Moves++
	if w.s.Moves > maxMoves && to.ours() {
		to, closed, why = w.shelter(), false, ByMoves
	}
	if closed || why != ByMessage {
		w.s.Closed = closed
	}
	w.leave(why, to)
	w.arrive(to, why)
}

// shelter is a place outside of all menus: a person if there is one.
func (w *walk) shelter() Destination {
	to, _ := w.book.open(w.book.person, w.at)
	if !to.person() {
		return Hangup
	}
	return to
}

// leave falls silent and records that the caller goes.
func (w *walk) leave(why Reason, to Destination) {
	w.quiet()
	w.record(call.IVRLeft, "", string(why), to)
}

// arrive enters a menu or a message, or makes the choice.
func (w *walk) arrive(to Destination, why Reason) {
	if to.ours() && !w.book.has(to) {
		to = w.shelter()
	}
	w.s.Digits = ""
	if to.ours() {
		w.s.Attempts = 0 // else they count on, should he come back: see Unknown
	}
	switch to.Kind() {
	case ToMenu:
		w.s.Menu, w.s.Message = to.Target(), ""
		if l := w.menu().language; l != "" {
			w.s.Lang = l
		}
		w.enteredHere()
		w.ask(nil)
	case ToMessage:
		w.s.Message = to.Target()
		w.enteredHere()
		w.tell()
	default:
		if w.s.Closed {
			why = ByClosed
		}
		w.s.Phase, w.s.Ahead = Left, ""
		w.choice = &Choice{Kind: to.Kind(), Target: to.Target(), Reason: why, Lang: w.s.Lang}
	}
}

// ask plays the prompt of the menu, after what is to be said first. Keys that
// were typed ahead go before it, if keys may stop it.
func (w *walk) ask(first []call.Prompt) {
	m := w.menu()
	prompts := append(first[:len(first):len(first)], m.prompt[w.s.Lang]...)
	switch {
	case m.bargeIn && w.s.Ahead != "":
		w.s.Phase = Waiting
	case len(prompts) == 0:
		w.s.Phase = Waiting
		w.timer(m.timeout)
	case m.bargeIn:
		w.s.Phase = Asking
		w.play(prompts, keys)
	default:
		w.s.Phase = Asking
		w.play(prompts, "")
	}
}

// tell plays the message.
func (w *walk) tell() {
	w.s.Phase = Telling
	prompts := w.message().prompt[w.s.Lang]
	if len(prompts) == 0 {
		w.timer(keyLag)
		return
	}
	w.play(prompts, w.skips())
}

// told goes on after the message.
func (w *walk) told() {
	then := w.message().then
	if then == Back {
		then = destination(ToMenu, w.s.Menu)
		if !w.book.has(then) && !w.s.Shut {
			then = w.book.main
		}
		if !w.book.has(then) {
			then = Hangup
		}
	}
	w.goTo(then, ByMessage)
}

func (w *walk) menu() *menu       { return w.book.menus[w.s.Menu] }
func (w *walk) message() *message { return w.book.messages[w.s.Message] }

// enteredHere tells where the caller is, and whether it is in place of
// something that is closed.
func (w *walk) enteredHere() {
	why := ""
	if w.s.Closed {
		why = string(ByClosed)
	}
	w.record(call.IVREntered, "", why, "")
}

// record states a fact about this stay.
func (w *walk) record(kind call.Kind, digits, reason string, to Destination) {
	if w.out.Facts == nil {
		w.out.Facts = make([]call.Event, 0, factsPerMove)
	}
	w.out.Facts = append(w.out.Facts, call.Event{
		Kind: kind, Call: w.s.Call, Leg: w.s.Leg,
		Menu: w.s.place(), Digits: digits, Reason: reason, To: string(to),
	})
}

func (w *walk) play(prompts []call.Prompt, barge string) {
	w.s.Count++
	w.s.Play = w.s.Count
	w.out.Do(call.Play{Leg: w.s.Leg, ID: w.s.playID(w.s.Play), Prompts: prompts, Barge: barge, Lang: w.s.Lang})
}

func (w *walk) timer(after time.Duration) {
	w.s.Count++
	w.s.Timer = w.s.Count
	w.out.Do(call.SetTimer{Call: w.s.Call, ID: w.s.timerID(w.s.Timer), After: after})
}

// quiet stops what plays and what is waited for. The stop may take effect
// late, which does no harm: nothing is heard any more of the old play.
func (w *walk) quiet() {
	if w.s.Play > 0 {
		w.out.Do(call.StopPlay{Leg: w.s.Leg, ID: w.s.playID(w.s.Play)})
		w.s.Play = 0
	}
	if w.s.Timer > 0 {
		w.out.Do(call.CancelTimer{Call: w.s.Call, ID: w.s.timerID(w.s.Timer)})
		w.s.Timer = 0
	}
}
