package fastagi

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"time"

	"github.com/CyCoreSystems/agi"
)

// Session is one call in Asterisk's AGI(): commands go out one at a time, each
// waits for its answer. All methods but Interrupt and Proceed belong to the
// handler's goroutine.
type Session struct {
	Request Request

	wire wire
	buf  []byte // for the command being written
	err  error  // why the session is over
}

// open makes a session of a connection whose header has been read and checked;
// the library takes it apart.
func open(conn net.Conn, header []byte, patience time.Duration, last time.Time) *Session {
	lib := agi.New(bytes.NewReader(header), conn)
	return &Session{
		Request: newRequest(lib.Variables),
		wire:    wire{conn: conn, slack: patience, last: last},
	}
}

// send has one command done. within is how long it takes by itself.
func (s *Session) send(l line, within time.Duration) (answer, error) {
	return s.sendAs(l, within, false)
}

func (s *Session) sendAs(l line, within time.Duration, interruptible bool) (answer, error) {
	if s.err != nil {
		return answer{}, s.err
	}
	s.buf = l.b
	cmd, err := l.done()
	if err != nil {
		return answer{}, err
	}
	a, err := s.wire.do(cmd, within, interruptible)
	switch {
	case err != nil:
		return answer{}, s.end(err)
	case a.status == statusOK:
		return a, nil
	case a.status == statusDead:
		return answer{}, s.end(ErrHangup)
	case a.status == statusUsage:
		return answer{}, fmt.Errorf("%.40q: %w: %.120s", cmd, ErrUsage, a.text)
	}
	return answer{}, fmt.Errorf("%.40q: %w", cmd, ErrInvalid)
}

// end makes a fault the end of the session.
func (s *Session) end(err error) error {
	if s.err == nil {
		s.err = err
	}
	return s.err
}

// Err says why the session is over; nil while it is not.
func (s *Session) Err() error { return s.err }

// Interrupt stops a StreamFile that runs or is about to begin, and every one
// that follows until Proceed. It may be called from any goroutine.
func (s *Session) Interrupt() { s.wire.interrupt() }

// Proceed takes Interrupt back. It may be called from any goroutine.
func (s *Session) Proceed() { s.wire.proceed() }

// check is for commands whose result tells no more than that they worked.
func (s *Session) check(a answer, err error, what string) error {
	if err == nil && a.result < 0 {
		return s.failed(what)
	}
	return err
}

// failed explains a result of -1: Asterisk says no more than that, but it
// answers the next command only if the caller is still there.
func (s *Session) failed(what string) error {
	if s.wire.hung {
		return s.end(ErrHangup)
	}
	if _, err := s.ChannelStatus(); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", what, ErrFailed)
}

// key reads a result that is the ASCII value of a key, 0 for none; what is on
// no telephone, such as the tone of a fax, counts as none.
func (s *Session) key(a answer, what string) (string, error) {
	switch n := a.result; {
	case n < 0:
		return "", s.failed(what)
	case n >= '0' && n <= '9', n == '*', n == '#', n >= 'A' && n <= 'D':
		return string(rune(n)), nil
	}
	return "", nil
}

// nonce is a text that nobody can foresee.
func nonce() string { return rand.Text()[:13] }
