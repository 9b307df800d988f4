package dashboard

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"markaz/access"
	"markaz/access/audit"
	"markaz/access/gate"
	"markaz/apps/dashboard/board"
	"markaz/apps/dashboard/hub"
	"markaz/call"
	"markaz/lang"
)

// stage is the pages on a busy afternoon that is made up: what must be told of
// real calls is told of them in cmd/markaz.
type stage struct {
	testing.TB
	hub   *hub.Hub
	log   *journal
	past  *memory
	wire  *wire // between browser and server
	srv   *httptest.Server
	users map[string]*access.User
	asked chan string // what the pages asked of the API
}

// journal is a log in memory.
type journal struct {
	mu     sync.Mutex
	events []call.Event
	more   chan struct{}
	n      int
	seq    map[string]uint64
}

func (l *journal) Snapshot(_ context.Context, _ time.Time, fn func(call.Event)) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		fn(e)
	}
	return fmt.Sprint(len(l.events)), nil
}

func (l *journal) Tail(ctx context.Context, after string, fn func(call.Event)) error {
	n := 0
	_, _ = fmt.Sscan(after, &n)
	for {
		l.mu.Lock()
		got, more := l.events[n:], l.more
		l.mu.Unlock()
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

// tell logs events that happened so long ago.
func (l *journal) tell(ago time.Duration, events ...call.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		l.n++
		e.V, e.ID, e.Live = call.Schema, fmt.Sprintf("e%d", l.n), true
		if e.Source == "" {
			e.Source = "pbx"
		}
		e.At = time.Now().Add(-ago).UTC()
		e.SeenAt = e.At
		if e.Call != "" {
			l.seq[e.Call]++
			e.Seq = l.seq[e.Call]
		}
		l.events = append(l.events, e)
	}
	close(l.more)
	l.more = make(chan struct{})
}

// memory is a history in memory: the fold of the journal.
type memory struct{ log *journal }

func (m *memory) fold() call.Book {
	b := call.Book{}
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	for _, e := range m.log.events {
		b.Apply(e)
	}
	return b
}

func (m *memory) Calls(_ context.Context, q Search) (Page, error) {
	var out Page
	for _, c := range m.fold() {
		if q.Visible.True(access.OfCall(c)) && (q.Number == "" || c.From == latin(q.Number)) && (q.Extension == "" || c.Reached == q.Extension) {
			out.Calls = append(out.Calls, *c)
		}
	}
	slices.SortFunc(out.Calls, func(a, b call.Call) int { return b.Started.Compare(a.Started) })
	return out, nil
}

func (m *memory) Call(_ context.Context, id string) (*call.Call, error) {
	if c := m.fold()[id]; c != nil {
		return c, nil
	}
	return nil, ErrNotFound
}

func (m *memory) Events(_ context.Context, id string) ([]call.Event, error) {
	m.log.mu.Lock()
	defer m.log.mu.Unlock()
	var out []call.Event
	for _, e := range m.log.events {
		if e.Call == id {
			out = append(out, e)
		}
	}
	return out, nil
}

func (m *memory) Listened(context.Context, string) ([]Listen, error) {
	return []Listen{{At: time.Now().Add(-time.Hour), Recording: "r", Who: "boss", How: "play"}}, nil
}

func (m *memory) Figures(context.Context, Report) ([]Figure, error) {
	var out []Figure
	for h := 8; h < 18; h++ {
		n := int64(40 - (h-13)*(h-13))
		out = append(out, Figure{Key: fmt.Sprintf("%02d", h), Calls: n, Answered: n - 3, Missed: 3, Level: .86, WaitMS: n * 9000, TalkMS: n * 140000, WaitMax: 62000})
	}
	return out, nil
}

// wire is a network cable that can be cut: silently, or with a bang.
type wire struct {
	net.Listener
	to string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]bool
}

func newWire(t testing.TB, to string) *wire {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{Listener: l, to: to, conns: map[net.Conn]bool{}}
	go w.run()
	t.Cleanup(func() { _ = l.Close(); w.Cut(); w.Mend() })
	return w
}

