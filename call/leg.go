package call

import "time"

// Leg is one party's part in a call.
type Leg struct {
	ID      string `json:"id"`
	Role    Role   `json:"role"`
	Address string `json:"address,omitempty"` // extension or number
	Agent   string `json:"agent,omitempty"`
	Queue   string `json:"queue,omitempty"` // the queue that rang it
	Trunk   string `json:"trunk,omitempty"`

	Started  time.Time  `json:"started"`
	Answered *time.Time `json:"answered,omitempty"`
	Ended    *time.Time `json:"ended,omitempty"`
	RingMS   int64      `json:"ring_ms,omitempty"`
	TalkMS   int64      `json:"talk_ms"`
	Talking  *time.Time `json:"talking_since,omitempty"` // nil when not in a conversation

	Result Result `json:"result,omitempty"` // "" while it lives
	By     Party  `json:"ended_by,omitempty"`
	Cause  int    `json:"cause,omitempty"`
	SIP    int    `json:"sip,omitempty"`
	Phrase string `json:"phrase,omitempty"` // the text that came with the code
}

// stopTalk closes the open interval of talk.
func (l *Leg) stopTalk(at time.Time) {
	if l.Talking == nil {
		return
	}
	if d := at.Sub(*l.Talking); d > 0 {
		l.TalkMS += d.Milliseconds()
	}
	l.Talking = nil
}
