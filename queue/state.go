package queue

import "fmt"

// State is what an agent is doing, as a supervisor sees it.
type State uint8

// The states of an agent.
const (
	Offline   State = iota
	Paused          // logged in, but not to be rung
	Available       // waits for a call
	Ringing         // his phone rings for a caller
	Talking         // on a call of a queue, up to the end of his leg
	Wrapup          // finishing the work of the last call
	Resting         // not rung for a moment, after his phone did not take a call
	Busy            // on a call of his own
	stateCount
)

// String returns the word for a state that facts carry.
func (s State) String() string {
	switch s {
	case Offline:
		return "offline"
	case Paused:
		return "paused"
	case Available:
		return "available"
	case Ringing:
		return "ringing"
	case Talking:
		return "talking"
	case Wrapup:
		return "wrapup"
	case Resting:
		return "resting"
	case Busy:
		return "busy"
	}
	return fmt.Sprintf("State(%d)", s)
}

// MarshalText gives the word of a state, so that it reads well in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// ParseState returns the state of a word; false if there is none.
func ParseState(word string) (State, bool) {
	for s := range stateCount {
		if s.String() == word {
			return s, true
		}
	}
	return 0, false
}

// Wish is what an agent asks to be.
type Wish string

// The wishes of an agent. During a call they take effect when it is over.
const (
	WishOffline   Wish = "offline"
	WishPaused    Wish = "paused"
	WishAvailable Wish = "available"
	// WishReady is available, and an end to wrap-up or rest at once. Nothing
	// else cuts a wrap-up short.
	WishReady Wish = "ready"
)
