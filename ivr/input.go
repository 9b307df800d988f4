package ivr

import (
	"slices"
	"strings"

	"markaz/call"
)

// typed takes keys. They are looked at one by one, by drain.
func (w *walk) typed(digits string) {
	for _, r := range digits {
		if strings.ContainsRune(keys, r) && len(w.s.Ahead) < maxAhead {
			w.s.Ahead += string(r)
		}
	}
}

// drain looks at what was typed, as far as keys may be taken now.
func (w *walk) drain() {
	for w.s.Ahead != "" && w.listening() {
		key := w.s.Ahead[:1]
		w.s.Ahead = w.s.Ahead[1:]
		if w.s.Phase == Telling {
			w.pressInMessage(key)
		} else {
			w.press(key)
		}
	}
}

// listening reports whether a key is taken now, and not after the prompt.
func (w *walk) listening() bool {
	switch w.s.Phase {
	case Waiting, Collecting, Telling:
		return true
	case Asking:
		return w.menu().bargeIn
	}
	return false
}

// press takes one key in a menu. An input goes on as long as a longer one is
// possible. Where it is not, the key means a person or the main menu, or it
// begins the next input, or it is wrong.
func (w *walk) press(key string) {
	w.quiet()
	before := w.s.Digits
	typed := before + key
	now := w.read(typed)
	switch {
	case before == "" && w.global(key, typed):
	case now.fits && !now.more:
		w.take(typed)
	case now.fits || now.more:
		w.s.Digits, w.s.Phase = typed, Collecting
		w.timer(w.menu().interDigit)
	case now.refused:
		w.fault(typed, inputInvalid)
	case w.global(key, typed):
	case key == "#" && before != "":
		w.settle()
	case w.read(before).fits:
		w.s.Ahead = key + w.s.Ahead
		w.take(before)
	default:
		w.fault(typed, inputInvalid)
	}
}

// settle ends an input that could have gone on.
func (w *walk) settle() {
	if w.read(w.s.Digits).fits {
		w.take(w.s.Digits)
		return
	}
	w.fault(w.s.Digits, inputInvalid)
}

// reading is what an input means in a menu.
type reading struct {
	fits    bool // it is an option or an extension
	more    bool // it is the beginning of one
	refused bool // it is an extension that is not allowed
}

// read tells what an input means.
func (w *walk) read(digits string) reading {
	m := w.menu()
	if digits == "" || m == nil {
		return reading{}
	}
	var r reading
	_, r.fits = m.keys[digits]
	for key := range m.keys {
		r.more = r.more || len(key) > len(digits) && strings.HasPrefix(key, digits)
	}
	if m.extension != nil {
		r.more = r.more || m.extension.extends(digits)
		if m.extension.match(digits) {
			allowed := len(m.allowed) == 0 || slices.ContainsFunc(m.allowed, func(p pattern) bool { return p.match(digits) })
			r.fits, r.refused = r.fits || allowed, !allowed
		}
	}
	return r
}

// take follows an input that fits. An option goes before an extension.
func (w *walk) take(digits string) {
	option, ok := w.menu().keys[digits]
	if !ok {
		w.record(call.DTMFCollected, digits, "", "")
		w.goTo(destination(ToExtension, digits), ByExtension)
		return
	}
	w.record(call.IVRInput, digits, inputOK, "")
	if option.Language != "" {
		w.s.Lang = option.Language
	}
	w.goTo(option.To, ByKey)
}

// fault follows a wrong key or a silence: once more, or on to where callers go
// who do not find their way.
func (w *walk) fault(digits, input string) {
	m := w.menu()
	w.record(call.IVRInput, digits, input, "")
	w.s.Digits = ""
	w.s.Attempts++
	say, why := m.wrongKey, ByWrongKeys
	if input == inputTimeout {
		say, why = m.silence, BySilence
	}
	switch {
	case w.s.Attempts < m.attempts:
		w.ask(say[w.s.Lang])
	case m.after == w.book.person.to:
		w.goPerson(why)
	default:
		w.goTo(m.after, why)
	}
}

// global follows the keys that mean the same everywhere, and reports whether
// the key is one of them.
func (w *walk) global(key, typed string) bool {
	switch {
	case key == w.book.personKey:
		w.record(call.IVRInput, typed, inputOK, "")
		w.goPerson(ByPerson)
	case key == w.book.mainKey && !w.s.Shut:
		w.record(call.IVRInput, typed, inputOK, "")
		w.goTo(w.book.main, ByMain)
	default:
		return false
	}
	return true
}

// pressInMessage takes one key in a message. A key that means nothing
// everywhere skips the rest, and is taken in the menu that follows; where the
// call would end instead, it is ignored.
func (w *walk) pressInMessage(key string) {
	if !w.global(key, key) && w.message().then != Hangup {
		w.s.Ahead = key + w.s.Ahead
		w.told()
	}
}

// skips are the keys that stop a message: those on which something follows.
func (w *walk) skips() string {
	if w.message().then != Hangup {
		return keys
	}
	var stop string
	if w.book.personKey != NoKey {
		stop += w.book.personKey
	}
	if w.book.mainKey != NoKey && !w.s.Shut {
		stop += w.book.mainKey
	}
	return stop
}
