package crm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"markaz/apps/crm/conformance/bitrix24"
	"markaz/apps/crm/conformance/odoo"
	"markaz/apps/crm/conformance/opencrm"
	"markaz/apps/crm/conformance/payamgostar"
	"markaz/apps/crm/fault"
	"markaz/apps/crm/hooktest"
	"markaz/asterisk/testbed/redisbed"
	"markaz/call"
	"markaz/stream"
)

const (
	chaosCalls   = 500
	chaosFeed    = 14 * time.Second // over which the calls happen
	chaosPace    = 10               // clocks of sinks and CRMs run so much faster
	chaosStill   = 2 * time.Minute  // in which nothing more is done, although something is left
	chaosTimeout = time.Second      // of one request
	chaosWorker  = "MARKAZ_CHAOS_WORKER"
)

// chaosPlan is what a worker process must know.
type chaosPlan struct {
	Redis  string
	Anchor time.Time
	URLs   map[string]string // of the CRMs by kind
}

// now is the time by the fast clock.
func (p chaosPlan) now() time.Time {
	return p.Anchor.Add(chaosPace * time.Since(p.Anchor))
}

func (p chaosPlan) sinks() Config {
	net := Net{AllowPrivate: true, Timeout: chaosTimeout}
	finished := Filter{Route: Route{Only: OnlyFinished}}
	return Config{
		{Name: "hook", Webhook: &Webhook{URL: p.URLs["hook"], Secrets: []Secret{NewSecret(secretA)}, Net: net}},
		{Name: "bitrix24", Bitrix24: &Bitrix24{
			URL: p.URLs["bitrix24"], Webhook: NewSecret("1/hookc0de"), DefaultUser: b24Default, Rate: 1e6, Burst: 1e6, Net: net,
		}},
		{Name: "payamgostar", PayamGostar: &PayamGostar{
			URL: p.URLs["payamgostar"], Username: "markaz", Password: NewSecret("secret"), Key: "office", Net: net,
		}},
		{Name: "opencrm", OpenCRM: &OpenCRM{URL: p.URLs["opencrm"], Key: "office", Net: net}, Filter: finished},
		{Name: "odoo", Odoo: &Odoo{URL: p.URLs["odoo"], Database: "markaz", Login: "telephony", Password: NewSecret("hunter22"), Net: net}},
	}
}

func chaosClient(addr string) (*stream.Client, error) {
	return stream.Connect(stream.Config{Redis: stream.RedisConfig{Addr: addr}}, quiet())
}

// chaosLog finds events of a call that a worker met half-way.
type chaosLog struct {
	reader *stream.Reader
	mu     sync.Mutex
	at     time.Time
	events logbook
}

func (l *chaosLog) history(ctx context.Context, id string) ([]call.Event, error) {
	asked := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at.Before(asked) { // one that began earlier may lack what is asked for
		began := time.Now()
		l.events = logbook{}
		_, err := l.reader.Snapshot(ctx, time.Time{}, func(e stream.Entry) error {
			l.events[e.Event.Call] = append(l.events[e.Event.Call], e.Event)
			return nil
		})
		if err != nil {
			return nil, err
		}
		l.at = began
	}
	return l.events[id], nil
}

