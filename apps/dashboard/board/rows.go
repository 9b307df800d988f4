package board

import "markaz/call"

// Row is something that people see, as it stands.
type Row struct {
	Key   string       // "x:101", "q:sales", "c:ID" …: the kind of row and its name
	Body  any          // for those who may see every call of Calls; nil: the row is gone
	Bare  any          // for all others; nil: nothing
	Calls []*call.Call // as they stand: good until the board is told the next event
	Ext   string       // whose row it is, for one of an extension
	Agent string
	Queue string // whose row it is, for one of a queue
	For   string // for this person alone
}

// Times are milliseconds since 1970 UTC, lengths milliseconds; 0 is none.

// Extension is a person's telephone.
type Extension struct {
	Kind    string   `json:"k"` // "x"
	Number  string   `json:"ext"`
	Name    string   `json:"name,omitempty"`
	Agent   string   `json:"agent,omitempty"` // id, if he is an agent of queues
	State   string   `json:"state"`           // free, ringing, dialling, talking, held, monitoring, paused, wrapup, resting, busy, offline, unreachable
	Since   int64    `json:"since,omitempty"`
	Reason  string   `json:"reason,omitempty"`  // of a pause or rest
	Pending string   `json:"pending,omitempty"` // what he will be when the call is over
	Queues  []string `json:"queues,omitempty"`
	Teams   []string `json:"teams,omitempty"`
	Handled int      `json:"handled,omitempty"` // calls answered today
	TalkMS  int64    `json:"talk,omitempty"`    // today
	On      []OnCall `json:"on,omitempty"`      // the calls that he is on
}

// OnCall is a call as seen from an extension.
type OnCall struct {
	Call  string `json:"call"`
	Leg   string `json:"leg"`
	State string `json:"state"` // ringing, dialling, talking, held, monitoring
	Since int64  `json:"since"`
	Peer  string `json:"peer,omitempty"`
	Name  string `json:"peer_name,omitempty"`
	Queue string `json:"queue,omitempty"`
	Dir   string `json:"dir,omitempty"`
}

// Queue is a queue as it stands and what it has done today.
type Queue struct {
	Kind      string         `json:"k"` // "q"
	Name      string         `json:"name"`
	Waiting   int            `json:"waiting"`
	Oldest    int64          `json:"oldest,omitempty"` // since when the first of those who wait has waited
	Line      []string       `json:"line,omitempty"`   // calls that wait, the first first, at most [LineShown]
	Agents    map[string]int `json:"agents,omitempty"` // by state
	Target    int64          `json:"target"`           // answered within this is in time
	Joined    int            `json:"joined"`           // today, as all that follows
	Answered  int            `json:"answered"`
	InTime    int            `json:"in_time"`
	Abandoned int            `json:"abandoned"`
	Short     int            `json:"short"` // of Abandoned: so soon that nobody is to blame
	WaitMS    int64          `json:"wait"`  // sum over Answered
}

// LineShown is how many of those who wait are listed by place.
const LineShown = 20

// Call is a call that goes on, or has just ended.
type Call struct {
	Kind     string    `json:"k"` // "c" while it goes on, then "e"
	ID       string    `json:"id"`
	Source   string    `json:"source,omitempty"`
	State    string    `json:"state"` // of call.State; once ended the disposition
	Since    int64     `json:"since"` // of State
	Started  int64     `json:"started"`
	Ended    int64     `json:"ended,omitempty"`
	Dir      string    `json:"dir,omitempty"`
	From     string    `json:"from,omitempty"`
	Name     string    `json:"name,omitempty"` // of the other party: as the CRM knows it, else as shown
	To       string    `json:"to,omitempty"`
	DID      string    `json:"did,omitempty"`
	Trunk    string    `json:"trunk,omitempty"`
	Queue    string    `json:"queue,omitempty"`
	Menu     string    `json:"menu,omitempty"`
	Ext      string    `json:"ext,omitempty"` // of the person who talks, else talked
	Agent    string    `json:"agent,omitempty"`
	Rings    []string  `json:"rings,omitempty"` // extensions that ring
	Leg      string    `json:"leg,omitempty"`   // whom a supervisor would listen to
	TalkMS   int64     `json:"talk,omitempty"`
	By       string    `json:"by,omitempty"`
	Rec      string    `json:"rec,omitempty"` // state of its latest recording
	Observed bool      `json:"observed,omitempty"`
	Caps     []string  `json:"caps,omitempty"` // of a source that cannot tell everything
	Monitors []Monitor `json:"monitors,omitempty"`
}

// Monitor is a supervisor who listens.
type Monitor struct {
	ID    string `json:"id"`
	Agent string `json:"agent"`
	Mode  string `json:"mode"`
	Since int64  `json:"since"`
}

// Line is a trunk or an outside line.
type Line struct {
	Kind   string `json:"k"` // "l"
	Source string `json:"source,omitempty"`
	Name   string `json:"name"`
	In     int    `json:"in"` // calls that go on, incoming
	Out    int    `json:"out"`
	InDay  int    `json:"in_day"` // today
	OutDay int    `json:"out_day"`
	Alarm  string `json:"alarm,omitempty"` // what is wrong
	Since  int64  `json:"since,omitempty"` // of Alarm
}

// Source is a PBX or line monitor.
type Source struct {
	Kind  string `json:"k"` // "s"
	Key   string `json:"name"`
	State string `json:"state"` // up, lost
	Since int64  `json:"since,omitempty"`
}

// Notice is a word to one person about what he asked for.
type Notice struct {
	Kind   string `json:"k"` // "n"
	Ref    string `json:"ref"`
	At     int64  `json:"at"`
	Reason string `json:"reason"` // key of the catalogue
	Call   string `json:"call,omitempty"`
}
