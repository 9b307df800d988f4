package call

import (
	"slices"
	"time"
)

// Modes of a monitor (MonitorAsked, MonitorStarted, MonitorMode, Snoop).
const (
	Spy      = "spy"      // the supervisor hears both, nobody hears him
	Whisper  = "whisper"  // the agent hears him, too
	Barge    = "barge"    // all hear him
	Takeover = "takeover" // asked for only: he talks in the agent's place
	StopSpy  = "end"      // asked for only: he hangs up
)

// States of MonitorAsked. Without one it may be served at once. The other two
// follow the first, with its Ref, and carry nothing else.
const (
	MonitorPending    = "pending"    // it is being recorded: the phone may ring, nothing may be heard
	MonitorRecorded   = "recorded"   // now it may
	MonitorUnrecorded = "unrecorded" // it may not, for it could not be recorded
)

// Monitor is a supervisor's listening in on a call.
type Monitor struct {
	ID      string     `json:"id"`             // the Ref of its events
	Agent   string     `json:"agent"`          // who listens
	Address string     `json:"address"`        // his extension
	Leg     string     `json:"leg"`            // whom he hears, with the other party
	Modes   []string   `json:"modes"`          // in order; the last holds
	Reason  string     `json:"reason"`         // as he gave it
	Started time.Time  `json:"started"`        //
	Ended   *time.Time `json:"ended,omitzero"` //
	Why     string     `json:"why,omitempty"`  // it ended
}

type (
	// Snoop lets the leg Supervisor hear what the leg Leg hears and says,
	// while neither hears him (Spy), Leg alone hears him (Whisper), or both
	// sides do (Barge). Leg is any living leg by its exact id, of an observed
	// call too. Another Snoop for the same supervisor takes the place of the
	// one before, whose end is not told. SnoopUp tells that it works,
	// SnoopDown that it does not, or no longer.
	Snoop struct {
		Call, ID        string // ID: of this Snoop alone, letters, digits, - and _
		Leg, Supervisor string
		Mode            string // Spy, Whisper, Barge
	}

	// Unsnoop ends a Snoop. SnoopDown does not follow.
	Unsnoop struct{ ID string }

	// Beep lets the leg alone hear a sound, without a break in what is said:
	// the other party hears nothing of it. ID is as in Snoop.
	Beep struct{ Leg, ID, Sound string }

	// Ringback lets a leg that is up hear that somebody else's phone rings
	// (On), or no longer.
	Ringback struct {
		Leg string
		On  bool
	}
)

func (Snoop) action()    {}
func (Unsnoop) action()  {}
func (Beep) action()     {}
func (Ringback) action() {}

// applyMonitor keeps account of who listened in.
func (c *Call) applyMonitor(e *Event) {
	i := slices.IndexFunc(c.Monitors, func(m Monitor) bool { return m.ID == e.Ref })
	switch {
	case e.Kind == MonitorStarted && i < 0:
		c.Monitors = append(c.Monitors, Monitor{
			ID: e.Ref, Agent: e.Agent, Address: e.Address, Leg: e.Leg, Modes: []string{e.Mode}, Reason: e.Reason, Started: e.At,
		})
	case e.Kind == MonitorMode && i >= 0:
		m := &c.Monitors[i]
		if m.Modes[len(m.Modes)-1] != e.Mode {
			m.Modes = append(slices.Clip(m.Modes), e.Mode)
		}
		set(&m.Leg, e.Leg)
	case e.Kind == MonitorEnded && i >= 0:
		c.Monitors[i].end(e.At, e.Reason)
	}
}

func (m *Monitor) end(at time.Time, why string) {
	if m.Ended == nil {
		m.Ended, m.Why = &at, why
	}
}
