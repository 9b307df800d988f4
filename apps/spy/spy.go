// Package spy lets supervisors listen to calls on their own phones: spy, whisper
// to the agent, barge in, or take the call over. It serves the calls that Markaz
// handles and, but for taking over, those that it only observes. It is pure: no
// I/O, no clock, no chance.
//
// Who may listen to whom is decided before a request comes here. What is checked
// here is what only the calls themselves can tell: a whisper never goes to
// anybody but a person of the office.
package spy

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"markaz/apps"
	"markaz/call"
)

// App is the application. It is not for use by several goroutines.
type App struct {
	cfg   Config
	ours  func(address string) bool // whether an extension is one of the office
	list  []*monitor                // in the order in which they were asked for
	found []call.Event              // supervisors' legs, while the PBX tells what it has
}

// monitor is one supervisor on one call.
type monitor struct {
	id, call       string
	leg            string // the supervisor's
	target         string // the leg that is heard
	agent, address string // who listens, and where
	reason         string
	may            []string // modes that he may change to by key
	limit          time.Duration
	takes          bool       // over, as soon as he answers
	pending        bool       // not yet recorded: nothing may be heard
	later          call.Event // the latest other request that is pending

	lifted  bool   // his phone has been answered
	up      bool   // and he may hear
	started bool   // he hears
	mode    string // that holds; before that, that was asked for
	want    string // that is asked for
	snoop   string // id of the last one asked for
	live    string // id of the one that works
	asked   string // the request that wants it
	waits   bool   // for somebody to talk to the caller again
	snoops  int
	beeps   int
}

// Names of timers; the monitor's id follows.
const (
	limitTimer = "monitor:limit:"
	waitTimer  = "monitor:wait:"
	beepTimer  = "monitor:beep:"
)

// patience is how long a supervisor waits for a call that has been transferred
// to be answered.
const patience = 2 * time.Minute

// New makes the application. ours tells the extensions of the office.
func New(cfg Config, ours func(address string) bool) *App { return &App{cfg: cfg, ours: ours} }

// Step implements apps.Machine.
func (a *App) Step(e call.Event, calls apps.Calls) call.Out {
	var out call.Out
	switch e.Kind {
	case call.MonitorAsked:
		switch e.State {
		case call.MonitorPending:
			a.hold(&out, e, calls)
		case call.MonitorRecorded, call.MonitorUnrecorded:
			a.settle(&out, e, calls)
		default:
			a.request(&out, e, calls)
		}
		return out
	case call.LegFound:
		if e.Role == call.RoleSupervisor {
			a.found = append(a.found, e)
		}
		return out
	case call.SwitchSynced:
		if !e.Observed {
			a.synced(&out, calls)
		}
		return out
	}
	if e.Call == "" || len(a.list) == 0 {
		return out
	}
	for _, m := range slices.Clone(a.list) {
		switch {
		case e.Leg == m.leg && e.Leg != "":
			a.ofSupervisor(&out, m, e, calls)
		case e.Call == m.call:
			a.ofCall(&out, m, e, calls)
		}
	}
	return out
}

// Forget implements apps.Forgetter.
func (a *App) Forget(callID string) call.Out {
	var out call.Out
	a.list = slices.DeleteFunc(a.list, func(m *monitor) bool {
		if m.call == callID {
			out.Do(call.Unsnoop{ID: m.snoop}, call.Hangup{Leg: m.leg})
		}
		return m.call == callID
	})
	return out
}

// ofSupervisor steps a monitor by what happens to the supervisor's leg.
func (a *App) ofSupervisor(out *call.Out, m *monitor, e call.Event, calls apps.Calls) {
	switch e.Kind {
	case call.LegAnswered:
		a.answered(out, m, calls)
	case call.LegDigit:
		mode := map[string]string{"4": call.Spy, "5": call.Whisper, "6": call.Barge}[e.Digits]
		if mode != "" && m.started && slices.Contains(m.may, mode) && slices.Contains(a.cfg.Modes, mode) {
			a.change(out, m, "", m.target, mode, calls)
		}
	case call.LegEnded:
		if m.started {
			a.end(out, m, whyEnded(e), calls)
			return
		}
		if m.lifted {
			a.drop(out, m)
			return
		}
		a.refuse(out, m.request(), unanswered(e.Result))
		a.drop(out, m)
	}
}

