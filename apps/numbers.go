package apps

import (
	"cmp"

	"markaz/call"
)

// Numbers reads telephone numbers as they are written at the PBX. Both methods
// return "" for what has no E.164 form: extensions, short codes, hidden
// numbers, names.
type Numbers interface {
	Caller(number string) (e164 string)
	Dialled(number string) (e164 string)
}

// withE164 adds the E.164 form of the number of the party outside the office,
// where a call begins or its parties are corrected; c is the call so far, or
// nil. It is added to the event, so that every reader of the log has the same,
// whoever handles the call. What the source printed stays as it is.
func withE164(n Numbers, e call.Event, c *call.Call) call.Event {
	direction, from, to := e.Direction, e.From, e.To
	switch {
	case e.Kind == call.CallStarted:
	case e.Kind == call.CallAmended && c != nil && (direction != "" || from != "" || to != ""):
		direction, from, to = cmp.Or(direction, c.Direction), cmp.Or(from, c.From), cmp.Or(to, c.To)
	default:
		return e
	}
	switch {
	case direction == call.Inbound && e.FromE164 == "":
		e.FromE164 = n.Caller(from)
	case direction == call.Outbound && e.ToE164 == "" && e.Observed:
		// What an application of ours has dialled, it has read itself, as a
		// person writes it: a release code is not to be taken off that.
		e.ToE164 = n.Dialled(to)
	}
	return e
}
