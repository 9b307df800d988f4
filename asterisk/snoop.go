package asterisk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"markaz/asterisk/ari"
	"markaz/call"
)

// A supervisor listens by a snoop channel on the channel of one party, joined
// with the supervisor's own channel in a bridge of their own. What may be heard
// of the supervisor is a property of the snoop channel, fixed when it is made: a
// listener's has no way in at all. Another mode is another snoop channel, which
// takes the old one's place in the bridge when it hears already; the old one
// goes last, so that the channel listened to never changes its way of working
// in between.

// snoopPatience is how long a snoop channel may take to enter Stasis.
const snoopPatience = 2 * time.Second

// snoop is one snoop channel. What stands before gone never changes.
type snoop struct {
	id, channel string // of the action; of Asterisk
	call, leg   string
	supervisor  string // "" for a beep
	entered     chan struct{}
	once        sync.Once

	asked bool // its end is our doing, and not told
}

// snoops are those that live.
type snoops struct {
	mu        sync.Mutex
	byChannel map[string]*snoop
	current   map[string]*snoop // by supervisor
}

func newSnoops() *snoops {
	return &snoops{byChannel: map[string]*snoop{}, current: map[string]*snoop{}}
}

// snoopPrefix marks the snoop channels of an application.
func (s *Switch) snoopPrefix() string { return "markaz-snoop-" + s.ari.App() + "-" }

// add makes a snoop known; nil when one of that id is.
func (s *Switch) addSnoop(id, callID, leg, supervisor string) *snoop {
	n := &snoop{
		id: id, channel: s.snoopPrefix() + id, call: callID, leg: leg, supervisor: supervisor,
		entered: make(chan struct{}),
	}
	s.snoops.mu.Lock()
	defer s.snoops.mu.Unlock()
	if s.snoops.byChannel[n.channel] != nil {
		return nil
	}
	s.snoops.byChannel[n.channel] = n
	return n
}

// entered notes that a snoop channel can be commanded.
func (r *snoops) entered(channel string) {
	r.mu.Lock()
	n := r.byChannel[channel]
	r.mu.Unlock()
	if n != nil {
		n.once.Do(func() { close(n.entered) })
	}
}

// of returns what a supervisor listens by, or nil.
func (r *snoops) of(supervisor string) *snoop {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current[supervisor]
}

// replace makes n what its supervisor listens by, and returns what was.
func (r *snoops) replace(n *snoop) (old *snoop) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, r.current[n.supervisor] = r.current[n.supervisor], n
	if old != nil {
		old.asked = true
	}
	return old
}

// ask notes that the end of a snoop is our doing; nil when it is gone.
func (r *snoops) ask(channel string) *snoop {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := r.byChannel[channel]
	if n != nil {
		n.asked = true
	}
	return n
}

// remove forgets a snoop; told reports whether its end is news.
func (r *snoops) remove(channel string) (n *snoop, told bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = r.byChannel[channel]
	if n == nil {
		return nil, false
	}
	delete(r.byChannel, channel)
	if r.current[n.supervisor] == n {
		delete(r.current, n.supervisor)
	}
	return n, !n.asked
}

// snoop lets a supervisor listen, or listen in another way.
func (s *Switch) snoop(ctx context.Context, a call.Snoop) error {
	whisper, err := whisperOf(a)
	if err != nil {
		return err
	}
	n := s.addSnoop(a.ID, a.Call, a.Leg, a.Supervisor)
	if n == nil {
		return nil // a repeat
	}
	if err := s.listen(ctx, n, whisper); err != nil {
		s.endSnoop(ctx, n)
		return err
	}
	s.emit(call.Event{Kind: call.SnoopUp, Call: a.Call, Leg: a.Leg, Ref: a.ID, Mode: a.Mode})
	return nil
}

