// Package call says what a call is, what can happen to it and what can be done
// to it. It is the vocabulary of the whole house: every other room speaks it.
//
// An [Event] is one immutable fact. A [Call] is the fold of its events: it is
// changed by [Call.Apply] alone, and when it has ended it is the call record.
// An [Action] is something to be done to a leg, as data. A machine is a plain
// function from an Event to an [Out]: facts to record first, then actions.
//
// The package does no I/O, reads no clock, makes no random choice, starts no
// goroutine, and imports nothing but the standard library.
package call
