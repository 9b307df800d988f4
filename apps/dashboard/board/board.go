package board

import (
	"time"

	"markaz/call"
)

// Config is what the configuration tells of those who are shown.
type Config struct {
	People []Person
	Queues []QueueTarget
	Zone   *time.Location // whose midnight begins a day; UTC if nil
	Recent int            // ended calls that are shown; 100 if 0
}

// Person is somebody with an extension.
type Person struct {
	Agent  string // id; "" if he takes no calls of queues
	Name   string
	Number string
	Queues []string
	Teams  []string
}

// QueueTarget is a queue and what it wants to reach.
type QueueTarget struct {
	Name         string
	ServiceLevel time.Duration // answered within this is in time; 20 s if 0
	ShortAbandon time.Duration // abandoned within this blames nobody; 5 s if 0
}

// noticeLife is how long a notice is kept for a page that was away.
const noticeLife = time.Minute

// Bounds on what hostile or broken sources can make the board hold.
const (
	maxLive       = 20_000
	maxExtensions = 5_000
	maxNames      = 1_000 // queues, lines, sources each
)

// Board is what people see. It is not safe for concurrent use.
type Board struct {
	cfg     Config
	now     time.Time // of the latest event or tick
	day     string
	calls   map[string]*liveCall
	ended   []endedCall // oldest first
	exts    map[string]*extension
	agents  map[string]string // id → extension
	queues  map[string]*queue
	lines   map[string]*line
	sources map[string]*source
	notices []Row // oldest first
	dirty   map[string]struct{}
	seen    recent // ids of events
	over    recent // ids of calls
}

// liveCall is a call that goes on and what the call itself does not hold.
type liveCall struct {
	*call.Call
	since time.Time // of its state
	held  map[string]bool
	exts  []string // on which it is shown
	line  string
	queue string // in which it waits
}

type endedCall struct {
	body Call
	call *call.Call
}

type source struct {
	state string
	since time.Time
}

// New makes a board of a configuration.
func New(cfg Config) *Board {
	if cfg.Zone == nil {
		cfg.Zone = time.UTC
	}
	if cfg.Recent <= 0 {
		cfg.Recent = 100
	}
	b := &Board{
		cfg: cfg, calls: map[string]*liveCall{}, exts: map[string]*extension{}, agents: map[string]string{},
		queues: map[string]*queue{}, lines: map[string]*line{}, sources: map[string]*source{}, dirty: map[string]struct{}{},
		seen: newRecent(1 << 15), over: newRecent(1 << 14),
	}
	for _, p := range cfg.People {
		x := &extension{Person: p, agentState: "free"}
		if p.Agent != "" {
			b.agents[p.Agent] = p.Number
			x.agentState = "offline"
		}
		b.exts[p.Number] = x
		b.touch("x:" + p.Number)
	}
	for _, q := range cfg.Queues {
		b.addQueue(q)
	}
	return b
}

func (b *Board) touch(key string) { b.dirty[key] = struct{}{} }

// Apply takes an event, in any order among calls and however often it is told.
func (b *Board) Apply(e call.Event) {
	if e.Kind.Transient() {
		return
	}
	b.Tick(e.SeenAt)
	if e.ID != "" && b.seen.has(e.ID) {
		return
	}
	if e.Call != "" && !b.applyCall(e) {
		return // of a call that is not known, or known already: it may be told again in its turn
	}
	b.seen.add(e.ID)
	b.applySource(e)
	switch e.Kind {
	case call.AgentChanged:
		b.agentChanged(e)
	case call.ExtensionChanged:
		b.extensionChanged(e)
	case call.TrunkAlarm:
		b.alarm(e)
	case call.RequestRefused:
		b.refused(e)
	}
}

// Tick tells the time, which may begin a new day.
func (b *Board) Tick(now time.Time) {
	if !now.After(b.now) {
		return
	}
	b.now = now
	for len(b.notices) > 0 && now.Sub(unmilli(b.notices[0].Body.(Notice).At)) > noticeLife {
		b.touch(b.notices[0].Key)
		b.notices = b.notices[1:]
	}
	day := now.In(b.cfg.Zone).Format(time.DateOnly)
	if day == b.day {
		return
	}
	b.day = day
	for name, q := range b.queues {
		q.today = figures{}
		b.touch("q:" + name)
	}
	for number, x := range b.exts {
		x.handled, x.talk = 0, 0
		b.touch("x:" + number)
	}
	for key, l := range b.lines {
		l.inDay, l.outDay = 0, 0
		b.touch("l:" + key)
	}
}

