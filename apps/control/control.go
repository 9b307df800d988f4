// Package control does what people ask for while a call goes on: hang up,
// transfer, hold, record. It is pure: no I/O, no clock, no chance.
//
// Calls that Markaz only observes can be hung up; to do more would break the
// dialplan that handles them, and is refused.
package control

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"markaz/apps"
	"markaz/call"
)

// Actions that CallAsked names by its Mode.
const (
	Hangup   = "hangup"
	Transfer = "transfer"
	Record   = "record"
	Pause    = "pause"
	Resume   = "resume"
	Hold     = "hold"
	Unhold   = "unhold"
)

// Places tell where calls can be transferred to.
type Places interface {
	// Dial says what must be dialled for a number, how it is shown and whether
	// it is an extension of the office; or why it must not be dialled, as the
	// end of a key under clicktocall.refused.
	Dial(user, number string, at time.Time) (dial, shown string, inside bool, why string)
	Queue(name string) bool
}

// App is the application. It is not for use by several goroutines.
type App struct {
	places Places
	moving map[string]call.Event // by call: the transfer under way
	held   map[string]string     // by call: the leg that hears music
}

// New makes the application.
func New(p Places) *App {
	return &App{places: p, moving: map[string]call.Event{}, held: map[string]string{}}
}

// Step implements apps.Machine.
func (a *App) Step(e call.Event, calls apps.Calls) call.Out {
	var out call.Out
	switch {
	case e.Kind == call.CallAsked:
		a.asked(&out, e, calls.Call(e.Call))
	case e.Call != "" && !e.Observed && (len(a.moving) > 0 || len(a.held) > 0):
		a.follow(&out, e)
	}
	return out
}

// Forget implements apps.Forgetter.
func (a *App) Forget(callID string) call.Out {
	delete(a.moving, callID)
	delete(a.held, callID)
	return call.Out{}
}

// asked serves one request.
func (a *App) asked(out *call.Out, e call.Event, c *call.Call) {
	why := ""
	switch {
	case c == nil || c.Over():
		e.Call, why = "", "no_call"
	case e.Leg != "" && !lives(c.Leg(e.Leg)):
		why = "no_leg"
	case e.Mode == Hangup:
		a.hangup(out, e, c)
	case c.Observed:
		why = "observed"
	case e.Mode == Transfer:
		why = a.transfer(out, e, c)
	case e.Mode == Record || e.Mode == Pause || e.Mode == Resume:
		why = record(out, e.Mode, c)
	case e.Mode == Hold:
		why = a.hold(out, c)
	case e.Mode == Unhold:
		why = a.unhold(out, c)
	default:
		why = "request"
	}
	if why != "" {
		if !strings.Contains(why, ".") {
			why = "control.refused." + why
		}
		out.Fact(call.Event{Kind: call.RequestRefused, Ref: call.Clean(e.Ref, 128), Agent: e.Agent, Call: e.Call, Reason: why})
	}
}

func lives(l *call.Leg) bool { return l != nil && l.Ended == nil }

// hangup ends one leg, or all of a call but supervisors, who leave by
// themselves.
func (a *App) hangup(out *call.Out, e call.Event, c *call.Call) {
	for i := range c.Legs {
		l := &c.Legs[i]
		if lives(l) && (e.Leg == l.ID || e.Leg == "" && l.Role != call.RoleSupervisor) {
			out.Do(call.Hangup{Leg: l.ID, Cause: call.CauseNormal})
		}
	}
}

// transfer states where the call is to go; the application whose call it is
// sees to it.
func (a *App) transfer(out *call.Out, e call.Event, c *call.Call) string {
	agent, other := pair(c)
	if agent == nil || other == nil || a.moving[c.ID].Kind != "" || e.Ref == "" || len(e.Ref) > 64 {
		return "transfer"
	}
	kind, target, named := strings.Cut(e.To, ":")
	if !named {
		kind, target = "number", e.To
	}
	to := ""
	switch kind {
	case "queue":
		if c.Direction != call.Inbound {
			return "queue_outbound"
		}
		if !a.places.Queue(target) {
			return "no_queue"
		}
		to = "queue:" + target
	case "number", "extension", "external":
		dial, _, inside, why := a.places.Dial(e.Agent, target, e.SeenAt)
		switch {
		case why != "":
			return "clicktocall.refused." + why
		case inside:
			to = "extension:" + dial
		default:
			to = "external:" + dial
		}
		if dial == agent.Address || dial == other.Address {
			return "same"
		}
	default:
		return "request"
	}
	f := call.Event{Kind: call.TransferStarted, Call: c.ID, Source: c.Source, Leg: agent.ID, To: to, Agent: e.Agent, Ref: e.Ref}
	a.moving[c.ID] = f
	delete(a.held, c.ID)
	out.Fact(f)
	return ""
}

