// Package recording has calls recorded that the policy wants recorded, and
// writes what becomes of the files into calls that are over. It is pure.
package recording

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"markaz/apps"
	"markaz/call"
)

// Policy decides which calls are recorded, and says why or why not.
type Policy interface {
	Plan(call.Call) (bool, string)
}

// App is the application. It is not for use by several goroutines.
type App struct {
	policy Policy
	open   map[string][]string // recordings of calls that are over whose end has not been told, by call
}

// patience is how long after the end of a call that of its recording may be
// told. It is not always: a PBX says nothing when the conversation is gone
// before its recorder.
const patience = 10 * time.Second

const timer = "recording:" // and the id of the call

// New makes the application.
func New(p Policy) *App { return &App{policy: p, open: map[string][]string{}} }

// Step implements apps.Machine.
func (a *App) Step(e call.Event, calls apps.Calls) call.Out {
	var out call.Out
	c := calls.Call(e.Call)
	switch e.Kind {
	case call.CallAnswered:
		if c != nil && !c.Observed { // whoever handles a call records it
			a.answered(&out, e, *c)
		}
	case call.CallEnded:
		if c != nil {
			a.ended(&out, e, c)
		}
	case call.RecordingStarted:
		if c != nil && c.Over() { // they hung up before it had begun
			a.await(&out, c.ID, e.Recording)
		}
	case call.RecordingStopped:
		a.told(&out, e)
	case call.TimerFired:
		if id, ours := strings.CutPrefix(e.Ref, timer); ours {
			a.stop(&out, id, e.Source)
		}
	case call.RecordingAvailable, call.RecordingFailed, call.RecordingDeleted:
		a.told(&out, e)
		if c != nil && !c.Over() {
			return out // its record takes the fact itself
		}
		out.Fact(amendment(e, c))
	}
	return out
}

// most is how many recordings one call has by rule. A call that is passed on and
// on must not fill the disk with files.
const most = 50

// answered begins the recording of a conversation. A call has one for each that
// the policy covers: the first, and what follows transfers. One that still runs
// goes on.
func (a *App) answered(out *call.Out, e call.Event, c call.Call) {
	if len(c.Recordings) >= most || slices.ContainsFunc(c.Recordings, runs) {
		return
	}
	c.Reached, c.Agent = e.Address, e.Agent // who talks now; the record keeps the first who did
	if record, _ := a.policy.Plan(c); record {
		out.Do(call.Record{Call: c.ID, Bridge: c.ID, ID: c.ID + "-r" + strconv.Itoa(len(c.Recordings)+1)})
	}
}

func runs(r call.Recording) bool { return r.State == "recording" || r.State == "paused" }

// ended waits for the ends of the recordings of a call that is over, but not
// when the call ended unseen.
func (a *App) ended(out *call.Out, e call.Event, c *call.Call) {
	for _, r := range c.Recordings {
		if runs(r) {
			a.await(out, c.ID, r.ID)
		}
	}
	if e.By == call.ByPBX && e.Reason != "" {
		a.stop(out, c.ID, c.Source)
	}
}

func (a *App) await(out *call.Out, id, recording string) {
	a.open[id] = append(a.open[id], recording)
	out.Do(call.SetTimer{ID: timer + id, After: patience})
}

// told takes note of the end of a recording.
func (a *App) told(out *call.Out, e call.Event) {
	left, ok := a.open[e.Call]
	if !ok {
		return
	}
	a.open[e.Call] = slices.DeleteFunc(left, func(id string) bool { return id == e.Recording })
	if len(a.open[e.Call]) == 0 {
		delete(a.open, e.Call)
		out.Do(call.CancelTimer{ID: timer + e.Call})
	}
}

// stop states the ends of recordings that nobody told, so that what there is of
// them is brought in.
func (a *App) stop(out *call.Out, id, source string) {
	for _, r := range a.open[id] {
		out.Fact(call.Event{Kind: call.RecordingStopped, Call: id, Source: source, Recording: r})
	}
}

// amendment repeats a fact about a file for a record that is closed.
func amendment(e call.Event, c *call.Call) call.Event {
	state := e.State
	switch e.Kind {
	case call.RecordingFailed:
		state = "failed"
	case call.RecordingDeleted:
		state = "deleted"
	}
	if state == "" {
		state = "done"
	}
	m := call.Event{
		Kind: call.CallAmended, Call: e.Call, Source: e.Source, Recording: e.Recording, State: state,
		File: e.File, DurationMS: e.DurationMS, Size: e.Size, SHA256: e.SHA256,
	}
	if c != nil {
		m.Revision = c.Revision + 1
	}
	return m
}
