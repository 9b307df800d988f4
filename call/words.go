package call

// Direction says which way a call goes, seen from the office.
type Direction string

// The directions of a call.
const (
	Inbound  Direction = "inbound"
	Outbound Direction = "outbound"
	Internal Direction = "internal"
)

// Origin says what gave rise to a call.
type Origin string

// The origins of a call.
const (
	PSTN        Origin = "pstn"
	ClickToCall Origin = "click_to_call"
	Callback    Origin = "callback"
	Campaign    Origin = "campaign"
	Transfer    Origin = "transfer"
)

// Role says what a leg is in its call. Only caller, agent and external are
// people; a pseudo-extension of a ring group is a group and never the person.
type Role string

// The roles of a leg.
const (
	RoleCaller     Role = "caller"
	RoleAgent      Role = "agent"
	RoleExternal   Role = "external"
	RoleIVR        Role = "ivr"
	RoleQueue      Role = "queue"
	RoleGroup      Role = "group"
	RoleVoicemail  Role = "voicemail"
	RoleConference Role = "conference"
	RoleSupervisor Role = "supervisor"
)

// Person reports whether a leg of this role can answer a call: somebody who is
// called, not a machine and not the caller himself.
func (r Role) Person() bool { return r == RoleAgent || r == RoleExternal }

// Result says how a leg ended.
type Result string

// The results of a leg.
const (
	Answered          Result = "answered"
	NoAnswer          Result = "no_answer"
	Busy              Result = "busy"
	Rejected          Result = "rejected"
	Cancelled         Result = "cancelled"
	AnsweredElsewhere Result = "answered_elsewhere"
	Failed            Result = "failed"
	Transferred       Result = "transferred"
	Lost              Result = "lost" // the leg vanished while nobody watched
)

// State is where a living call stands.
type State string

// The states of a call.
const (
	StateNew     State = "new"
	StateRouting State = "routing"
	StateIVR     State = "ivr"
	StateQueued  State = "queued"
	StateRinging State = "ringing"
	StateTalking State = "talking"
	StateHeld    State = "held"
	StateEnded   State = "ended"
)

// Disposition is the result of a whole call, decided once, when it has ended.
type Disposition string

// The dispositions of a call.
const (
	CallAnsweredD     Disposition = "answered"
	Missed            Disposition = "missed"
	AbandonedIVR      Disposition = "abandoned_ivr"
	AbandonedQueue    Disposition = "abandoned_queue"
	AbandonedRinging  Disposition = "abandoned_ringing"
	Voicemail         Disposition = "voicemail"
	CallbackScheduled Disposition = "callback_scheduled"
	AfterHours        Disposition = "after_hours"
	Blocked           Disposition = "blocked"
	CallBusy          Disposition = "busy"
	CallRejected      Disposition = "rejected"
	CallCancelled     Disposition = "cancelled"
	CallFailed        Disposition = "failed"
	CallLost          Disposition = "lost" // ended while nobody watched, and nobody had answered
)

// Party says who did something, above all who ended a call.
type Party string

// The parties that can end a call.
const (
	ByCaller Party = "caller"
	ByAgent  Party = "agent"
	ByRemote Party = "remote" // the external party that was called
	BySystem Party = "system" // Markaz, by menu, time-out or request
	ByPBX    Party = "pbx"    // the PBX went away
)

// Why calls end that nobody here has ended.
const (
	Fallback  = "fallback"  // not served in time: the dialplan goes on with the caller
	Unseen    = "unseen"    // it was gone when we looked again
	Restarted = "restarted" // the PBX was, and its calls are lost
)

// Unidentified is the state in a CallIdentified when nobody knows the number.
const Unidentified = "unknown"

// Cap is something a source is able to tell or to do. Who shows a call asks
// for the caps before it promises anything.
type Cap string

// The capabilities of a source.
const (
	CapRing          Cap = "ring_event"
	CapRingExtension Cap = "extension_while_ringing"
	CapAnswer        Cap = "answer_event"
	CapEndAtOnce     Cap = "end_event_immediate"
	CapRecording     Cap = "recording"
	CapOriginate     Cap = "originate"
	CapSpy           Cap = "spy"
	CapHold          Cap = "hold"
	CapTransfer      Cap = "transfer"
	CapCallerID      Cap = "caller_id"
)