// whisperOf says where a supervisor is heard.
func whisperOf(a call.Snoop) (string, error) {
	if a.Leg == "" || a.Supervisor == "" || a.Leg == a.Supervisor || !madeOf(a.ID, letters+decimal+"-_", 96) {
		return "", errors.New("not a leg to listen to")
	}
	switch a.Mode {
	case call.Spy:
		return "none", nil
	case call.Whisper:
		return "out", nil
	case call.Barge:
		return "both", nil
	}
	return "", fmt.Errorf("not a mode: %q", a.Mode)
}

// listen makes the snoop channel and puts it into the supervisor's bridge.
func (s *Switch) listen(ctx context.Context, n *snoop, whisper string) error {
	bridge := n.supervisor + "-m"
	if err := s.makeSnoop(ctx, n, "both", whisper); err != nil {
		return err
	}
	if s.snoops.of(n.supervisor) == nil {
		if err := s.ari.CreateBridge(ctx, bridge, s.bridgeName()); err != nil {
			return err
		}
		if err := s.join(ctx, bridge, n.supervisor); err != nil {
			return err
		}
	}
	// Never two snoops in one bridge: each would say into the call what the
	// other hears of it.
	if old := s.snoops.of(n.supervisor); old != nil {
		if err := ignoreGone(s.ari.RemoveChannel(ctx, bridge, old.channel)); err != nil && ari.Status(err) == 0 {
			return err
		}
	}
	if err := s.ari.AddChannel(ctx, bridge, n.channel); err != nil {
		if old := s.snoops.of(n.supervisor); old != nil { // what was, goes on
			err = errors.Join(err, s.ari.AddChannel(ctx, bridge, old.channel))
		}
		return err
	}
	if old := s.snoops.replace(n); old != nil {
		s.endSnoop(ctx, old)
	}
	leased := false
	s.legs.with(n.supervisor, func(l *leg) { leased = !l.leaseEnds.IsZero() })
	if leased {
		s.leaseSnoop(ctx, n.supervisor, fmt.Sprintf("%.1f", s.cfg.Lease.Seconds()))
	}
	return nil
}

