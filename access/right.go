package access

import "slices"

// Role is what a user is. It gives the defaults of all rights.
type Role string

// The roles.
const (
	Agent         Role = "agent"
	Supervisor    Role = "supervisor"
	Administrator Role = "administrator"
	Kiosk         Role = "kiosk" // a big screen on a wall: sees figures and touches nothing
)

// Roles lists the roles, the humblest first.
func Roles() []Role { return []Role{Kiosk, Agent, Supervisor, Administrator} }

// Right is something that a user may do, on what its extent covers.
type Right string

// The rights. What is used on a call or a person has an extent; the others are
// had or not.
const (
	See      Right = "see"      // calls, live and finished
	Board    Right = "board"    // states of extensions, agents and queues, without the parties of their calls
	Listen   Right = "listen"   // hear a living call
	Whisper  Right = "whisper"  // speak to the agent alone
	Barge    Right = "barge"    // speak to all
	Takeover Right = "takeover" // go on with the call in the agent's place
	Dial     Right = "dial"     // have a phone ring and call a number
	Hangup   Right = "hangup"   // end a call
	Transfer Right = "transfer" // pass a call on
	Hold     Right = "hold"     // put a party on hold
	Record   Right = "record"   // start, pause and resume a recording
	Play     Right = "play"     // hear recordings
	Download Right = "download" // take recordings away as files
	Pause    Right = "pause"    // set the state of agents: log in, pause, log out
	Reports  Right = "reports"  // figures of the past
	Audit    Right = "audit"    // the audit log
	Tokens   Right = "tokens"   // tokens of programs and big screens
	Settings Right = "settings" // users, checks and settings
)

// Rights lists all rights.
func Rights() []Right {
	return []Right{
		See, Board, Listen, Whisper, Barge, Takeover, Dial, Hangup, Transfer, Hold, Record, Play, Download,
		Pause, Reports, Audit, Tokens, Settings,
	}
}

// Known reports whether there is such a right.
func (r Right) Known() bool { return slices.Contains(Rights(), r) }

// Plain reports whether the right is had or not, without an extent.
func (r Right) Plain() bool { return r == Audit || r == Tokens || r == Settings }

// eavesdrops reports whether the right opens what people say to one another,
// from which protected extensions are kept.
func (r Right) eavesdrops() bool {
	switch r {
	case Listen, Whisper, Barge, Takeover, Play, Download:
		return true
	}
	return false
}

// defaults are the rights of a role before any configuration.
func defaults(role Role) map[Right]Extent {
	all, own, none := Extent{All: true}, Extent{Own: true}, Extent{}
	mine := Extent{Own: true, Team: true, Queue: true}
	theirs := Extent{Team: true, Queue: true}
	switch role {
	case Administrator:
		out := map[Right]Extent{}
		for _, r := range Rights() {
			out[r] = all
		}
		return out
	case Supervisor:
		return map[Right]Extent{
			See: mine, Board: all, Listen: theirs, Whisper: theirs, Barge: theirs, Takeover: theirs,
			Dial: own, Hangup: mine, Transfer: mine, Hold: mine, Record: mine, Play: mine, Download: none,
			Pause: mine, Reports: mine,
		}
	case Agent:
		return map[Right]Extent{
			See: own, Board: all, Dial: own, Hangup: own, Transfer: own, Hold: own, Record: own, Play: own,
			Pause: own, Reports: own,
		}
	case Kiosk:
		return map[Right]Extent{Board: all}
	}
	return nil
}
