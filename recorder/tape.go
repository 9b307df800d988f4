package recorder

import (
	"fmt"
	"time"

	"markaz/call"
)

// tape is what the log tells of one recording.
type tape struct {
	id               string
	started, stopped time.Time
	pausedAt         time.Time // zero while it runs
	paused           time.Duration
	broken           string // why the PBX says that it failed
	settled          bool   // available, failed by us, or deleted: nothing is to be done
	file             string // where it was reported to lie
}

// apply takes one event of the recording.
func (t *tape) apply(e call.Event) {
	switch e.Kind {
	case call.RecordingStarted:
		t.started = e.At
	case call.RecordingPaused:
		if t.pausedAt.IsZero() {
			t.pausedAt = e.At
		}
	case call.RecordingResumed:
		t.resume(e.At)
	case call.RecordingStopped:
		t.stop(e.At)
	case call.RecordingFailed:
		t.stop(e.At)
		if e.ID == eventID(e.Kind, e.Recording) {
			t.settled = true
			return
		}
		t.broken = "the PBX says: " + e.Reason
	case call.RecordingAvailable:
		t.settled, t.file = true, e.File
	case call.RecordingDeleted:
		t.settled = true
	}
}

func (t *tape) resume(at time.Time) {
	if !t.pausedAt.IsZero() {
		t.paused += max(0, at.Sub(t.pausedAt))
		t.pausedAt = time.Time{}
	}
}

func (t *tape) stop(at time.Time) {
	if t.stopped.IsZero() {
		t.resume(at)
		t.stopped = at
	}
}

// length is how long the sound should be; 0 if that is not known.
func (t *tape) length() time.Duration {
	if t.started.IsZero() || t.stopped.IsZero() {
		return 0
	}
	return max(0, t.stopped.Sub(t.started)-t.paused)
}

// judge says whether a sound of that length is the whole of the recording;
// torn means that whoever wrote it died over it.
func (t *tape) judge(d time.Duration, torn bool, tolerance time.Duration) (state, reason string) {
	expected := t.length()
	off := d - expected
	switch {
	case t.broken != "":
		reason = t.broken
	case d == 0:
		reason = "no sound"
	case expected == 0 && torn:
		reason = "the writer died"
	case expected > 0 && max(off, -off) > tolerance:
		reason = fmt.Sprintf("%s of sound for %s of talk", d.Round(time.Millisecond), expected.Round(time.Millisecond))
	default:
		return "done", ""
	}
	return "incomplete", reason
}

// note is what the log tells of one call with its recordings.
type note struct {
	call  call.Call
	tapes map[string]*tape
	start bool // was seen from the start, so that it is whole
}

func newNote(id string) *note { return &note{call: call.Call{ID: id}, tapes: map[string]*tape{}} }

// noteOf folds all events of a call.
func noteOf(id string, events []call.Event) *note {
	n := newNote(id)
	for _, e := range events {
		n.apply(e)
	}
	return n
}

func (n *note) apply(e call.Event) {
	n.start = n.start || e.Kind == call.CallStarted
	n.call.Apply(e)
	if e.Recording != "" && e.Kind != call.CallAmended {
		n.tape(e.Recording).apply(e)
	}
	if n.call.Over() && n.call.Ended != nil {
		for _, t := range n.tapes {
			t.stop(*n.call.Ended)
		}
	}
}

func (n *note) tape(id string) *tape {
	if n.tapes[id] == nil {
		n.tapes[id] = &tape{id: id}
	}
	return n.tapes[id]
}

// done reports that nothing more will be asked of the note.
func (n *note) done() bool {
	if !n.call.Over() {
		return false
	}
	for _, t := range n.tapes {
		if !t.settled {
			return false
		}
	}
	return true
}

// parties are the numbers for the file's name: who called, and who was reached
// or, failing that, dialled.
func (n *note) parties() (from, to string) {
	if n.call.Reached != "" {
		return n.call.From, n.call.Reached
	}
	return n.call.From, n.call.To
}

// Kinds are the events that a Keeper wants to be handed.
func Kinds() []call.Kind {
	return []call.Kind{
		call.CallStarted, call.CallAnswered, call.CallEnded,
		call.RecordingStarted, call.RecordingPaused, call.RecordingResumed, call.RecordingStopped,
		call.RecordingFailed, call.RecordingAvailable, call.RecordingDeleted,
	}
}

// clone copies a note, so that it can be used while others change it.
func (n *note) clone() *note {
	c := &note{call: n.call, tapes: make(map[string]*tape, len(n.tapes)), start: n.start}
	for id, t := range n.tapes {
		copied := *t
		c.tapes[id] = &copied
	}
	return c
}
