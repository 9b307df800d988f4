package asterisk_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/asterisk"
	"markaz/asterisk/testbed"
	"markaz/call"
	"markaz/dialplan"
)

func TestMain(m *testing.M) { testbed.Main(m) }

// rig is a real Asterisk with the shipped dialplan and a Switch on it.
type rig struct {
	t   *testing.T
	ctx context.Context
	bed *testbed.Asterisk
	cfg asterisk.Config
	*desk
}

// desk is one Switch and what it has said.
type desk struct {
	t    *testing.T
	sw   *asterisk.Switch
	done chan struct{}
	err  error // of Run, once done
	stop context.CancelFunc

	react func(call.Event) // if set, is given each event

	mu     sync.Mutex
	events []call.Event
	news   chan struct{} // closed at the next event
	taken  map[int]bool  // which events have been awaited
}

// newRig takes callers by Stasis alone; with entry dialplan.ContextInbound they
// come by FastAGI first.
func newRig(t *testing.T, change ...func(*asterisk.Config, *testbed.Asterisk)) *rig {
	t.Helper()
	return newRigFor(t, dialplan.ContextInboundStasis, change...)
}

func newRigFor(t *testing.T, entry string, change ...func(*asterisk.Config, *testbed.Asterisk)) *rig {
	t.Helper()
	bed := testbed.StartT(t, testbed.Options{
		Files:        map[string]string{"extensions.conf": ""},
		TrunkContext: entry,
		Robots:       4,
		Modules:      []string{"chan_bridge_media"}, // makes the Recorder channel of a bridge
	})
	var conf strings.Builder
	check(t, dialplan.Render(&conf, dialplan.Options{
		AGI: bed.Spare(0), App: "markaz", Lease: 3, Fallback: "sound:fallback",
		Extension: "PJSIP/{address}", Trunk: "PJSIP/{number}@trunk", Digits: []int{3},
	}))
	check(t, bed.WriteConfig("extensions.conf", conf.String()))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	_, err := bed.CLI(ctx, "dialplan reload")
	check(t, err)

	cfg := asterisk.DefaultConfig()
	cfg.Source, cfg.Lease = "pbx", 3*time.Second
	cfg.ARI.URL, cfg.ARI.Username, cfg.ARI.Password = bed.ARIURL(), testbed.ARIUser, testbed.ARIPassword
	cfg.ARI.Heartbeat = time.Second
	cfg.AGI.Listen = bed.Spare(0)
	for _, c := range change {
		c(&cfg, bed)
	}
	r := &rig{t: t, ctx: ctx, bed: bed, cfg: cfg}
	r.desk = open(t, cfg)
	r.await(call.SwitchSynced, nil)
	return r
}

// open starts a Switch that ends with the test.
func open(t *testing.T, cfg asterisk.Config) *desk {
	t.Helper()
	level := slog.LevelWarn
	if os.Getenv("DEBUG") != "" {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level}))
	d := &desk{t: t, done: make(chan struct{}), news: make(chan struct{}), taken: map[int]bool{}}
	sw, err := asterisk.New(cfg, log, d.hear)
	check(t, err)
	d.sw = sw
	ctx, cancel := context.WithCancel(context.Background())
	d.stop = func() { cancel(); <-d.done }
	go func() {
		defer close(d.done)
		d.err = sw.Run(ctx)
	}()
	t.Cleanup(d.stop)
	return d
}

func (d *desk) hear(e call.Event) {
	d.mu.Lock()
	d.events = append(d.events, e)
	close(d.news)
	d.news = make(chan struct{})
	react := d.react
	d.mu.Unlock()
	if react != nil {
		react(e)
	}
}

