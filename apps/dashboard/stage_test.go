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
		out = append(out, Figure{Key: fmt.Sprintf("%02d", h), Calls: n, Answered: n - 3, Missed: 3, Offered: n, Level: .86, WaitMS: n * 9000, TalkMS: n * 140000, WaitMax: 62000})
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
