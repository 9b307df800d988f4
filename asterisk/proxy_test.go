package asterisk_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"markaz/asterisk"
	"markaz/asterisk/testbed"
)

// proxy stands between Markaz and Asterisk, and can cut, refuse and swallow.
type proxy struct {
	t      *testing.T
	listen net.Listener
	target string
	wait   sync.WaitGroup

	mu    sync.Mutex
	open  map[net.Conn]bool
	shut  bool          // refuse new connections
	clear chan struct{} // closed while bytes flow
}

// through puts a proxy before the Asterisk of a rig.
func through(t *testing.T, p **proxy) func(*asterisk.Config, *testbed.Asterisk) {
	return func(cfg *asterisk.Config, _ *testbed.Asterisk) {
		u, err := url.Parse(cfg.ARI.URL)
		check(t, err)
		*p = newProxy(t, u.Host)
		u.Host = (*p).listen.Addr().String()
		cfg.ARI.URL = u.String()
	}
}

func newProxy(t *testing.T, target string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p := &proxy{t: t, listen: l, target: target, open: map[net.Conn]bool{}, clear: make(chan struct{})}
	close(p.clear)
	p.wait.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.swallow(false)
		p.cut()
		p.wait.Wait()
	})
	return p
}

func (p *proxy) accept() {
	for {
		in, err := p.listen.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil || !p.keep(in, out) {
			_ = in.Close()
			if out != nil {
				_ = out.Close()
			}
			continue
		}
		p.wait.Go(func() { p.carry(in, out) })
		p.wait.Go(func() { p.carry(out, in) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shut {
		return false
	}
	for _, c := range conns {
		p.open[c] = true
	}
	return true
}

func (p *proxy) carry(to, from net.Conn) {
	defer func() { _ = to.Close(); _ = from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		clear := p.clear
		p.mu.Unlock()
		<-clear
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			if err != io.EOF {
				p.forget(to, from)
			}
			return
		}
	}
}

func (p *proxy) forget(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.open, c)
	}
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.open {
		_ = c.Close()
	}
	clear(p.open)
}

// refuse lets nobody in until it is told otherwise.
func (p *proxy) refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = yes
}

// swallow is a black hole: connections stay, and nothing passes.
func (p *proxy) swallow(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.clear:
		if yes {
			p.clear = make(chan struct{})
		}
	default:
		if !yes {
			close(p.clear)
		}
	}
}