// await returns the first event of a kind that fits and has not been awaited
// before, whatever came in between.
func (d *desk) await(kind call.Kind, fits func(call.Event) bool) call.Event {
	d.t.Helper()
	late := time.After(10 * time.Second)
	for i := 0; ; {
		d.mu.Lock()
		events, news := d.events, d.news
		d.mu.Unlock()
		for ; i < len(events); i++ {
			if e := events[i]; !d.taken[i] && e.Kind == kind && (fits == nil || fits(e)) {
				d.taken[i] = true
				return e
			}
		}
		select {
		case <-news:
		case <-late:
			d.t.Fatalf("no %s came; what came:\n%s", kind, d.told())
		}
	}
}

// told writes all events, one a line.
func (d *desk) told() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b strings.Builder
	for _, e := range d.events {
		fmt.Fprintf(&b, "  %s call=%s leg=%s ref=%s reason=%s result=%s by=%s cause=%d sip=%d text=%s digits=%s state=%s data=%v\n",
			e.Kind, e.Call, e.Leg, e.Ref, e.Reason, e.Result, e.By, e.Cause, e.SIP, e.Text, e.Digits, e.State, e.Data)
	}
	return b.String()
}

// count counts the events of a kind about a leg.
func (d *desk) count(kind call.Kind, leg string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, e := range d.events {
		if e.Kind == kind && e.Leg == leg {
			n++
		}
	}
	return n
}

func (d *desk) do(actions ...call.Action) {
	for _, a := range actions {
		d.sw.Do(a)
	}
}

// of fits events about a leg.
func of(leg string) func(call.Event) bool {
	return func(e call.Event) bool { return e.Leg == leg }
}

// caller calls in and is answered.
func (r *rig) caller() (*testbed.Conversation, call.Event) {
	r.t.Helper()
	talk, err := testbed.NewCaller(r.t, r.bed).Dial(r.ctx, "02112345678", testbed.From("Ali", "09121234567"))
	check(r.t, err)
	started := r.await(call.CallStarted, nil)
	r.do(call.Lease{Leg: started.Leg}, call.Answer{Leg: started.Leg})
	r.await(call.LegAnswered, of(started.Leg))
	check(r.t, talk.WaitAnswer(r.ctx))
	time.Sleep(leaseSettles)
	return talk, started
}

// leaseSettles is how long after an action the lease is lifted for sure:
// variables of a channel wait for each other.
const leaseSettles = 100 * time.Millisecond

// agent is a registered phone.
func (r *rig) agent(extension string, reaction testbed.Reaction) *testbed.Phone {
	r.t.Helper()
	phone := testbed.NewPhone(r.t, r.bed, extension)
	phone.OnCall(reaction)
	check(r.t, phone.Register(r.ctx))
	return phone
}

// ring is the action that rings an agent's phone for a call.
func ring(callID, extension string) call.Ring {
	return call.Ring{
		Call: callID, Leg: callID + "-" + extension, Address: extension, CallerID: "09121234567", CallerName: `Ali "<x>"`,
		Timeout: 20 * time.Second, Role: call.RoleAgent, Agent: "maryam", Queue: "sales",
	}
}

// talking is a caller bridged with an agent, and both conversations.
func (r *rig) talking() (caller, agent *testbed.Conversation, started call.Event, leg string) {
	r.t.Helper()
	phone := r.agent("101", testbed.Answer)
	caller, started = r.caller()
	a := ring(started.Call, "101")
	r.do(a)
	r.await(call.LegAnswered, of(a.Leg))
	r.do(call.Bridge{Call: started.Call, ID: started.Call, Legs: []string{started.Leg, a.Leg}})
	r.await(call.LegJoined, nil)
	r.await(call.LegJoined, nil)
	agent, err := phone.NextCall(r.ctx)
	check(r.t, err)
	return caller, agent, started, a.Leg
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same[T comparable](t testing.TB, what string, have, want T) {
	t.Helper()
	if have != want {
		t.Errorf("%s: have %v, want %v", what, have, want)
	}
}

// all returns the events of a kind.
func (d *desk) all(kind call.Kind) (list []call.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.events {
		if e.Kind == kind {
			list = append(list, e)
		}
	}
	return list
}
