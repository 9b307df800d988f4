package legacy

import (
	"time"

	"markaz/call"
	"markaz/legacy/journal"
	"markaz/legacy/monitor"
)

// lines makes events of what a line monitor sends.
type lines struct{ *monitor.Machine }

// Step takes a journal entry. The events are good until the next call.
func (l lines) Step(e journal.Entry) []call.Event {
	switch e.Kind {
	case journal.Data:
		return l.Data(e.At, e.Bytes)
	case journal.Up, journal.Edge:
		return l.Session(e.At)
	case journal.Tick:
		return l.Tick(e.At)
	}
	return nil
}

// machine is what the engine needs of a source's machine.
type machine interface {
	Step(e journal.Entry) []call.Event
	Due() time.Time
	HungUp(at time.Time, line string, when time.Time) []call.Event
	Snapshot() ([]byte, error)
	Restore(b []byte) error
}