func (w *wire) run() {
	for {
		c, err := w.Accept()
		if err != nil {
			return
		}
		if w.isCut() {
			_ = c.Close()
			continue
		}
		d, err := net.Dial("tcp", w.to)
		if err != nil {
			_ = c.Close()
			continue
		}
		w.mu.Lock()
		w.conns[c], w.conns[d] = true, true
		w.mu.Unlock()
		for _, p := range [][2]net.Conn{{c, d}, {d, c}} {
			go func() {
				_, _ = io.Copy(p[0], p[1])
				_, _ = p[0].Close(), p[1].Close()
			}()
		}
	}
}

func (w *wire) isCut() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut
}

// Cut breaks all connections and lets no new ones through.
func (w *wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for c := range w.conns {
		_ = c.Close()
	}
	clear(w.conns)
}

// Mend joins it again.
func (w *wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

func newStage(t testing.TB) *stage {
	s := &stage{TB: t, log: &journal{more: make(chan struct{}), seq: map[string]uint64{}}, users: map[string]*access.User{}, asked: make(chan string, 100)}
	s.past = &memory{s.log}
	policy := access.NewPolicy(access.Config{
		Users: []access.Account{
			{Name: "boss", Display: "Mina Karimi", Role: access.Administrator, Extensions: []string{"100"}},
			{Name: "sara", Role: access.Agent},
			{Name: "wall", Role: access.Kiosk},
		},
	}, people(), nil, nil)
	for _, name := range []string{"boss", "sara", "wall"} {
		s.users[name], _ = policy.User(name)
	}
	s.hub = hub.New(hub.Config{}, office(), hub.Deps{Log: s.log, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Epoch: "stage"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.hub.Run(ctx) }()
	web, err := New(Deps{
		Wrap: s.wrap, History: s.past, Words: lang.New(), Now: time.Now, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Source: "pbx", Zone: time.UTC, Pauses: []string{"break", "lunch"},
		Audit: func(context.Context, audit.Query) ([]audit.Entry, int64, error) {
			return []audit.Entry{
				{Seq: 2, At: time.Now(), Who: "boss", What: "monitor", Target: "01JD", Reason: "<i>training</i>", From: "127.0.0.1", Result: "ok"},
				{Seq: 1, At: time.Now(), Who: "sara", What: "recording.download", From: "127.0.0.1", Result: "refused", Detail: "no right"},
			}, 0, nil
		},
		Sound: func(call.Recording) (io.ReadSeekCloser, error) { return sounds(), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	web.Routes(mux)
	mux.HandleFunc("/v1/", s.api)
	mux.Handle("GET /v1/events", s.wrap(func(w http.ResponseWriter, r *http.Request, u *access.User) {
		s.hub.Stream(w, r, func() (hub.Viewer, bool) { return hub.ViewOf(u), true })
	}))
	s.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", gate.ContentPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	}))
	s.wire = newWire(t, s.srv.Listener.Addr().String())
	t.Cleanup(func() { cancel(); <-done; s.srv.CloseClientConnections(); s.srv.Close() })
	return s
}

// wrap lets in whoever the cookie says.
func (s *stage) wrap(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("who")
		if err != nil || s.users[c.Value] == nil {
			http.Redirect(w, r, "/login?error=expired", http.StatusSeeOther)
			return
		}
		h(w, r, s.users[c.Value])
	})
}

func (s *stage) api(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "audio/wav")
		http.ServeContent(w, r, "", time.Time{}, sounds())
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.asked <- r.Method + " " + r.URL.Path + " " + string(body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte(`{"id":"req"}`))
}

func (s *stage) url(path string) string { return "http://" + s.wire.Addr().String() + path }

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

// sounds is a recording of eight seconds, in two channels that take turns.
func sounds() closer {
	const rate, seconds = 8000, 8
	var b bytes.Buffer
	n := rate * seconds * 4
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+n))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(2), uint32(rate), uint32(rate * 4), uint16(4), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(n))
	for i := range rate * seconds {
		loud := 16000 * math.Abs(math.Sin(float64(i)/2500)*math.Sin(float64(i)/377))
		v := int16(loud * math.Sin(float64(i)/3))
		left, right := v, int16(0)
		if i/(rate*2)%2 == 1 {
			left, right = 0, v
		}
		_ = binary.Write(&b, binary.LittleEndian, [2]int16{left, right})
	}
	return closer{bytes.NewReader(b.Bytes())}
}

