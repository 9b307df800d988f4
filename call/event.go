package call

import "time"

// Schema is the version of the JSON form of Event and Call. It is raised when
// a field changes its meaning; new optional fields leave it alone.
const Schema = 1

// Event is one immutable fact. Times are UTC; durations are whole
// milliseconds; numbers are as the source printed them unless a field says
// otherwise. Which fields a kind carries is said beside the kind.
type Event struct {
	V      int       `json:"v"`
	ID     string    `json:"id"`             // unique for ever; repeats carry the same id
	Kind   Kind      `json:"kind"`           //
	Source string    `json:"source"`         // key of the PBX or line monitor, Latin letters and digits
	Call   string    `json:"call,omitempty"` // our id of the call
	Leg    string    `json:"leg,omitempty"`  // id of the leg within its source
	Seq    uint64    `json:"seq,omitempty"`  // from 1 without gap within a call, given by the writer of the log
	At     time.Time `json:"at"`             // when it happened
	SeenAt time.Time `json:"seen_at"`        // when we learnt of it
	Live   bool      `json:"live"`           // false: told after the fact, nothing must pop up

	Ref       string    `json:"ref,omitempty"` // the source's own id of the call; id of a timer or playback
	Direction Direction `json:"direction,omitempty"`
	Origin    Origin    `json:"origin,omitempty"`
	From      string    `json:"from,omitempty"` // calling number as the source gave it
	FromName  string    `json:"from_name,omitempty"`
	FromE164  string    `json:"from_e164,omitempty"`
	To        string    `json:"to,omitempty"` // dialled number or destination asked for
	ToE164    string    `json:"to_e164,omitempty"`
	Trunk     string    `json:"trunk,omitempty"`
	DID       string    `json:"did,omitempty"`
	Identity  string    `json:"identity,omitempty"` // CRM's id of the other party
	Caps      []Cap     `json:"caps,omitempty"`     // what the source can tell
	Observed  bool      `json:"observed,omitempty"` // of a call that somebody else's dialplan handles: Markaz only watches

	Role    Role   `json:"role,omitempty"`
	Address string `json:"address,omitempty"` // extension or number of the leg
	Agent   string `json:"agent,omitempty"`
	Queue   string `json:"queue,omitempty"`
	Menu    string `json:"menu,omitempty"`
	Digits  string `json:"digits,omitempty"`
	State   string `json:"state,omitempty"`
	Mode    string `json:"mode,omitempty"`

	Position   int   `json:"position,omitempty"` // from 1
	WaitMS     int64 `json:"wait_ms,omitempty"`
	TalkMS     int64 `json:"talk_ms,omitempty"`
	RingMS     int64 `json:"ring_ms,omitempty"`
	DurationMS int64 `json:"duration_ms,omitempty"`
	GrainMS    int64 `json:"grain_ms,omitempty"` // At is known to within this; 60000 for a PBX that prints minutes

	Result      Result      `json:"result,omitempty"`
	Disposition Disposition `json:"disposition,omitempty"`
	By          Party       `json:"by,omitempty"`    // who ended it
	Cause       int         `json:"cause,omitempty"` // ITU-T Q.850
	SIP         int         `json:"sip,omitempty"`   // SIP status code
	Reason      string      `json:"reason,omitempty"`

	Recording string `json:"recording,omitempty"`
	File      string `json:"file,omitempty"`
	Size      int64  `json:"size,omitempty"` // bytes
	SHA256    string `json:"sha256,omitempty"`

	Into     string            `json:"into,omitempty"`
	Revision int               `json:"revision,omitempty"`
	Text     string            `json:"text,omitempty"`
	Data     map[string]string `json:"data,omitempty"` // what only one application understands
}

// Out is what a machine answers to an event: facts to be recorded first, in
// order, then actions to be done, in order. Facts lack id, seq and times: the
// owner of the log gives them.
type Out struct {
	Facts   []Event
	Actions []Action
}

// Fact adds facts to the answer.
func (o *Out) Fact(e ...Event) { o.Facts = append(o.Facts, e...) }

// Do adds actions to the answer.
func (o *Out) Do(a ...Action) { o.Actions = append(o.Actions, a...) }

// Merge adds the whole of another answer after this one.
func (o *Out) Merge(p Out) {
	o.Facts = append(o.Facts, p.Facts...)
	o.Actions = append(o.Actions, p.Actions...)
}
