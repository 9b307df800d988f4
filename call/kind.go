package call

// Kind names what happened. The names are stable: they are the event types on
// the stream and in web hooks.
type Kind string

// Facts about a call as a whole.
const (
	CallStarted    Kind = "call.started"    // From, To, Direction, Origin, Trunk, DID, Ref, Leg, Caps
	CallIdentified Kind = "call.identified" // Identity, Text (display name), Data (sink: the CRM); State: unknown when whoever was asked knows nobody
	CallAnswered   Kind = "call.answered"   // Leg, Address, Agent: the first person who talked
	CallHeld       Kind = "call.held"       // Leg that put the other on hold
	CallResumed    Kind = "call.resumed"    // Leg
	CallMerged     Kind = "call.merged"     // Into: the call that goes on
	CallEnded      Kind = "call.ended"      // Disposition, By, Cause, SIP, Text (phrase that came with the code), Reason
	CallAmended    Kind = "call.amended"    // Revision and whatever was corrected; with a Leg: Role, Address, Result, RingMS, DurationMS (its talk), At its end
)

// Facts about one leg.
const (
	LegRinging  Kind = "leg.ringing"  // Role, Address, Agent, Queue
	LegAnswered Kind = "leg.answered" // the phone was picked up
	LegJoined   Kind = "leg.joined"   // the leg hears the other parties: talk begins
	LegLeft     Kind = "leg.left"     // talk ends, the leg is still there
	LegEnded    Kind = "leg.ended"    // Result, By, Cause, SIP, Text (phrase that came with the code), TalkMS where the source states it
)

// Facts about menus and queues.
const (
	IVREntered     Kind = "ivr.entered"     // Menu; Reason: closed, if led there because what was wanted is closed
	IVRInput       Kind = "ivr.input"       // Menu, Digits, Reason: ok, invalid, timeout
	IVRLeft        Kind = "ivr.left"        // Menu, Reason, To: where to
	DTMFCollected  Kind = "dtmf.collected"  // Menu, Digits
	QueueJoined    Kind = "queue.joined"    // Queue, Position
	QueuePosition  Kind = "queue.position"  // Queue, Position
	QueueAnnounced Kind = "queue.announced" // Queue, Position, WaitMS (estimate told), 0 if none
	QueueLeft      Kind = "queue.left"      // Queue, Reason: answered, exit, overflow, timeout, abandoned; WaitMS waited
	QueueAbandoned Kind = "queue.abandoned" // Queue, Position, WaitMS waited
	VoicemailLeft  Kind = "voicemail.left"  // File, DurationMS
	SurveyAnswered Kind = "survey.answered" // Menu, Digits
)

// Facts about transfers, recordings, monitoring and callbacks.
const (
	TransferStarted   Kind = "transfer.started"   // Leg that leaves; To: extension:, queue: or external: and where; Agent who asks; Ref: the request's id
	TransferCompleted Kind = "transfer.completed" // Leg, To, Agent, Ref; Reason: takeover, when a supervisor has taken the agent's place
	TransferCancelled Kind = "transfer.cancelled"

	RecordingStarted   Kind = "recording.started"   // Recording
	RecordingPaused    Kind = "recording.paused"    // Recording
	RecordingResumed   Kind = "recording.resumed"   // Recording
	RecordingStopped   Kind = "recording.stopped"   // Recording
	RecordingAvailable Kind = "recording.available" // Recording, File, DurationMS, Size, SHA256, State: done or incomplete
	RecordingFailed    Kind = "recording.failed"    // Recording, Reason
	RecordingDeleted   Kind = "recording.deleted"   // Recording, Reason

	MonitorStarted Kind = "monitor.started" // Ref: id of the monitor; Mode: spy, whisper, barge; Leg that is heard; Agent: the supervisor; Address: his extension; Reason
	MonitorMode    Kind = "monitor.mode"    // Ref, Mode, Leg, Agent, Address: another mode, or another leg
	MonitorEnded   Kind = "monitor.ended"   // Ref, Agent, Address; Reason: hangup, asked, call_ended, agent_left, time_limit, takeover, lost

	CallbackRequested Kind = "callback.requested"
	CallbackAttempted Kind = "callback.attempted"
	CallbackCompleted Kind = "callback.completed"
	CallbackExpired   Kind = "callback.expired"
)

// Facts that belong to no call.
const (
	AgentChanged      Kind = "agent.state"     // Agent, State, Reason
	ExtensionChanged  Kind = "extension.state" // Address, State: reachable, unreachable
	TrunkAlarm        Kind = "trunk.alarm"     // Trunk, State: no_money, Reason: key of the catalogue, SIP, Cause, Text, Data: call
	QualityAlarm      Kind = "quality.alarm"
	DeliveryFailed    Kind = "delivery.failed"
	DeliveryRecovered Kind = "delivery.recovered"
	SwitchLost        Kind = "switch.lost"     // the PBX cannot be reached; Reason
	SwitchSynced      Kind = "switch.synced"   // reached (again), every living leg has been told by LegFound; Observed: every living leg that Markaz only watches
	RequestRefused    Kind = "request.refused" // Ref: the request's id; Agent: who asked; Reason: a key of the catalogue; may have a Call
)

// Inputs that step the machines and are never written to the log: they are
// either questions, or of no use once they have been answered.
const (
	LegDigit     Kind = "leg.digit"     // Digits: one key
	LegFound     Kind = "leg.found"     // a living leg met while reconciling; Ref: the conversation it is in; State: what we remembered on it; no Call: the dialplan alone has it
	PlayDone     Kind = "play.done"     // Ref: Play.ID; Reason: ok, stopped, failed
	TimerFired   Kind = "timer.fired"   // Ref: SetTimer.ID
	ActionFailed Kind = "action.failed" // Ref: the action's name; Reason
	SnoopUp      Kind = "snoop.up"      // Ref: Snoop.ID; Leg that is heard; Mode
	SnoopDown    Kind = "snoop.down"    // Ref: Snoop.ID; Reason: ended (the leg that is heard has), or why it could not be
	AgentAsked   Kind = "agent.asked"   // Agent, State asked for, Reason
	MonitorAsked Kind = "monitor.asked" // Ref: the request's id; Call, Leg to be heard; Mode: spy, whisper, barge, takeover, end; Agent: the supervisor; Address: the supervisor's extension; Reason; DurationMS: time limit; Data["modes"]: those that he may change to by key, with commas; State: "" or MonitorPending, MonitorRecorded, MonitorUnrecorded
	DialAsked    Kind = "dial.asked"    // Ref: the request's id; Agent: who asks; Address: the extension that rings first; To: the number; From: caller ID to show; Trunk: line to use; Data goes on to the CallStarted or RequestRefused that comes of it
	CallAsked    Kind = "call.asked"    // Ref: the request's id; Call, Leg; Agent: who asks; Mode: hangup, transfer (To), record, pause, resume, hold, unhold
)

// Transient reports whether events of this kind only step the machines and are
// not written to the log.
func (k Kind) Transient() bool {
	switch k {
	case LegDigit, LegFound, PlayDone, TimerFired, ActionFailed, SnoopUp, SnoopDown, AgentAsked, MonitorAsked, DialAsked, CallAsked:
		return true
	}
	return false
}
