package inbound

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"markaz/call"
	"markaz/ivr"
	"markaz/queue"
)

// Config are the application's settings.
type Config struct {
	RingTimeout time.Duration   `yaml:"ring_timeout"` // of a phone that is dialled directly; default 25 s
	NoAnswer    ivr.Destination `yaml:"no_answer"`    // where to when it does not answer; default hangup
	Default     ivr.Destination `yaml:"default"`      // of numbers without a route; default hangup
	Trunk       string          `yaml:"trunk"`        // for external destinations
	Music       string          `yaml:"music"`        // class of music while a phone is dialled directly
}

// Validate fills the defaults in and reports every fault.
func (c *Config) Validate() error {
	if c.RingTimeout == 0 {
		c.RingTimeout = 25 * time.Second
	}
	if c.NoAnswer == "" {
		c.NoAnswer = ivr.Hangup
	}
	if c.Default == "" {
		c.Default = ivr.Hangup
	}
	var errs []error
	if c.RingTimeout < time.Second || c.RingTimeout > 5*time.Minute {
		errs = append(errs, fmt.Errorf("ring_timeout: want 1s to 5m, have %v", c.RingTimeout))
	}
	if strings.ContainsAny(c.Trunk, "/@& ,") {
		errs = append(errs, fmt.Errorf("trunk: want the name of a trunk, have %q", c.Trunk))
	}
	return errors.Join(errs...)
}

// route sends a caller where the dialled number leads.
func (a *App) route(out *call.Out, s *session, to, did string) {
	way, ok := a.book.Route(to, did, s.at)
	if !ok {
		way = ivr.Way{To: a.cfg.Default}
	}
	a.enter(out, s, way)
}

// follow sends a caller on to a destination of the configuration. Who was in
// the menus before keeps his language there, and no id is given out twice.
func (a *App) follow(out *call.Out, s *session, to ivr.Destination) {
	if s.menu.Leg == "" {
		a.enter(out, s, ivr.Way{To: to, Lang: s.lang})
		return
	}
	s.phase = inMenu
	state, o, choice := a.book.Return(s.menu, to, s.at)
	a.walked(out, s, state, o, choice)
}

// enter takes the caller into menus and messages, or past them.
func (a *App) enter(out *call.Out, s *session, way ivr.Way) {
	s.phase = inMenu
	state, o, choice := a.book.Enter(s.call, s.leg, way, s.at)
	a.walked(out, s, state, o, choice)
}

// menu steps the caller's menu.
func (a *App) menu(out *call.Out, s *session, e call.Event) {
	state, o, choice := a.book.Step(s.menu, e)
	a.walked(out, s, state, o, choice)
}

// walked keeps what the menus answer and follows the caller's choice.
func (a *App) walked(out *call.Out, s *session, state ivr.State, o call.Out, choice *ivr.Choice) {
	moved := s.menu.Over() || state.Menu != s.menu.Menu || state.Message != s.menu.Message
	s.menu, s.lang = state, state.Lang
	s.up = s.up || !state.Over() // menus and messages answer the leg
	if moved && !state.Over() {
		a.keep(out, s)
	}
	out.Merge(o)
	if choice != nil {
		a.chosen(out, s, *choice)
	}
}

// chosen sends a caller to where no menu is.
func (a *App) chosen(out *call.Out, s *session, c ivr.Choice) {
	s.lang = c.Lang
	switch c.Kind {
	case ivr.ToQueue:
		a.join(out, s, queue.Caller{Queue: c.Target})
	case ivr.ToExtension:
		s.typed = c.Reason == ivr.ByExtension
		a.dial(out, s, c.Target, "", call.RoleAgent)
	case ivr.ToExternal:
		a.dial(out, s, c.Target, a.cfg.Trunk, call.RoleExternal)
	default:
		a.hangup(out, s)
	}
}

// hangup ends the caller's leg; everything else follows from its end.
func (a *App) hangup(out *call.Out, s *session) {
	if s.phase == leaving {
		return
	}
	s.phase = leaving
	out.Do(call.Hangup{Leg: s.leg, Cause: call.CauseNormal})
}

// move brings the leg to where it can wait, be bridged and be recorded.
func (a *App) move(out *call.Out, s *session) {
	if !s.moved {
		s.moved = true
		out.Do(call.Handover{Leg: s.leg})
	}
	if !s.up {
		s.up = true
		out.Do(call.Answer{Leg: s.leg})
	}
}

// music plays while there is nothing to say.
func (a *App) music(out *call.Out, s *session, class string) {
	s.sound = true
	out.Do(call.Music{Leg: s.leg, Class: class})
}

// quiet ends whatever the waiting caller hears.
func (a *App) quiet(out *call.Out, s *session) {
	if s.play != "" {
		out.Do(call.StopPlay{Leg: s.leg, ID: s.play})
		s.play = ""
	}
	if s.sound {
		out.Do(call.StopMusic{Leg: s.leg})
		s.sound = false
	}
}

// dial rings one phone for the caller.
func (a *App) dial(out *call.Out, s *session, address, trunk string, role call.Role) {
	s.phase = ringing
	a.move(out, s)
	r := &ring{leg: s.id("l"), address: address, direct: true}
	s.rings[r.leg] = r
	if role == call.RoleAgent {
		a.carry(out, s.at, a.floor.Busy(s.at, address, true))
	}
	a.music(out, s, a.cfg.Music)
	out.Do(call.Ring{
		Call: s.call, Leg: r.leg, Address: address, Trunk: trunk, CallerID: s.from, CallerName: s.name,
		Timeout: a.cfg.RingTimeout, Role: role,
	})
	a.keep(out, s)
}
