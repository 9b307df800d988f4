package hub

import (
	"bufio"
	"context"
	"encoding/json"
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

// await waits until something is so.
func (s *stage) await(what string, ok func() bool) {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.Fatalf("waited in vain for %s: %d readers", what, s.hub.Readers())
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
