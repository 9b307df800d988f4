// Package apps runs the applications: one goroutine owns the live calls, takes
// every event in turn, writes it to the log, steps the machines, and hands out
// their actions. It never talks to Asterisk, Redis or a disk itself: it
// declares what it needs of them, and cmd joins them.
//
// Data goes one way: event, log, machine, action. An action returns nothing;
// its outcome is the next event.
package apps

import "markaz/call"

// Switch does actions. Do must not block; outcomes and failures come back as
// events.
type Switch interface {
	Do(call.Action)
}

// Log keeps events for ever. Append must not wait for anything slower than
// the page cache of this machine; its error means that the event is lost to
// everybody else, which is told loudly.
type Log interface {
	Append(call.Event) error
}

// Calls is what a machine may know of the live calls.
type Calls interface {
	// Call returns the call of that id, or nil when it is not alive any more.
	// The machine must not change it or keep it.
	Call(id string) *call.Call
	// Each visits the calls that have not ended, in no order.
	Each(fn func(*call.Call))
}

// Machine is an application: a plain function from events to facts and
// actions, without I/O, clock or chance.
type Machine interface {
	Step(call.Event, Calls) call.Out
}

// Forgetter is a machine that holds something per call, which it must be able
// to throw away when a step of that call went wrong.
type Forgetter interface {
	Forget(callID string) call.Out
}