// TestChaosWorker is a process that delivers until it is killed. By itself it
// does nothing.
func TestChaosWorker(t *testing.T) {
	text := os.Getenv(chaosWorker)
	if text == "" {
		return // it is not one of TestChaos's
	}
	var plan chaosPlan
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		t.Fatal(err)
	}
	client, err := chaosClient(plan.Redis)
	if err != nil {
		t.Fatal(err)
	}
	log := &chaosLog{reader: stream.NewReader(client)}
	sinks, err := Open(plan.sinks(), Deps{
		History: log.history, Report: func(call.Event) {}, Notes: stream.NewNotes(client, time.Hour), Files: files{},
		Now: plan.now, Chance: rand.Float64, Logger: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var work errgroup.Group
	for _, s := range sinks {
		g, err := stream.NewGroup(client, stream.GroupConfig{
			Name: s.Group(), MaxAttempts: -1, Parallel: 8, Claim: 2 * time.Second,
			Handle: func(ctx context.Context, d stream.Delivery) error { return chaosDeliver(ctx, s, d) },
		})
		if err != nil {
			t.Fatal(err)
		}
		work.Go(func() error { return g.Run(context.Background()) })
	}
	t.Fatal(work.Wait())
}

func chaosDeliver(ctx context.Context, s *Sink, d stream.Delivery) error {
	v, err := s.Deliver(ctx, d.Event, d.Attempt)
	after := v.After / chaosPace
	switch {
	case v.Act == Done:
		return nil
	case v.Act == Dead:
		return fmt.Errorf("%w: %w", stream.ErrPermanent, err)
	case v.Act == Disable:
		return fmt.Errorf("%w: %w", stream.ErrStop, err)
	case v.Free:
		return stream.RetryFree(err, after)
	}
	return stream.RetryAfter(err, after)
}

// chaosBed is Redis, the CRMs and the processes that deliver to them.
type chaosBed struct {
	*testing.T
	plan   chaosPlan
	redis  *redisbed.Redis
	client *stream.Client
	log    *stream.Log

	hook    *hooktest.Receiver
	portal  *bitrix24.Portal
	pg      *payamgostar.Server
	oc      *opencrm.Server
	odoo    *odoo.Server
	scripts map[string]*fault.Script
	want    map[string]shape // by our id of the call
}

func newChaosBed(t *testing.T) *chaosBed {
	t.Helper()
	b := &chaosBed{T: t, redis: redisbed.StartT(t, redisbed.Options{Fsync: "always"}), want: map[string]shape{}}
	b.plan = chaosPlan{Redis: b.redis.Addr(), Anchor: time.Now(), URLs: map[string]string{}}
	var err error
	if b.hook, err = hooktest.New(secretA); err != nil {
		t.Fatal(err)
	}
	b.hook.Clock(b.plan.now)
	b.portal = bitrix24.New(bitrix24.Options{
		Hook: "1/hookc0de", Now: b.plan.now, Burst: 1e9, Leak: 1e9,
		Users: []bitrix24.User{{ID: b24Default}, {ID: 11, Extension: "101"}, {ID: 12, Extension: "102"}},
	})
	b.pg = payamgostar.New(payamgostar.Options{Username: "markaz", Password: "secret", Key: "office", LearnPeers: true, Now: b.plan.now})
	b.oc = opencrm.New(opencrm.Options{Key: "office"})
	b.odoo = odooDatabase()
	b.scripts = map[string]*fault.Script{
		"hook": b.hook.Script(), "bitrix24": b.portal.Script(), "payamgostar": b.pg.Script(), "opencrm": b.oc.Script(), "odoo": b.odoo.Script(),
	}
	for kind, h := range map[string]http.Handler{"hook": b.hook, "bitrix24": b.portal, "payamgostar": b.pg, "opencrm": b.oc, "odoo": b.odoo} {
		srv := httptest.NewServer(h)
		t.Cleanup(srv.Close)
		b.plan.URLs[kind] = srv.URL
	}
	if b.client, err = chaosClient(b.plan.Redis); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.client.Close() })
	cfg := stream.Config{Redis: stream.RedisConfig{Addr: b.plan.Redis}, Spool: stream.SpoolConfig{Dir: t.TempDir()}}
	if b.log, err = stream.Open(cfg, quiet()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.log.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, b.log.Close()); err != nil {
			t.Error(err)
		}
	})
	return b
}

