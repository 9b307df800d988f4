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
	number, e164 := c.From, c.FromE164
	if c.Direction == call.Outbound {
		number, e164 = c.To, c.ToE164
	}
	if digits(number) >= shortestNumber || e164 != "" {
		out.Do(call.Lookup{Call: c.ID, Number: number, E164: e164, Observed: c.Observed})
	}
	return out
}
