package spy

import (
	"slices"

	"markaz/apps"
	"markaz/call"
)

// Nobody may hear a call before it is written down that he does. That takes as
// long as a disk takes, so his phone rings meanwhile: a request that is pending
// rings it, but nothing is heard, and what is on already is not changed, until
// the second event of the same request says that it has been recorded.

// hold takes a pending request. The first of a monitor rings; another waits.
func (a *App) hold(out *call.Out, e call.Event, calls apps.Calls) {
	m := a.of(e)
	if m != nil {
		m.later = e
		m.later.State = ""
		return
	}
	a.request(out, e, calls)
	if m = a.of(e); m != nil {
		m.pending = true
	}
}

// settle goes on with a request that was pending, or drops it.
func (a *App) settle(out *call.Out, e call.Event, calls apps.Calls) {
	recorded := e.State == call.MonitorRecorded
	i := slices.IndexFunc(a.list, func(m *monitor) bool { return m.id == e.Ref || m.later.Ref == e.Ref })
	if i < 0 {
		return // refused, or over
	}
	m := a.list[i]
	switch {
	case m.id == e.Ref && m.pending && recorded:
		m.pending = false
		if m.lifted {
			a.begin(out, m, calls)
		}
	case m.id == e.Ref && m.pending:
		a.end(out, m, "asked", calls)
	case m.later.Ref == e.Ref:
		later := m.later
		m.later = call.Event{}
		if recorded {
			a.request(out, later, calls)
		}
	}
}