// feed lets the calls happen, many at the same time.
func (b *chaosBed) feed() {
	all := shapes()
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	var wg sync.WaitGroup
	for i := range chaosCalls {
		time.Sleep(chaosFeed / chaosCalls)
		s := all[names[i%len(names)]]
		id := fmt.Sprintf("chaos-%03d", i)
		events := slices.Clone(s.events)
		s.events = numbered(id, events)
		for j := range s.events { // PayamGostar's list of calls that go on has no more than number and start to tell them apart
			s.events[j].At = s.events[j].At.Add(time.Duration(i) * time.Minute)
		}
		b.want[id] = s
		wg.Go(func() {
			for _, e := range s.events {
				e.SeenAt = b.plan.now()
				if err := b.log.Append(e); err != nil {
					b.Error(err)
				}
				time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			}
		})
	}
	wg.Wait()
}

// worker runs a process that delivers, and runs another one whenever it was
// killed, until stop is closed. Once calm is closed nobody is killed.
func (b *chaosBed) worker(calm, stop <-chan struct{}) {
	text, err := json.Marshal(b.plan)
	if err != nil {
		b.Error(err)
		return
	}
	for {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestChaosWorker$")
		cmd.Env = append(os.Environ(), chaosWorker+"="+string(text))
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			b.Error(err)
			return
		}
		over := make(chan error, 1)
		go func() { over <- cmd.Wait() }()
		life := time.NewTimer(time.Duration(2500+rand.IntN(5000)) * time.Millisecond)
		kill, quiet := life.C, calm
		for alive := true; alive; {
			select {
			case err := <-over:
				b.Errorf("a worker ended by itself: %v\n%s", err, said.String())
				return
			case <-quiet: // on a busy machine a start takes as long as a life
				kill, quiet = nil, nil
			case <-kill:
				_ = cmd.Process.Kill() // it may have ended this moment
				<-over
				alive = false
			case <-stop:
				_ = cmd.Process.Kill()
				<-over
				return
			}
		}
		life.Stop()
	}
}

// trouble is what can be wrong with a CRM for a while. A web hook that says
// 200 cannot lie; the others must answer in their own language.
func trouble(kind string) fault.Fault {
	all := []fault.Fault{
		{Status: 500},
		{Status: 502, Work: true},
		{Reset: true},
		{Reset: true, Work: true},
		{Delay: 3 * chaosTimeout},
		{Status: 429, RetryAfter: "5"},
		{Status: 503, RetryAfter: "5", Work: true},
		{Status: 401},
		{Status: 200, Body: "<html>We are down for maintenance</html>"},
		{Status: 200, Body: "<html>Error</html>", Work: true},
	}
	switch kind {
	case "hook":
		all = all[:8]
	case "payamgostar": // after a refused log-in it is left alone for ten minutes
		all = slices.Delete(all, 7, 8)
	}
	return all[rand.IntN(len(all))]
}

// torment lets one CRM go wrong again and again until stop is closed.
func (b *chaosBed) torment(kind string, stop <-chan struct{}) {
	s := b.scripts[kind]
	defer s.Clear()
	for {
		for _, step := range []struct {
			f fault.Fault
			d int
		}{{fault.Fault{}, 1500}, {trouble(kind), 1200}} {
			s.Always(step.f)
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(100+rand.IntN(step.d)) * time.Millisecond):
			}
		}
	}
}

// TestChaos: five hundred calls while every CRM is down, slow, hanging, lying
// or has enough by turns, Redis is killed, and two processes that share the
// work are killed again and again: each CRM ends with each call, once and
// rightly.
func TestChaos(t *testing.T) {
	b := newChaosBed(t)
	stop, calm := make(chan struct{}), make(chan struct{})
	var workers, troubles sync.WaitGroup
	for range 2 {
		workers.Go(func() { b.worker(calm, stop) })
	}
	for kind := range b.scripts {
		troubles.Go(func() { b.torment(kind, calm) })
	}
	troubles.Go(func() {
		time.Sleep(chaosFeed / 2)
		b.redis.Kill()
		time.Sleep(500 * time.Millisecond)
		if err := b.redis.Resume(context.Background()); err != nil {
			b.Error(err)
		}
	})
	b.feed()
	close(calm)
	troubles.Wait()
	b.settle()
	close(stop)
	workers.Wait()
	b.check()
}

