package crm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"markaz/apps/crm/fault"
	"markaz/call"
)

// Ensure an event that the receiver refuses is tried on the schedule and put
// aside, while other calls pass and the rest of its call follows.
func TestPoisonedEvent(t *testing.T) {
	b := newBench(t, nil)
	b.hook.Script().Next(slices.Repeat([]fault.Fault{{Status: 422, Body: "unknown queue"}}, 10)...)
	poisoned := queued("c1")
	lanes := b.run(t0.Add(80*time.Hour), poisoned)
	if l := lanes[0]; len(l.dead) != 1 || l.dead[0].ID != "c1-1" || len(l.events) != 0 {
		t.Fatalf("dead %v, left %d", l.dead, len(l.events))
	}
	if at := b.clock.now().Sub(t0); at != StandardSchedule().Span() {
		t.Errorf("given up after %v", at)
	}
	if got := b.hook.Of("c1"); len(got) != len(poisoned)-1 {
		t.Errorf("%d events came", len(got))
	}
	if told := b.facts.told(); !slices.Equal(told, []string{"delivery.failed dead"}) {
		t.Errorf("facts %v", told)
	}
	f := b.facts.all[0]
	if f.Ref != "erp" || f.Data["event"] != "c1-1" || f.Data["call"] != "c1" || !strings.Contains(f.Reason, "unknown queue") || f.Call != "" {
		t.Errorf("fact %+v", f)
	}
}

// Ensure an outage of hours costs a probe a minute, uses up nobody's tries, is
// told once, and is over for all within minutes (many calls, one sink).
func TestOutage(t *testing.T) {
	b := newBench(t, nil)
	b.hook.Script().Always(fault.Fault{Status: 500})
	var calls [][]call.Event
	for i := range 60 {
		calls = append(calls, queued(fmt.Sprintf("c%d", i)))
	}
	const outage = 4 * time.Hour
	lanes := b.run(t0.Add(outage), calls...)
	requests := testutil.CollectAndCount(b.sink.stats.seconds)
	if requests != 1 {
		t.Fatalf("%d histograms", requests)
	}
	if st := b.sink.Status(); st.State != "away" || st.Waiting != 60 || st.Since == nil || !st.Since.Equal(t0) {
		t.Errorf("status %+v", st)
	}
	tries := 0
	for _, l := range lanes {
		tries += l.tries
	}
	if tries > trip {
		t.Errorf("the outage used up %d tries", tries)
	}
	if n := b.requests(); n < 200 || n > 260 {
		t.Errorf("%d requests in %v", n, outage)
	}
	b.hook.Script().Always(fault.Fault{})
	b.resume(t0.Add(outage+10*time.Minute), lanes)
	for _, c := range calls {
		b.complete(c)
	}
	b.sound()
	if told := b.facts.told(); !slices.Equal(told, []string{"delivery.failed away", "delivery.recovered "}) {
		t.Errorf("facts %v", told)
	}
	if d := time.Duration(b.facts.all[1].DurationMS) * time.Millisecond; d < outage || d > outage+2*time.Minute {
		t.Errorf("outage told as %v", d)
	}
}

// requests counts what was sent, by the metric.
func (b *bench) requests() int {
	reg := prometheus.NewRegistry()
	reg.MustRegister(b.sink)
	families, err := reg.Gather()
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "markaz_delivery_request_seconds" {
			return int(f.GetMetric()[0].GetHistogram().GetSampleCount())
		}
	}
	b.Fatal("no such metric")
	return 0
}

// Ensure a receiver that never comes back is given up after the time that the
// schedule takes, and not sooner.
func TestOutageForEver(t *testing.T) {
	six := Schedule{0, 5 * time.Second, 6 * time.Hour}
	b := newBench(t, func(c *SinkConfig) { c.Schedule = six })
	b.hook.Script().Always(fault.Fault{Status: 502})
	lanes := b.run(t0.Add(100*time.Hour), queued("c1")[:1], queued("c2")[:1], queued("c3")[:1])
	for _, l := range lanes {
		if len(l.dead) != 1 {
			t.Fatalf("dead %v", l.dead)
		}
	}
	if at, span := b.clock.now().Sub(t0), six.Span(); at < span || at > span+5*time.Minute {
		t.Errorf("given up after %v", at)
	}
	if told := b.facts.told(); !slices.Equal(told, []string{"delivery.failed away", "delivery.failed dead"}) {
		t.Errorf("facts %v", told)
	}
}

func TestThrottledReceiver(t *testing.T) {
	for name, f := range map[string]fault.Fault{
		"429, seconds": {Status: 429, RetryAfter: "600"},
		"503, date":    {Status: 503, RetryAfter: t0.Add(10 * time.Minute).Format("Mon, 02 Jan 2006 15:04:05 GMT")},
	} {
		b := newBench(t, nil)
		b.hook.Script().Next(f)
		one, two := queued("c1"), queued("c2")
		lanes := b.run(t0.Add(10*time.Minute-time.Second), one, two)
		if n := b.requests(); n != 1 {
			t.Errorf("%s: %d requests during the pause", name, n)
		}
		b.resume(t0.Add(13*time.Minute), lanes)
		b.complete(one)
		b.complete(two)
		b.sound()
		if told := b.facts.told(); len(told) != 0 {
			t.Errorf("%s: facts %v", name, told)
		}
	}
}

