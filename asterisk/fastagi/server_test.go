package fastagi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// start runs a server until the test ends, on a free port of loopback.
func start(t testing.TB, h Handler, change func(*Config)) *Server {
	t.Helper()
	s := &Server{Config: DefaultConfig(), Handler: h, Log: slog.New(slog.DiscardHandler)}
	s.Config.Listen = "127.0.0.1:0"
	s.Config.Header, s.Config.Reply, s.Config.Drain = time.Minute, time.Minute, 5*time.Second // the machine may be busy
	if change != nil {
		change(&s.Config)
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// dial connects as Asterisk does; with a header unless it is "".
func dial(t testing.TB, s *Server, h string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, h); err != nil {
		t.Fatal(err)
	}
	return &peer{c, bufio.NewReader(c)}
}

// served plays one whole call of the noop handler.
func (p *peer) served(t testing.TB) {
	t.Helper()
	if got, err := p.in.ReadString('\n'); got != "NOOP\n" || err != nil {
		t.Errorf("not served: %q %v", got, err)
	}
	_, _ = io.WriteString(p, "200 result=0\n")
	p.closed(t)
}

// closed waits for the server to close the connection.
func (p *peer) closed(t testing.TB) {
	t.Helper()
	if rest, err := io.ReadAll(p.in); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("not closed: %q %v", rest, err)
	}
}

func noop(_ context.Context, s *Session) { _ = s.Noop() }

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

func TestServe(t *testing.T) {
	s := start(t, noop, nil)
	for range 3 {
		dial(t, s, header()).served(t)
	}
	until(t, "all over", func() bool { st := s.Stats(); return st.Sessions == 3 && st.Open == 0 && st.Waiting == 0 })
}

func TestOccupiedPort(t *testing.T) {
	s := start(t, noop, nil)
	second := &Server{Config: s.Config, Handler: noop, Log: s.Log}
	second.Config.Listen = s.Addr().String()
	err := second.Run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "listen for FastAGI") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("have %v", err)
	}
}

// idle is three clients that send no header, or not the whole of it.
func idle(t *testing.T, s *Server) []*peer {
	t.Helper()
	return []*peer{dial(t, s, ""), dial(t, s, "agi_network: y"), dial(t, s, strings.TrimSuffix(header(), "\n"))}
}

// One client that sent nothing kept all calls out of the library's Listen.
func TestSilentAndSlowClientsBesideCalls(t *testing.T) {
	s := start(t, noop, nil)
	idlers := idle(t, s)
	until(t, "three wait", func() bool { return s.Stats().Waiting == 3 })
	for range 20 {
		dial(t, s, header()).served(t)
	}
	if st := s.Stats(); st.Waiting != 3 || st.BadHeader != 0 {
		t.Errorf("beside calls: %+v", st)
	}
	for _, p := range idlers {
		_ = p.Close()
	}
}

func TestIdlersAreSentAway(t *testing.T) {
	s := start(t, noop, func(c *Config) { c.Header = 100 * time.Millisecond })
	for _, p := range idle(t, s) {
		p.closed(t)
	}
	until(t, "idlers counted", func() bool { return s.Stats().BadHeader == 3 && s.Stats().Waiting == 0 })
}

func TestIdlersGiveWay(t *testing.T) {
	s := start(t, noop, func(c *Config) { c.MaxWaiting, c.Header = 4, time.Minute })
	var idlers []*peer
	for range 12 {
		idlers = append(idlers, dial(t, s, ""))
	}
	for _, p := range idlers[:8] {
		p.closed(t)
	}
	for range 5 {
		dial(t, s, header()).served(t)
	}
	if st := s.Stats(); st.RefusedLimit < 8 || st.Sessions != 5 {
		t.Errorf("have %+v", st)
	}
	for _, p := range idlers {
		_ = p.Close()
	}
}

func TestLimits(t *testing.T) {
	hold := make(chan struct{})
	s := start(t, func(_ context.Context, s *Session) { <-hold }, func(c *Config) { c.MaxSessions = 3 })
	var open []*peer
	for range 3 {
		open = append(open, dial(t, s, header()))
	}
	until(t, "three sessions", func() bool { return s.Stats().Open == 3 })
	dial(t, s, header()).closed(t)
	if n := s.Stats().RefusedLimit; n != 1 {
		t.Errorf("%d refused", n)
	}
	close(hold)
	for _, p := range open {
		p.closed(t)
	}
	until(t, "none open", func() bool { return s.Stats().Open == 0 })
	dial(t, s, header()).closed(t) // served at once now
	if n := s.Stats().Sessions; n != 4 {
		t.Errorf("%d sessions", n)
	}
}

func TestLimitPerAddress(t *testing.T) {
	hold := make(chan struct{})
	s := start(t, func(context.Context, *Session) { <-hold }, func(c *Config) { c.MaxPerAddress = 1 })
	defer close(hold)
	dial(t, s, header())
	until(t, "a session", func() bool { return s.Stats().Open == 1 })
	dial(t, s, header()).closed(t)
	from2 := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	c, err := from2.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, header())
	until(t, "a session from elsewhere", func() bool { return s.Stats().Open == 2 })
}

func TestPeers(t *testing.T) {
	s := start(t, noop, func(c *Config) { c.Peers = []string{"127.0.0.2", "10.0.0.0/8"} })
	dial(t, s, "").closed(t)
	if st := s.Stats(); st.RefusedPeer != 1 || st.Sessions != 0 {
		t.Errorf("have %+v", st)
	}
}