// pair finds the person of the office who talks, and with whom.
func pair(c *call.Call) (agent, other *call.Leg) {
	for i := range c.Legs {
		l := &c.Legs[i]
		switch {
		case !lives(l) || l.Role == call.RoleSupervisor || l.Answered == nil:
		case c.Direction == call.Inbound && l.Role == call.RoleCaller:
			other = l
		case l.Role == call.RoleAgent || l.Role == call.RoleCaller:
			if agent != nil {
				other = l
			} else {
				agent = l
			}
		case c.Direction == call.Inbound:
			agent = l
		default:
			other = l
		}
	}
	if agent != nil && agent.Talking == nil {
		agent = nil
	}
	return agent, other
}

// record begins a recording, or pauses or resumes the one that runs.
func record(out *call.Out, mode string, c *call.Call) string {
	i := slices.IndexFunc(c.Recordings, func(r call.Recording) bool { return r.State == "recording" || r.State == "paused" })
	agent, other := pair(c)
	switch {
	case mode == Record && i >= 0:
		return "recording"
	case mode == Record && (agent == nil || other == nil):
		return "no_talk"
	case mode == Record:
		out.Do(call.Record{Call: c.ID, Bridge: c.ID, ID: c.ID + "-r" + strconv.Itoa(len(c.Recordings)+1)})
	case i < 0:
		return "not_recording"
	case mode == Pause && c.Recordings[i].State == "recording":
		out.Do(call.PauseRecord{ID: c.Recordings[i].ID, Pause: true})
	case mode == Resume && c.Recordings[i].State == "paused":
		out.Do(call.PauseRecord{ID: c.Recordings[i].ID})
	}
	return ""
}

// hold lets the other party hear music. Should Markaz die meanwhile, the
// dialplan takes them back.
func (a *App) hold(out *call.Out, c *call.Call) string {
	agent, other := pair(c)
	if agent == nil || other == nil || other.Talking == nil || a.held[c.ID] != "" {
		return "hold"
	}
	a.held[c.ID] = other.ID
	out.Fact(call.Event{Kind: call.CallHeld, Call: c.ID, Source: c.Source, Leg: agent.ID})
	out.Do(
		call.Lease{Leg: other.ID, On: true},
		call.Unbridge{ID: c.ID, Leg: other.ID},
		call.Music{Leg: other.ID},
	)
	return ""
}

func (a *App) unhold(out *call.Out, c *call.Call) string {
	other := a.held[c.ID]
	agent, _ := pair(c)
	if other == "" || agent == nil {
		return "unhold"
	}
	delete(a.held, c.ID)
	out.Fact(call.Event{Kind: call.CallResumed, Call: c.ID, Source: c.Source, Leg: agent.ID})
	out.Do(
		call.StopMusic{Leg: other},
		call.Bridge{Call: c.ID, ID: c.ID, Legs: []string{other}},
		call.Lease{Leg: other},
	)
	return ""
}

// follow states how transfers go, and forgets what is over.
func (a *App) follow(out *call.Out, e call.Event) {
	switch e.Kind {
	case call.CallEnded, call.CallMerged:
		if f, ok := a.moving[e.Call]; ok {
			out.Fact(call.Event{Kind: call.TransferCancelled, Call: e.Call, Source: f.Source, Leg: f.Leg, To: f.To, Agent: f.Agent, Ref: f.Ref})
		}
		delete(a.moving, e.Call)
		delete(a.held, e.Call)
	case call.CallAnswered, call.QueueJoined:
		if f, ok := a.moving[e.Call]; ok {
			delete(a.moving, e.Call)
			out.Fact(call.Event{Kind: call.TransferCompleted, Call: e.Call, Source: f.Source, Leg: f.Leg, To: f.To, Agent: f.Agent, Ref: f.Ref})
		}
	case call.LegEnded:
		if a.held[e.Call] == e.Leg {
			delete(a.held, e.Call)
		}
	}
}
