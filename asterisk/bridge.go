package asterisk

import (
	"context"
	"net/http"
	"strings"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
)

// A conversation's own lane, in which it is made, recorded and removed.
func bridgeLane(id string) string { return "bridge/" + id }

// bridgeName marks a bridge as made by this application.
func (s *Switch) bridgeName() string { return "markaz/" + s.ari.App() }

// bridge has a conversation made in its own lane. Each leg is made ready in the
// leg's lane, after all that was asked of the leg before, and then they join
// together: one request costs Asterisk less than two, and nobody hears silence
// alone. The conversation's lane waits for them: Asterisk sends the events of a
// bridge, such as that it is being recorded, only when a channel of the
// application is in it.
func (s *Switch) bridge(a call.Bridge) {
	ready := make(chan string, len(a.Legs))
	done, failed := make(chan struct{}), map[string]error{} // by leg; read when done
	joins := 0
	for _, id := range a.Legs {
		one := call.Bridge{Call: a.Call, ID: a.ID, Legs: []string{id}}
		if s.inLane(id, one, func(ctx context.Context) error {
			ready <- s.readyToJoin(ctx, a.ID, id)
			wait(ctx, done)
			return failed[id]
		}) {
			joins++
		}
	}
	ok := s.inLane(bridgeLane(a.ID), a, func(ctx context.Context) error {
		defer close(done)
		err := s.ari.CreateBridge(ctx, a.ID, s.bridgeName())
		var legs []string
		for range joins {
			if id := wait(ctx, ready); id != "" {
				legs = append(legs, id)
			}
		}
		if err == nil && ctx.Err() == nil {
			if s.joinAll(ctx, a.ID, legs, failed); len(failed) > 0 {
				s.removeBridge(a.ID) // unless somebody is in it
			}
			return nil
		}
		for _, id := range legs {
			s.notIn(id)
		}
		return err
	})
	if !ok {
		close(done)
	}
}

// wait returns what comes, or nothing when ctx has ended.
func wait[T any](ctx context.Context, from <-chan T) (what T) {
	select {
	case what = <-from:
	case <-ctx.Done():
	}
	return what
}

// readyToJoin stops what a leg hears and returns the leg; "" if it is in that
// bridge: then Asterisk would take it out and put it back, audibly.
func (s *Switch) readyToJoin(ctx context.Context, bridge, id string) string {
	there := false
	s.legs.with(id, func(l *leg) {
		if there = l.place == bridge; !there {
			s.legs.put(l, bridge) // before asking: nobody may remove the bridge now
			l.moving = true
		}
	})
	if there {
		return ""
	}
	s.hush(ctx, id)
	return id
}

// join puts one leg into a bridge, unless it is there.
func (s *Switch) join(ctx context.Context, bridge, id string) error {
	if s.readyToJoin(ctx, bridge, id) == "" {
		return nil
	}
	err := s.joinOne(ctx, bridge, id)
	if err != nil {
		s.notIn(id)
	}
	return err
}

// joinAll puts legs into a bridge; where that is refused for all, each by itself.
func (s *Switch) joinAll(ctx context.Context, bridge string, legs []string, failed map[string]error) {
	if len(legs) > 1 && s.ari.AddChannel(ctx, bridge, legs...) == nil {
		return
	}
	for _, id := range legs {
		if err := s.joinOne(ctx, bridge, id); err != nil {
			failed[id] = err
			s.notIn(id)
		}
	}
}

func (s *Switch) joinOne(ctx context.Context, bridge, id string) error {
	err := s.ari.AddChannel(ctx, bridge, id)
	if ari.Gone(err) { // removed because it was empty for a moment
		if err = s.ari.CreateBridge(ctx, bridge, s.bridgeName()); err == nil {
			err = s.ari.AddChannel(ctx, bridge, id)
		}
	}
	return err
}

// notIn takes back that a leg has a bridge as its place.
func (s *Switch) notIn(id string) {
	s.legs.with(id, func(l *leg) { s.legs.put(l, ""); l.moving = false })
}

func (s *Switch) unbridge(ctx context.Context, a call.Unbridge) error {
	err := s.ari.RemoveChannel(ctx, a.ID, a.Leg)
	switch ari.Status(err) {
	case http.StatusNotFound, http.StatusBadRequest, http.StatusUnprocessableEntity:
		err = nil // it is not in that bridge
	}
	if err == nil {
		s.legs.with(a.Leg, func(l *leg) {
			if l.place == a.ID {
				s.legs.put(l, "")
			}
		})
	}
	return err
}

// joined tells that a leg talks. Recorders and announcers enter bridges too.
func (s *Switch) joined(e ari.Event, b *lib.ChannelEnteredBridge) {
	s.setBridge(e, b.Channel.ID, b.Bridge.ID, call.LegJoined)
}

// left tells that a leg no longer talks, and removes the bridge after the last.
func (s *Switch) left(e ari.Event, b *lib.ChannelLeftBridge) {
	s.setBridge(e, b.Channel.ID, b.Bridge.ID, call.LegLeft)
	if !strings.HasPrefix(b.Bridge.Name, s.bridgeName()) {
		return
	}
	if stay := s.legs.in(b.Bridge.ChannelIDs); len(stay) > 0 {
		s.dismiss(stay)
	} else {
		s.removeBridge(b.Bridge.ID)
	}
}

// setBridge follows a leg into a bridge or out of it. An event may be older
// than what we have commanded since (moving).
func (s *Switch) setBridge(e ari.Event, id, bridge string, kind call.Kind) {
	var of *leg
	s.legs.with(id, func(l *leg) {
		switch {
		case kind == call.LegJoined && l.bridge != bridge:
			l.bridge, l.moving, of = bridge, l.moving && l.place != bridge, l
			if !l.moving {
				s.legs.put(l, bridge)
			}
		case kind == call.LegLeft && l.bridge == bridge:
			l.bridge, of = "", l
			if l.place == bridge && !l.moving {
				s.legs.put(l, "")
			}
		}
	})
	if of != nil {
		s.tell(of, e.At, call.Event{Kind: kind, Ref: bridge})
	}
}

// removeBridge removes a bridge, unless a leg is in it again or about to be.
func (s *Switch) removeBridge(id string) {
	s.lanes.add(bridgeLane(id), func(ctx context.Context) {
		if s.legs.crowded(id) {
			return
		}
		if err := ignoreGone(s.ari.DestroyBridge(ctx, id)); err != nil {
			s.log.Warn("remove empty bridge", "bridge", id, "err", err)
		}
		s.tapesEnd(ctx, id)
	})
}
