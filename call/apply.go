package call

import (
	"slices"
	"time"
)

// Apply changes the call by one event of its own and reports whether it did.
// An event of another call, a repeat (a sequence number already seen), a
// transient one, and anything but CallAmended and CallMerged after the end
// change nothing.
func (c *Call) Apply(e Event) bool { return c.apply(&e) }

// apply must not keep the event: what it keeps, it copies.
func (c *Call) apply(e *Event) bool {
	if e.Call != c.ID || e.Kind.Transient() || e.Seq != 0 && e.Seq <= c.Seq {
		return false
	}
	if c.Over() && e.Kind != CallAmended && e.Kind != CallMerged {
		c.Seq = max(c.Seq, e.Seq)
		return false
	}
	if c.V == 0 {
		c.V, c.Source, c.State, c.Started, c.Live = Schema, e.Source, StateNew, e.At, e.Live
	}
	if e.Kind == CallAmended && e.Revision != 0 && e.Revision <= c.Revision {
		return false // told before, by a writer that no longer knew the sequence
	}
	c.Seq = max(c.Seq, e.Seq)
	c.GrainMS = max(c.GrainMS, e.GrainMS)
	c.applyCall(e)
	c.applyLeg(e)
	c.applyStay(e)
	c.applyRecording(e)
	c.applyMonitor(e)
	return true
}

func (c *Call) applyCall(e *Event) {
	switch e.Kind {
	case CallStarted:
		c.State, c.Started = StateRouting, e.At
		c.Ref, c.Direction, c.Origin, c.Caps = e.Ref, e.Direction, e.Origin, e.Caps
		c.Line, c.Observed = Line{Trunk: e.Trunk, DID: e.DID}, e.Observed
		c.setParties(e)
	case CallIdentified:
		if e.State != Unidentified { // which undoes nothing that another one knew
			c.Identity, c.Known, c.KnownBy = e.Identity, e.Text, e.Data["sink"]
		}
		c.Unknown = c.Identity == "" && c.Known == ""
	case CallAnswered:
		if c.Answered == nil {
			c.Answered = moment(e.At)
			c.Reached, c.Agent = e.Address, e.Agent
		}
		c.State = StateTalking
	case CallHeld:
		c.State = StateHeld
	case CallResumed:
		c.State = StateTalking
	case VoicemailLeft:
		c.Message = &Message{At: e.At, File: e.File, DurationMS: e.DurationMS}
	case CallbackRequested:
		c.Callback = true
	case CallEnded:
		c.end(e)
	case CallMerged:
		c.MergedInto = e.Into
		if !c.Over() {
			c.end(e)
		}
		c.Revision = max(c.Revision+1, e.Revision)
	case CallAmended:
		c.amend(e)
	}
}

func (c *Call) setParties(e *Event) {
	set(&c.From, e.From)
	set(&c.FromName, e.FromName)
	set(&c.FromE164, e.FromE164)
	set(&c.To, e.To)
	set(&c.ToE164, e.ToE164)
}

// end closes whatever is open, then the call.
func (c *Call) end(e *Event) {
	for i := range c.Legs {
		l := &c.Legs[i]
		l.stopTalk(e.At)
		if l.Ended == nil {
			l.Ended = moment(e.At)
		}
		if l.Result == "" {
			l.Result = Lost
			if l.Role == RoleSupervisor {
				l.Result = l.untold()
			}
		}
	}
	for i := range c.Monitors {
		c.Monitors[i].end(e.At, "call_ended")
	}
	for i := range c.Queues {
		q := &c.Queues[i]
		if q.Left == "" {
			q.Left, q.WaitMS = "abandoned", e.At.Sub(q.Joined).Milliseconds()
		}
	}
	c.TalkMS = c.talk(e)
	c.Disposition = e.Disposition
	if c.Disposition == "" {
		c.Disposition = c.Decide()
	}
	c.State, c.Ended = StateEnded, moment(e.At)
	c.By, c.Cause, c.SIP, c.Phrase, c.Reason = e.By, e.Cause, e.SIP, e.Text, e.Reason
}

