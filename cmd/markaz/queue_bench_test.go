package main

import (
	"errors"
	"io"
	"math"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
)

// visits are calls of one length that each contender gets in a round.
type visits struct {
	rounds, calls int
	talk          time.Duration // with sound both ways, until the agent hangs up
}

// The first hardly talk, so that they show what it costs to bring two persons
// together. The second are still far shorter than calls of people are.
var (
	greetings = visits{rounds: 4, calls: 40, talk: 200 * time.Millisecond}
	talks     = visits{rounds: 3, calls: 10, talk: 3 * time.Second}
)

const benchRate = 2.5 // calls begun per second at most: the one agent is always free again

// contender is a queue that callers reach under a number.
type contender struct {
	name, number string
	greet, talk  used
	setup        []time.Duration // of each call, see setupTimes
}

// used is machine time for each call, in ms, by round.
type used struct{ asterisk, markaz []float64 }

// benchDialplan has the same callers in a queue of Markaz and in one of
// app_queue. Both answer at once and play the same music until the agent, who
// is the same phone, answers.
const benchDialplan = `#include markaz.conf
[bench]
exten => 0210,1,Answer()
same => n,Goto(markaz-inbound-stasis,${EXTEN},1)
exten => 0290,1,Answer()
same => n,Queue(one)
same => n,Hangup()
`

// BenchmarkQueueAgainstAppQueue compares what a queued and answered call costs
// Asterisk through Markaz and through its own app_queue with one member, in
// rounds that take turns; and how long a caller waits until he and the agent
// are in one bridge, by the clock of Asterisk. The answer to the INVITE says
// nothing here: both answer before they ring anybody.
func BenchmarkQueueAgainstAppQueue(b *testing.B) {
	o := benchOffice(b)
	ours, theirs := &contender{name: "markaz", number: "0210"}, &contender{name: "app_queue", number: "0290"}
	compare := func(v visits, round func(c *contender)) {
		robots, err := o.Bed.StartRobots(testbed.Robots{Talk: v.talk, Limit: 20 * time.Minute})
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _, _ = robots.Stop() }()
		for i := range v.rounds {
			list := []*contender{ours, theirs}
			if i%2 == 1 {
				slices.Reverse(list)
			}
			for _, c := range list {
				round(c)
			}
		}
	}
	for b.Loop() {
		compare(visits{rounds: 1, talk: greetings.talk}, func(c *contender) { c.calls(b, o, greetings) }) // warms up
		compare(greetings, func(c *contender) { c.costs(b, o, greetings, &c.greet) })
		compare(greetings, func(c *contender) { c.takes(b, o) })
		compare(talks, func(c *contender) { c.costs(b, o, talks, &c.talk) })
	}
	for _, c := range []*contender{ours, theirs} {
		slices.Sort(c.setup)
		b.Logf("%-9s greeting: Asterisk %.2f ms a call %.2f, Markaz %.2f ms; talk: Asterisk %.2f ms %.2f, Markaz %.2f ms; set-up p50 %v, p99 %v of %d",
			c.name, mean(c.greet.asterisk), c.greet.asterisk, mean(c.greet.markaz), mean(c.talk.asterisk), c.talk.asterisk, mean(c.talk.markaz),
			percentile(c.setup, 50), percentile(c.setup, 99), len(c.setup))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(mean(ours.greet.asterisk)/mean(theirs.greet.asterisk), "greeting-cpu-ratio")
	b.ReportMetric(mean(ours.talk.asterisk)/mean(theirs.talk.asterisk), "talk-cpu-ratio")
	b.ReportMetric(float64(percentile(ours.setup, 50))/float64(percentile(theirs.setup, 50)), "setup-p50-ratio")
	b.ReportMetric(float64(percentile(ours.setup, 99))/float64(percentile(theirs.setup, 99)), "setup-p99-ratio")
}

func (c *contender) calls(b *testing.B, o *office.Office, v visits) {
	b.Helper()
	report, err := o.Bed.RunLoad(b.Context(), testbed.Load{Number: c.number, Calls: v.calls, AtOnce: 1, Rate: benchRate, UntilBye: true})
	if err != nil || report.OK != v.calls {
		b.Fatalf("%s: %d of %d calls went well (%v)\n%s", c.name, report.OK, v.calls, err, report.Errors)
	}
}

