package hub

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"markaz/access"
	"markaz/apps/dashboard/board"
	"markaz/call"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tape is a log in memory.
type tape struct {
	mu     sync.Mutex
	events []call.Event
	more   chan struct{}
	broken error
}

func newTape() *tape { return &tape{more: make(chan struct{})} }

func (l *tape) Append(events ...call.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, events...)
	close(l.more)
	l.more = make(chan struct{})
}

func (l *tape) fail(err error) {
	l.mu.Lock()
	l.broken = err
	l.mu.Unlock()
	l.Append()
}

func (l *tape) Snapshot(_ context.Context, _ time.Time, fn func(call.Event)) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		fn(e)
	}
	l.broken = nil
	return fmt.Sprint(len(l.events)), nil
}

func (l *tape) Tail(ctx context.Context, after string, fn func(call.Event)) error {
	n := 0
	if _, err := fmt.Sscan(after, &n); err != nil {
		return err
	}
	for {
		l.mu.Lock()
		got, more, broken := l.events[min(n, len(l.events)):], l.more, l.broken
		l.mu.Unlock()
		if broken != nil {
			return broken
		}
		for _, e := range got {
			fn(e)
		}
		n += len(got)
		select {
		case <-more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stage is a hub behind a real HTTP server.
type stage struct {
	*testing.T
	hub *Hub
	log *tape
	srv *httptest.Server

	mu  sync.Mutex
	who map[string]Viewer
}

var boss = Viewer{Name: "boss", See: access.Condition{All: true}, Board: access.Condition{All: true}}

func see(name string, extensions ...string) Viewer {
	return Viewer{Name: name, See: access.Condition{Extensions: extensions}, Board: access.Condition{All: true}}
}

func newStage(t *testing.T, cfg Config) *stage {
	s := &stage{T: t, log: newTape(), who: map[string]Viewer{"boss": boss}}
	s.hub = New(cfg, office(), Deps{Log: s.log, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Epoch: "test"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.hub.Run(ctx) }()
	s.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hub.Stream(w, r, func() (Viewer, bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			v, ok := s.who[r.URL.Query().Get("who")]
			return v, ok
		})
	}))
	s.srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(4096) // so that who does not read is soon noticed
		return ctx
	}
	s.srv.Start()
	t.Cleanup(func() {
		s.srv.CloseClientConnections()
		s.srv.Close()
		cancel()
		<-done
		http.DefaultClient.CloseIdleConnections()
	})
	return s
}

func office() board.Config {
	return board.Config{
		People: []board.Person{{Agent: "sara", Name: "Sara", Number: "101", Queues: []string{"sales"}}, {Agent: "reza", Name: "Reza", Number: "102", Queues: []string{"support"}}},
		Queues: []board.QueueTarget{{Name: "sales"}, {Name: "support"}},
	}
}

// page is an open page: the rows it has, and the id of its last message.
type browser struct {
	t     *stage
	rows  map[string]json.RawMessage
	id    string
	kinds []string
	body  *bufio.Reader
	close func()
}

func (s *stage) open(who, after string) *browser {
	s.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.srv.URL+"?who="+who, nil)
	if err != nil {
		s.Fatal(err)
	}
	if after != "" {
		req.Header.Set("Last-Event-ID", after)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		s.Fatal(res.Status)
	}
	b := &browser{t: s, rows: map[string]json.RawMessage{}, body: bufio.NewReader(res.Body), close: func() { _ = res.Body.Close() }}
	s.Cleanup(b.close)
	return b
}

// next reads one event as a browser does.
func (b *browser) next() (string, error) {
	name := "message"
	for {
		text, err := b.body.ReadString('\n')
		if err != nil {
			return "", err
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(text, "\n"), ": ")
		switch field {
		case "id":
			b.id = value
		case "event":
			name = value
		case "data":
			if name == "message" {
				b.take(value)
			}
		case "":
			return name, nil
		}
	}
}

func (b *browser) take(data string) {
	var m struct {
		T    string
		Rows []struct {
			Key string
			Row json.RawMessage
		}
	}
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		b.t.Errorf("%v: %s", err, data)
		return
	}
	b.kinds = append(b.kinds, m.T)
	if m.T != "change" {
		clear(b.rows)
	}
	for _, r := range m.Rows {
		if r.Row == nil {
			delete(b.rows, r.Key)
		} else {
			b.rows[r.Key] = r.Row
		}
	}
}

// until reads until the rows are as wanted.
func (b *browser) until(what string, ok func(map[string]json.RawMessage) bool) {
	b.t.Helper()
	timer := time.AfterFunc(20*time.Second, b.close)
	defer timer.Stop()
	for !ok(b.rows) {
		if _, err := b.next(); err != nil {
			b.t.Fatalf("%s: %v; rows %s", what, err, slices.Sorted(maps.Keys(b.rows)))
		}
	}
}