func TestToken(t *testing.T) {
	s := start(t, noop, func(c *Config) { c.Token = "secret" })
	for _, script := range []string{"inbound", "inbound?k=", "inbound?k=wrong"} {
		dial(t, s, headerTo(script)).closed(t)
	}
	dial(t, s, headerTo("inbound?k=secret")).served(t)
	if st := s.Stats(); st.RefusedToken != 3 || st.Sessions != 1 {
		t.Errorf("have %+v", st)
	}
}

func TestForgedHeaderIsClosedAndCounted(t *testing.T) {
	s := start(t, noop, nil)
	dial(t, s, strings.Replace(header(), "Ali Rezaei", "x\nagi_extension: 900", 1)).closed(t)
	dial(t, s, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").closed(t)
	if st := s.Stats(); st.BadHeader != 2 || st.Sessions != 0 {
		t.Errorf("have %+v", st)
	}
}

func TestPanicStaysInItsCall(t *testing.T) {
	s := start(t, func(ctx context.Context, s *Session) {
		if s.Request.Path == "/bad" {
			panic("on purpose")
		}
		noop(ctx, s)
	}, nil)
	dial(t, s, headerTo("bad")).closed(t)
	dial(t, s, header()).served(t)
	if n := s.Stats().Panics; n != 1 {
		t.Errorf("%d panics", n)
	}
}

func TestFaultsAreCounted(t *testing.T) {
	s := start(t, noop, nil)
	p := dial(t, s, header())
	p.expect(t, "NOOP")
	_, _ = io.WriteString(p, "nonsense\n")
	p.closed(t)
	until(t, "nonsense is counted", func() bool { st := s.Stats(); return st.Protocol == 1 && st.Timeouts == 0 })
	s = start(t, noop, func(c *Config) { c.Reply = 100 * time.Millisecond })
	p = dial(t, s, header())
	p.expect(t, "NOOP")
	p.closed(t)
	until(t, "silence is counted", func() bool { st := s.Stats(); return st.Protocol == 0 && st.Timeouts == 1 })
}

// draining is a server that is about to stop, and what came of its sessions.
type draining struct {
	*Server
	stop func()
	done chan error

	mu   sync.Mutex
	errs map[string]error // by path
}

func newDraining(t *testing.T, patience time.Duration) *draining {
	t.Helper()
	d := &draining{Server: &Server{Config: DefaultConfig(), Log: slog.New(slog.DiscardHandler)}, done: make(chan error), errs: map[string]error{}}
	d.Config.Listen, d.Config.Drain, d.Config.Header, d.Config.Reply = "127.0.0.1:0", patience, time.Minute, time.Minute
	d.Handler = func(ctx context.Context, s *Session) {
		err := s.Noop()
		if s.Request.Path == "/hung" {
			<-ctx.Done()
			err = s.Noop()
		}
		d.mu.Lock()
		d.errs[s.Request.Path] = err
		d.mu.Unlock()
	}
	if err := d.Listen(); err != nil {
		t.Fatal(err)
	}
	var ctx context.Context
	ctx, d.stop = context.WithCancel(context.Background())
	go func() { d.done <- d.Run(ctx) }()
	return d
}

// At shutdown new calls are refused at once, and running ones may finish.
func TestDrain(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	d := newDraining(t, time.Minute)
	finishes, idle := dial(t, d.Server, headerTo("finishes")), dial(t, d.Server, "")
	until(t, "all in", func() bool { st := d.Stats(); return st.Open == 1 && st.Waiting == 1 })
	d.stop()
	idle.closed(t)
	until(t, "new calls refused", func() bool {
		c, err := net.Dial("tcp", d.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	})
	finishes.served(t)
	if err := <-d.done; err != nil || d.errs["/finishes"] != nil {
		t.Errorf("run: %v, session: %v", err, d.errs["/finishes"])
	}
}

// What does not finish is cut off.
func TestDrainCutsOff(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	d := newDraining(t, 100*time.Millisecond)
	hung := dial(t, d.Server, headerTo("hung"))
	hung.expect(t, "NOOP")
	_, _ = io.WriteString(hung, "200 result=0\n")
	d.stop()
	hung.closed(t)
	if err := <-d.done; err != nil || !errors.Is(d.errs["/hung"], ErrClosed) {
		t.Errorf("run: %v, session: %v", err, d.errs["/hung"])
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{Listen: "nowhere", Peers: []string{"10.0.0.0/33"}, Drain: -1}.Validate()
	for _, key := range []string{"listen", "peers", "header", "reply", "session", "drain", "max_sessions", "max_per_address", "max_waiting"} {
		if err == nil || !strings.Contains(err.Error(), key+": ") {
			t.Errorf("no fault under %s in: %v", key, err)
		}
	}
}

// faultyListener has no file descriptors left, for a while.
type faultyListener struct {
	net.Listener
	faults int
}

func (l *faultyListener) Accept() (net.Conn, error) {
	if l.faults--; l.faults >= 0 {
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

// The library's Listen ended at the first such fault.
func TestAcceptGoesOnAfterFaults(t *testing.T) {
	s := &Server{Config: DefaultConfig(), Handler: noop, Log: slog.New(slog.DiscardHandler)}
	s.Config.Listen = "127.0.0.1:0"
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	s.listener = &faultyListener{s.listener, 3}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	dial(t, s, header()).served(t)
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
