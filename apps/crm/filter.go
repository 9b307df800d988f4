package crm

import (
	"fmt"
	"path"
	"slices"

	"markaz/call"
)

// Filter says which events a sink gets. What is left empty lets all pass.
type Filter struct {
	// Events are kinds, or patterns such as call.*; empty means all facts
	// about calls, and leaves out who was listened to and the states of
	// agents, extensions, lines and sinks.
	Events     []string         `yaml:"events"`
	Directions []call.Direction `yaml:"directions"`
	Sources    []string         `yaml:"sources"`    // keys of PBXs and line monitors
	Extensions []string         `yaml:"extensions"` // calls that reached or came from one of these
	Lines      []string         `yaml:"lines"`      // trunks or dialled-in numbers
	Only       string           `yaml:"only"`       // "live": no backfill; "finished": only calls that have ended
}

// The values of Filter.Only.
const (
	OnlyLive     = "live"
	OnlyFinished = "finished"
)

// public is what a sink gets unless it asks for something else.
func public() []string {
	return []string{
		"call.*", "leg.*", "ivr.*", "dtmf.*", "queue.*", "voicemail.*", "survey.*",
		"transfer.*", "recording.*", "callback.*",
	}
}

// kinds are all that can be asked for: everything that is written to the log.
func kinds() []call.Kind {
	return []call.Kind{
		call.CallStarted, call.CallIdentified, call.CallAnswered, call.CallHeld, call.CallResumed,
		call.CallMerged, call.CallEnded, call.CallAmended,
		call.LegRinging, call.LegAnswered, call.LegJoined, call.LegLeft, call.LegEnded,
		call.IVREntered, call.IVRInput, call.IVRLeft, call.DTMFCollected,
		call.QueueJoined, call.QueuePosition, call.QueueAnnounced, call.QueueLeft, call.QueueAbandoned,
		call.VoicemailLeft, call.SurveyAnswered,
		call.TransferStarted, call.TransferCompleted, call.TransferCancelled,
		call.RecordingStarted, call.RecordingPaused, call.RecordingResumed, call.RecordingStopped,
		call.RecordingAvailable, call.RecordingFailed, call.RecordingDeleted,
		call.MonitorStarted, call.MonitorMode, call.MonitorEnded,
		call.CallbackRequested, call.CallbackAttempted, call.CallbackCompleted, call.CallbackExpired,
		call.AgentChanged, call.ExtensionChanged, call.TrunkAlarm, call.QualityAlarm,
		call.DeliveryFailed, call.DeliveryRecovered, call.SwitchLost, call.SwitchSynced,
	}
}

// Match reports whether the event passes. Record is the call as it stood
// right after it.
func (f Filter) Match(e call.Event, record call.Call) bool {
	if e.Kind.Transient() || !f.matchKind(e) {
		return false
	}
	if !anyOf(f.Sources, e.Source) {
		return false
	}
	if e.Call == "" {
		return true
	}
	return anyOf(f.Directions, record.Direction) &&
		anyOf(f.Lines, record.Line.Trunk, record.Line.DID) &&
		anyOf(f.Extensions, extensions(record)...)
}

func (f Filter) matchKind(e call.Event) bool {
	switch f.Only {
	case OnlyLive:
		if !e.Live {
			return false
		}
	case OnlyFinished:
		switch e.Kind {
		case call.CallEnded, call.CallAmended, call.CallMerged:
		default:
			return false
		}
	}
	patterns := f.Events
	if len(patterns) == 0 {
		patterns = public()
	}
	return slices.ContainsFunc(patterns, func(p string) bool { return kindMatch(p, e.Kind) })
}

func kindMatch(pattern string, k call.Kind) bool {
	ok, err := path.Match(pattern, string(k))
	return ok && err == nil
}

func extensions(c call.Call) []string {
	var out []string
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Role.Person() || l.Role == call.RoleCaller {
			out = append(out, l.Address)
		}
	}
	return out
}

// anyOf reports whether one of the values is among the allowed ones, or all
// are allowed.
func anyOf[T comparable](allowed []T, values ...T) bool {
	return len(allowed) == 0 || slices.ContainsFunc(values, func(v T) bool { return slices.Contains(allowed, v) })
}

func (f Filter) faults() []error {
	var out []error
	for i, p := range f.Events {
		if !slices.ContainsFunc(kinds(), func(k call.Kind) bool { return kindMatch(p, k) }) {
			out = append(out, fmt.Errorf("events[%d]: no event is called %q", i, p))
		}
	}
	for i, d := range f.Directions {
		if d != call.Inbound && d != call.Outbound && d != call.Internal {
			out = append(out, fmt.Errorf("directions[%d]: want inbound, outbound or internal, have %q", i, d))
		}
	}
	if f.Only != "" && f.Only != OnlyLive && f.Only != OnlyFinished {
		out = append(out, fmt.Errorf("only: want live or finished, have %q", f.Only))
	}
	return out
}
