// Package recording has calls recorded that the policy wants recorded, and
// writes what becomes of the files into calls that are over. It is pure.
package recording

import (
	"markaz/apps"
	"markaz/call"
)

// Policy decides which calls are recorded, and says why or why not.
type Policy interface {
	Plan(call.Call) (bool, string)
}

// App is the application.
type App struct{ policy Policy }

// New makes the application.
func New(p Policy) *App { return &App{policy: p} }

// Step implements apps.Machine.
func (a *App) Step(e call.Event, calls apps.Calls) call.Out {
	var out call.Out
	c := calls.Call(e.Call)
	switch e.Kind {
	case call.CallAnswered:
		if c == nil || len(c.Recordings) > 0 {
			return out
		}
		if record, _ := a.policy.Plan(*c); record {
			out.Do(call.Record{Call: c.ID, Bridge: c.ID, ID: c.ID + "-r1"})
		}
	case call.CallEnded:
		if c != nil && e.By == call.ByPBX && e.Reason != "" {
			stop(&out, c)
		}
	case call.RecordingAvailable, call.RecordingFailed, call.RecordingDeleted:
		if c != nil && !c.Over() {
			return out // its record takes the fact itself
		}
		out.Fact(amendment(e, c))
	}
	return out
}

// stop states the end of recordings that ended unseen with their call, so that
// what there is of them is brought in.
func stop(out *call.Out, c *call.Call) {
	for _, r := range c.Recordings {
		if r.State == "recording" || r.State == "paused" {
			out.Fact(call.Event{Kind: call.RecordingStopped, Call: c.ID, Source: c.Source, Recording: r.ID})
		}
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
		File: e.File, DurationMS: e.DurationMS, Size: e.Size, SHA256: e.SHA256, Revision: 1,
	}
	if c != nil {
		m.Revision = c.Revision + 1
	}
	return m
}