// talk is what the source states, else the talk of all persons together.
func (c *Call) talk(e *Event) int64 {
	if e.TalkMS != 0 {
		return e.TalkMS
	}
	var ms int64
	for i := range c.Legs {
		if c.Legs[i].Role.Person() {
			ms += c.Legs[i].TalkMS
		}
	}
	return ms
}

// amend corrects what the event carries and leaves the rest.
func (c *Call) amend(e *Event) {
	c.setParties(e)
	set(&c.Direction, e.Direction)
	set(&c.Disposition, e.Disposition)
	set(&c.By, e.By)
	set(&c.Reason, e.Reason)
	set(&c.Cause, e.Cause)
	set(&c.SIP, e.SIP)
	set(&c.TalkMS, e.TalkMS)
	set(&c.Identity, e.Identity)
	if e.Leg == "" {
		set(&c.Phrase, e.Text)
		set(&c.Reached, e.Address)
		set(&c.Agent, e.Agent)
	}
	if e.Recording != "" {
		set(&c.recording(e.Recording).State, e.State)
		c.fillRecording(e)
	}
	if e.Leg != "" {
		c.lateLeg(e)
	}
	c.Revision = max(c.Revision+1, e.Revision)
}

// lateLeg adds or corrects a leg that was learnt of after the call's end, as a
// PBX that prints records tells of a transfer.
func (c *Call) lateLeg(e *Event) {
	ring, talk := time.Duration(e.RingMS)*time.Millisecond, time.Duration(e.DurationMS)*time.Millisecond
	l := c.Leg(e.Leg)
	if l == nil {
		c.Legs = append(c.Legs, Leg{ID: e.Leg, Started: e.At.Add(-ring - talk)})
		l = &c.Legs[len(c.Legs)-1]
	}
	set(&l.Role, e.Role)
	set(&l.Address, e.Address)
	set(&l.Agent, e.Agent)
	set(&l.Trunk, e.Trunk)
	set(&l.Result, e.Result)
	set(&l.RingMS, e.RingMS)
	set(&l.TalkMS, e.DurationMS)
	l.Ended = moment(e.At)
	if answered := e.At.Add(-talk); talk > 0 && l.Answered == nil {
		l.Answered = &answered
	}
	if c.Answered == nil && l.Answered != nil && l.Role.Person() {
		c.Answered, c.Reached, c.Agent = l.Answered, l.Address, l.Agent
	}
	if c.Ended != nil && c.Ended.Before(e.At) {
		c.Ended = moment(e.At)
	}
}

func (c *Call) applyLeg(e *Event) {
	switch e.Kind {
	case CallStarted, LegRinging, LegAnswered, LegJoined, LegLeft, LegEnded:
	default:
		return
	}
	if e.Leg == "" {
		return
	}
	l := c.leg(e)
	switch e.Kind {
	case LegRinging:
		if c.Answered == nil && c.State != StateQueued && l.Role != RoleSupervisor {
			c.State = StateRinging
		}
	case LegAnswered:
		if l.Answered == nil {
			l.Answered = moment(e.At)
			l.RingMS = e.At.Sub(l.Started).Milliseconds()
		}
	case LegJoined:
		l.stopTalk(e.At)
		l.Talking = moment(e.At)
	case LegLeft:
		l.stopTalk(e.At)
	case LegEnded:
		l.finish(e)
	}
}

func (l *Leg) finish(e *Event) {
	if l.Ended != nil {
		return
	}
	l.stopTalk(e.At)
	l.Ended = moment(e.At)
	l.Result, l.By, l.Cause, l.SIP, l.Phrase = e.Result, e.By, e.Cause, e.SIP, e.Text
	set(&l.TalkMS, e.TalkMS)
	set(&l.RingMS, e.RingMS)
	if l.Answered == nil && l.RingMS == 0 {
		l.RingMS = max(0, e.At.Sub(l.Started).Milliseconds())
	}
	if l.Result == "" {
		l.Result = l.untold()
	}
}

// untold is the result of a leg of which none was stated.
func (l *Leg) untold() Result {
	if l.Answered != nil || l.TalkMS > 0 {
		return Answered
	}
	return NoAnswer
}