// today reports whether something happened on the day that is shown.
func (b *Board) today(at time.Time) bool {
	return at.In(b.cfg.Zone).Format(time.DateOnly) == b.day
}

// Adopt takes a living call as somebody else has folded it, if that knows more.
func (b *Board) Adopt(c *call.Call) {
	if c.Over() || c.Direction == "" {
		return
	}
	l := b.calls[c.ID]
	if l == nil {
		l = b.open(c.ID)
	}
	if l == nil || l.Call.Seq >= c.Seq && l.Call.V != 0 {
		return
	}
	l.Call, l.since = Clone(c), stateSince(c)
	b.relate(l)
}

// stateSince finds since when a call is in its state.
func stateSince(c *call.Call) time.Time {
	at := c.Started
	if c.Answered != nil {
		at = *c.Answered
	}
	if n := len(c.Queues); c.State == call.StateQueued && n > 0 {
		at = c.Queues[n-1].Joined
	}
	return at
}

func (b *Board) open(id string) *liveCall {
	if len(b.calls) >= maxLive {
		return nil
	}
	l := &liveCall{Call: &call.Call{ID: id}}
	b.calls[id] = l
	return l
}

// applyCall folds an event into its call; false if that changed nothing.
func (b *Board) applyCall(e call.Event) bool {
	l := b.calls[e.Call]
	if l == nil {
		if e.Kind != call.CallStarted {
			return b.late(e)
		}
		if b.over.has(e.Call) {
			return false
		}
		if l = b.open(e.Call); l == nil {
			return false
		}
	}
	before := l.State
	if !l.Apply(e) {
		return false
	}
	if before != l.State {
		l.since = e.At
	}
	l.hold(e)
	b.figure(l, e)
	b.relate(l)
	if l.Over() {
		b.close(l)
	}
	return true
}

// late takes what is told of a call after its end.
func (b *Board) late(e call.Event) bool {
	if e.Kind == call.RequestRefused {
		return true
	}
	for i := range b.ended {
		if old := &b.ended[i]; old.call.ID == e.Call {
			c := Clone(old.call)
			if !c.Apply(e) {
				return false
			}
			old.call, old.body = c, b.endedBody(c)
			b.touch("e:" + e.Call)
			return true
		}
	}
	return false
}

// hold remembers who has put the other on hold.
func (l *liveCall) hold(e call.Event) {
	switch e.Kind {
	case call.CallHeld:
		if l.held == nil {
			l.held = map[string]bool{}
		}
		l.held[e.Leg] = true
	case call.CallResumed:
		delete(l.held, e.Leg)
	}
}

// close moves a call that is over to those that have just ended.
func (b *Board) close(l *liveCall) {
	delete(b.calls, l.ID)
	b.over.add(l.ID)
	b.unrelate(l)
	b.touch("c:" + l.ID)
	if l.MergedInto != "" || l.Direction == "" {
		return
	}
	b.ended = append(b.ended, endedCall{b.endedBody(l.Call), l.Call})
	b.touch("e:" + l.ID)
	if len(b.ended) > b.cfg.Recent {
		b.touch("e:" + b.ended[0].call.ID)
		b.ended = b.ended[1:]
	}
}

// applySource tells whether a PBX can be reached.
func (b *Board) applySource(e call.Event) {
	if e.Source == "" {
		return
	}
	s := b.sources[e.Source]
	if s == nil {
		if len(b.sources) >= maxNames {
			return
		}
		s = &source{state: "up"}
		b.sources[e.Source] = s
		b.touch("s:" + e.Source)
	}
	state := s.state
	switch {
	case e.Kind == call.SwitchLost:
		state = "lost"
	case e.Kind == call.SwitchSynced, e.Live && e.Call != "" && e.Kind == call.CallStarted:
		state = "up"
	}
	if state != s.state {
		s.state, s.since = state, e.At
		b.touch("s:" + e.Source)
	}
}

// refused tells one person that what he asked for was not done.
func (b *Board) refused(e call.Event) {
	n := Notice{Kind: "n", Ref: e.Ref, At: milli(e.SeenAt), Reason: e.Reason, Call: e.Call}
	key := "n:" + e.ID
	b.notices = append(b.notices, Row{Key: key, Body: n, For: e.Agent})
	if len(b.notices) > maxNames {
		b.notices = b.notices[1:]
	}
	b.touch(key)
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func unmilli(ms int64) time.Time { return time.UnixMilli(ms) }
