package fastagi

import (
	"bufio"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// A peer plays Asterisk on the other end of a pipe.
type peer struct {
	net.Conn
	in *bufio.Reader
}

const patience = 5 * time.Second

// pipe returns a session of a given header and its peer.
func pipe(t testing.TB, h string) (*Session, *peer) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	s := open(pipeEnd{ours}, []byte(h), patience, time.Now().Add(time.Minute))
	return s, &peer{theirs, bufio.NewReader(theirs)}
}

// pipeEnd tells the end of the other side as TCP does.
type pipeEnd struct{ net.Conn }

func (p pipeEnd) Write(b []byte) (int, error) {
	n, err := p.Conn.Write(b)
	if errors.Is(err, io.ErrClosedPipe) {
		err = syscall.EPIPE
	}
	return n, err
}

func pipeSession(t testing.TB, h string) *Session {
	t.Helper()
	s, _ := pipe(t, h)
	return s
}

// step is one command and what Asterisk says to it.
type step struct{ want, reply string }

// play has the peer follow a script, and then hang up.
func (p *peer) play(t testing.TB, script ...step) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		defer p.Close()
		for _, st := range script {
			got, err := p.in.ReadString('\n')
			if err != nil || got != st.want+"\n" {
				t.Errorf("have %q, want %q (%v)", got, st.want, err)
				return
			}
			if _, err := io.WriteString(p, st.reply); err != nil {
				t.Errorf("after %q: %v", got, err)
				return
			}
		}
	}()
	return done
}

func scripted(t testing.TB, script ...step) *Session {
	t.Helper()
	s, p := pipe(t, header())
	done := p.play(t, script...)
	t.Cleanup(func() {
		_ = s.wire.conn.Close()
		<-done
	})
	return s
}