// whyEnded tells a supervisor who hangs up from one whom the PBX lets go with
// the caller, which it may do ahead of the caller's own end.
func whyEnded(e call.Event) string {
	if e.By == call.ByPBX || e.By == call.BySystem {
		return "call_ended"
	}
	return "hangup"
}

// unanswered says why a supervisor could not be reached.
func unanswered(r call.Result) string {
	switch r {
	case call.Busy, call.Rejected, call.NoAnswer:
		return string(r)
	case call.Cancelled:
		return "no_call"
	}
	return "unreachable"
}

// ofCall steps a monitor by what happens to the call.
func (a *App) ofCall(out *call.Out, m *monitor, e call.Event, calls apps.Calls) {
	switch e.Kind {
	case call.SnoopUp:
		a.snoopUp(out, m, e, calls)
	case call.SnoopDown:
		a.snoopDown(out, m, e, calls)
	case call.LegEnded:
		switch {
		case alone(calls.Call(m.call), e.Leg):
			a.end(out, m, "call_ended", calls)
		case e.Leg == m.target:
			a.left(out, m, calls)
		}
	case call.LegJoined:
		if m.waits {
			a.follow(out, m, calls)
		}
	case call.CallEnded:
		a.end(out, m, "call_ended", calls)
	case call.CallMerged:
		a.merged(out, m, e, calls)
	case call.TimerFired:
		a.fired(out, m, e, calls)
	}
}

// alone reports whether nobody is left in a call to be heard.
func alone(c *call.Call, but string) bool {
	if c == nil || c.Over() {
		return true
	}
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Ended == nil && l.Role != call.RoleSupervisor && l.ID != but {
			return false
		}
	}
	return true
}

func (a *App) fired(out *call.Out, m *monitor, e call.Event, calls apps.Calls) {
	what, ours := strings.CutSuffix(e.Ref, m.id)
	if !ours {
		return
	}
	switch what {
	case limitTimer:
		a.end(out, m, "time_limit", calls)
	case waitTimer:
		a.end(out, m, "agent_left", calls)
	case beepTimer:
		a.beep(out, m, calls)
	}
}

// answered takes the supervisor's phone, which may be before he may hear.
func (a *App) answered(out *call.Out, m *monitor, calls apps.Calls) {
	if m.lifted {
		return
	}
	m.lifted = true
	out.Do(
		call.Lease{Leg: m.leg, On: true},
		call.SetTimer{Call: m.call, ID: limitTimer + m.id, After: m.limit},
	)
	if !m.pending {
		a.begin(out, m, calls)
	}
}

// begin begins to listen.
func (a *App) begin(out *call.Out, m *monitor, calls apps.Calls) {
	m.up = true
	c := calls.Call(m.call)
	if alone(c, "") {
		a.end(out, m, "call_ended", calls)
		return
	}
	if m.takes {
		a.takeOver(out, m, m.request(), calls)
		return
	}
	if l := c.Leg(m.target); l == nil || l.Ended != nil { // while his phone rang
		a.left(out, m, calls)
		return
	}
	a.listen(out, m, m.target, m.mode, calls)
}

// listen asks for what is to be heard and how. Somebody who is not of the office
// is only listened to, whatever was asked for while the phone rang.
func (a *App) listen(out *call.Out, m *monitor, target, mode string, calls apps.Calls) {
	if !a.audible(calls.Call(m.call), target, mode) {
		mode = call.Spy
	}
	m.snoops++
	m.snoop = m.id + "-" + strconv.Itoa(m.snoops)
	m.target, m.want, m.waits = target, mode, false
	out.Do(call.Snoop{Call: m.call, ID: m.snoop, Leg: target, Supervisor: m.leg, Mode: mode})
}

