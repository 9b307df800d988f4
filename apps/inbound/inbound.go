// Package inbound takes a caller from the first ring to a person: it routes
// the dialled number, walks the menus of ivr, lets the caller wait on the
// floor of queue, rings phones, and joins who has answered with who has
// called. It is pure: no I/O, no clock, no chance.
package inbound

import (
	"strconv"
	"time"

	"markaz/apps"
	"markaz/call"
	"markaz/ivr"
	"markaz/queue"
)

// Voice finds the prompts that tell a waiting caller where he stands; an empty
// answer means that there is nothing to say it with.
type Voice interface {
	Position(lang string, n int) []call.Prompt
	Wait(lang string, minutes int) []call.Prompt
	// Kept tells that the place is kept, when there is nothing better to say.
	Kept(lang string) []call.Prompt
}

// App is the application. It is not for use by several goroutines.
type App struct {
	cfg   Config
	book  *ivr.Book
	floor *queue.Floor
	voice Voice

	sessions map[string]*session
	found    map[string]*found // while the PBX tells what it has: by call
	revived  map[string]*found // calls begun anew whose record was lost
}

// phase is where a caller stands.
type phase string

const (
	inMenu  phase = "menu"
	inQueue phase = "queue"
	ringing phase = "ring"
	joining phase = "join" // somebody has picked up, and the two are being joined
	talking phase = "talk"
	leaving phase = "leave" // hung up by us; the leg's end is awaited
)

// session is what the application knows of one living call beyond its record.
type session struct {
	call, leg string // the caller's
	from      string
	name      string
	lang      string
	phase     phase
	at        time.Time // now, as the event being handled says

	menu  ivr.State
	play  string // the announcement that plays while he waits
	rings map[string]*ring
	with  string // the leg the caller talks with, or is being joined with
	sound bool   // music plays
	up    bool   // the leg has been answered
	moved bool   // the leg is where it can wait and be bridged
	typed bool   // the extension that is called was dialled in a menu
	next  uint64 // for ids

	waited queue.Caller // his place in the queue before somebody picked up for him
	missed int          // persons in a row who had picked up and could not be joined with him
}

// ring is a phone that we called for the caller.
type ring struct {
	leg      string
	agent    string // of the floor; "" when it was dialled directly
	address  string
	direct   bool
	answered bool
}

// New makes the application; the floor is opened at the first SwitchSynced.
func New(cfg Config, book *ivr.Book, floor *queue.Floor, voice Voice) *App {
	return &App{
		cfg: cfg, book: book, floor: floor, voice: voice,
		sessions: map[string]*session{}, found: map[string]*found{}, revived: map[string]*found{},
	}
}

// Step implements apps.Machine.
func (a *App) Step(e call.Event, calls apps.Calls) call.Out {
	var out call.Out
	if e.Observed {
		return out
	}
	switch e.Kind {
	case call.AgentAsked:
		a.agentAsked(&out, e)
		return out
	case call.LegFound:
		if e.Call != "" { // else it is with the dialplan alone
			a.remember(e)
		}
		return out
	case call.LegJoined:
		a.joined(&out, e, calls)
		return out
	case call.SwitchSynced:
		a.synced(&out, e, calls)
		return out
	case call.CallStarted:
		a.started(&out, e, calls)
		return out
	case call.TimerFired:
		if e.Call == "" {
			a.carry(&out, e.SeenAt, a.floor.Fired(e.SeenAt, e.Ref))
			return out
		}
	}
	a.elsewhere(&out, e, calls)
	if s := a.sessions[e.Call]; s != nil {
		s.at = e.SeenAt
		a.inCall(&out, s, e)
	}
	return out
}

// Forget implements apps.Forgetter: after a panic the call is no longer ours.
func (a *App) Forget(callID string) call.Out {
	var out call.Out
	s := a.sessions[callID]
	if s == nil {
		return out
	}
	delete(a.sessions, callID)
	a.carry(&out, s.at, a.floor.Leave(s.at, callID, queue.Abandoned))
	for _, r := range s.rings {
		if r.agent != "" {
			a.carry(&out, s.at, a.floor.Ended(s.at, r.agent, callID, call.Failed))
		}
	}
	return out
}

// started takes on a new caller.
func (a *App) started(out *call.Out, e call.Event, calls apps.Calls) {
	if e.Direction != call.Inbound || e.Leg == "" || a.sessions[e.Call] != nil {
		return
	}
	s := a.open(e.Call, e.Leg, e.From, e.FromName, calls)
	s.at = e.SeenAt
	out.Do(call.Lease{Leg: s.leg, On: true})
	if f := a.revived[e.Call]; f != nil {
		delete(a.revived, e.Call)
		s.moved, s.up, s.sound = true, true, true
		a.goOn(out, s, f, e.To, e.DID)
		return
	}
	a.route(out, s, e.To, e.DID)
}

func (a *App) open(id, leg, from, name string, calls apps.Calls) *session {
	s := &session{call: id, leg: leg, from: from, name: name, rings: map[string]*ring{}}
	if c := calls.Call(id); c != nil {
		s.next = c.Seq
	}
	a.sessions[id] = s
	return s
}

// inCall steps the session that an event belongs to.
func (a *App) inCall(out *call.Out, s *session, e call.Event) {
	switch e.Kind {
	case call.CallEnded, call.CallMerged:
		delete(a.sessions, s.call)
	case call.CallIdentified:
		if e.Text != "" { // phones that ring from now on show it
			s.name = e.Text
		}
	case call.LegAnswered:
		a.legAnswered(out, s, e)
	case call.LegEnded:
		a.legEnded(out, s, e)
	case call.LegDigit:
		a.digit(out, s, e)
	case call.PlayDone:
		a.playDone(out, s, e)
	case call.TransferStarted:
		a.transfer(out, s, e)
	case call.TimerFired:
		if s.phase == inMenu {
			a.menu(out, s, e)
		}
	case call.ActionFailed:
		a.failed(out, s, e)
	}
}

func (a *App) digit(out *call.Out, s *session, e call.Event) {
	switch {
	case e.Leg != s.leg:
	case s.phase == inMenu:
		a.menu(out, s, e)
	case s.phase == inQueue:
		o, _ := a.floor.Key(s.at, s.call, e.Digits)
		a.carry(out, s.at, o)
	}
}

func (a *App) playDone(out *call.Out, s *session, e call.Event) {
	switch {
	case s.phase == inMenu:
		a.menu(out, s, e)
	case s.play == "" || e.Ref != s.play:
	case s.phase == inQueue:
		s.play = ""
		a.music(out, s, a.classOf(s))
	}
}

// failed handles what could not be done: a caller never stays in silence.
func (a *App) failed(out *call.Out, s *session, e call.Event) {
	switch e.Ref {
	case "Answer", "Handover":
		a.hangup(out, s)
	case "Bridge":
		switch concerned := e.Leg == "" || e.Leg == s.leg || e.Leg == s.with; {
		case concerned && s.phase == joining:
			a.miss(out, s)
		case concerned && s.phase == talking:
			a.hangup(out, s)
		}
	}
}

// id makes an id for a leg or a playback that nobody else has.
func (s *session) id(kind string) string {
	s.next++
	return s.call + "-" + kind + strconv.FormatUint(s.next, 10)
}
