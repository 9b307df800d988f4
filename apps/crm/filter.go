package crm

import (
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"markaz/call"
)

// Filter says which events a sink gets. What is left empty lets all pass.
type Filter struct {
	// Events are kinds, or patterns such as call.*; empty means all facts
	// about calls, and leaves out who was listened to and the states of
	// agents, extensions, lines and sinks.
	Events []string `yaml:"events"`
	// Route is the only way to the sink, or Routes are several: what passes
	// one of them is told.
	Route  `yaml:",inline"`
	Routes []Route `yaml:"routes"`
}

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
		call.RequestRefused,
	}
}

// Match reports whether the event passes, and by whether Recordings were
// asked for what the sink is told of them. Record is the call as it stood
// right after it.
func (f Filter) Match(e call.Event, record call.Call) (ok, recordings bool) {
	if e.Kind.Transient() || !f.matchKind(e) {
		return false, false
	}
	for _, r := range f.routes() {
		if r.match(e, record) {
			ok, recordings = true, recordings || r.recordings()
		}
	}
	if ok && !recordings && aboutRecording(e) {
		return false, false
	}
	return ok, recordings
}

func (f Filter) routes() []Route {
	if len(f.Routes) > 0 {
		return f.Routes
	}
	return []Route{f.Route}
}

func (f Filter) matchKind(e call.Event) bool {
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

// aboutRecording reports an event that tells of nothing but a recording.
func aboutRecording(e call.Event) bool {
	return strings.HasPrefix(string(e.Kind), "recording.") || e.Kind == call.CallAmended && e.Recording != ""
}

// auto says which of its numbers the CRM is to learn from us.
func (f Filter) auto() (extensions, lines bool) {
	for _, r := range f.routes() {
		extensions, lines = extensions || r.Extensions.Auto, lines || r.Lines.Auto
	}
	return extensions, lines
}

func (f Filter) faults() []error {
	var out []error
	for i, p := range f.Events {
		if !slices.ContainsFunc(kinds(), func(k call.Kind) bool { return kindMatch(p, k) }) {
			out = append(out, fmt.Errorf("events[%d]: no event is called %q", i, p))
		}
	}
	out = append(out, f.Route.faults()...)
	if len(f.Routes) > 0 && !f.Route.empty() {
		out = append(out, errors.New("routes: want either routes, or the settings of one route beside the name"))
	}
	for i, r := range f.Routes {
		for _, err := range r.faults() {
			out = append(out, fmt.Errorf("routes[%d].%w", i, err))
		}
		if j := slices.IndexFunc(f.Routes[:i], func(o Route) bool { return reflect.DeepEqual(o, r) }); j >= 0 {
			out = append(out, fmt.Errorf("routes[%d]: is the same as routes[%d]", i, j))
		}
	}
	return out
}