// snoopUp states what holds now.
func (a *App) snoopUp(out *call.Out, m *monitor, e call.Event, calls apps.Calls) {
	if e.Ref != m.snoop {
		return
	}
	kind := call.MonitorMode
	if !m.started {
		kind = call.MonitorStarted
	}
	m.started, m.mode, m.live = true, m.want, m.snoop
	f := m.fact(kind, calls)
	f.Leg, f.Mode = m.target, m.mode
	if kind == call.MonitorStarted {
		f.Reason = m.reason
	}
	out.Fact(f)
	if kind == call.MonitorStarted {
		a.beep(out, m, calls)
	}
}

// snoopDown follows a leg that has gone, or keeps to the mode that was.
func (a *App) snoopDown(out *call.Out, m *monitor, e call.Event, calls apps.Calls) {
	switch {
	case e.Ref != m.snoop:
	case e.Reason == "ended":
		a.left(out, m, calls)
	case m.started:
		a.refuse(out, call.Event{Ref: m.asked, Agent: m.agent, Call: m.call}, "failed")
		m.want, m.snoop = m.mode, m.live
	default:
		a.refuse(out, m.request(), "failed")
		out.Do(call.Hangup{Leg: m.leg})
		a.drop(out, m)
	}
}

// beep lets the agent know, and nobody else.
func (a *App) beep(out *call.Out, m *monitor, calls apps.Calls) {
	c := calls.Call(m.call)
	if a.cfg.Beep == "" || c == nil {
		return
	}
	if l := c.Leg(m.target); l != nil && l.Ended == nil && a.office(c, l) {
		m.beeps++
		out.Do(call.Beep{Leg: m.target, ID: m.id + "-b" + strconv.Itoa(m.beeps), Sound: a.cfg.Beep})
	}
	if a.cfg.BeepEvery > 0 {
		out.Do(call.SetTimer{Call: m.call, ID: beepTimer + m.id, After: a.cfg.BeepEvery})
	}
}

// end stops listening and hangs up.
func (a *App) end(out *call.Out, m *monitor, why string, calls apps.Calls) {
	if m.started {
		f := m.fact(call.MonitorEnded, calls)
		f.Reason = why
		out.Fact(f)
	} else if why == "call_ended" || why == "agent_left" {
		a.refuse(out, m.request(), "no_call")
	}
	if m.snoop != "" {
		out.Do(call.Unsnoop{ID: m.snoop})
	}
	out.Do(call.Hangup{Leg: m.leg, Cause: call.CauseNormal})
	a.drop(out, m)
}

// drop forgets a monitor.
func (a *App) drop(out *call.Out, m *monitor) {
	a.list = slices.DeleteFunc(a.list, func(x *monitor) bool { return x == m })
	for _, timer := range []string{limitTimer, waitTimer, beepTimer} {
		out.Do(call.CancelTimer{Call: m.call, ID: timer + m.id})
	}
}

// fact begins a fact about a monitor.
func (m *monitor) fact(kind call.Kind, calls apps.Calls) call.Event {
	e := call.Event{Kind: kind, Call: m.call, Ref: m.id, Agent: m.agent, Address: m.address}
	if c := calls.Call(m.call); c != nil {
		e.Source, e.Observed = c.Source, c.Observed
	}
	return e
}

// request is what a monitor began with.
func (m *monitor) request() call.Event {
	return call.Event{Ref: m.id, Agent: m.agent, Call: m.call}
}

// refuse answers a request.
func (a *App) refuse(out *call.Out, e call.Event, why string) {
	out.Fact(call.Event{Kind: call.RequestRefused, Ref: e.Ref, Agent: e.Agent, Call: e.Call, Reason: "spy.refused." + why})
}