var names = []string{"Sara Ahmadi", "Reza Moradi", "Olga Ivanova", "Li Wei", "Maryam Rad", "Daniel Fox", "Neda Salimi", "Hamid Azari", "Tom Berg", "Zahra Nouri", "Ivan Petrov", "Chen Jie"}

func people() []access.Person {
	var out []access.Person
	for i, name := range names {
		p := access.Person{ID: fmt.Sprint("agent", i), Name: name, Extension: fmt.Sprint(101 + i), Queues: []string{[]string{"sales", "support", "billing"}[i%3]}}
		if i == 0 {
			p.ID = "sara"
		}
		out = append(out, p)
	}
	return out
}

func office() board.Config {
	c := board.Config{Queues: []board.QueueTarget{{Name: "sales"}, {Name: "support"}, {Name: "billing"}}}
	for _, p := range people() {
		c.People = append(c.People, board.Person{Agent: p.ID, Name: p.Name, Number: p.Extension, Queues: p.Queues})
	}
	c.People = append(c.People, board.Person{Name: "Mina Karimi", Number: "100"}, board.Person{Name: "Reception", Number: "120"})
	return c
}

// ring begins a call of a queue, ago; answer lets an agent take it, end ends it.
func (s *stage) ring(id, from, name, queue string, ago time.Duration) {
	s.log.tell(ago, call.Event{Kind: call.CallStarted, Call: id, Leg: id + "c", Direction: call.Inbound, From: from, FromName: name, To: "02112345678", Trunk: "trunk-1", DID: "02112345678"},
		call.Event{Kind: call.LegAnswered, Call: id, Leg: id + "c"}, call.Event{Kind: call.IVREntered, Call: id, Leg: id + "c", Menu: "main"})
	s.log.tell(ago-4*time.Second, call.Event{Kind: call.IVRInput, Call: id, Leg: id + "c", Menu: "main", Digits: "1", Reason: "ok"}, call.Event{Kind: call.IVRLeft, Call: id, Leg: id + "c", Menu: "main"},
		call.Event{Kind: call.QueueJoined, Call: id, Leg: id + "c", Queue: queue, Position: 1})
}

func (s *stage) offer(id, queue, agent, ext string, ago time.Duration) {
	s.log.tell(ago, call.Event{Kind: call.LegRinging, Call: id, Leg: id + "a" + ext, Role: call.RoleAgent, Address: ext, Agent: agent, Queue: queue})
}

func (s *stage) answer(id, queue, agent, ext string, ago time.Duration) {
	s.offer(id, queue, agent, ext, ago+5*time.Second)
	s.log.tell(ago, call.Event{Kind: call.LegAnswered, Call: id, Leg: id + "a" + ext},
		call.Event{Kind: call.QueueLeft, Call: id, Leg: id + "c", Queue: queue, Reason: "answered", WaitMS: 9000},
		call.Event{Kind: call.CallAnswered, Call: id, Leg: id + "a" + ext, Address: ext, Agent: agent},
		call.Event{Kind: call.LegJoined, Call: id, Leg: id + "a" + ext},
		call.Event{Kind: call.RecordingStarted, Call: id, Recording: "r" + id})
}

func (s *stage) end(id, ext string, ago time.Duration) {
	s.log.tell(ago, call.Event{Kind: call.RecordingStopped, Call: id, Recording: "r" + id},
		call.Event{Kind: call.LegEnded, Call: id, Leg: id + "a" + ext, Result: call.Answered, By: call.ByCaller, Cause: 16},
		call.Event{Kind: call.LegEnded, Call: id, Leg: id + "c", By: call.ByCaller, Cause: 16},
		call.Event{Kind: call.CallEnded, Call: id, Disposition: call.CallAnsweredD, By: call.ByCaller, Cause: 16},
		call.Event{Kind: call.CallAmended, Call: id, Revision: 1, Recording: "r" + id, File: "2026/03/21/x.wav", DurationMS: 8000, State: "done"})
}

