// Package clicktocall calls a number for an agent: the agent's own phone rings
// first, and when it has been answered, the number is dialled and the two are
// joined. Such a call is outbound and says so from its beginning, so that nobody
// counts it as one that came in. It is pure: no I/O, no clock, no chance.
package clicktocall

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"time"

	"markaz/apps"
	"markaz/call"
)

// App is the application. It is not for use by several goroutines.
type App struct {
	cfg   Config
	guard *Guard

	sessions map[string]*session  // by call
	refs     map[string]time.Time // requests that have been served, for an hour
	found    map[string]*found    // while the PBX tells what it has
}

// phase is how far a call has come.
type phase string

const (
	ringing phase = "ring" // the agent's phone
	dialing phase = "dial" // the number
	talking phase = "talk"
	leaving phase = "leave" // hung up by us
)

// session is what the application knows of one living call.
type session struct {
	call, near, far string // near: the agent's leg
	agent           string
	address         string // the agent's extension
	number          Number
	callerID        string
	trunk           string
	phase           phase
	reached         string // who is called or was, as it is shown
	music           bool   // the near leg hears it
}

// New makes the application.
func New(cfg Config, guard *Guard) *App {
	return &App{cfg: cfg, guard: guard, sessions: map[string]*session{}, refs: map[string]time.Time{}, found: map[string]*found{}}
}

// Step implements apps.Machine.
func (a *App) Step(e call.Event, calls apps.Calls) call.Out {
	var out call.Out
	if e.Observed {
		return out
	}
	switch e.Kind {
	case call.DialAsked:
		a.asked(&out, e, calls)
		return out
	case call.LegFound:
		a.remember(e)
		return out
	case call.SwitchSynced:
		a.synced(&out, calls)
		return out
	}
	if s := a.sessions[e.Call]; s != nil {
		a.inCall(&out, s, e)
	}
	return out
}

// Forget implements apps.Forgetter.
func (a *App) Forget(callID string) call.Out {
	delete(a.sessions, callID)
	return call.Out{}
}

// asked begins a call, once for each request.
func (a *App) asked(out *call.Out, e call.Event, calls apps.Calls) {
	if why := a.fault(e); why != "" {
		a.refuse(out, e, why)
		return
	}
	id := idOf(e)
	_, again := a.refs[e.Ref]
	calls.Each(func(c *call.Call) { again = again || c.Ref == e.Ref && c.Origin == call.ClickToCall })
	if again || calls.Call(id) != nil {
		return
	}
	callerID, ok := a.shown(e.From)
	if !ok {
		a.refuse(out, e, "caller_id")
		return
	}
	n, why := a.guard.Check(cmp.Or(e.Agent, e.Address), e.To, e.SeenAt)
	if why == "" && n.Dial == e.Address {
		why = "self"
	}
	if why != "" {
		a.refuse(out, e, why)
		return
	}
	for ref, at := range a.refs {
		if e.SeenAt.Sub(at) > time.Hour {
			delete(a.refs, ref)
		}
	}
	a.refs[e.Ref] = e.SeenAt
	s := &session{call: id, near: id + "-l1", agent: e.Agent, address: e.Address, number: n, reached: n.Shown, callerID: callerID, trunk: a.cfg.Trunk, phase: ringing}
	a.sessions[id] = s
	if slices.Contains(a.cfg.Trunks, e.Trunk) {
		s.trunk = e.Trunk
	}
	f := a.started(s, e.Ref)
	f.Data = maps.Clone(e.Data) // what the asker wants to know the call by
	out.Fact(f)
	out.Do(call.Ring{
		Call: id, Leg: s.near, Address: s.address, CallerID: n.Shown, CallerName: n.Shown, Timeout: a.cfg.RingTimeout,
		Role: call.RoleCaller, Agent: s.agent, AutoAnswer: a.cfg.AutoAnswer,
	})
}

func (a *App) started(s *session, ref string) call.Event {
	e := call.Event{
		Kind: call.CallStarted, Call: s.call, Ref: ref, Direction: call.Outbound, Origin: call.ClickToCall,
		From: s.address, To: s.number.Shown, ToE164: s.number.E164, Trunk: s.trunk, Agent: s.agent,
		Caps: []call.Cap{
			call.CapRing, call.CapRingExtension, call.CapAnswer, call.CapEndAtOnce, call.CapRecording,
			call.CapOriginate, call.CapSpy, call.CapHold, call.CapTransfer, call.CapCallerID,
		},
	}
	if s.number.Inside {
		e.Direction, e.Trunk = call.Internal, ""
	}
	return e
}

// fault says what is wrong with a request before its number is looked at.
func (a *App) fault(e call.Event) string {
	switch {
	case e.Ref == "" || len(e.Ref) > 128:
		return "request"
	case a.cfg.Off:
		return "off"
	case e.Address == "" || len(e.Address) > 32 || strings.Trim(e.Address, "0123456789*#") != "":
		return "extension"
	case len(e.To) > 64:
		return "length"
	}
	for _, s := range a.sessions {
		if s.address == e.Address && idOf(e) != s.call {
			return "busy"
		}
	}
	return ""
}

// idOf makes the id of the call from the request: its own, if it is one, so that
// a repeat meets the same call even in another process.
func idOf(e call.Event) string {
	if _, ours := call.TimeOf(e.Ref); ours {
		return e.Ref
	}
	sum := sha256.Sum256([]byte(e.Ref))
	return call.NewID(e.SeenAt, [10]byte(sum[:10]))
}

