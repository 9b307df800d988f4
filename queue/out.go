package queue

import (
	"time"

	"markaz/call"
)

// Out is the answer to one input: facts to be recorded first, then decisions
// to be carried out, both in order. Facts lack id, seq, source and times.
type Out struct {
	Facts     []call.Event
	Decisions []Decision
}

// Room for what most inputs are answered with, so that the slices seldom grow.
const (
	usualFacts     = 2 // large ones
	usualDecisions = 4
)

func (o *Out) fact(e call.Event) {
	if o.Facts == nil {
		o.Facts = make([]call.Event, 0, usualFacts)
	}
	o.Facts = append(o.Facts, e)
}

func (o *Out) decide(d Decision) {
	if o.Decisions == nil {
		o.Decisions = make([]Decision, 0, usualDecisions)
	}
	o.Decisions = append(o.Decisions, d)
}

// Decision is something the floor wants done.
type Decision interface{ decision() }

type (
	// Offer wants the agent's phone rung for the caller. Floor.Answered or
	// Floor.Ended must tell how it went; the phone is to give up by itself
	// after Timeout.
	Offer struct {
		Call, Leg string // the caller's
		Queue     string
		Agent     string
		Extension string
		Timeout   time.Duration
	}

	// Withdraw takes an offer back: the agent's leg is to be hung up.
	// Floor.Ended must tell when it is gone.
	Withdraw struct {
		Call, Agent string
		Reason      Withdrawal
	}

	// Connect lets caller and agent talk: the agent has answered. The caller
	// waits no more.
	Connect struct {
		Call, Leg string // the caller's
		Queue     string
		Agent     string
	}

	// Announce wants the caller told his place, his wait, or both. While he is
	// told, phones ring on and keys count.
	Announce struct {
		Call, Leg string
		Queue     string
		Position  int  // from 1; 0: do not say it
		Wait      Wait // zero: do not say it
		// OnRequest is set when he asked. With neither position nor wait he
		// is to hear that he still has his place.
		OnRequest bool
	}

	// Overflow sends the caller elsewhere: he waits here no more.
	Overflow struct {
		Call, Leg   string
		Queue       string
		Destination string
		Reason      Reason
	}

	// SetTimer asks for Floor.Fired with the same id after a while. An id is
	// never used twice.
	SetTimer struct {
		ID    string
		After time.Duration
	}

	// CancelTimer stops a timer.
	CancelTimer struct{ ID string }
)

func (Offer) decision()       {}
func (Withdraw) decision()    {}
func (Connect) decision()     {}
func (Announce) decision()    {}
func (Overflow) decision()    {}
func (SetTimer) decision()    {}
func (CancelTimer) decision() {}

// Withdrawal says why a phone is to stop ringing.
type Withdrawal string

// Why offers are withdrawn.
const (
	AnsweredElsewhere Withdrawal = "answered_elsewhere"
	CallerGone        Withdrawal = "caller_gone"
	RangTooLong       Withdrawal = "rang_too_long" // the switch did not end it in time
	NotOffered        Withdrawal = "not_offered"   // the floor knows of no such offer
)

// Reason says why a caller waits no more.
type Reason string

// Why callers leave a queue.
const (
	Answered  Reason = "answered"
	Abandoned Reason = "abandoned" // he hung up
	Exited    Reason = "exit"      // by the exit key
	TimedOut  Reason = "timeout"   // max_wait
	Full      Reason = "full"      // max_length
	Unstaffed Reason = "no_agents"
	Moved     Reason = "moved" // he joined another queue
)

// recorded is the word of the log's vocabulary for a reason.
func (r Reason) recorded() string {
	if r == Full || r == Unstaffed {
		return "overflow"
	}
	return string(r)
}