func TestGoneReceiver(t *testing.T) {
	b := newBench(t, nil)
	b.hook.Script().Always(fault.Fault{Status: 410, Body: "unsubscribed"})
	events := queued("c1")
	lanes := b.run(t0.Add(time.Hour), events)
	for range 5 {
		if v, err := b.sink.Deliver(context.Background(), events[0], 1); v.Act != Disable || !errors.Is(err, ErrGone) {
			t.Errorf("%+v, %v", v, err)
		}
	}
	if n := b.requests(); n != 1 {
		t.Errorf("%d requests", n)
	}
	if told := b.facts.told(); !slices.Equal(told, []string{"delivery.failed disabled"}) {
		t.Errorf("facts %v", told)
	}
	if st := b.sink.Status(); st.State != "disabled" || !strings.Contains(st.LastError, "unsubscribed") {
		t.Errorf("status %+v", st)
	}
	b.hook.Script().Always(fault.Fault{})
	b.sink.Enable()
	b.resume(t0.Add(2*time.Hour), lanes)
	b.complete(events)
	b.sound()
}

// Ensure a sink that starts in the middle of a call tells a whole record.
func TestRestartInTheMiddle(t *testing.T) {
	b := newBench(t, nil)
	events := queued("c1")
	b.log.add(events)
	lanes := []*lane{{events: events[9:], due: t0}}
	b.resume(t0.Add(time.Minute), lanes)
	got := b.hook.Of("c1")
	if len(got) != len(events)-9 {
		t.Fatalf("%d events", len(got))
	}
	if c := got[len(got)-2].Call; c.From == "" || c.Agent != "sara" || len(c.Queues) != 1 {
		t.Errorf("record %+v", c)
	}
}

func TestLogAwayIsNotTheReceiversFault(t *testing.T) {
	b := newBench(t, nil)
	b.sink.keeper = NewKeeper(10, func(context.Context, string) ([]call.Event, error) { return nil, errors.New("redis is away") })
	v, err := b.sink.Deliver(context.Background(), queued("c1")[5], 1)
	if v.Act != Retry || !v.Free || err == nil {
		t.Errorf("%+v, %v", v, err)
	}
	if b.sink.Status().State != "ok" || len(b.hook.Events()) != 0 {
		t.Errorf("status %+v", b.sink.Status())
	}
}

// brittle is a connector that panics, and one that is stopped in the middle.
type brittle struct{ wait bool }

func (brittle) Caps() []Cap                { return nil }
func (brittle) Test(context.Context) error { return nil }
func (c brittle) Deliver(ctx context.Context, _ call.Event, _ call.Call) error {
	if c.wait {
		<-ctx.Done()
		return ctx.Err()
	}
	panic("nil map")
}

func TestFaultyConnector(t *testing.T) {
	f := &facts{}
	s := newSink(SinkConfig{Name: "x"}, brittle{}, deps(logbook{}, &clock{at: t0}, f))
	if v, err := s.Deliver(context.Background(), queued("c")[0], 1); v.Act != Retry || v.Free || err == nil {
		t.Errorf("%+v, %v", v, err)
	}
	s.conn = brittle{wait: true}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if v, err := s.Deliver(ctx, queued("c")[0], 1); v.Act != Retry || !v.Free || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", v, err)
	}
	if len(f.told()) != 0 || s.Status().State != "ok" {
		t.Errorf("stopping is told as %v, %+v", f.told(), s.Status())
	}
}

// Ensure sinks are not told of their own failures, and that two failing sinks
// do not tell each other's for ever.
func TestFailuresOfSinks(t *testing.T) {
	b := newBench(t, func(c *SinkConfig) { c.Events, c.Schedule = []string{"delivery.*"}, Schedule{0} })
	own := call.Event{ID: "1", V: 1, Kind: call.DeliveryFailed, Ref: "erp", At: t0, SeenAt: t0}
	other := call.Event{ID: "2", V: 1, Kind: call.DeliveryFailed, Ref: "crm", At: t0, SeenAt: t0}
	b.hook.Script().Next(fault.Fault{}, fault.Fault{Status: 400})
	for _, e := range []call.Event{own, other} {
		if v, err := b.sink.Deliver(context.Background(), e, 1); v.Act != Done {
			t.Errorf("%+v, %v", v, err)
		}
	}
	if got := b.hook.Events(); len(got) != 1 || got[0].ID != "2" {
		t.Errorf("told %v", got)
	}
	other.ID = "3"
	if v, _ := b.sink.Deliver(context.Background(), other, 1); v.Act != Dead || len(b.facts.told()) != 0 {
		t.Errorf("%+v, facts %v", v, b.facts.told())
	}
}

