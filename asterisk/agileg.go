package asterisk

import (
	"context"
	"log/slog"
	"path"
	"strings"
	"time"

	"markaz/asterisk/fastagi"
	"markaz/call"
	"markaz/dialplan"
)

// The seam between FastAGI sessions and the Switch. The Switch makes one desk
// and has the FastAGI server give it each session:
//
//	desk := newAGIDesk(agiDeps{
//		host: s, newID: s.newID, refuse: s.draining.Load, now: s.now, log: s.log, room: cfg.Mailbox,
//	})
//	server := &fastagi.Server{Config: cfg.FastAGI, Handler: desk.serve, Log: s.log}
//
// For a session on the path inbound the desk makes an agiLeg, which calls hold
// with CallStarted and serves the actions given to its do, until the end that
// it tells by handedOver or by letGo, once.
//
// A leg renews its lease over its own session: REST refuses to set variables of
// a channel that is not in Stasis (409 "Channel not in Stasis application", on
// Asterisk 22), so [Switch.setLease] is not for legs that are held.

// legHost is what FastAGI sessions need of the Switch.
type legHost interface {
	hold(h holder, started call.Event)
	handedOver(leg string)
	letGo(ended call.Event)
	emit(e call.Event)
	failed(a call.Action, reason string)
}

// agiDeps are what a desk is joined to.
type agiDeps struct {
	host   legHost
	newID  func() string    // makes ids of calls
	refuse func() bool      // no new calls are taken
	now    func() time.Time //
	log    *slog.Logger
	room   int // how many actions of one leg may wait
}

// agiDesk serves FastAGI sessions by their path. It keeps nothing of a call.
type agiDesk struct {
	agiDeps
	lengths soundLengths
}

func newAGIDesk(deps agiDeps) *agiDesk { return &agiDesk{agiDeps: deps} }

// serve is the handler of the FastAGI server. A session that ends without
// MARKAZ_DONE sends the channel to the dialplan's fall-back.
func (d *agiDesk) serve(_ context.Context, s *fastagi.Session) {
	if d.refuse() {
		return
	}
	switch entry := path.Base(s.Request.Path); entry {
	case dialplan.EntryInbound:
		d.inbound(s)
	case dialplan.EntryAgent:
		d.agent(s)
	case dialplan.EntryCheck:
		d.done(s, dialplan.DoneOK)
	default:
		d.log.Error("the dialplan asks FastAGI for something unknown", "path", s.Request.Path, "leg", s.Request.UniqueID,
			"known", []string{dialplan.EntryInbound, dialplan.EntryAgent, dialplan.EntryCheck})
	}
}

// done tells the dialplan why the session ends.
func (d *agiDesk) done(s *fastagi.Session, why string) {
	if err := s.SetVariable(dialplan.VarDone, why); err != nil {
		d.log.Warn("tell the dialplan how it ended", "leg", s.Request.UniqueID, "done", why, "err", err)
	}
}

// agent carries out a feature code: the agent at the calling extension asks to
// be in another state.
func (d *agiDesk) agent(s *fastagi.Session) {
	// Nothing is believed before Asterisk has answered a question that nobody
	// could foresee.
	if _, err := s.GetVariables(); err != nil {
		return
	}
	asked := call.Event{
		Kind: call.AgentAsked, Agent: dialled(s.Request.CallerID),
		State: s.Request.Arg(1), Reason: call.Clean(s.Request.Arg(2), nameLength),
	}
	switch asked.State {
	case dialplan.AskAvailable, dialplan.AskOffline, dialplan.AskPaused:
	default:
		asked.Agent = ""
	}
	if asked.Agent == "" {
		d.log.Warn("feature code refused", "from", s.Request.CallerID, "state", s.Request.Arg(1))
		d.done(s, dialplan.DoneRefused)
		return
	}
	d.host.emit(asked)
	d.done(s, dialplan.DoneOK)
}

// dialled keeps what can be dialled of a number.
func dialled(number string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' || r == '*' || r == '#' {
			return r
		}
		return -1
	}, number)
}
