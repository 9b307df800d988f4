package call

import "time"

// Action is something to be done. An action returns nothing: its outcome, and
// its failure too, comes back as an event. Ids are chosen by whoever asks, so
// that a repeat is harmless.
type Action interface{ action() }

// Prompt is one piece of speech.
type Prompt struct {
	Kind  PromptKind
	Value string // a sound's path without extension, or the digits of a number
}

// PromptKind says how a prompt's value is read.
type PromptKind string

// The kinds of prompt a switch can play.
const (
	Sound  PromptKind = "sound"  // a file: a path as the PBX sees it, or a name in its sounds folder
	Number PromptKind = "number" // said as a number by the PBX in the leg's language
	Digits PromptKind = "digits" // said digit by digit
)

type (
	// Answer picks the leg up. It is not an answered call: no person talks yet.
	Answer struct{ Leg string }

	// Play plays prompts to a leg, one after the other; PlayDone{Ref: ID}
	// tells the end. Keys pressed meanwhile come as LegDigit; a key among
	// Barge stops the playing at once ("" lets it play on).
	Play struct {
		Leg, ID string
		Prompts []Prompt
		Barge   string
		Lang    string
	}

	// StopPlay stops a running Play; it is no error when it has ended.
	StopPlay struct{ Leg, ID string }

	// Music starts music on hold; Class "" is the PBX's default.
	Music struct{ Leg, Class string }

	// StopMusic stops music on hold.
	StopMusic struct{ Leg string }

	// Ring calls an extension or an outside number as a new leg, whose id the
	// asker chose. LegRinging, LegAnswered, LegEnded tell how it goes.
	Ring struct {
		Call, Leg  string
		Address    string // extension, or the number to dial
		Trunk      string // "" for an extension of ours
		CallerID   string // shown to the phone that rings
		CallerName string
		Timeout    time.Duration
		Role       Role
		Agent      string
		Queue      string
		AutoAnswer bool // ask the phone to answer by itself, as most desk phones can be told to
	}

	// Bridge lets legs talk to each other in the conversation ID, which is
	// made if it is not there. LegJoined tells for each leg that it is in.
	Bridge struct {
		Call, ID string
		Legs     []string
	}

	// Unbridge takes a leg out of its conversation; LegLeft tells.
	Unbridge struct{ ID, Leg string }

	// Record records the conversation Bridge under the id ID.
	// RecordingStarted, RecordingStopped, RecordingFailed tell.
	Record struct{ Call, Bridge, ID string }

	// PauseRecord pauses or resumes a recording.
	PauseRecord struct {
		ID    string
		Pause bool
	}

	// StopRecord ends a recording. Leaving the last two legs ends it too.
	StopRecord struct{ ID string }

	// Hangup ends a leg with a Q.850 cause; 0 is normal clearing. One that
	// has been Transferred ends with that result: the call goes on without it.
	Hangup struct {
		Leg         string
		Cause       int
		Transferred bool
	}

	// Handover moves a leg from the dialplan's FastAGI session to where it can
	// wait, be bridged and be recorded. It is nothing for a leg that is there.
	Handover struct{ Leg string }

	// Release gives a leg back to the dialplan's fall-back for the named
	// destination, when Markaz cannot serve it.
	Release struct{ Leg, Destination string }

	// Remember writes a short state text (at most 1 kB) on the leg itself,
	// from where LegFound brings it back after a restart.
	Remember struct{ Leg, State string }

	// Lease renews (On) or lifts (not On) the dead-man's switch of a leg: as
	// long as it runs, the PBX takes the leg back when Markaz falls silent.
	Lease struct {
		Leg string
		On  bool
	}

	// SetTimer asks for TimerFired{Ref: ID} after a while; a running timer of
	// the same id is replaced.
	SetTimer struct {
		Call, ID string
		After    time.Duration
	}

	// CancelTimer stops a timer; it is no error when there is none.
	CancelTimer struct{ Call, ID string }

	// Lookup asks who has a number. CallIdentified tells, or nothing when
	// nobody could be asked in time: no call ever waits for it.
	Lookup struct {
		Call     string
		Number   string // as the source gave it
		E164     string // "" if not known
		Observed bool
	}
)

func (Answer) action()      {}
func (Play) action()        {}
func (StopPlay) action()    {}
func (Music) action()       {}
func (StopMusic) action()   {}
func (Ring) action()        {}
func (Bridge) action()      {}
func (Unbridge) action()    {}
func (Record) action()      {}
func (PauseRecord) action() {}
func (StopRecord) action()  {}
func (Hangup) action()      {}
func (Handover) action()    {}
func (Release) action()     {}
func (Remember) action()    {}
func (Lease) action()       {}
func (SetTimer) action()    {}
func (CancelTimer) action() {}
func (Lookup) action()      {}
