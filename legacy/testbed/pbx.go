package testbed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"
)

// PBX is an exchange that prints its records over TCP to one client at a time,
// after a log-in. What it could not print it keeps; after a new log-in it
// repeats what it cannot be sure has arrived.
type PBX struct {
	opt Options

	mu     sync.Mutex
	more   *sync.Cond
	lines  []string
	sent   int // lines printed to a client so far
	client net.Conn
	sides  []net.Conn // connections that were refused or are logging in
	logins int
	reject int // log-ins and clients refused
	locked time.Time
	closed bool
}

// Options say how the exchange is programmed.
type Options struct {
	User, Password string
	End            string        // of lines: CR, LF or both
	Page           int           // lines of a page, each with a title; 0: no pages
	Repeat         int           // lines repeated after a new log-in, at least; whole minutes are repeated
	Split          *rand.Rand    // cuts what is sent into packets at random; nil: whole lines
	LockOut        time.Duration // after a wrong password nobody is let in for so long
}

// NewPBX makes an exchange.
func NewPBX(opt Options) *PBX {
	if opt.End == "" {
		opt.End = "\r\n"
	}
	p := &PBX{opt: opt}
	p.more = sync.NewCond(&p.mu)
	return p
}

// Serve takes clients until ctx ends.
func (p *PBX) Serve(ctx context.Context, ln net.Listener) error {
	defer context.AfterFunc(ctx, func() {
		ln.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.closed = true
		p.cut()
		p.more.Broadcast()
	})()
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		wg.Go(func() {
			defer conn.Close()
			p.serve(conn)
		})
	}
}

// Print adds records to what is to be printed.
func (p *PBX) Print(lines ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, lines...)
	p.more.Broadcast()
}

// Cut ends the connection to the client, in the middle of whatever is sent.
func (p *PBX) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
}

func (p *PBX) cut() {
	for _, c := range append(p.sides, p.client) {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
			tcp.Close()
		}
	}
}

// Printed tells how many lines have been sent to a client once, and how many
// there are.
func (p *PBX) Printed() (sent, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent, len(p.lines)
}

// Logins tells how many log-ins were accepted and how many clients refused.
func (p *PBX) Logins() (accepted, refused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logins, p.reject
}

var errRefused = errors.New("refused")

func (p *PBX) serve(conn net.Conn) {
	if !p.enter(conn) {
		_, _ = conn.Write([]byte("Rejected"))
		return
	}
	defer p.leave(conn)
	if err := p.logIn(conn); err != nil {
		if errors.Is(err, errRefused) {
			p.lock()
			_, _ = conn.Write([]byte("Rejected" + p.opt.End))
		}
		return
	}
	p.print(conn)
}

// enter takes a client if there is none and nobody is locked out.
func (p *PBX) enter(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client != nil || time.Now().Before(p.locked) || p.closed {
		p.reject++
		return false
	}
	p.client = conn
	return true
}

func (p *PBX) leave(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.client == conn {
		p.client = nil
	}
}

func (p *PBX) lock() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reject++
	p.locked = time.Now().Add(p.opt.LockOut)
}

// logIn asks for the user and the password, echoing the one in upper case and
// the other as asterisks.
func (p *PBX) logIn(conn net.Conn) error {
	if p.opt.User == "" {
		return nil
	}
	in := bufio.NewReader(conn)
	if _, err := conn.Write([]byte("-")); err != nil {
		return err
	}
	user, err := in.ReadString('\r')
	if err != nil {
		return err
	}
	user = strings.ToUpper(strings.TrimSpace(user))
	if _, err := conn.Write([]byte(user + "\rEnter Password:")); err != nil {
		return err
	}
	password, err := in.ReadString('\r')
	if err != nil {
		return err
	}
	password = strings.TrimSpace(password)
	if user != p.opt.User || password != p.opt.Password {
		return errRefused
	}
	_, err = conn.Write([]byte(strings.Repeat("*", len(password)) + p.opt.End))
	return err
}

// print prints to a client until it is gone: first what it may not have got,
// then what comes.
func (p *PBX) print(conn net.Conn) {
	p.mu.Lock()
	p.logins++
	next := p.repeatFrom()
	p.mu.Unlock()
	gone := make(chan struct{})
	go func() { // a client that closes is noticed even when nothing is printed
		buf := make([]byte, 64)
		for {
			if _, err := conn.Read(buf); err != nil {
				close(gone) // before waking who looks at it
				p.mu.Lock()
				p.more.Broadcast()
				p.mu.Unlock()
				return
			}
		}
	}()
	for n := 0; ; n++ {
		line, ok := p.wait(next, gone)
		if !ok {
			return
		}
		if p.opt.Page > 0 && n%p.opt.Page == 0 {
			line = strings.Join(append(Header(), line), p.opt.End)
		}
		if !p.send(conn, line+p.opt.End) {
			return
		}
		next++
		p.mu.Lock()
		p.sent = max(p.sent, next)
		p.mu.Unlock()
	}
}

// repeatFrom is the first line to print after a log-in: Repeat lines before
// the last that was sent, and from there the beginning of its minute.
func (p *PBX) repeatFrom() int {
	i := max(p.sent-p.opt.Repeat, 0)
	for i > 0 && minute(p.lines[i-1]) == minute(p.lines[min(i, len(p.lines)-1)]) {
		i--
	}
	return i
}

func minute(line string) string { return line[:min(len(line), 16)] }

// wait returns a line, once it is there.
func (p *PBX) wait(i int, gone <-chan struct{}) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i >= len(p.lines) && !p.closed {
		select {
		case <-gone:
			return "", false
		default:
		}
		p.more.Wait()
	}
	if p.closed {
		return "", false
	}
	return p.lines[i], true
}

// send writes text, cut into packets where Split says.
func (p *PBX) send(conn net.Conn, text string) bool {
	for len(text) > 0 {
		n := len(text)
		if p.opt.Split != nil {
			n = 1 + p.opt.Split.IntN(n)
		}
		if _, err := conn.Write([]byte(text[:n])); err != nil {
			return false
		}
		text = text[n:]
	}
	return true
}