// costs measures machine time while nobody listens to the manager.
func (c *contender) costs(b *testing.B, o *office.Office, v visits, u *used) {
	b.Helper()
	asterisk, markaz := spent(b, o)
	c.calls(b, o, v)
	asterisk2, markaz2 := spent(b, o)
	u.asterisk = append(u.asterisk, (asterisk2-asterisk).Seconds()*1000/float64(v.calls))
	u.markaz = append(u.markaz, (markaz2-markaz).Seconds()*1000/float64(v.calls))
}

func spent(b *testing.B, o *office.Office) (asterisk, markaz time.Duration) {
	b.Helper()
	asterisk, err := o.Bed.Process().CPU()
	if err != nil {
		b.Fatal(err)
	}
	if markaz, err = o.Markaz().CPU(); err != nil {
		b.Fatal(err)
	}
	return asterisk, markaz
}

// takes measures how long callers wait for the agent.
func (c *contender) takes(b *testing.B, o *office.Office) {
	b.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", o.Bed.ManagerAddr())
	if err != nil {
		b.Fatal(err)
	}
	var times []time.Duration
	var listening sync.WaitGroup
	listening.Go(func() { times, err = setupTimes(conn, c.number) })
	c.calls(b, o, greetings)
	time.Sleep(100 * time.Millisecond) // the last event may be on its way
	_ = conn.Close()
	listening.Wait()
	if len(times) != greetings.calls {
		b.Fatalf("%s: %d set-up times of %d calls (%v)", c.name, len(times), greetings.calls, err)
	}
	c.setup = append(c.setup, times...)
}

// setupTimes reads the manager's events until the connection is closed: the
// time from a caller's Newchannel to the second BridgeEnter of his bridge.
func setupTimes(conn net.Conn, number string) (times []time.Duration, err error) {
	in := textproto.NewConn(conn)
	if _, err := in.ReadLine(); err != nil { // the greeting
		return nil, err
	}
	if err := in.PrintfLine("Action: Login\r\nUsername: %s\r\nSecret: %s\r\n", testbed.ARIUser, testbed.ARIPassword); err != nil {
		return nil, err
	}
	began, bridge := map[string]float64{}, map[string]string{} // by channel; the caller by bridge
	for {
		e, err := in.ReadMIMEHeader()
		if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
			return times, nil
		}
		if err != nil {
			return times, err
		}
		at, _ := strconv.ParseFloat(e.Get("Timestamp"), 64) // seconds
		id, in := e.Get("Uniqueid"), e.Get("BridgeUniqueid")
		switch e.Get("Event") {
		case "Newchannel":
			if e.Get("Exten") == number {
				began[id] = at
			}
		case "BridgeEnter":
			if began[id] != 0 {
				bridge[in] = id
			}
			if caller := bridge[in]; caller != "" && e.Get("BridgeNumChannels") == "2" {
				times = append(times, time.Duration((at-began[caller])*float64(time.Second)))
				delete(bridge, in)
			}
		}
	}
}

// benchOffice has one agent, whom Markaz and app_queue both ring.
func benchOffice(b *testing.B) *office.Office {
	b.Helper()
	sections := robotAgents(1, "music: default")
	sections["ivr"] = "\n  person: {to: \"queue:sales\"}\n  routes:\n    - {to: \"queue:sales\"}"
	sections["recorder"] = "{rules: []}"
	sections["log"] = "{level: info, format: text}"
	return office.StartT(b, office.Options{Binary: binary, Sections: sections, Bed: testbed.Options{
		TrunkContext: "bench", Robots: 1, Manager: true,
		Files:  map[string]string{"extensions.conf": benchDialplan},
		Queues: map[string][]string{"one": {"PJSIP/" + testbed.Robot(0)}},
	}})
}

func mean(list []float64) (sum float64) {
	for _, v := range list {
		sum += v / float64(len(list))
	}
	return sum
}

// percentile of a sorted list.
func percentile(sorted []time.Duration, p float64) time.Duration {
	i := int(math.Ceil(p/100*float64(len(sorted)))) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}
