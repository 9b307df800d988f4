package asterisk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
	"markaz/dialplan"
)

const ringDefault = 30 * time.Second

// ring makes a leg known at once, so that whatever happens to it is told, and
// has it called.
func (s *Switch) ring(a call.Ring) {
	l := newLeg(a.Leg, a.Call, whoIs(a), calling)
	l.made = true
	s.legs.add(l)
	s.rings(a)
	s.inLane(a.Leg, a, func(ctx context.Context) error { return s.originate(ctx, a) })
}

func whoIs(a call.Ring) who {
	return who{Role: a.Role, Address: a.Address, Agent: a.Agent, Queue: a.Queue, Trunk: a.Trunk}
}

func (s *Switch) originate(ctx context.Context, a call.Ring) error {
	endpoint, err := s.endpoint(a)
	if err != nil {
		return err
	}
	cancelled := false
	s.legs.with(a.Leg, func(l *leg) { cancelled = l.ending.asked })
	if cancelled {
		return nil
	}
	timeout := a.Timeout
	if timeout <= 0 {
		timeout = ringDefault
	}
	req := lib.OriginateRequest{
		Endpoint:  endpoint,
		App:       s.ari.App(),
		AppArgs:   legArgs(a),
		ChannelID: a.Leg,
		CallerID:  callerID(a.CallerName, a.CallerID),
		Timeout:   int((timeout + time.Second - 1) / time.Second),
		Variables: s.ringVariables(a, timeout),
	}
	if a.AutoAnswer {
		answerByItself(req.Variables, endpoint)
	}
	err = s.ari.Originate(ctx, req)
	if err != nil && ari.Status(err) == 0 && ctx.Err() == nil {
		err = s.ari.Originate(ctx, req) // the outcome is unknown, and a repeat is harmless
	}
	return err
}

// unreachable ends a leg whose phone could not even be called.
func (s *Switch) unreachable(a call.Ring, reason string) {
	l := s.legs.remove(a.Leg)
	if l == nil {
		return
	}
	s.tell(l, s.now(), call.Event{Kind: call.LegEnded, Result: call.Failed, By: call.ByPBX, Reason: reason})
	// Should the channel exist all the same, it must not ring on.
	s.lanes.beside(func(ctx context.Context) { _ = s.ari.Hangup(ctx, a.Leg, call.CauseNormal) })
}

// endpoint is the technology and address that Asterisk is to call. Numbers
// come from keys that callers press and from CRMs: nothing but a number may
// get into a dial string, where "&" would ring somebody else as well.
func (s *Switch) endpoint(a call.Ring) (string, error) {
	if !madeOf(a.Address, decimal+"+*#", 32) {
		return "", fmt.Errorf("not a number: %q", a.Address)
	}
	if a.Trunk == "" {
		return strings.ReplaceAll(s.cfg.ExtensionEndpoint, "{address}", a.Address), nil
	}
	if !madeOf(a.Trunk, letters+decimal+"_.-", 64) {
		return "", fmt.Errorf("not a trunk: %q", a.Trunk)
	}
	return strings.NewReplacer("{number}", a.Address, "{trunk}", a.Trunk).Replace(s.cfg.TrunkEndpoint), nil
}

const (
	decimal = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// madeOf reports whether s has 1 to most characters, all of the alphabet.
func madeOf(s, alphabet string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, alphabet) == ""
}

// callerID writes `"name" <number>`, without what would end either part.
func callerID(name, number string) string {
	plain := func(text, forbidden string) string {
		return strings.Map(func(r rune) rune {
			if strings.ContainsRune(forbidden, r) {
				return -1
			}
			return r
		}, call.Clean(text, 80))
	}
	return fmt.Sprintf(`"%s" <%s>`, plain(name, `"\<>`), plain(number, `"\<>, ()`))
}

// legArgs are the arguments with which a leg of ours enters Stasis: whatever a
// later process must know of it. Asterisk shows them for each channel.
func legArgs(a call.Ring) string {
	parts := []string{dialplan.EntryLeg, a.Call, string(a.Role), a.Address, a.Agent, a.Queue, a.Trunk}
	for i, p := range parts {
		parts[i] = strings.Map(func(r rune) rune {
			if strings.ContainsRune(`,"'\()|`, r) || r < ' ' {
				return '_'
			}
			return r
		}, p)
	}
	return strings.Join(parts, ",")
}

// readLegArgs reads what legArgs wrote.
func readLegArgs(args []string) (callID string, w who, err error) {
	if len(args) < 2 || args[0] != dialplan.EntryLeg || args[1] == "" {
		return "", who{}, errors.New("not a leg of ours")
	}
	at := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	return args[1], who{Role: call.Role(at(2)), Address: at(3), Agent: at(4), Queue: at(5), Trunk: at(6)}, nil
}
