package link

import (
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// tee passes a copy of every byte to whoever connects. Who is too slow is cut
// off; nobody waits for him.
type tee struct {
	ln  net.Listener
	log *slog.Logger
	wg  sync.WaitGroup

	mu      sync.Mutex
	clients map[net.Conn]chan []byte
	closed  bool
}

// teeBuffer is how many pieces may wait for a client.
const teeBuffer = 1024

func newTee(address string, log *slog.Logger) (*tee, error) {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for copies: %w", err)
	}
	t := &tee{ln: ln, log: log, clients: map[net.Conn]chan []byte{}}
	t.wg.Go(t.accept)
	return t, nil
}

func (t *tee) accept() {
	for {
		conn, err := t.ln.Accept()
		if err != nil {
			return // closed
		}
		ch := make(chan []byte, teeBuffer)
		t.mu.Lock()
		if t.closed {
			t.mu.Unlock()
			conn.Close()
			return
		}
		t.clients[conn] = ch
		t.mu.Unlock()
		t.wg.Go(func() { t.serve(conn, ch) })
		t.wg.Go(func() { t.hear(conn) })
	}
}

// serve writes to a client until it is cut off.
func (t *tee) serve(conn net.Conn, ch chan []byte) {
	defer conn.Close()
	for b := range ch {
		if err := conn.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			break
		}
		if _, err := conn.Write(b); err != nil {
			break
		}
	}
	t.drop(conn)
}

// hear reads what a client says, such as a log-in, to notice when it goes.
func (t *tee) hear(conn net.Conn) {
	buf := make([]byte, 256)
	for {
		if _, err := conn.Read(buf); err != nil {
			t.drop(conn)
			return
		}
	}
}

func (t *tee) drop(conn net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ch, ok := t.clients[conn]; ok {
		delete(t.clients, conn)
		close(ch)
	}
}

func (t *tee) send(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.clients) == 0 {
		return
	}
	b = append([]byte(nil), b...)
	for conn, ch := range t.clients {
		select {
		case ch <- b:
		default:
			t.log.Warn("client of the copy is too slow and is cut off", "client", conn.RemoteAddr())
			delete(t.clients, conn)
			close(ch)
		}
	}
}

func (t *tee) close() {
	t.ln.Close()
	t.mu.Lock()
	t.closed = true
	for conn, ch := range t.clients {
		delete(t.clients, conn)
		close(ch)
		conn.Close()
	}
	t.mu.Unlock()
	t.wg.Wait()
}
