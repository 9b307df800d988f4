package asterisk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"markaz/asterisk/ari"
	"markaz/call"
	"markaz/dialplan"
)

// Variables of a channel are not set one by one: each request costs Asterisk as
// much as a step of the call. What is to be set waits a moment for more, and
// while the channel plays until that has ended, because nothing can be set then
// (see setLease).

// stateLimit bounds what is remembered on a channel, in bytes.
const stateLimit = 1024

// settleTime is how long a variable waits for others. What is remembered of one
// step of a call comes within a millisecond; a longer wait would end while the
// next step, a phone that answers at once, needs the channel.
const settleTime = 2 * time.Millisecond

// variable is to be set on a channel.
type variable struct{ name, value string }

// set notes a variable; the last value counts. The caller holds the registry's
// lock.
func (l *leg) set(name, value string) {
	i := slices.IndexFunc(l.unset, func(v variable) bool { return v.name == name })
	if i < 0 {
		l.unset = append(l.unset, variable{name, value})
		return
	}
	l.unset[i].value = value
}

// remember has a state written on a leg.
func (s *Switch) remember(a call.Remember) error {
	if len(a.State) > stateLimit {
		return errors.New("state is longer than 1 kB")
	}
	s.setSoon(a.Leg, dialplan.VarState, a.State)
	return nil
}

// setSoon has a variable set, with whatever else comes within settleTime.
func (s *Switch) setSoon(id, name, value string) {
	first := false
	s.legs.with(id, func(l *leg) {
		l.set(name, value)
		first, l.setting = !l.setting, true
	})
	if first {
		time.AfterFunc(settleTime, func() {
			if refused := s.lanes.add(id, func(ctx context.Context) { s.flushSoon(ctx, id) }); refused != "" {
				s.legs.with(id, func(l *leg) { l.setting = false })
			}
		})
	}
}

func (s *Switch) flushSoon(ctx context.Context, id string) {
	s.legs.with(id, func(l *leg) { l.setting = false })
	s.flush(ctx, id)
}

// flush sets what waits, unless something plays or the leg ends.
func (s *Switch) flush(ctx context.Context, id string) {
	var list []variable
	s.legs.with(id, func(l *leg) {
		if len(l.plays) == 0 {
			list, l.unset = l.unset, nil
		}
		if l.ending.seen || l.ending.asked {
			list = nil
		}
	})
	for _, v := range list {
		if v.name == timeoutVariable {
			s.leaseSnoop(ctx, id, v.value)
		}
	}
	err := ignoreGone(s.setAll(ctx, id, list))
	if err == nil {
		return
	}
	s.log.Warn("cannot set variables of a channel", "leg", id, "variables", len(list), "err", err)
	if ari.Status(err) != 0 { // refused, and will be again
		return
	}
	s.legs.with(id, func(l *leg) {
		newer := l.unset
		l.unset = list
		for _, v := range newer {
			l.set(v.name, v.value)
		}
	})
	time.AfterFunc(retrySet, func() { s.lanes.add(id, func(ctx context.Context) { s.flush(ctx, id) }) })
}

// retrySet is how long a request to set variables waits that got no answer.
const retrySet = time.Second

// setAll sets several variables by one request: ARRAY(a,b)=1,2 of Asterisk 16
// and later sets functions such as TIMEOUT as well.
func (s *Switch) setAll(ctx context.Context, id string, list []variable) error {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return s.ari.SetVariable(ctx, id, list[0].name, list[0].value)
	}
	var names, values []string
	for _, v := range list {
		names, values = append(names, v.name), append(values, escaped(v.value))
	}
	return s.ari.SetVariable(ctx, id, "ARRAY("+strings.Join(names, ",")+")", strings.Join(values, ","))
}

// escaped is a value that Asterisk finds whole in a list of arguments.
func escaped(value string) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if strings.IndexByte(`,"\()[]`, c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// afterPlay does in the leg's lane what waited for the end of a playback, and
// gives a lease its usual length that was made long for what was cut short.
func (s *Switch) afterPlay(id string) {
	s.lanes.add(id, func(ctx context.Context) {
		s.legs.with(id, func(l *leg) {
			if len(l.plays) == 0 && !l.leaseEnds.IsZero() && l.leaseEnds.Sub(s.now()) > s.cfg.Lease+time.Second {
				l.leaseEnds = s.now().Add(s.cfg.Lease)
				l.set(timeoutVariable, seconds(s.cfg.Lease))
			}
		})
		s.flush(ctx, id)
	})
}