// settle waits until all groups have nothing left to do, for as long as they do
// something: how fast that is depends on the machine.
func (b *chaosBed) settle() {
	b.Helper()
	var last []stream.GroupStatus
	least := int64(math.MaxInt64)
	for moved := time.Now(); time.Since(moved) < chaosStill; time.Sleep(200 * time.Millisecond) {
		groups, err := b.client.Groups(b.Context())
		if err != nil {
			continue
		}
		last = groups
		left := int64(b.log.Stats().Unsent)
		for _, g := range groups {
			left += g.Lag + g.Open
		}
		if len(groups) == 5 && left == 0 {
			return
		}
		if left < least {
			least, moved = left, time.Now()
		}
	}
	b.Errorf("not all was delivered: %+v", last) // not Fatal: the workers must be ended
}

// check counts what every CRM has of every call.
func (b *chaosBed) check() {
	b.Helper()
	if groups, err := b.client.Groups(b.Context()); err != nil || slices.ContainsFunc(groups, func(g stream.GroupStatus) bool { return g.Dead > 0 }) {
		b.Errorf("dead letters: %+v %v", groups, err)
	}
	rows, messages := map[string][]bitrix24.Row{}, map[string][]map[string]any{}
	pg, oc := map[string][]payamgostar.Call{}, map[string][]opencrm.Call{}
	for _, r := range b.portal.Rows() {
		rows[r.ExternalID] = append(rows[r.ExternalID], r)
	}
	for _, m := range b.odoo.Records("mail.message") {
		id := fmt.Sprint(m["message_id"])
		messages[id] = append(messages[id], m)
	}
	for _, c := range b.pg.Calls() {
		pg[c.Source] = append(pg[c.Source], c)
	}
	for _, c := range b.oc.Calls() {
		oc[c.Source] = append(oc[c.Source], c)
	}
	wrong := 0
	fail := func(format string, args ...any) {
		if wrong++; wrong <= 20 {
			b.Errorf(format, args...)
		}
	}
	for id, want := range b.want {
		if got := b.hook.Of(id); len(got) != len(want.events) {
			fail("hook has %d events of %d of %s", len(got), len(want.events), id)
		}
		inside := want.direction == call.Internal
		if n := len(rows[id]); n != 1 && (want.number != "" && !inside) || n != 0 && (want.number == "" || inside) {
			fail("Bitrix24 has %d rows of %s", n, id)
		} else if n == 1 && (rows[id][0].Duration != want.seconds || (rows[id][0].Status == "200") != want.answered || (rows[id][0].File != 0) != want.recording) {
			fail("Bitrix24 has %+v of %s, want %+v", rows[id][0], id, want)
		}
		if n := len(messages[odooMessageID(id)]); n != map[bool]int{false: 1}[inside] {
			fail("Odoo has %d notes of %s", n, id)
		} else if n == 1 && (messages[odooMessageID(id)][0]["attachment_ids"] != nil) != want.recording {
			fail("Odoo has the wrong files of %s", id)
		}
		if c := pg[id]; len(c) != 1 || c[0].End.IsZero() || (c[0].Type == 1) != (want.direction == call.Inbound && !want.answered) {
			fail("PayamGostar has %+v of %s", c, id)
		}
		if c := oc[id]; len(c) != 1 || c[0].End == nil || (c[0].Result == "Answered") != want.answered {
			fail("the OpenCRM has %+v of %s", c, id)
		}
	}
	for _, why := range b.hook.Broken() {
		fail("web hook: %s", why)
	}
	if n := len(b.want); n != chaosCalls || len(pg) != n || len(oc) != n {
		fail("%d calls, PayamGostar has %d, the OpenCRM %d", n, len(pg), len(oc))
	}
	taken := map[string]int{}
	for kind, s := range b.scripts {
		taken[kind] = s.Taken()
	}
	b.Logf("requests: %v, repeats at the web hook: %d, wrong: %d", taken, b.hook.Repeats(), wrong)
}
