package fastagi

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// wire is the dialogue on one connection: a command out, one answer in.
// Asterisk speaks only when spoken to, but for a HANGUP line; whatever else it
// says unasked ends the session, since nobody could tell later to which command
// an answer belongs.
type wire struct {
	conn  net.Conn
	slack time.Duration // patience beyond what a command itself takes
	last  time.Time     // end of the session, whatever happens

	buf        []byte // buf[start:end] was read and not used yet
	start, end int
	hung       bool // Asterisk has sent HANGUP

	mu       sync.Mutex // guards what an interrupter shares
	deadline time.Time
	interruption
}

// Sizes of the buffer for answers: nearly all are shorter than the first; the
// second bounds a line and a usage text.
const (
	usualAnswer = 128
	maxAnswer   = 32 << 10
)

// do sends one command, whole with its line end, and returns its answer.
// within is how long it may take by itself.
func (w *wire) do(cmd []byte, within time.Duration, interruptible bool) (answer, error) {
	stopped, err := w.write(cmd, within, interruptible)
	if err != nil {
		return answer{}, broken(err)
	}
	if stopped {
		return answer{status: statusOK, stopped: true}, nil
	}
	a, err := w.answer()
	if err == nil {
		err = w.quiet()
	}
	return a, broken(err)
}

func (w *wire) write(cmd []byte, within time.Duration, interruptible bool) (stopped bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if interruptible && w.stop {
		return true, nil
	}
	w.expect(within)
	_, err = w.conn.Write(cmd)
	w.running = interruptible && err == nil
	return false, err
}

// expect sets the deadline for an answer. Moving a deadline costs more than all
// the rest here, so it is set with some room and left alone while it is about
// right. The caller holds the lock.
func (w *wire) expect(within time.Duration) {
	due := time.Now().Add(within + w.slack)
	if room := w.deadline.Sub(due); room < 0 && w.deadline != w.last || room > 2*w.slack {
		w.setDeadline(due.Add(w.slack))
	}
}

func (w *wire) setDeadline(t time.Time) {
	if t.After(w.last) {
		t = w.last
	}
	w.deadline = t
	_ = w.conn.SetDeadline(t) // a broken connection shows in the Read or Write that follows
}

// line takes the next line, without its end. It is good until the next line.
func (w *wire) line() ([]byte, error) {
	for searched := w.start; ; {
		if i := bytes.IndexByte(w.buf[searched:w.end], '\n'); i >= 0 {
			ln := w.buf[w.start : searched+i]
			w.start = searched + i + 1
			return ln, nil
		}
		w.makeRoom()
		searched = w.end
		if len(w.buf) > maxAnswer {
			return nil, fmt.Errorf("%w: a line of over %d bytes", ErrProtocol, maxAnswer)
		}
		n, err := w.conn.Read(w.buf[w.end:])
		w.end += n
		if n == 0 && (!errors.Is(err, os.ErrDeadlineExceeded) || !w.markAgain()) {
			return nil, err
		}
	}
}

// makeRoom moves what is unread to the front, into a larger buffer if there is
// none left.
func (w *wire) makeRoom() {
	if w.start > 0 || w.buf == nil {
		if w.buf == nil {
			w.buf = make([]byte, usualAnswer)
		}
		w.end = copy(w.buf, w.buf[w.start:w.end])
		w.start = 0
	}
	if w.end == len(w.buf) {
		w.buf = append(w.buf, make([]byte, len(w.buf))...)
	}
}

// quiet checks that Asterisk has said no more than it was asked for.
func (w *wire) quiet() error {
	for w.start < w.end {
		rest := w.buf[w.start:w.end]
		if !bytes.HasPrefix(rest, []byte("HANGUP\n")) {
			return fmt.Errorf("%w: unasked: %.60q", ErrProtocol, rest)
		}
		w.hung = true
		w.start += len("HANGUP\n")
	}
	return nil
}
