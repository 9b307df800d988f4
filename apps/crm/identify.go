package crm

import (
	"markaz/apps"
	"markaz/call"
)

// Identify is the machine that has the other party looked up when a call
// begins. It is pure; a [Phonebook] does the asking.
type Identify struct{}

// shortest number that is not an extension or a service, in digits.
const shortestNumber = 5

// Step implements apps.Machine.
func (Identify) Step(e call.Event, calls apps.Calls) call.Out {
	var out call.Out
	c := calls.Call(e.Call)
	if e.Kind != call.CallStarted || !e.Live || c == nil || c.Over() || c.Direction == call.Internal || c.Identity != "" {
		return out
	}
	number, e164 := outside(c)
	if digits(number) >= shortestNumber || e164 != "" {
		out.Do(call.Lookup{Call: c.ID, Number: number, E164: e164, Observed: c.Observed})
	}
	return out
}

// outside is the number of the party that is not of the office, as the PBX has
// it and in E.164 ("" if it has none).
func outside(c *call.Call) (number, e164 string) {
	if c.Direction == call.Outbound {
		return c.To, c.ToE164
	}
	return c.From, c.FromE164
}
