package ivr

import (
	"strconv"

	"markaz/call"
)

// Phase says what a caller is doing in the menus.
type Phase string

// The phases of a stay.
const (
	Asking     Phase = "asking"     // the prompt of the menu is playing
	Waiting    Phase = "waiting"    // for the first key
	Collecting Phase = "collecting" // for further keys
	Telling    Phase = "telling"    // a message is playing
	Left       Phase = "left"       // chosen, or hung up
)

// State is where one caller stands. It is a value: the machine never changes
// one that it was given. Its JSON form is short enough for call.Remember.
type State struct {
	Call     string `json:"c"`
	Leg      string `json:"l"`
	Lang     string `json:"g"`
	Phase    Phase  `json:"p"`
	Menu     string `json:"m,omitempty"` // while telling: the menu to go back to
	Message  string `json:"s,omitempty"` // while telling
	Digits   string `json:"d,omitempty"` // of the input that is being collected
	Ahead    string `json:"a,omitempty"` // typed ahead, not looked at yet
	Play     int    `json:"y,omitempty"` // number of the play that is running
	Timer    int    `json:"t,omitempty"` // number of the timer that is running
	Count    int    `json:"n"`           // plays and timers so far
	Attempts int    `json:"f,omitempty"` // wrong keys and silences in this menu
	Moves    int    `json:"v,omitempty"` // from menu to menu
	Closed   bool   `json:"x,omitempty"` // the caller stands before a closed door
	Shut     bool   `json:"z,omitempty"` // the line itself is closed, and with it the main menu
}

// Over reports whether the stay has ended.
func (s State) Over() bool { return s.Phase == Left }

// at is the menu or message that the caller is in.
func (s State) at() Destination {
	if s.Message != "" {
		return destination(ToMessage, s.Message)
	}
	return destination(ToMenu, s.Menu)
}

// place is the name under which the stay is recorded: that of the menu, or
// "message:" and that of the message.
func (s State) place() string {
	if s.Message != "" {
		return string(s.at())
	}
	return s.Menu
}

func (s State) playID(n int) string  { return s.Leg + "-p" + strconv.Itoa(n) }
func (s State) timerID(n int) string { return s.Leg + "-t" + strconv.Itoa(n) }

// isPlay reports whether an event tells of the running play.
func (s State) isPlay(e call.Event) bool { return s.Play > 0 && e.Ref == s.playID(s.Play) }

// isTimer reports whether an event tells of the running timer.
func (s State) isTimer(e call.Event) bool { return s.Timer > 0 && e.Ref == s.timerID(s.Timer) }

// concerns reports whether an event is about this caller.
func (s State) concerns(e call.Event) bool {
	if e.Call != "" && e.Call != s.Call {
		return false
	}
	return e.Leg == s.Leg || e.Leg == "" && e.Ref != ""
}

// Reason says why a caller left a menu or message.
type Reason string

// The reasons to leave.
const (
	ByRoute     Reason = "route"      // straight from the number, through no menu
	ByKey       Reason = "key"        // an option was chosen
	ByExtension Reason = "extension"  // an extension was dialled
	ByPerson    Reason = "person"     // the key for a person
	ByMain      Reason = "main"       // the key for the main menu
	BySilence   Reason = "silence"    // attempts used up, the last by silence
	ByWrongKeys Reason = "wrong_keys" // attempts used up, the last by a wrong key
	ByMessage   Reason = "message"    // the message was heard, or skipped
	ByClosed    Reason = "closed"     // what was wanted is closed
	ByMoves     Reason = "moves"      // went from menu to menu too often
	ByReload    Reason = "reload"     // the menu is no longer there
	ByHangup    Reason = "hangup"     // the caller hung up
)

// Inputs of a menu as they are recorded with call.IVRInput.
const (
	inputOK      = "ok"
	inputInvalid = "invalid"
	inputTimeout = "timeout"
)

// Choice is where a caller goes: never to a menu or a message, which this
// package serves itself.
type Choice struct {
	Kind   Kind
	Target string // queue, extension or number; "" for ToHangup
	Reason Reason
	Lang   string // the language that the caller speaks
}