func has(key, part string) func(map[string]json.RawMessage) bool {
	return func(rows map[string]json.RawMessage) bool { return strings.Contains(string(rows[key]), part) }
}

func hasNot(key string) func(map[string]json.RawMessage) bool {
	return func(rows map[string]json.RawMessage) bool { return rows[key] == nil }
}

// ring is a call that rings at an extension.
func ring(id, queue, extension string) []call.Event {
	now := time.Now().UTC()
	e := func(seq uint64, e call.Event) call.Event {
		e.V, e.ID, e.Call, e.Seq, e.At, e.SeenAt, e.Source, e.Live = 1, fmt.Sprintf("%s-%d", id, seq), id, seq, now, now, "pbx", true
		return e
	}
	return []call.Event{
		e(1, call.Event{Kind: call.CallStarted, Leg: id + "c", Direction: call.Inbound, From: "0912" + id, FromName: "Ali\n</script>"}),
		e(2, call.Event{Kind: call.QueueJoined, Leg: id + "c", Queue: queue}),
		e(3, call.Event{Kind: call.LegRinging, Leg: id + "a", Role: call.RoleAgent, Address: extension}),
		e(4, call.Event{Kind: call.LegEnded, Leg: id + "a"}),
		e(5, call.Event{Kind: call.CallEnded}),
	}
}

func TestSnapshotAndDeltas(t *testing.T) {
	s := newStage(t, Config{})
	s.log.Append(ring("1", "sales", "101")[:2]...)
	b := s.open("boss", "")
	b.until("snapshot", has("c:1", `"state":"queued"`))
	s.log.Append(ring("1", "sales", "101")[2])
	b.until("ringing", has("x:101", `"state":"ringing"`))
	s.hub.Note(ring("1", "sales", "101")[3]) // this process tells it before the log does
	b.until("not ringing", has("x:101", `"state":"offline"`))
	s.log.Append(ring("1", "sales", "101")[3:]...)
	b.until("ended", hasNot("c:1"))
	if b.rows["e:1"] == nil || slices.Contains(b.kinds[1:], "snapshot") && b.kinds[0] != "loading" {
		t.Errorf("%v %s", b.kinds, b.rows)
	}
}

// A user sees the calls of his own extension alone, in snapshot, change and
// resumption; of the others he sees that they are busy, not with whom.
func TestWhoSeesWhat(t *testing.T) {
	s := newStage(t, Config{})
	s.who["sara"] = see("sara", "101")
	s.who["blind"] = Viewer{Name: "blind"}
	b, blind := s.open("sara", ""), s.open("blind", "")
	for _, id := range []string{"1", "2"} {
		s.log.Append(ring(id, "sales", "10"+id)[:3]...)
	}
	seen := func(b *browser) {
		t.Helper()
		b.until("own call", has("x:101", `"peer":"09121"`))
		b.until("the other's state", has("x:102", `"state":"ringing"`))
		all, _ := json.Marshal(b.rows)
		if strings.Contains(string(all), "09122") || b.rows["c:2"] != nil || b.rows["c:1"] == nil {
			t.Errorf("sara sees %s", all)
		}
	}
	seen(b)
	seen(s.open("sara", ""))
	seen(s.open("sara", "test.0"))
	if snap := string(s.hub.Snapshot(s.who["sara"])); strings.Contains(snap, "09122") || !strings.Contains(snap, "09121") {
		t.Errorf("snapshot: %s", snap)
	}
	s.hub.Note(call.Event{ID: "n", Kind: call.RequestRefused, Agent: "sara", Ref: "r1", Reason: "no", SeenAt: time.Now()})
	b.until("a word to her", func(rows map[string]json.RawMessage) bool { return rows["n:n"] != nil })
	for range 2 {
		if _, err := blind.next(); err != nil || len(blind.rows) > 0 {
			t.Errorf("who may see nothing sees %s, %v", blind.rows, err)
		}
	}
	if c := s.open("boss", ""); c != nil {
		c.until("the boss", has("c:2", "09122"))
		if c.rows["n:n"] != nil {
			t.Error("the boss reads what was told to Sara")
		}
	}
}

// When a transfer takes a call out of what a user sees, it goes from his page.
func TestWhatIsSeenNoMoreGoes(t *testing.T) {
	s := newStage(t, Config{})
	v := see("sara", "101")
	v.See.Not = []string{"102"}
	s.who["sara"] = v
	s.log.Append(ring("1", "sales", "101")[:3]...)
	b := s.open("sara", "")
	b.until("seen", has("c:1", "09121"))
	e := ring("1", "sales", "102")[2]
	e.ID, e.Seq, e.Leg = "x", 4, "1b"
	s.log.Append(e)
	b.until("gone", hasNot("c:1"))
	b.until("bare", has("x:101", `"state":"ringing"`))
	if strings.Contains(string(b.rows["x:101"]), "09121") {
		t.Errorf("%s", b.rows["x:101"])
	}
}

