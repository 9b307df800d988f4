package asterisk_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/asterisk/testbed"
	"markaz/call"
	"markaz/dialplan"
)

// Ensure that many calls at once, by each entry, lose and double nothing.
func TestManyCallsAtOnce(t *testing.T) {
	for _, entry := range []string{dialplan.ContextInboundStasis, dialplan.ContextInbound} {
		t.Run(entry, func(t *testing.T) {
			r := newRigFor(t, entry)
			r.bed.Tone(t, "welcome")
			robots, err := r.bed.StartRobots(testbed.Robots{Ring: 50 * time.Millisecond})
			check(t, err)
			r.mu.Lock()
			r.react = r.connect
			r.mu.Unlock()
			const calls = 40
			began, ours, theirs := time.Now(), ownCPU(t), asteriskCPU(r)
			report, err := r.bed.RunLoad(r.ctx, testbed.Load{Number: "02112345678", Calls: calls, Rate: 15, UntilBye: true, Limit: 40 * time.Second})
			check(t, err)
			took := time.Since(began)
			ours, theirs = (ownCPU(t)-ours)/calls, (asteriskCPU(r)-theirs)/calls
			if report.OK != calls || report.Failed != 0 {
				t.Errorf("callers: %d well, %d failed\n%s", report.OK, report.Failed, report.Errors)
			}
			for range 2 * calls {
				r.await(call.LegEnded, nil)
			}
			for range calls { // the last may come after the last leg
				r.await(call.RecordingStopped, nil)
			}
			for kind, want := range map[call.Kind]int{
				call.CallStarted: calls, call.LegRinging: calls, call.LegAnswered: 2 * calls, call.LegEnded: 2 * calls,
				call.LegJoined: 2 * calls, call.LegLeft: 2 * calls,
				call.RecordingStarted: calls, call.RecordingStopped: calls, call.PlayDone: calls, call.ActionFailed: 0,
			} {
				if have := len(r.all(kind)); have != want {
					t.Errorf("%d × %s, want %d", have, kind, want)
				}
			}
			_, err = robots.Stop()
			check(t, err)
			r.bed.NothingLeft(t)
			t.Logf("%d calls in %v, answered after p50 %v p99 %v; CPU of a call: %v ours, %v Asterisk's; commands: %s", calls,
				took.Round(time.Millisecond), report.Percentile(50), report.Percentile(99), ours, theirs, r.commands())
		})
	}
}

// ownCPU is what this process has used; the phones are other processes.
func ownCPU(t *testing.T) time.Duration {
	var u syscall.Rusage
	check(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func asteriskCPU(r *rig) time.Duration {
	used, err := r.bed.Process().CPU()
	check(r.t, err)
	return used
}

// connect plays to each caller, rings a robot, joins and records the two, and
// hangs up after half a second.
func (r *rig) connect(e call.Event) {
	agent := e.Call + "-robot"
	caller := func() string {
		for _, s := range r.all(call.CallStarted) {
			if s.Call == e.Call {
				return s.Leg
			}
		}
		return ""
	}
	switch {
	case e.Kind == call.CallStarted:
		r.do(call.Lease{Leg: e.Leg}, call.Answer{Leg: e.Leg},
			call.Play{Leg: e.Leg, ID: e.Call + "-p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "welcome"}}})
	case e.Kind == call.PlayDone:
		r.do(call.Handover{Leg: e.Leg}, call.Lease{Leg: e.Leg}, call.Music{Leg: e.Leg},
			call.Ring{Call: e.Call, Leg: agent, Address: "901", Timeout: 10 * time.Second, Role: call.RoleAgent})
	case e.Kind == call.LegAnswered && e.Leg == agent:
		r.do(call.StopMusic{Leg: caller()}, call.Bridge{Call: e.Call, ID: e.Call, Legs: []string{caller(), agent}},
			call.Record{Call: e.Call, Bridge: e.Call, ID: e.Call + "-r1"})
	case e.Kind == call.RecordingStarted:
		time.AfterFunc(500*time.Millisecond, func() { r.do(call.Hangup{Leg: agent}, call.Hangup{Leg: caller()}) })
	}
}

// commands sums up how long REST commands took.
func (r *rig) commands() string {
	reg := prometheus.NewRegistry()
	check(r.t, r.sw.Register(reg))
	families, err := reg.Gather()
	check(r.t, err)
	text := ""
	for _, f := range families {
		if f.GetName() != "markaz_ari_command_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			h := m.GetHistogram()
			text += fmt.Sprintf("status %s: %d, mean %.2f ms; ", m.GetLabel()[0].GetValue(), h.GetSampleCount(), 1000*h.GetSampleSum()/float64(h.GetSampleCount()))
		}
	}
	return text
}
