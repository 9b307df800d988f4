package asterisk

import (
	"context"
	"slices"
	"strings"
	"sync"

	lib "github.com/CyCoreSystems/ari/v6"

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

// takeInventory asks Asterisk for all that reconciling needs.
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
	if cameIn(ch) {
		return who{Role: call.RoleCaller, Address: ch.GetCaller().GetNumber()}
	}
	_, w, _ := readLegArgs(args) // not there yet while the leg rings
	return w
}

// cameIn reports whether a channel is a caller who came to us, not one that we
// called.
func cameIn(ch *lib.ChannelData) bool { return appArgs(ch)[0] == dialplan.EntryInbound }

// appArgs are the arguments that a channel gave to Stasis, after the name of
// the application; one empty string if there are none.
func appArgs(ch *lib.ChannelData) []string {
	_, args, _ := strings.Cut(ch.GetDialplan().GetAppData(), ",")
	return strings.Split(args, ",")
}
