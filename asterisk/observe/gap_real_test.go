package observe_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/asterisk/observe"
	"markaz/asterisk/testbed"
	"markaz/call"
)

// wire is the network between the PBX and who observes it; it can be cut.
type wire struct {
	listen net.Listener
	target string
	work   sync.WaitGroup

	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func newWire(t testing.TB, bed *testbed.Asterisk) (*wire, string) {
	t.Helper()
	u, err := url.Parse(bed.ARIURL())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listen: l, target: u.Host}
	w.work.Go(w.serve)
	t.Cleanup(func() { _ = l.Close(); w.cut(true); w.work.Wait() })
	u.Host = l.Addr().String()
	return w, u.String()
}

func (w *wire) serve() {
	for {
		c, err := w.listen.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		down := w.down
		w.mu.Unlock()
		far, err := net.Dial("tcp", w.target)
		if down || err != nil {
			_ = c.Close()
			if err == nil {
				_ = far.Close()
			}
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, c, far)
		w.mu.Unlock()
		for _, pair := range [][2]net.Conn{{c, far}, {far, c}} {
			w.work.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_ = pair[0].Close()
			})
		}
	}
}

func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	if down {
		for _, c := range w.conns {
			_ = c.Close()
		}
		w.conns = nil
	}
}

// TestGap: nobody watches for a while, because the connection is lost or
// because Markaz is started anew. Afterwards every call has its record.
func TestGap(t *testing.T) {
	bed := pbx(t, testbed.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	file := filepath.Join(filepath.Dir(bed.ConfigDir()), "log", "cdr-csv", "Master.csv")
	records := func(c *observe.Config, _ *observe.Deps) { c.CDR, c.CDRZone = file, "UTC" }
	t.Run("connection lost", func(t *testing.T) {
		cable, address := newWire(t, bed)
		w := startWatch(t, bed, records, func(_ *observe.Config, d *observe.Deps) {
			d.ARI.URL, d.ARI.Heartbeat = address, 500*time.Millisecond
		})
		w.synced(ctx)
		s := &stage{t: t, ctx: ctx, bed: bed, first: 101}
		playGap(s, w, func() {
			cable.cut(true)
			w.await(ctx, "the loss of the connection", has(call.SwitchLost))
		}, func() { cable.cut(false) })
	})
	t.Run("started anew", func(t *testing.T) {
		w := startWatch(t, bed, records)
		w.synced(ctx)
		s := &stage{t: t, ctx: ctx, bed: bed, first: 151}
		playGap(s, w, func() { w.endObserver() }, func() { w.startObserver(records) })
	})
	t.Run("given back", func(t *testing.T) { givenBack(t, ctx, bed) })
}

func has(kind call.Kind) func([]call.Event) bool {
	return func(list []call.Event) bool {
		return slices.ContainsFunc(list, func(e call.Event) bool { return e.Kind == kind })
	}
}

// playGap plays six calls around a time in which nobody watches.
func playGap(s *stage, w *watch, begin, end func()) {
	var phones []*testbed.Phone
	for i := range 5 {
		phones = append(phones, s.phone(i, testbed.Answer))
	}
	phones[1].OnCall(testbed.Ignore)
	caller := func(i int) *testbed.Conversation {
		talk, err := testbed.NewCaller(s.t, s.bed).Dial(s.ctx, "0211"+s.ext(i), testbed.From("Caller", s.number()+s.ext(i)))
		s.ok(err)
		return talk
	}
	lasting := caller(0)
	s.talk(lasting, s.gets(phones[0]))
	ringing := caller(1)
	rung := s.rings(phones[1])
	ending := caller(2)
	s.talk(ending, s.gets(phones[2]))
	s.pause(1100 * time.Millisecond) // records have whole seconds: those of the gap begin in another
	begin()

	s.ok(rung.Answer())
	s.talk(ringing, rung)
	s.hangsUp(ending)
	unseen := caller(3)
	s.talk(unseen, s.gets(phones[3]))
	s.hangsUp(unseen)
	phones[3].OnCall(testbed.RejectBusy)
	s.ends(caller(3))
	newcomer := caller(4)
	s.talk(newcomer, s.gets(phones[4]))
	s.pause(1100 * time.Millisecond)
	before := len(w.mem.all())
	end()
	w.await(s.ctx, "the second look at the PBX", func(list []call.Event) bool { return has(call.SwitchSynced)(list[before:]) })
	for _, c := range []*testbed.Conversation{lasting, ringing, newcomer} {
		s.pause(100 * time.Millisecond)
		s.hangsUp(c)
	}
	want := map[string]struct {
		n      int
		result call.Disposition
	}{
		s.ext(0): {1, call.CallAnsweredD}, s.ext(1): {1, call.CallAnsweredD}, s.ext(2): {1, call.CallAnsweredD},
		s.ext(3): {2, call.CallAnsweredD}, s.ext(4): {1, call.CallAnsweredD},
	}
	calls := w.gapRecords(s, 6)
	for ext, n := range want {
		list := slices.DeleteFunc(slices.Clone(calls), func(c *call.Call) bool { return !strings.HasSuffix(c.From, ext) })
		if len(list) != n.n {
			s.t.Errorf("%d records of the call to %s, want %d", len(list), ext, n.n)
			continue
		}
		checkGap(s, ext, list, n.result)
	}
	if s.t.Failed() {
		for _, e := range w.mem.all() {
			s.t.Log(line(s.t, e, map[string]string{}), e.Call, "live", e.Live)
		}
	}
}

func checkGap(s *stage, ext string, list []*call.Call, result call.Disposition) {
	c := list[0]
	if c.Disposition != result || c.Reached != ext || c.Direction != call.Inbound || !c.Observed {
		s.t.Errorf("the call to %s: %s, reached %q, %s", ext, c.Disposition, c.Reached, c.Direction)
	}
	if unseen := ext == s.ext(3); unseen == c.Live {
		s.t.Errorf("the call to %s: live is %v", ext, c.Live)
	}
	least := int64(200)
	if ext == s.ext(3) {
		least = 0 // the records of the PBX know whole seconds
	}
	if c.TalkMS < least || c.TalkMS > 20_000 {
		s.t.Errorf("the call to %s: talk of %d ms", ext, c.TalkMS)
	}
	if len(list) > 1 && (list[1].Disposition != call.Missed || list[1].Live) {
		s.t.Errorf("the call that was refused unseen: %s, live %v", list[1].Disposition, list[1].Live)
	}
}

// gapRecords waits for n calls that are over.
func (w *watch) gapRecords(s *stage, n int) (calls []*call.Call) {
	s.t.Helper()
	for {
		book := call.Book{}
		calls = nil
		over := 0
		for _, e := range w.mem.all() {
			c, _ := book.Apply(e)
			if e.Kind == call.CallStarted && strings.HasPrefix(e.From, s.number()) {
				calls = append(calls, c)
			}
		}
		for _, c := range calls {
			if c.Over() {
				over++
			}
		}
		if over >= n {
			return calls
		}
		select {
		case <-s.ctx.Done():
			s.t.Errorf("%d of %d calls are over", over, n)
			return calls
		case <-time.After(50 * time.Millisecond):
		}
	}
}
