package testbed

import (
	"fmt"
	"testing"
	"time"
)

// loadMenu answers, takes a key, and hands to a native queue with one robot.
const loadMenu = `[markaz-inbound]
exten => 300,1,Answer()
same => n,Read(KEY,beep,1,,1,5)
same => n,ExecIf($["${KEY}" = "7"]?Queue(desk,,,,20))
same => n,Hangup(21)
exten => 301,1,Queue(desk,,,,20)
`

func TestLoadWithRobots(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		bed := StartT(t, Options{
			Version: version, Robots: 6, Files: map[string]string{"extensions.conf": loadMenu},
			Queues: map[string][]string{"desk": robots(6)},
		})
		agents, err := bed.StartRobots(Robots{Ring: 100 * time.Millisecond})
		check(t, err)
		before, err := bed.Process().CPU()
		check(t, err)
		report, err := bed.RunLoad(t.Context(), Load{
			Number: "300", Calls: 12, AtOnce: 6, Rate: 10, Limit: 30 * time.Second,
			Steps: []Step{{Wait: 500 * time.Millisecond}, {Keys: "7"}, {Wait: 1500 * time.Millisecond}},
		})
		check(t, err)
		after, err := bed.Process().CPU()
		check(t, err)
		if report.OK != 12 || report.Failed != 0 || len(report.Answered) != 12 {
			t.Errorf("callers: %+v", report)
		}
		t.Logf("answer p50 %v, p99 %v, Asterisk used %v", report.Percentile(50), report.Percentile(99), after-before)
		bed.NothingLeft(t)
		taken, err := agents.Stop()
		check(t, err)
		if taken.OK != 12 || taken.Failed != 0 {
			t.Errorf("robots: %+v", taken)
		}
	})
}

func robots(n int) []string {
	var members []string
	for i := range n {
		members = append(members, fmt.Sprintf("PJSIP/%s", Robot(i)))
	}
	return members
}

func TestRobotsLetGoOfCancelledCalls(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		bed := StartT(t, Options{Version: version, Robots: 1, Files: map[string]string{
			"extensions.conf": "[markaz-inbound]\nexten => 302,1,Dial(PJSIP/901,1)\nsame => n,Answer()\nsame => n,MusicOnHold()\n",
		}})
		agents, err := bed.StartRobots(Robots{Ring: 3 * time.Second})
		check(t, err)
		report, err := bed.RunLoad(t.Context(), Load{
			Number: "302", Calls: 3, Limit: 20 * time.Second,
			Steps: []Step{{Wait: 200 * time.Millisecond}, {Hold: 300 * time.Millisecond}, {Wait: 200 * time.Millisecond}},
		})
		check(t, err)
		if report.OK != 3 || report.Failed != 0 || report.Percentile(50) < time.Second {
			t.Errorf("callers: %+v", report)
		}
		bed.NothingLeft(t)
		taken, err := agents.Stop()
		check(t, err)
		if taken.OK != 0 || taken.Cancelled != 3 || taken.Failed != 0 {
			t.Errorf("robots: %+v", taken)
		}
	})
}

func TestRobotsHangUp(t *testing.T) {
	bed := StartT(t, Options{Robots: 3, Files: map[string]string{"extensions.conf": loadMenu}, Queues: map[string][]string{"desk": robots(3)}})
	agents, err := bed.StartRobots(Robots{Talk: 700 * time.Millisecond})
	check(t, err)
	report, err := bed.RunLoad(t.Context(), Load{Number: "301", Calls: 6, Rate: 20, UntilBye: true, Limit: 20 * time.Second})
	check(t, err)
	if report.OK != 6 || report.Failed != 0 {
		t.Errorf("callers: %+v", report)
	}
	bed.NothingLeft(t)
	taken, err := agents.Stop()
	check(t, err)
	if taken.OK != 6 || taken.Failed != 0 {
		t.Errorf("robots: %+v", taken)
	}
}
