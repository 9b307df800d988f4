package call

import "time"

// Call is one conversation from first ring to last hang-up. Once it has ended
// it is the call record. Its zero value with an ID is a call nothing is known
// of; only [Call.Apply] changes it.
type Call struct {
	V         int       `json:"v"`
	ID        string    `json:"id"`
	Source    string    `json:"source"`
	Ref       string    `json:"ref,omitempty"`
	Direction Direction `json:"direction,omitempty"`
	Origin    Origin    `json:"origin,omitempty"`
	State     State     `json:"state"`
	Live      bool      `json:"live"`
	Caps      []Cap     `json:"caps,omitempty"`
	Observed  bool      `json:"observed,omitempty"` // handled by somebody else's dialplan

	From     string `json:"from,omitempty"`
	FromName string `json:"from_name,omitempty"`
	FromE164 string `json:"from_e164,omitempty"`
	To       string `json:"to,omitempty"` // as dialled: the requested party
	ToE164   string `json:"to_e164,omitempty"`
	Line     Line   `json:"line"`
	Identity string `json:"identity,omitempty"`
	Known    string `json:"known_as,omitempty"` // name under which the CRM knows the other party
	KnownBy  string `json:"known_by,omitempty"` // name of that CRM
	Unknown  bool   `json:"unknown,omitempty"`  // the CRMs were asked, and none knows the other party

	Started  time.Time  `json:"started"`
	Answered *time.Time `json:"answered,omitempty"` // first person, never a menu
	Ended    *time.Time `json:"ended,omitempty"`
	GrainMS  int64      `json:"grain_ms,omitempty"`
	TalkMS   int64      `json:"talk_ms"` // from the first person's answer on, all persons together
	Reached  string     `json:"reached,omitempty"`
	Agent    string     `json:"agent,omitempty"`

	Legs       []Leg       `json:"legs,omitempty"`
	Menus      []MenuStay  `json:"menus,omitempty"`
	Queues     []QueueStay `json:"queues,omitempty"`
	Recordings []Recording `json:"recordings,omitempty"`
	Monitors   []Monitor   `json:"monitors,omitempty"`

	Disposition Disposition `json:"disposition,omitempty"`
	By          Party       `json:"ended_by,omitempty"`
	Cause       int         `json:"cause,omitempty"`
	SIP         int         `json:"sip,omitempty"`
	Phrase      string      `json:"phrase,omitempty"` // the text that came with the code, as the other side wrote it
	Reason      string      `json:"reason,omitempty"`

	Message  *Message `json:"message,omitempty"`  // the voice message that was left
	Callback bool     `json:"callback,omitempty"` // somebody has promised to call back

	Seq        uint64 `json:"seq"` // of the last event applied
	Revision   int    `json:"revision"`
	MergedInto string `json:"merged_into,omitempty"`
}

// Line is where a call comes in or goes out.
type Line struct {
	Trunk string `json:"trunk,omitempty"` // trunk, or CO line number of an old PBX
	DID   string `json:"did,omitempty"`
}

// MenuStay is one visit to a menu.
type MenuStay struct {
	Menu    string    `json:"menu"`
	Closed  bool      `json:"closed,omitempty"` // the caller was led there because what he wanted is closed
	Entered time.Time `json:"entered"`
	Input   []string  `json:"input,omitempty"`
	Left    string    `json:"left,omitempty"` // why
	To      string    `json:"to,omitempty"`   // where to
}

// QueueStay is one wait in a queue.
type QueueStay struct {
	Queue    string    `json:"queue"`
	Joined   time.Time `json:"joined"`
	Position int       `json:"position"` // at join, from 1
	Heard    []int     `json:"heard,omitempty"`
	WaitMS   int64     `json:"wait_ms"`
	Left     string    `json:"left,omitempty"` // why; "" while waiting
}

// Recording is a file with the sound of a call.
type Recording struct {
	ID         string `json:"id"`
	State      string `json:"state"` // recording, paused, stopped, done, incomplete, failed, deleted
	File       string `json:"file,omitempty"`
	DurationMS int64  `json:"duration_ms,omitempty"`
	Size       int64  `json:"size,omitempty"`
	SHA256     string `json:"sha256,omitempty"`
}

// Message is a voice message that a caller has left.
type Message struct {
	At         time.Time `json:"at"`
	File       string    `json:"file,omitempty"`
	DurationMS int64     `json:"duration_ms,omitempty"`
}

// Over reports whether the call has ended.
func (c *Call) Over() bool { return c.State == StateEnded }

// Leg returns the leg of that id, or nil. The pointer is good until the next
// Apply.
func (c *Call) Leg(id string) *Leg {
	for i := range c.Legs {
		if c.Legs[i].ID == id {
			return &c.Legs[i]
		}
	}
	return nil
}