// shown is the caller ID that the other party sees.
func (a *App) shown(asked string) (string, bool) {
	if asked == "" || asked == a.cfg.CallerID {
		return a.cfg.CallerID, true
	}
	return asked, slices.Contains(a.cfg.CallerIDs, asked)
}

func (a *App) refuse(out *call.Out, e call.Event, why string) {
	out.Fact(call.Event{Kind: call.RequestRefused, Ref: call.Clean(e.Ref, 128), Agent: e.Agent, Reason: "clicktocall.refused." + why})
}

// inCall steps a call.
func (a *App) inCall(out *call.Out, s *session, e call.Event) {
	switch e.Kind {
	case call.CallEnded, call.CallMerged:
		delete(a.sessions, s.call)
	case call.LegAnswered:
		a.answered(out, s, e)
	case call.LegJoined:
		if e.Role == call.RoleSupervisor && e.Ref == s.call { // he has taken the agent's place
			s.near = e.Leg
		}
	case call.LegEnded:
		a.ended(out, s, e)
	case call.TransferStarted:
		a.transfer(out, s, e)
	case call.ActionFailed:
		if e.Ref == "Bridge" {
			a.hangup(out, s, call.CauseTemporary)
		}
	}
}

func (a *App) answered(out *call.Out, s *session, e call.Event) {
	switch {
	case e.Leg == s.near && s.phase == ringing:
		a.dial(out, s)
	case e.Leg == s.far && s.phase == dialing:
		a.talk(out, s)
	}
}

// dial calls the number; the agent hears that it rings.
func (a *App) dial(out *call.Out, s *session) {
	s.phase, s.far = dialing, s.call+"-l2"
	a.keep(out, s)
	out.Do(
		call.Lease{Leg: s.near, On: true},
		call.Ringback{Leg: s.near, On: true},
		a.ringFar(s, s.far),
	)
}

func (a *App) ringFar(s *session, leg string) call.Ring {
	r := call.Ring{
		Call: s.call, Leg: leg, Address: s.number.Dial, Trunk: s.trunk, CallerID: s.callerID, Timeout: a.cfg.DialTimeout,
		Role: call.RoleExternal,
	}
	if s.number.Inside {
		r.Trunk, r.Role, r.CallerID = "", call.RoleAgent, s.address
	}
	return r
}

// talk joins the two. The dead-man's switch is lifted: a frozen server never
// cuts a conversation.
func (a *App) talk(out *call.Out, s *session) {
	s.phase = talking
	out.Fact(call.Event{Kind: call.CallAnswered, Call: s.call, Leg: s.far, Address: s.reached, Agent: s.agent})
	a.keep(out, s)
	if s.music {
		s.music = false
		out.Do(call.StopMusic{Leg: s.near})
	} else {
		out.Do(call.Ringback{Leg: s.near})
	}
	out.Do(
		call.Bridge{Call: s.call, ID: s.call, Legs: []string{s.near, s.far}},
		call.Lease{Leg: s.near},
	)
}

// ended is a hang-up of either side, or the end of ringing.
func (a *App) ended(out *call.Out, s *session, e call.Event) {
	switch {
	case e.Result == call.Transferred && e.Leg != s.far: // the other talks on with somebody else
	case e.Leg == s.near && s.phase == ringing && e.Result != call.Answered:
		s.phase = leaving
		out.Fact(call.Event{
			Kind: call.CallEnded, Call: s.call, Disposition: call.CallCancelled, By: e.By, Cause: e.Cause, SIP: e.SIP,
			Reason: "agent_" + string(e.Result),
		})
	case e.Leg == s.near:
		s.phase = leaving
		if s.far != "" {
			out.Do(call.Hangup{Leg: s.far, Cause: call.CauseNormal})
		}
	case e.Leg == s.far && s.phase == dialing:
		s.phase, s.far = leaving, ""
		out.Do(call.Hangup{Leg: s.near, Cause: e.Cause})
	case e.Leg == s.far && s.phase == talking:
		s.phase, s.far = leaving, ""
		out.Do(call.Hangup{Leg: s.near, Cause: call.CauseNormal})
	}
}

func (a *App) hangup(out *call.Out, s *session, cause int) {
	s.phase = leaving
	out.Do(call.Hangup{Leg: s.near, Cause: cause})
	if s.far != "" {
		out.Do(call.Hangup{Leg: s.far, Cause: cause})
	}
}

// transfer gives the other party to an extension or a number: the agent leaves
// at once, and music plays until somebody answers.
func (a *App) transfer(out *call.Out, s *session, e call.Event) {
	kind, to, _ := strings.Cut(e.To, ":")
	if s.phase != talking {
		return
	}
	s.phase, s.music, s.reached = dialing, true, to
	out.Do(
		call.Lease{Leg: s.far, On: true},
		call.Unbridge{ID: s.call, Leg: s.far},
		call.Hangup{Leg: s.near, Transferred: true},
		call.Music{Leg: s.far},
	)
	r := call.Ring{
		Call: s.call, Leg: e.Ref + "-t", Address: to, CallerID: s.number.Shown, CallerName: s.number.Shown, Timeout: a.cfg.DialTimeout, Role: call.RoleAgent,
	}
	if kind == "external" {
		r.Role, r.Trunk, r.CallerID = call.RoleExternal, s.trunk, s.callerID
	}
	// Who was called is now the one who waits.
	s.near, s.far = s.far, r.Leg
	out.Do(r)
}