// leg finds the event's leg or adds it, and fills in what is newly known.
func (c *Call) leg(e *Event) *Leg {
	l := c.Leg(e.Leg)
	if l == nil {
		c.Legs = append(c.Legs, Leg{ID: e.Leg, Started: e.At})
		l = &c.Legs[len(c.Legs)-1]
		if e.Kind == CallStarted {
			l.Role, l.Address = RoleCaller, e.From
		}
	}
	if l.Role == "" || e.Role != RoleSupervisor { // who has taken a call over is a supervisor no more
		set(&l.Role, e.Role)
	}
	set(&l.Address, e.Address)
	set(&l.Agent, e.Agent)
	set(&l.Queue, e.Queue)
	set(&l.Trunk, e.Trunk)
	return l
}

func (c *Call) applyStay(e *Event) {
	switch e.Kind {
	case IVREntered:
		c.Menus = append(c.Menus, MenuStay{Menu: e.Menu, Closed: e.Reason == "closed", Entered: e.At})
		c.State = StateIVR
	case IVRInput, DTMFCollected:
		if n := len(c.Menus); n > 0 {
			c.Menus[n-1].Input = append(c.Menus[n-1].Input, e.Digits)
		}
	case IVRLeft:
		if n := len(c.Menus); n > 0 {
			c.Menus[n-1].Left, c.Menus[n-1].To = e.Reason, e.To
		}
		c.State = StateRouting
	case QueueJoined:
		c.Queues = append(c.Queues, QueueStay{Queue: e.Queue, Joined: e.At, Position: e.Position})
		c.State = StateQueued
	case QueueAnnounced:
		if n := len(c.Queues); n > 0 {
			c.Queues[n-1].Heard = append(c.Queues[n-1].Heard, e.Position)
		}
	case QueueLeft, QueueAbandoned:
		c.leaveQueue(e)
	}
}

func (c *Call) leaveQueue(e *Event) {
	n := len(c.Queues)
	if n == 0 || c.Queues[n-1].Left != "" {
		return
	}
	q := &c.Queues[n-1]
	q.Left, q.WaitMS = e.Reason, e.WaitMS
	if e.Kind == QueueAbandoned {
		q.Left = "abandoned"
	}
	if q.WaitMS == 0 {
		q.WaitMS = waited(q.Joined, e.At)
	}
	if c.State == StateQueued {
		c.State = StateRouting
	}
}

func waited(from, to time.Time) int64 { return max(0, to.Sub(from).Milliseconds()) }

func (c *Call) applyRecording(e *Event) {
	state := recordingState(e.Kind)
	if state == "" || e.Recording == "" {
		return
	}
	r := c.recording(e.Recording)
	r.State = state
	set(&r.State, e.State)
	c.fillRecording(e)
}

func recordingState(k Kind) string {
	switch k {
	case RecordingStarted, RecordingResumed:
		return "recording"
	case RecordingPaused:
		return "paused"
	case RecordingStopped:
		return "stopped"
	case RecordingAvailable:
		return "done"
	case RecordingFailed:
		return "failed"
	case RecordingDeleted:
		return "deleted"
	}
	return ""
}

func (c *Call) fillRecording(e *Event) {
	r := c.recording(e.Recording)
	set(&r.File, e.File)
	set(&r.DurationMS, e.DurationMS)
	set(&r.Size, e.Size)
	set(&r.SHA256, e.SHA256)
}

func (c *Call) recording(id string) *Recording {
	i := slices.IndexFunc(c.Recordings, func(r Recording) bool { return r.ID == id })
	if i < 0 {
		i = len(c.Recordings)
		c.Recordings = append(c.Recordings, Recording{ID: id})
	}
	return &c.Recordings[i]
}

// set overwrites only with something.
func set[T comparable](dst *T, v T) {
	var zero T
	if v != zero {
		*dst = v
	}
}

// moment is a time of its own in memory, so that a record does not hold the
// whole event that a time came with.
func moment(t time.Time) *time.Time { return &t }