// afternoon fills the office.
func (s *stage) afternoon() {
	state := func(agent, ext, state, reason string, ago time.Duration) {
		s.log.tell(ago, call.Event{Kind: call.AgentChanged, Agent: agent, Address: ext, State: state, Reason: reason})
	}
	for i, p := range people() {
		state(p.ID, p.Extension, "available", "", 3*time.Hour-time.Duration(i)*time.Minute)
	}
	callers := []struct{ from, name string }{{"09121110001", "Ali Rezaei"}, {"09353334455", "Parisa"}, {"+79161234567", "Сергей"}, {"02188776655", ""}, {"09127654321", "شرکت آریا"}, {"+8613800000004", "王伟"}, {"09199998877", "<script>alert(1)</script>"}}
	queues := []string{"sales", "support", "billing"}
	for i := range 14 {
		c, q := callers[i%len(callers)], i%3
		id, ago := fmt.Sprintf("old%02d", i), time.Duration(60-4*i)*time.Minute
		s.ring(id, c.from, c.name, queues[q], ago)
		if i%5 == 4 {
			s.log.tell(ago-40*time.Second, call.Event{Kind: call.QueueAbandoned, Call: id, Leg: id + "c", Queue: queues[q], WaitMS: 36000},
				call.Event{Kind: call.LegEnded, Call: id, Leg: id + "c", By: call.ByCaller, Cause: 16}, call.Event{Kind: call.CallEnded, Call: id, Disposition: call.AbandonedQueue, By: call.ByCaller})
			continue
		}
		p := people()[q+3*(i%4)]
		s.answer(id, queues[q], p.ID, p.Extension, ago-13*time.Second)
		s.end(id, p.Extension, ago-3*time.Minute)
	}
	for i, at := range []time.Duration{190, 75, 412, 33} {
		p := people()[i]
		id := fmt.Sprint("talk", i)
		s.ring(id, callers[i].from, callers[i].name, p.Queues[0], (at+15)*time.Second)
		s.answer(id, p.Queues[0], p.ID, p.Extension, at*time.Second)
	}
	s.log.tell(5*time.Second, call.Event{Kind: call.CallHeld, Call: "talk3", Leg: "talk3a104"})
	s.log.tell(20*time.Second, call.Event{Kind: call.MonitorStarted, Call: "talk2", Ref: "m", Leg: "talk2a103", Agent: "boss", Address: "100", Mode: "spy"})
	s.ring("ring1", "09120001122", "Kaveh", "support", 20*time.Second)
	s.offer("ring1", "support", "agent4", "105", 6*time.Second)
	s.ring("wait1", "09131112233", "", "billing", 95*time.Second)
	s.ring("wait2", "+905321112233", "Emre", "billing", 41*time.Second)
	s.ring("wait3", callers[6].from, callers[6].name, "sales", 12*time.Second)
	s.log.tell(50*time.Second, call.Event{Kind: call.CallStarted, Call: "out1", Leg: "out1c", Direction: call.Outbound, From: "108", To: "09125556677", Trunk: "trunk-1"},
		call.Event{Kind: call.LegRinging, Call: "out1", Leg: "out1x", Role: call.RoleExternal, Address: "09125556677"})
	s.log.tell(70*time.Second, call.Event{Kind: call.CallStarted, Call: "leg1", Leg: "l", Source: "branch", Direction: call.Inbound, From: "09124443322", Trunk: "line 2", Caps: []call.Cap{call.CapRing}},
		call.Event{Kind: call.LegRinging, Call: "leg1", Leg: "la", Source: "branch", Role: call.RoleAgent, Address: "210"})
	state("agent6", "107", "paused", "lunch", 14*time.Minute)
	state("agent8", "109", "wrapup", "", 8*time.Second)
	state("agent9", "110", "offline", "", time.Hour)
	s.log.tell(10*time.Minute, call.Event{Kind: call.ExtensionChanged, Address: "112", State: "unreachable"},
		call.Event{Kind: call.TrunkAlarm, Trunk: "trunk-2", State: "major", Reason: "403 No money left"})
}
