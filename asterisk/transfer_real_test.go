package asterisk_test

import (
	"testing"

	"markaz/asterisk/testbed"
	"markaz/call"
)

func TestABlindTransferByThePhone(t *testing.T) {
	r := newRig(t)
	colleague := r.agent("103", testbed.Answer)
	caller, agent, started, leg := r.talking()
	caller.Speak()
	check(t, agent.WaitHears(r.ctx, caller.Phone().Voice))
	check(t, agent.Transfer(r.ctx, "103"))
	taken, err := colleague.NextCall(r.ctx)
	check(t, err)
	check(t, taken.WaitHears(r.ctx, caller.Phone().Voice))

	done := r.await(call.TransferCompleted, nil)
	same(t, "by leg", done.Leg, leg)
	same(t, "to", done.To, "103")
	same(t, "new address", r.transferred(leg), "103")
	check(t, caller.Hangup(r.ctx))
	same(t, "caller", r.await(call.LegEnded, of(started.Leg)).Result, call.Answered)
	r.bed.NothingLeft(t)
}

// transferred checks what is told when a new leg has taken the place of one.
func (r *rig) transferred(old string) (address string) {
	r.t.Helper()
	rings := r.await(call.LegRinging, func(e call.Event) bool { return e.Data["replaces"] == old })
	r.await(call.LegAnswered, of(rings.Leg))
	r.await(call.LegJoined, of(rings.Leg))
	end := r.await(call.LegEnded, of(old))
	same(r.t, "result", end.Result, call.Transferred)
	same(r.t, "by", end.By, call.ByAgent)
	r.t.Cleanup(func() { // when every leg has ended
		for _, e := range r.all(call.CallStarted) {
			for _, id := range []string{e.Leg, old, rings.Leg} {
				if r.count(call.LegEnded, id) == 0 {
					r.await(call.LegEnded, of(id)) // on its way
				}
				same(r.t, "ends of "+id, r.count(call.LegEnded, id), 1)
			}
		}
	})
	return rings.Address
}

func TestAnAttendedTransferByThePhone(t *testing.T) {
	r := newRig(t)
	colleague := r.agent("103", testbed.Answer)
	caller, agent, started, leg := r.talking()
	caller.Speak()
	check(t, agent.Hold(r.ctx))
	second, err := agent.Phone().Call(r.ctx, "103")
	check(t, err)
	taken, err := colleague.NextCall(r.ctx)
	check(t, err)
	check(t, agent.TransferTo(r.ctx, second))
	check(t, taken.WaitHears(r.ctx, caller.Phone().Voice))
	r.await(call.TransferCompleted, of(leg))
	r.transferred(leg)
	check(t, taken.Hangup(r.ctx))
	r.await(call.LegEnded, func(e call.Event) bool { return e.Role == call.RoleExternal })
	r.do(call.Hangup{Leg: started.Leg})
	same(t, "caller", r.await(call.LegEnded, of(started.Leg)).Result, call.Answered)
	r.bed.NothingLeft(t)
}
