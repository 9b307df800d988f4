package asterisk

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
	"markaz/dialplan"
)

// inventory is what Asterisk has of ours.
type inventory struct {
	channels map[string]*lib.ChannelData // all channels of this Asterisk
	ours     []*finding                  // our legs
	strays   []*lib.ChannelData          // in our application, of no call: callers whose StasisStart we have not had
	bridges  []lib.BridgeData            // that we made
}

// finding is a living leg of ours.
type finding struct {
	ch    *lib.ChannelData
	call  string
	who   who
	state string // what was remembered on it
	in    *lib.BridgeData
	alone bool // in a conversation with nobody else
}

// reconcile brings both sides together after each connect: what lives is told
// by LegFound, what is gone by LegEnded, and SwitchSynced says that this was
// all. Events wait meanwhile.
func (s *Switch) reconcile(ctx context.Context) error {
	before := s.legs.all()
	info, err := s.ari.Info(ctx)
	if err != nil {
		return fmt.Errorf("read start-up time: %w", err)
	}
	reason := s.sinceLast(time.Time(info.StatusInfo.StartupTime))
	inv, err := s.takeInventory(ctx)
	if err != nil {
		return fmt.Errorf("list channels and bridges: %w", err)
	}
	s.recheck(ctx)

	s.syncing.Lock() // a caller who arrives now by FastAGI is told after SwitchSynced
	told := s.tellFound(inv)
	s.tellHeld(told)
	s.tellOthers(inv)
	s.buryMissing(before, inv, told, reason)
	s.emit(call.Event{Kind: call.SwitchSynced, Reason: reason})
	s.syncing.Unlock()

	for _, ch := range inv.strays {
		s.translate(ari.Event{At: s.now(), Body: &lib.StasisStart{Channel: *ch, Args: appArgs(ch)}})
	}
	for i := range inv.bridges {
		if len(s.legs.in(inv.bridges[i].ChannelIDs)) == 0 {
			s.removeBridge(inv.bridges[i].ID)
		}
	}
	s.log.Info("switch synced", "version", info.SystemInfo.Version, "legs", len(told), "reason", reason)
	return nil
}

// sinceLast says why legs may be missing. Another start-up time means that
// Asterisk was restarted and has none of its old channels.
func (s *Switch) sinceLast(started time.Time) string {
	restarted := !s.started.IsZero() && !s.started.Equal(started)
	s.started = started
	if restarted {
		return call.Restarted
	}
	return call.Unseen
}

func (s *Switch) takeInventory(ctx context.Context) (*inventory, error) {
	app, err := s.ari.Application(ctx)
	if err != nil {
		return nil, err
	}
	channels, err := s.ari.Channels(ctx)
	if err != nil {
		return nil, err
	}
	bridges, err := s.ari.Bridges(ctx)
	if err != nil {
		return nil, err
	}
	inv := &inventory{channels: map[string]*lib.ChannelData{}}
	for i := range channels {
		inv.channels[channels[i].ID] = &channels[i]
	}
	for _, b := range bridges {
		if strings.HasPrefix(b.Name, s.bridgeName()) {
			inv.bridges = append(inv.bridges, b)
		}
	}
	var candidates []*finding
	for _, ch := range inv.channels {
		if slices.Contains(app.ChannelIDs, ch.ID) || s.inApp(*ch) || beingCalled(ch) {
			candidates = append(candidates, &finding{ch: ch})
		}
	}
	if err := s.readMarks(ctx, candidates); err != nil {
		return nil, err
	}
	s.identify(ctx, inv, candidates)
	return inv, nil
}

// inApp reports whether Stasis runs a channel for our application.
func (s *Switch) inApp(ch lib.ChannelData) bool {
	app, _, _ := strings.Cut(ch.GetDialplan().GetAppData(), ",")
	return ch.GetDialplan().GetAppName() == "Stasis" && app == s.ari.App()
}

// beingCalled reports whether a channel is one that some program is having
// called. Ours carry a call; those of an earlier process are not in the list
// of the application, which Asterisk forgets when nothing is in Stasis.
func beingCalled(ch *lib.ChannelData) bool { return ch.GetDialplan().GetAppName() == "AppDial2" }

// readMarks reads what was written on the channels, several side by side: 300
// calls take a quarter of a second.
func (s *Switch) readMarks(ctx context.Context, list []*finding) error {
	var wait sync.WaitGroup
	var lock sync.Mutex
	var failure error
	slots := make(chan struct{}, s.cfg.ARI.Connections)
	read := func(id, name string, into *string) {
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			value, err := s.ari.Variable(ctx, id, name)
			*into = value
			if err != nil {
				lock.Lock()
				failure = err
				lock.Unlock()
			}
		})
	}
	for _, f := range list {
		read(f.ch.ID, dialplan.VarCall, &f.call)
		read(f.ch.ID, dialplan.VarState, &f.state)
	}
	wait.Wait()
	return failure
}

// identify sorts the candidates and finds out who they are and where.
func (s *Switch) identify(ctx context.Context, inv *inventory, candidates []*finding) {
	for _, f := range candidates {
		switch known := s.legs.get(f.ch.ID); {
		case known != nil:
			f.call, f.who = known.call, known.who
		case ownMedia(f.ch.Name):
			continue
		case f.call == "":
			if s.inApp(*f.ch) {
				inv.strays = append(inv.strays, f.ch)
			}
			continue
		default:
			f.who = whoOf(f.ch)
			if beingCalled(f.ch) { // without this we would not hear of its end
				if err := s.ari.Subscribe(ctx, f.ch.ID); err != nil {
					s.log.Warn("subscribe to leg", "leg", f.ch.ID, "err", err)
				}
			}
		}
		inv.ours = append(inv.ours, f)
	}
	for i := range inv.bridges {
		b := &inv.bridges[i]
		var legs []*finding
		for _, f := range inv.ours {
			if slices.Contains(b.ChannelIDs, f.ch.ID) {
				f.in = b
				legs = append(legs, f)
			}
		}
		if len(legs) == 1 {
			legs[0].alone = true
		}
	}
}

