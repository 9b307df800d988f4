package asterisk_test

import (
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/call"
)

func TestHowRingingEnds(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		what     string
		reaction testbed.Reaction
		result   call.Result
		by       call.Party
		cause    int
		sip      int
		rang     int
	}{
		{"busy", testbed.RejectBusy, call.Busy, call.ByAgent, call.CauseBusy, 486, 1},
		{"declined", testbed.RejectDecline, call.Rejected, call.ByAgent, call.CauseRejected, 603, 1},
		{"forbidden", testbed.RejectWith(403), call.Failed, call.ByAgent, call.CauseRejected, 403, 1},
		{"not found", testbed.RejectWith(404), call.Failed, call.ByAgent, call.CauseUnallocated, 404, 1},
		{"no answer", testbed.Ignore, call.NoAnswer, call.BySystem, call.CauseNoAnswer, 480, 1},
	} {
		t.Run(c.what, func(t *testing.T) {
			r.agent("101", c.reaction)
			a := ring("C"+strings.ReplaceAll(c.what, " ", ""), "101")
			a.Timeout = time.Second
			r.do(a)
			end := r.await(call.LegEnded, of(a.Leg))
			same(t, "result", end.Result, c.result)
			same(t, "by", end.By, c.by)
			same(t, "cause", end.Cause, c.cause)
			same(t, "sip", end.SIP, c.sip)
			if c.by == call.ByAgent {
				same(t, "phrase", end.Text, "Rejected")
			}
			same(t, "rang", r.count(call.LegRinging, a.Leg), c.rang)
			same(t, "ends", r.count(call.LegEnded, a.Leg), 1)
			same(t, "role", end.Role, call.RoleAgent)
			same(t, "queue", end.Queue, "sales")
		})
	}
	r.bed.NothingLeft(t)
}

func TestARingThatIsCancelled(t *testing.T) {
	r := newRig(t)
	phone := r.agent("101", testbed.Ignore)
	for cause, result := range map[int]call.Result{call.CauseElsewhere: call.AnsweredElsewhere, call.CauseNormal: call.Cancelled} {
		a := ring("C"+string(result), "101")
		r.do(a)
		r.await(call.LegRinging, of(a.Leg))
		r.do(call.Hangup{Leg: a.Leg, Cause: cause})
		end := r.await(call.LegEnded, of(a.Leg))
		same(t, "result", end.Result, result)
		same(t, "by", end.By, call.BySystem)
		same(t, "cause", end.Cause, cause)
		rung, err := phone.NextCall(r.ctx)
		check(t, err)
		_, err = rung.WaitEnd(r.ctx)
		check(t, err)
	}
	a := ring("Catonce", "101")
	r.do(a, call.Hangup{Leg: a.Leg, Cause: call.CauseElsewhere})
	same(t, "result", r.await(call.LegEnded, of(a.Leg)).Result, call.AnsweredElsewhere)
	r.bed.NothingLeft(t)
}

func TestARingThatCannotBe(t *testing.T) {
	r := newRig(t)
	for what, address := range map[string]string{
		"not registered": "102", "unknown": "555", "two at once": "101&PJSIP/102", "no number": "", "letters": "ali",
	} {
		a := ring("C"+strings.ReplaceAll(what, " ", ""), "101")
		a.Address = address
		r.do(a)
		same(t, what, r.await(call.ActionFailed, of(a.Leg)).Ref, "Ring")
		end := r.await(call.LegEnded, of(a.Leg))
		same(t, what, end.Result, call.Failed)
		if end.Reason == "" {
			t.Errorf("%s: no reason", what)
		}
	}
	r.bed.NothingLeft(t)
}

func TestATrunkIsDialled(t *testing.T) {
	r := newRig(t)
	provider := testbed.NewProvider(t, r.bed)
	provider.OnCall(testbed.Answer)
	a := ring("C", "101")
	a.Address, a.Trunk, a.Role = "09121112233", testbed.TrunkName, call.RoleExternal
	r.do(a)
	r.await(call.LegAnswered, of(a.Leg))
	rung, err := provider.NextCall(r.ctx)
	check(t, err)
	same(t, "dialled", rung.Dialled, "09121112233")
	check(t, rung.Hangup(r.ctx))
	same(t, "by", r.await(call.LegEnded, of(a.Leg)).By, call.ByRemote)
}

func TestWhatACallerIsTold(t *testing.T) {
	r := newRig(t)
	for cause, code := range map[int]int{call.CauseBusy: 486, call.CauseRejected: 403, call.CauseUnallocated: 404} {
		talk, err := testbed.NewCaller(t, r.bed).Dial(r.ctx, "02112345678")
		check(t, err)
		started := r.await(call.CallStarted, nil)
		r.do(call.Hangup{Leg: started.Leg, Cause: cause})
		end, err := talk.WaitEnd(r.ctx)
		check(t, err)
		same(t, "SIP code", end.Code, code)
		ended := r.await(call.LegEnded, of(started.Leg))
		same(t, "cause", ended.Cause, cause)
		same(t, "by", ended.By, call.BySystem)
	}
	talk, err := testbed.NewCaller(t, r.bed).Dial(r.ctx, "02112345678")
	check(t, err)
	started := r.await(call.CallStarted, nil)
	check(t, talk.Hangup(r.ctx))
	ended := r.await(call.LegEnded, of(started.Leg))
	same(t, "result", ended.Result, call.Cancelled)
	same(t, "by", ended.By, call.ByCaller)
	r.bed.NothingLeft(t)
}
