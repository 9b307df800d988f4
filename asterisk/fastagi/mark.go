package fastagi

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// A mark is the command that interrupts another: when something comes on the
// connection, Asterisk stops STREAM FILE, gives it no answer, and goes on with
// what came (res_agi.c, handle_streamfile). The answer to a mark is like no
// other, so that it is told from that of a command which ended by itself just
// before.
const (
	markCommand = `GET FULL VARIABLE "markaz-mark-`
	markAnswer  = "200 result=1 (markaz-mark-"

	// A mark that reaches Asterisk together with the command before it stays
	// in its buffer, unread until more comes. So it is sent again, with more
	// patience each time.
	markPatience = 200 * time.Millisecond
	markTries    = 5
)

// interruption is the state of interrupting; wire.mu guards it.
type interruption struct {
	stop    bool // the command that runs is to stop, and those that would follow
	running bool // a command that can be stopped is on the wire, and unanswered
	marks   int  // marks sent since
}

// interrupt stops the command that runs, if it is one that can be, and refuses
// those until proceed.
func (w *wire) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stop = true
	if w.running && w.marks == 0 {
		w.mark()
	}
}

func (w *wire) proceed() {
	w.mu.Lock()
	w.stop = false
	w.mu.Unlock()
}

// mark sends one more mark. The caller holds the lock.
func (w *wire) mark() {
	w.marks++
	w.setDeadline(time.Now().Add(time.Duration(w.marks) * markPatience))
	// A broken connection shows in the Read that waits.
	_, _ = w.conn.Write([]byte(markCommand + strconv.Itoa(w.marks) + "\"\n"))
}

// markAgain sends a mark again whose answer is overdue; false when that makes
// no sense.
func (w *wire) markAgain() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.marks == 0 || w.marks >= markTries || !w.deadline.Before(w.last) {
		return false
	}
	w.mark()
	return true
}

func markOf(ln []byte) (no int, ok bool) {
	rest, ok := bytes.CutPrefix(ln, []byte(markAnswer))
	if !ok {
		return 0, false
	}
	no, _ = strconv.Atoi(string(bytes.TrimSuffix(rest, []byte(")"))))
	return no, true
}

// marked notes the answer to a mark.
func (w *wire) marked(no int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if no < 1 || no > w.marks {
		return fmt.Errorf("%w: answer to mark %d of %d", ErrProtocol, no, w.marks)
	}
	if no == w.marks {
		w.marks, w.running = 0, false
	}
	return nil
}

// settled ends the time in which the command can be interrupted, and reports
// whether no mark is unanswered. It is asked after each answer.
func (w *wire) settled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = false
	return w.marks == 0
}