// A page that was away gets what it missed and nothing else; one that was away
// for too long, or of another run, gets a snapshot.
func TestResume(t *testing.T) {
	s := newStage(t, Config{Every: time.Millisecond})
	b := s.open("boss", "")
	s.log.Append(ring("1", "sales", "101")[:2]...)
	b.until("queued", has("c:1", "queued"))
	b.close()
	s.log.Append(ring("1", "sales", "101")[2:]...)
	s.log.Append(ring("2", "sales", "102")[:3]...)
	s.open("boss", "").until("the new call", has("x:102", "ringing"))

	again := s.open("boss", b.id)
	again.rows = b.rows
	again.until("the new call", has("x:102", "ringing"))
	if slices.Contains(again.kinds, "snapshot") || again.rows["c:1"] != nil || again.rows["e:1"] == nil {
		t.Errorf("%v %s", again.kinds, again.rows)
	}
	for _, id := range []string{"other.1", "test.zz", "test.-1", "%00", strings.Repeat("9", 100)} {
		c := s.open("boss", id)
		c.until(id, has("x:102", "ringing"))
		if c.kinds[0] != "snapshot" {
			t.Errorf("%q: %v", id, c.kinds)
		}
	}
	for i := range kept + 5 {
		s.log.Append(call.Event{ID: fmt.Sprint("p", i), Kind: call.AgentChanged, Agent: "sara", State: "paused", Reason: fmt.Sprint("r", i), At: time.Now(), SeenAt: time.Now()})
		again.until("pause", has("x:101", fmt.Sprintf(`"reason":"r%d"`, i)))
	}
	late := s.open("boss", b.id)
	late.until("the last pause", has("x:101", fmt.Sprintf(`"reason":"r%d"`, kept+4)))
	if late.kinds[0] != "snapshot" {
		t.Errorf("%v", late.kinds)
	}
}

// When the log cannot vouch for what it told, the board is built anew and the
// pages go on, without what is no more.
func TestAGapInTheLog(t *testing.T) {
	s := newStage(t, Config{})
	s.log.Append(ring("1", "sales", "101")[:3]...)
	b := s.open("boss", "")
	b.until("ringing", has("x:101", "ringing"))
	s.log.mu.Lock()
	s.log.events = ring("2", "sales", "102")[:3]
	s.log.mu.Unlock()
	s.log.fail(errors.New("gap"))
	b.until("the other call", has("x:102", "ringing"))
	b.until("no more", hasNot("c:1"))
}

func TestHeartbeatAndFarewell(t *testing.T) {
	s := newStage(t, Config{Heartbeat: 20 * time.Millisecond})
	b := s.open("boss", "")
	for {
		name, err := b.next()
		if err != nil {
			t.Fatal(err)
		}
		if name == "beat" {
			break
		}
	}
	p := page{h: s.hub, who: func() (Viewer, bool) { return Viewer{}, false }, w: httptest.NewRecorder()}
	p.out = http.NewResponseController(p.w)
	if p.look() {
		t.Error("who may not see any more is kept")
	}
	res, err := http.Get(s.srv.URL + "?who=nobody")
	if err != nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%v %v", res, err)
	}
	_ = res.Body.Close()
}

// Readers that read nothing hold up neither the hub nor the others, and are cut off.
func TestSlowReaders(t *testing.T) {
	s := newStage(t, Config{Every: time.Millisecond, Patience: 300 * time.Millisecond})
	var conns []net.Conn
	for range 200 {
		c, err := net.Dial("tcp", s.srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(1)
		fmt.Fprintf(c, "GET /?who=boss HTTP/1.1\r\nHost: x\r\n\r\n")
		conns = append(conns, c)
	}
	b := s.open("boss", "")
	wide := strings.Repeat("x", 60)
	deadline := time.Now().Add(30 * time.Second)
	for i := 0; s.hub.Readers() > 1; i++ {
		for range 50 {
			s.log.Append(ring(fmt.Sprintf("%s%d-%d", wide, i, time.Now().UnixNano()), "sales", "101")...)
		}
		now := time.Now()
		s.log.Append(call.Event{ID: fmt.Sprint("p", i), Kind: call.AgentChanged, Agent: "sara", State: "paused", Reason: fmt.Sprint("r", i), At: now, SeenAt: now})
		b.until("pause", has("x:101", fmt.Sprintf(`"reason":"r%d"`, i)))
		if late := time.Since(now); late > 5*time.Second {
			t.Fatalf("a page was told %v late", late)
		}
		if now.After(deadline) {
			t.Fatalf("%d of %d readers that do not read are still there", s.hub.Readers(), len(conns))
		}
	}
}
