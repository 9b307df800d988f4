package fastagi

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// Handler serves one session; when it returns, the connection is closed and
// the dialplan goes on. ctx ends when the server has no more time for it.
type Handler func(ctx context.Context, s *Session)

// Server takes calls. Set the exported fields, then Listen and Run once.
type Server struct {
	Config  Config
	Handler Handler
	Log     *slog.Logger

	listener net.Listener
	door     atomic.Pointer[door]
	count    counters
	buffers  sync.Pool // for headers being read
	keys     []string
	wg       sync.WaitGroup
}

// Listen opens the port, so that a fault shows before anything else starts.
func (s *Server) Listen() error {
	if err := s.Config.Validate(); err != nil {
		return fmt.Errorf("configure fastagi: %w", err)
	}
	d, err := newDoor(s.Config)
	if err != nil {
		return fmt.Errorf("configure fastagi: %w", err)
	}
	// No keep-alive: each command has its deadline, and five system calls for
	// each connection are a tenth of a short session.
	lc := net.ListenConfig{KeepAlive: -1}
	if s.listener, err = lc.Listen(context.Background(), "tcp", s.Config.Listen); err != nil {
		return fmt.Errorf("listen for FastAGI: %w", err)
	}
	s.keys = headerKeys()
	s.buffers.New = func() any { return new(make([]byte, 0, 2048)) }
	s.door.Store(d)
	return nil
}

// Addr is where Listen listens.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Run serves until ctx ends. Then it takes no new calls, lets those that run
// finish for Config.Drain, and closes what is left.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	// Handlers outlive ctx by the time of draining.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	closeAtEnd := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	defer closeAtEnd()

	err := s.accept(work)
	_ = s.listener.Close() // closed already when ctx has ended
	if ctx.Err() != nil {
		err = nil
	}
	s.drain(stop)
	return err
}

// accept lets connections in until the listener is closed. A passing fault,
// such as no file descriptors left, must not end it.
func (s *Server) accept(ctx context.Context) error {
	var pause time.Duration
	for {
		conn, err := s.listener.Accept()
		switch {
		case err == nil:
			pause = 0
			s.receive(ctx, conn)
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept FastAGI connection: %w", err)
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.Log.Error("cannot accept FastAGI connections", "error", err, "retry", pause)
			time.Sleep(pause)
		}
	}
}

// receive must not wait for the client: others stand behind it.
func (s *Server) receive(ctx context.Context, conn net.Conn) {
	d := s.door.Load()
	from := address(conn)
	if !d.welcome(from) {
		s.warn(&s.count.peer, "FastAGI connection refused: address not among peers", "peer", from)
		_ = conn.Close()
		return
	}
	g, gone := d.enter(conn, from)
	if gone != nil {
		s.count.limit.Add(1)
		_ = gone.Close()
	}
	if g == nil {
		_ = conn.Close()
		return
	}
	s.wg.Go(func() { s.serve(ctx, d, g) })
}

func address(conn net.Conn) netip.Addr {
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// serve is the life of one connection.
func (s *Server) serve(ctx context.Context, d *door, g *guest) {
	defer d.leave(g)
	defer g.Close()
	session, err := s.greet(g)
	switch {
	case err != nil:
		s.warn(&s.count.header, "FastAGI connection dropped: no good header", "peer", g.addr, "error", err)
	case !s.trusted(session):
		s.warn(&s.count.token, "FastAGI connection refused: wrong token", "peer", g.addr)
	case !d.seat(g):
		s.warn(&s.count.limit, "FastAGI connection refused: too many sessions", "peer", g.addr)
	default:
		s.count.sessions.Add(1)
		s.handle(ctx, session)
		s.finish(session)
	}
}

// warn counts a fault that a stranger can cause at will, and logs the first few
// and then every hundredth, so that he cannot fill the disk.
func (s *Server) warn(c *atomic.Int64, msg string, attrs ...any) {
	if n := c.Add(1); n <= 10 || n%100 == 0 {
		s.Log.Warn(msg, append(attrs, "count", n)...)
	}
}

// greet reads the header.
func (s *Server) greet(g *guest) (*Session, error) {
	now := time.Now()
	if err := g.SetDeadline(now.Add(s.Config.Header)); err != nil {
		return nil, err
	}
	buf := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buf)
	header, err := readHeader(g, *buf)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(header, s.keys); err != nil {
		return nil, err
	}
	return open(g.Conn, header, s.Config.Reply, now.Add(s.Config.Session)), nil
}

func (s *Server) trusted(session *Session) bool {
	given := session.Request.Query.Get("k")
	return s.Config.Token == "" || subtle.ConstantTimeCompare([]byte(given), []byte(s.Config.Token)) == 1
}

// handle keeps a panic to its own call, which the dialplan then takes back.
func (s *Server) handle(ctx context.Context, session *Session) {
	defer func() {
		if r := recover(); r != nil {
			s.count.panics.Add(1)
			s.Log.Error("FastAGI handler panicked", "leg", session.Request.UniqueID, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	s.Handler(ctx, session)
}

func (s *Server) finish(session *Session) {
	switch err := session.Err(); {
	case errors.Is(err, ErrProtocol):
		s.count.protocol.Add(1)
		s.Log.Error("FastAGI session dropped: answer makes no sense", "leg", session.Request.UniqueID, "error", err)
	case errors.Is(err, ErrTimeout):
		s.count.timeout.Add(1)
		s.Log.Error("FastAGI session dropped: no answer from Asterisk", "leg", session.Request.UniqueID)
	}
}

// drain waits for the sessions to end, then ends them.
func (s *Server) drain(stop context.CancelFunc) {
	d := s.door.Load()
	d.close()
	done := make(chan struct{})
	go func() {
		s.wg.Wait()
		close(done)
	}()
	late := time.NewTimer(s.Config.Drain)
	defer late.Stop()
	select {
	case <-done:
		return
	case <-late.C:
	}
	if _, open := d.counts(); open > 0 {
		s.Log.Warn("FastAGI sessions cut off at shutdown", "sessions", open)
	}
	d.clear()
	stop()
	<-done
}