// whoOf reads who a leg is from the arguments with which it entered Stasis.
func whoOf(ch *lib.ChannelData) who {
	args := appArgs(ch)
	if args[0] == dialplan.EntryInbound {
		return who{Role: call.RoleCaller, Address: ch.GetCaller().GetNumber()}
	}
	_, w, _ := readLegArgs(args) // not there yet while the leg rings
	return w
}

// appArgs are the arguments that a channel gave to Stasis, after the name of
// the application; one empty string if there are none.
func appArgs(ch *lib.ChannelData) []string {
	_, args, _ := strings.Cut(ch.GetDialplan().GetAppData(), ",")
	return strings.Split(args, ",")
}

// tellFound makes the found legs known and tells them.
func (s *Switch) tellFound(inv *inventory) map[string]bool {
	told := map[string]bool{}
	for _, f := range inv.ours {
		l := s.adopt(f)
		if l == nil {
			continue
		}
		told[l.id] = true
		e := call.Event{Kind: call.LegFound, State: f.state}
		if f.in != nil {
			e.Ref = f.in.ID
		}
		if f.alone {
			e.Data = map[string]string{"alone": "1"}
		}
		s.tell(l, s.now(), e)
	}
	return told
}

// adopt makes the leg's entry agree with what Asterisk has. A known leg that
// is with its FastAGI session, or on the way from there, is left to that.
func (s *Switch) adopt(f *finding) *leg {
	up, in := f.ch.State == stateUp, s.inApp(*f.ch)
	if s.legs.get(f.ch.ID) == nil {
		l := newLeg(f.ch.ID, f.call, f.who, calling)
		l.made = f.who.Role != call.RoleCaller
		if in {
			l.stage, l.answered = present, up
			close(l.entered)
		}
		s.legs.add(l)
	}
	bridge := ""
	if f.in != nil {
		bridge = f.in.ID
	}
	var l *leg
	enters := false
	s.legs.with(f.ch.ID, func(known *leg) {
		known.bridge = bridge
		enters = in && known.stage != present && known.stage != arriving
		if known.stage != arriving {
			l = known
		}
	})
	if enters { // its StasisStart got lost with the connection
		s.enter(f.ch.ID, s.now(), up)
	}
	return l
}

// tellHeld tells the legs that are with their FastAGI sessions: those live as
// long as the session does.
func (s *Switch) tellHeld(told map[string]bool) {
	for _, id := range s.legs.all() {
		with := false
		s.legs.with(id, func(l *leg) { with = l.stage == held || l.stage == handing })
		if with && !told[id] {
			told[id] = true
			s.tellOf(id, s.now(), call.Event{Kind: call.LegFound})
		}
	}
}

// tellOthers tells, without a call, the channels that are not with us: an
// earlier process may have had one that is with the dialplan's fall-back now.
func (s *Switch) tellOthers(inv *inventory) {
	for id := range inv.channels {
		if s.legs.get(id) == nil {
			s.emit(call.Event{Kind: call.LegFound, Leg: id})
		}
	}
}

// buryMissing ends the legs that were known before the inventory was taken and
// are not in it.
func (s *Switch) buryMissing(before []string, inv *inventory, told map[string]bool, reason string) {
	for _, id := range before {
		if told[id] || inv.channels[id] != nil && !s.lostFromStasis(id, inv.channels[id]) {
			continue
		}
		if s.endArriving(id) {
			continue
		}
		l := s.legs.remove(id)
		if l == nil {
			continue
		}
		e := call.Event{Kind: call.LegEnded, Result: call.Lost, By: call.ByPBX, Reason: reason}
		switch {
		case inv.channels[id] != nil:
			e.Result, e.Reason = call.Transferred, call.Fallback
		case l.answered:
			e.Result = call.Answered
		}
		s.tell(l, s.now(), e)
	}
}

// endArriving lets a leg that nobody has been told of be told first.
func (s *Switch) endArriving(id string) bool {
	yes := false
	s.legs.with(id, func(l *leg) {
		if yes = l.stage == arriving; yes {
			gone := &lib.ChannelDestroyed{Channel: lib.ChannelData{ID: id}}
			l.early = append(l.early, ari.Event{At: s.now(), Body: gone})
		}
	})
	return yes
}

// lostFromStasis reports whether a leg that was in our application is now
// somewhere else.
func (s *Switch) lostFromStasis(id string, ch *lib.ChannelData) bool {
	lost := false
	s.legs.with(id, func(l *leg) { lost = l.stage == present })
	return lost && !s.inApp(*ch)
}

// recheck tells the ends of playbacks and recordings that came while nobody
// listened: whoever waits for one would wait for ever.
func (s *Switch) recheck(ctx context.Context) {
	for _, p := range s.legs.plays() {
		if running, err := s.ari.Playing(ctx, playbackID(p.play, p.last)); err == nil && !running {
			s.legs.with(p.leg, func(l *leg) {
				if open := l.plays[p.play]; open != nil {
					open.ended = open.posted
				}
			})
			s.concludePlay(p.leg, p.play, s.now())
		}
	}
	for _, id := range s.legs.tapes() {
		if running, err := s.ari.Recording(ctx, id); err == nil && !running {
			s.recordingFinished(ari.Event{At: s.now()}, lib.LiveRecordingData{Name: id})
		}
	}
}