// makeSnoop makes a snoop channel and waits until it can be commanded.
func (s *Switch) makeSnoop(ctx context.Context, n *snoop, spy, whisper string) error {
	err := s.ari.Snoop(ctx, n.leg, n.channel, spy, whisper)
	if err != nil && ari.Status(err) == 0 && ctx.Err() == nil {
		err = ignoreConflict(s.ari.Snoop(ctx, n.leg, n.channel, spy, whisper)) // the outcome is unknown
	}
	if err != nil {
		return err
	}
	late := time.NewTimer(snoopPatience)
	defer late.Stop()
	select {
	case <-n.entered:
	case <-late.C: // its event got lost with a connection, perhaps
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// endSnoop hangs a snoop channel up whose end is not to be told.
func (s *Switch) endSnoop(ctx context.Context, n *snoop) {
	s.snoops.ask(n.channel)
	if err := s.ari.Hangup(ctx, n.channel, call.CauseNormal); ari.Gone(err) {
		s.snoops.remove(n.channel)
	} else if err != nil {
		s.log.Warn("end snoop", "leg", n.leg, "snoop", n.channel, "err", err)
	}
}

func (s *Switch) unsnoop(a call.Unsnoop) {
	n := s.snoops.ask(s.snoopPrefix() + a.ID)
	if n == nil {
		return
	}
	s.inLane(n.supervisor, a, func(ctx context.Context) error {
		s.endSnoop(ctx, n)
		return nil
	})
}

// deafen ends what a supervisor's leg that is gone listened by.
func (s *Switch) deafen(supervisor string) {
	n := s.snoops.of(supervisor)
	if n == nil {
		return
	}
	s.snoops.ask(n.channel)
	s.lanes.beside(func(ctx context.Context) { s.endSnoop(ctx, n) })
}

// snoopEnded tells that a supervisor hears nothing any more, because the channel
// listened to is gone. In Asterisk the supervisor's own stays.
func (s *Switch) snoopEnded(at time.Time, channel string) {
	if !strings.HasPrefix(channel, s.snoopPrefix()) {
		return
	}
	if n, news := s.snoops.remove(channel); news && n.supervisor != "" {
		s.emit(call.Event{Kind: call.SnoopDown, Call: n.call, Leg: n.leg, Ref: n.id, At: at, Reason: "ended"})
	}
}

// leaseSnoop lets the dead-man's switch of a supervisor's leg hold for the
// snoop too.
func (s *Switch) leaseSnoop(ctx context.Context, leg, seconds string) {
	n := s.snoops.of(leg)
	if n == nil {
		return
	}
	if err := ignoreGone(s.ari.SetVariable(ctx, n.channel, timeoutVariable, seconds)); err != nil {
		s.log.Warn("lease of snoop not renewed", "snoop", n.channel, "err", err)
	}
}

// sweepSnoops ends the snoop channels that an earlier process has left behind,
// and tells the end of those that went away unseen.
func (s *Switch) sweepSnoops(ctx context.Context, inv *inventory) {
	s.snoops.mu.Lock()
	known := make(map[string]bool, len(s.snoops.byChannel))
	for channel := range s.snoops.byChannel {
		known[channel] = true
	}
	s.snoops.mu.Unlock()
	for id := range inv.channels {
		if strings.HasPrefix(id, s.snoopPrefix()) && !known[id] {
			if err := ignoreGone(s.ari.Hangup(ctx, id, call.CauseNormal)); err != nil {
				s.log.Warn("end snoop of an earlier process", "snoop", id, "err", err)
			}
		}
	}
	for channel := range known {
		if inv.channels[channel] == nil {
			s.snoopEnded(s.now(), channel)
		}
	}
}

// beep plays a sound into one leg, by a snoop channel that only speaks.
func (s *Switch) beep(ctx context.Context, a call.Beep) error {
	media, err := mediaOf([]call.Prompt{{Kind: call.Sound, Value: a.Sound}})
	if err != nil || !madeOf(a.ID, letters+decimal+"-_", 96) {
		return errors.Join(err, errors.New("not a beep"))
	}
	n := s.addSnoop(a.ID, "", a.Leg, "")
	if n == nil {
		return nil
	}
	if err = s.makeSnoop(ctx, n, "none", "out"); err == nil {
		err = s.ari.Play(ctx, n.channel, n.channel, media[0], "")
	}
	if err != nil {
		s.endSnoop(ctx, n)
	}
	return err
}

// beeped ends the channel of a beep that has been played; false when the
// channel is none.
func (s *Switch) beeped(channel string) bool {
	if !strings.HasPrefix(channel, s.snoopPrefix()) {
		return false
	}
	if n := s.snoops.ask(channel); n != nil {
		s.lanes.beside(func(ctx context.Context) { s.endSnoop(ctx, n) })
	}
	return true
}

func (s *Switch) ringback(ctx context.Context, a call.Ringback) error {
	return s.ari.Ring(ctx, a.Leg, a.On)
}

// ignoreConflict is for a repeat: it is no error when the first try has worked.
func ignoreConflict(err error) error {
	if ari.Status(err) == http.StatusConflict {
		return nil
	}
	return err
}

// answerByItself asks a PJSIP phone to answer. Which of the two headers a phone
// obeys depends on its maker; Call-Info is of RFC 3261 section 20.9 with the
// parameter answer-after that most read, Alert-Info of section 20.4.
func answerByItself(variables map[string]string, endpoint string) {
	if strings.HasPrefix(endpoint, "PJSIP/") {
		variables["PJSIP_HEADER(add,Call-Info)"] = "<sip:127.0.0.1>;answer-after=0"
		variables["PJSIP_HEADER(add,Alert-Info)"] = "<http://127.0.0.1>;info=alert-autoanswer;delay=0"
	}
}
