package asterisk

import "markaz/call"

// The seam between a FastAGI session and the Switch.
//
// For each session on the path inbound the desk makes one agiLeg: it asks the
// legHost for a call id, calls hold with CallStarted, and serves the actions
// given to its do until the end, which is told by handedOver or by letGo, once.
// The Switch satisfies legHost; it makes the desk with newAGIDesk and gives
// desk.serve to the fastagi.Server as its Handler.
//
// A leg renews its own lease over its own session: REST refuses to set
// variables of a channel that is not in Stasis (409 "Channel not in Stasis
// application", seen on Asterisk 22), so [Switch.setLease] is not for legs that
// are held.

// legHost is what a FastAGI leg needs of the Switch.
type legHost interface {
	hold(h holder, started call.Event)
	handedOver(leg string)
	letGo(ended call.Event)
	emit(e call.Event)
	newID() string
}

var _ legHost = (*Switch)(nil)