// Ensure many calls at once, through a receiver that fails in every way, end
// complete, in order, once (under the race detector).
func TestManyAtOnce(t *testing.T) {
	b := newBench(t, func(c *SinkConfig) {
		c.Keep = 10
		c.Schedule = append(Schedule{0}, slices.Repeat([]time.Duration{time.Hour}, 200)...)
	})
	// The tries jump through days; the signatures are judged by real time.
	b.hook.Clock(nil)
	b.sink.conn.(*webhook).now = time.Now
	var calls [][]call.Event
	for i := range 40 {
		events := queued(fmt.Sprintf("c%d", i))
		b.log.add(events)
		calls = append(calls, events)
		b.hook.Script().Next(fault.Fault{}, fault.Fault{Status: 500, Work: true}, fault.Fault{Reset: true}, fault.Fault{Status: 400})
	}
	var wg sync.WaitGroup
	for _, events := range calls {
		wg.Go(func() {
			l := &lane{events: events}
			for len(l.events) > 0 {
				if b.step(l) == Retry {
					b.clock.reach(l.due)
				}
			}
		})
	}
	wg.Wait()
	for _, c := range calls {
		b.complete(c)
	}
	b.sound()
	if st := b.sink.Status(); st.Waiting != 0 || st.State != "ok" {
		t.Errorf("status %+v", st)
	}
}

func TestRate(t *testing.T) {
	b := newBench(t, func(c *SinkConfig) { c.Rate = 100 })
	begin := time.Now()
	for i := range 9 {
		b.run(t0.Add(time.Minute), queued(fmt.Sprintf("c%d", i)))
	}
	// 144 events: a hundred at once, the rest at the rate.
	if took := time.Since(begin); took < 400*time.Millisecond {
		t.Errorf("144 events in %v", took)
	}
}

func TestMetrics(t *testing.T) {
	b := newBench(t, nil)
	b.hook.Script().Next(fault.Fault{Status: 400})
	b.run(t0.Add(2*time.Second), queued("c1"))
	reg := prometheus.NewRegistry()
	reg.MustRegister(b.sink)
	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP markaz_delivery_attempts_total Events handed to a sink, by what became of them: done, skipped, retry, waiting, dead, disable.
# TYPE markaz_delivery_attempts_total counter
markaz_delivery_attempts_total{result="retry",sink="erp"} 1
# HELP markaz_delivery_disabled 1 when the receiver has answered 410 and the sink is switched off.
# TYPE markaz_delivery_disabled gauge
markaz_delivery_disabled{sink="erp"} 0
# HELP markaz_delivery_lag_seconds Age of the oldest event that was tried and not taken; 0 if there is none.
# TYPE markaz_delivery_lag_seconds gauge
markaz_delivery_lag_seconds{sink="erp"} 0
`), "markaz_delivery_attempts_total", "markaz_delivery_disabled", "markaz_delivery_lag_seconds")
	if err != nil {
		t.Error(err)
	}
	b.clock.move(90 * time.Second)
	if lag := b.sink.Status().LagMS; lag != 90000 {
		t.Errorf("lag %d", lag)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
}

func TestMetricsOfTwoSinks(t *testing.T) {
	reg := prometheus.NewRegistry()
	for _, name := range []string{"erp", "crm"} {
		b := newBench(t, func(c *SinkConfig) { c.Name = name })
		if err := reg.Register(b.sink); err != nil {
			t.Error(err)
		}
	}
	if n, err := testutil.GatherAndCount(reg, "markaz_delivery_disabled"); err != nil || n != 2 {
		t.Errorf("%d, %v", n, err)
	}
}

// Ensure an event that was taken is done with, even if the receiver has asked
// for a pause by its answer to another one meanwhile.
func TestTakenWhileAnotherIsThrottled(t *testing.T) {
	slow, conn := make(chan struct{}), &twoMinds{}
	c := &clock{at: t0}
	conn.first = slow
	conn.begun.Lock()
	s := newSink(SinkConfig{Name: "a"}, conn, deps(logbook{}, c, &facts{}))
	one, other := queued("one")[0], queued("other")[0]
	done := make(chan Verdict)
	go func() {
		v, err := s.Deliver(context.Background(), one, 1)
		if err != nil {
			t.Error(err)
		}
		done <- v
	}()
	conn.begun.Lock() // until the first is with the receiver
	if v, err := s.Deliver(context.Background(), other, 1); v.Act != Retry || err == nil || err.Error() == "" {
		t.Errorf("%+v %v", v, err)
	}
	close(slow)
	if v := <-done; v.Act != Done {
		t.Errorf("the first: %+v", v)
	}
}

// twoMinds takes the first event slowly and refuses the next meanwhile.
type twoMinds struct {
	told
	first chan struct{}
	begun sync.Mutex
}

func (m *twoMinds) Deliver(_ context.Context, e call.Event, _ call.Call) error {
	if e.Call == "one" {
		m.begun.Unlock()
		<-m.first
		return nil
	}
	return RetryAfter(errors.New("too many requests"), time.Minute)
}
