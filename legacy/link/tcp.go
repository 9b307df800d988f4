package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// How soon a dead peer is noticed.
func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}
}

// dial connects to the device, logs in and reads until the connection ends.
func (l *Link) dial(ctx context.Context) error {
	login := l.cfg.Login
	var err error
	if login.Password, err = login.password(); err != nil {
		return err
	}
	d := net.Dialer{Timeout: 10 * time.Second, KeepAliveConfig: keepAlive()}
	conn, err := d.DialContext(ctx, "tcp", l.cfg.Address)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now().Add(farewell)) })()
	l.up(nil)
	err = l.converse(ctx, conn, login)
	l.down(err)
	return err
}

// farewell is how long we go on reading when we are to stop: what the device
// has sent already it will not send again.
const farewell = 100 * time.Millisecond

// converse reads a connection, answering the log-in dialogue meanwhile.
func (l *Link) converse(ctx context.Context, conn net.Conn, login Login) error {
	talk := newDialogue(login)
	buf := make([]byte, 8192)
	var leave time.Time
	for {
		if err := conn.SetReadDeadline(talk.deadline(time.Now())); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if ctx.Err() != nil { // looked at last, lest the end come in between
			if leave.IsZero() {
				leave = time.Now().Add(farewell)
			}
			_ = conn.SetReadDeadline(leave)
		}
		n, err := conn.Read(buf)
		answer := ""
		if n > 0 {
			l.data(buf[:n])
			var refusal error
			if answer, refusal = talk.heard(buf[:n]); refusal != nil {
				return refusal
			}
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			answer = talk.silence()
		case err != nil && talk.doubtful():
			return fmt.Errorf("%w: %w", errDoubtful, err)
		case err != nil:
			return fmt.Errorf("read: %w", err)
		}
		if answer != "" {
			if _, err := conn.Write([]byte(answer + "\r")); err != nil {
				return fmt.Errorf("log in: %w", err)
			}
		}
	}
}

// listen takes one sender at a time; a new one takes the place of the old,
// which may be dead without our knowing.
func (l *Link) listen(ctx context.Context) error {
	allowed, err := l.cfg.allowed()
	if err != nil {
		return err
	}
	lc := net.ListenConfig{KeepAliveConfig: keepAlive()}
	ln, err := lc.Listen(ctx, "tcp", l.cfg.Address)
	if err != nil {
		return fmt.Errorf("listen for device: %w", err)
	}
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	var old net.Conn
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		conn, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			l.failed(err)
			l.log.Error("listener failed", "error", err)
			time.Sleep(time.Second)
			continue
		}
		if !permitted(conn.RemoteAddr(), allowed) {
			l.log.Warn("sender is not allowed", "from", conn.RemoteAddr())
			conn.Close()
			continue
		}
		if old != nil {
			old.Close()
			wg.Wait()
		}
		old = conn
		stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Now().Add(farewell)) })
		wg.Go(func() {
			defer stop()
			defer conn.Close()
			l.up(nil)
			l.down(l.receive(conn))
		})
	}
}

// receive reads a sender until it ends.
func (l *Link) receive(conn net.Conn) error {
	buf := make([]byte, 8192)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			l.data(buf[:n])
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
}

func permitted(from net.Addr, allowed []netip.Prefix) bool {
	ap, err := netip.ParseAddrPort(from.String())
	if err != nil {
		return false
	}
	for _, p := range allowed {
		if p.Contains(ap.Addr().Unmap()) {
			return true
		}
	}
	return false
}

// datagrams takes what comes by UDP; no frame goes on in another datagram.
func (l *Link) datagrams(ctx context.Context) error {
	allowed, err := l.cfg.allowed()
	if err != nil {
		return err
	}
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(ctx, "udp", l.cfg.Address)
	if err != nil {
		return fmt.Errorf("listen for device: %w", err)
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	l.up(nil)
	buf := make([]byte, 65536)
	for {
		n, from, err := conn.ReadFrom(buf)
		if ctx.Err() != nil {
			l.down(ctx.Err())
			return nil
		}
		if err != nil {
			l.failed(err)
			l.log.Error("listener failed", "error", err)
			time.Sleep(time.Second)
			continue
		}
		if !permitted(from, allowed) {
			l.log.Warn("sender is not allowed", "from", from)
			continue
		}
		l.data(buf[:n])
		l.sink.Edge()
	}
}
