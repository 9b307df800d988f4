package inbound

import (
	"markaz/call"
	"markaz/ivr"
)

// mistyped reports whether a caller dialled an extension in a menu that cannot
// be called at all, and nothing is configured for that but to hang up.
func (a *App) mistyped(s *session, r *ring, e call.Event) bool {
	return r.direct && s.typed && e.Result == call.Failed && a.cfg.NoAnswer == ivr.Hangup
}

// again tells the caller that what he dialled is wrong, in the menu where he
// dialled it.
func (a *App) again(out *call.Out, s *session, extension string) {
	a.quiet(out, s)
	s.phase, s.typed = inMenu, false
	state, o, choice := a.book.Unknown(s.menu, extension, s.at)
	a.walked(out, s, state, o, choice)
}
