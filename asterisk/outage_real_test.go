package asterisk_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"markaz/asterisk"
	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
)

func TestACutConnectionIsReconciled(t *testing.T) {
	t.Parallel()
	var p *proxy
	r := newRig(t, through(t, &p))
	stays, kept := r.caller()
	r.do(call.Remember{Leg: kept.Leg, State: `{"p":"queue","q":"sales, \"south\""}`}, call.Music{Leg: kept.Leg})
	goes, lost := r.caller()
	check(t, stays.WaitHears(r.ctx, tone.Music()))
	r.do(call.Play{Leg: kept.Leg, ID: "p", Prompts: []call.Prompt{{Kind: call.Number, Value: "1"}}})

	p.refuse(true)
	p.cut()
	r.await(call.SwitchLost, nil)
	if r.sw.Ready() == nil {
		t.Error("ready without a connection")
	}
	check(t, goes.Hangup(r.ctx))
	p.refuse(false)

	found := r.await(call.LegFound, of(kept.Leg))
	same(t, "call", found.Call, kept.Call)
	same(t, "state", found.State, `{"p":"queue","q":"sales, \"south\""}`)
	end := r.await(call.LegEnded, of(lost.Leg))
	same(t, "by", end.By, call.ByPBX)
	same(t, "reason", end.Reason, "unseen")
	same(t, "result", end.Result, call.Answered)
	r.await(call.SwitchSynced, nil)
	same(t, "play", r.await(call.PlayDone, of(kept.Leg)).Ref, "p")
	same(t, "starts", r.count(call.CallStarted, kept.Leg), 1)

	r.do(call.Hangup{Leg: kept.Leg})
	r.await(call.LegEnded, of(kept.Leg))
	if err := r.sw.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
	r.bed.NothingLeft(t)
}

func TestABlackHoleIsNoticed(t *testing.T) {
	t.Parallel()
	var p *proxy
	r := newRig(t, through(t, &p))
	_, started := r.caller()
	began := time.Now()
	p.swallow(true)
	r.await(call.SwitchLost, nil)
	if took := time.Since(began); took > 4*r.cfg.ARI.Heartbeat {
		t.Errorf("noticed after %v", took)
	}
	p.swallow(false)
	p.cut()
	r.await(call.LegFound, of(started.Leg))
	r.await(call.SwitchSynced, nil)
}

func TestACallerWhoCameInABlackHoleIsFound(t *testing.T) {
	t.Parallel()
	var p *proxy
	r := newRig(t, through(t, &p), func(cfg *asterisk.Config, _ *testbed.Asterisk) { cfg.ARI.Heartbeat = 300 * time.Millisecond })
	p.swallow(true)
	talk, err := testbed.NewCaller(t, r.bed).Dial(r.ctx, "02112345678", testbed.From("Ali", "09121234567"))
	check(t, err)
	r.await(call.SwitchLost, nil)
	p.cut()
	p.swallow(false)
	r.await(call.SwitchSynced, nil)
	started := r.await(call.CallStarted, nil)
	same(t, "to", started.To, "02112345678")
	same(t, "from", started.From, "09121234567")
	r.do(call.Lease{Leg: started.Leg}, call.Answer{Leg: started.Leg})
	check(t, talk.WaitAnswer(r.ctx))
	check(t, talk.Hangup(r.ctx))
	r.await(call.LegEnded, of(started.Leg))
	same(t, "starts", len(r.all(call.CallStarted)), 1)
}

func TestAFrozenAsteriskIsNoticed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, started := r.caller()
	check(t, r.bed.Freeze())
	r.await(call.SwitchLost, nil)
	check(t, r.bed.Continue())
	r.await(call.LegFound, of(started.Leg))
	r.await(call.SwitchSynced, nil)
}

func TestAnAsteriskThatCrashesAndComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, _, started, leg := r.talking()
	r.bed.Kill()
	r.await(call.SwitchLost, nil)
	r.do(call.Music{Leg: started.Leg})
	r.await(call.ActionFailed, of(started.Leg))
	check(t, r.bed.Resume(r.ctx))
	up := time.Now()
	for _, id := range []string{started.Leg, leg} {
		end := r.await(call.LegEnded, of(id))
		same(t, "by", end.By, call.ByPBX)
		same(t, "reason", end.Reason, call.Restarted)
		same(t, "ends", r.count(call.LegEnded, id), 1)
	}
	synced := r.await(call.SwitchSynced, nil) // the first is the one newRig saw
	same(t, "reason", synced.Reason, call.Restarted)
	t.Logf("back %v after Asterisk", time.Since(up))

	_, next := r.caller()
	r.do(call.Hangup{Leg: next.Leg})
	r.await(call.LegEnded, of(next.Leg))
}

func TestASecondInstanceTakesOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	talk, started := r.caller()
	r.cfg.AGI.Listen = r.bed.Spare(1)
	second := open(t, r.cfg)
	second.await(call.LegFound, of(started.Leg))
	second.await(call.SwitchSynced, nil)
	<-r.done
	if !errors.Is(r.err, asterisk.ErrReplaced) {
		t.Fatalf("first ended with %v", r.err)
	}
	r.do(call.Hangup{Leg: started.Leg})
	r.await(call.ActionFailed, of(started.Leg))
	check(t, talk.SendDTMF(r.ctx, "5"))
	same(t, "digit", second.await(call.LegDigit, of(started.Leg)).Digits, "5")
	second.do(call.Hangup{Leg: started.Leg})
	second.await(call.LegEnded, of(started.Leg))
	same(t, "what the first heard", r.count(call.LegDigit, started.Leg), 0)
}

func TestALaterProcessAdoptsTheCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	caller, agent, started, leg := r.talking()
	rings := ring(started.Call, "102")
	r.agent("102", testbed.Ignore)
	r.do(rings)
	r.await(call.LegRinging, of(rings.Leg))
	caller.Speak()
	r.stop()
	check(t, agent.WaitHears(r.ctx, caller.Phone().Voice)) // talk goes on

	next := open(t, r.cfg)
	one, two, three := next.await(call.LegFound, of(started.Leg)), next.await(call.LegFound, of(leg)), next.await(call.LegFound, of(rings.Leg))
	next.await(call.SwitchSynced, nil)
	for _, e := range []call.Event{one, two, three} {
		same(t, "call", e.Call, started.Call)
	}
	same(t, "in", one.Ref, started.Call)
	same(t, "in", two.Ref, started.Call)
	same(t, "role", one.Role, call.RoleCaller)
	same(t, "role", two.Role, call.RoleAgent)
	same(t, "agent", two.Agent, "maryam")
	same(t, "address", two.Address, "101")
	next.do(call.Hangup{Leg: rings.Leg})
	same(t, "result", next.await(call.LegEnded, of(rings.Leg)).Result, call.Cancelled)
	next.stop()

	check(t, agent.Hangup(r.ctx))
	last := open(t, r.cfg)
	same(t, "alone", last.await(call.LegFound, of(started.Leg)).Data["alone"], "1")
	last.await(call.SwitchSynced, nil)
	check(t, caller.Hangup(r.ctx))
	same(t, "by", last.await(call.LegEnded, of(started.Leg)).By, call.ByCaller)
	r.bed.NothingLeft(t)
}

func TestTheLeaseAndReleaseLeadToTheFallback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fallback := r.bed.Tone(t, "fallback")
	talk, started := r.caller()
	r.do(call.Lease{Leg: started.Leg, On: true}, call.Music{Leg: started.Leg})
	began := time.Now()
	check(t, talk.WaitHears(r.ctx, fallback))
	if took := time.Since(began); took < r.cfg.Lease-time.Second || took > r.cfg.Lease+time.Second {
		t.Errorf("fallback after %v, lease is %v", took, r.cfg.Lease)
	}
	end := r.await(call.LegEnded, of(started.Leg))
	same(t, "result", end.Result, call.Transferred)
	same(t, "by", end.By, call.ByPBX)

	talk, started = r.caller()
	r.do(call.Release{Leg: started.Leg, Destination: "s"})
	check(t, talk.WaitHears(r.ctx, fallback))
	end = r.await(call.LegEnded, of(started.Leg))
	same(t, "result", end.Result, call.Transferred)
	same(t, "reason", end.Reason, "released")
	same(t, "by", end.By, call.BySystem)
}

func TestDrainingSendsNewCallersToTheFallback(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	fallback := r.bed.Tone(t, "fallback")
	old, started := r.caller()
	drained := make(chan error, 1)
	go func() { drained <- r.sw.Drain(r.ctx) }()
	for r.sw.Ready() == nil {
		time.Sleep(time.Millisecond) // until Drain has begun
	}
	talk, err := testbed.NewCaller(t, r.bed).Dial(r.ctx, "02112345678")
	check(t, err)
	check(t, talk.WaitHears(r.ctx, fallback))
	same(t, "starts", len(r.all(call.CallStarted)), 1)
	check(t, old.Hangup(r.ctx))
	r.await(call.LegEnded, of(started.Leg))
	check(t, <-drained)
}

func TestAWrongPasswordEndsRunWithOneClearLine(t *testing.T) {
	bed := testbed.StartT(t, testbed.Options{})
	cfg := asterisk.DefaultConfig()
	cfg.ARI.URL, cfg.ARI.Username, cfg.ARI.Password = bed.ARIURL(), testbed.ARIUser, "wrong"
	cfg.AGI.Listen = "127.0.0.1:0"
	d := open(t, cfg)
	<-d.done
	if d.err == nil || !strings.Contains(d.err.Error(), "ari.conf") || strings.Contains(d.err.Error(), "wrong") {
		t.Errorf("ended with %v", d.err)
	}
}

func TestATakenPortEndsRunWithOneClearLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	cfg := asterisk.DefaultConfig()
	cfg.ARI.Password, cfg.AGI.Listen = "x", taken.Addr().String()
	d := open(t, cfg)
	<-d.done
	if d.err == nil || !strings.Contains(d.err.Error(), "agi.listen") || !strings.Contains(d.err.Error(), cfg.AGI.Listen) {
		t.Errorf("ended with %v", d.err)
	}
}
