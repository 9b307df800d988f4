package queue

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"markaz/call"
)

// ErrUnknown is wrapped by the errors about a queue or agent that is not in
// the configuration.
var ErrUnknown = errors.New("unknown")

// Floor is all queues and all agents. It is made by [New], told what it was
// before by Fold, Adopt and Join, and opened by Open; until then nobody is
// rung. It is not for use by several goroutines.
type Floor struct {
	maxNoAnswers int
	queues       []*queue
	agents       []*agent
	queueOf      map[string]*queue
	agentOf      map[string]*agent // by id and by extension
	callers      map[string]*caller
	timers       map[string]timer
	lastTimer    uint64
	joins, frees ticker
	open         bool
}

type queue struct {
	QueueConfig
	agents  []*agent
	waiting order[*caller] // all who wait
	unmet   order[*caller] // those of them for whom no phone rings
	idle    order[*agent]  // the available, longest idle first
	states  [stateCount]int
	present int // agents who do not wish to be offline
	pace    pace
	counts  Counts
}

// staffed is how many agents share the work of the queue now.
func (q *queue) staffed() int { return len(q.agents) - q.states[Offline] - q.states[Paused] }

// New makes a closed floor in which nobody waits, and only agents of
// auto_login are logged in. It fails if the configuration is not valid.
func New(cfg Config) (*Floor, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("read queue configuration: %w", err)
	}
	f := &Floor{
		maxNoAnswers: cfg.MaxNoAnswers,
		queueOf:      map[string]*queue{},
		agentOf:      map[string]*agent{},
		callers:      map[string]*caller{},
		timers:       map[string]timer{},
	}
	orElse(&f.maxNoAnswers, defaultNoAnswers)
	for _, ac := range cfg.Agents {
		a := &agent{AgentConfig: ac, wish: WishOffline}
		f.agents = append(f.agents, a)
		f.agentOf[ac.ID], f.agentOf[ac.Extension] = a, a
	}
	for _, qc := range cfg.Queues {
		qc.setDefaults()
		q := &queue{QueueConfig: qc}
		for _, name := range qc.Agents {
			a := f.agentOf[name]
			q.agents, a.queues = append(q.agents, a), append(a.queues, q)
		}
		q.states[Offline] = len(q.agents)
		f.queues, f.queueOf[qc.Name] = append(f.queues, q), q
	}
	for _, a := range f.agents {
		if a.AutoLogin {
			a.wishes(WishAvailable)
		}
	}
	return f, nil
}

// Open lets the floor ring phones, from which moment it is complete: agents
// whose calls were not adopted are free, wrap-ups go on where they were, and
// whoever waits is offered.
func (f *Floor) Open(at time.Time) Out {
	var o Out
	if f.open {
		return o
	}
	f.open = true
	for _, a := range f.agents {
		f.resume(&o, at, a)
	}
	var free order[*agent]
	for _, a := range f.agents {
		if a.shown.state == Available {
			free.insert(a.key(), a)
		}
	}
	for a := range free.all() {
		f.serve(&o, at, a)
	}
	for _, q := range f.queues {
		f.evict(&o, at, q)
		for c := range q.waiting.all() {
			f.greet(&o, at, c)
		}
	}
	return o
}

// Fired tells that a timer has run out. One that was cancelled meanwhile does
// nothing.
func (f *Floor) Fired(at time.Time, id string) Out {
	var o Out
	t, ok := f.timers[id]
	if !ok {
		return o
	}
	delete(f.timers, id)
	switch t.kind {
	case timerWait:
		t.caller.waitTimer = ""
		f.waitedEnough(&o, at, t.caller)
	case timerTell:
		t.caller.tellTimer = f.setTimer(&o, t, t.caller.queue.Announce.Every)
		f.announce(&o, at, t.caller, false)
	case timerRing:
		t.agent.timer = ""
		o.decide(Withdraw{Call: t.agent.call, Agent: t.agent.ID, Reason: RangTooLong})
		f.rangOut(&o, at, t.agent, call.NoAnswer)
	case timerPause:
		t.agent.timer = ""
		t.agent.phase = idle
		f.freed(&o, at, t.agent)
	}
	return o
}

type timerKind string

const (
	timerWait  timerKind = "wait"  // a caller's max_wait
	timerTell  timerKind = "tell"  // a caller's next announcement
	timerRing  timerKind = "ring"  // an agent's phone rings too long
	timerPause timerKind = "pause" // the end of an agent's wrap-up or rest
)

type timer struct {
	kind   timerKind
	caller *caller
	agent  *agent
}

func (f *Floor) setTimer(o *Out, t timer, after time.Duration) string {
	var owner string
	if t.caller != nil {
		owner = t.caller.Call
	} else {
		owner = t.agent.ID
	}
	f.lastTimer++
	id := string(t.kind) + ":" + owner + ":" + strconv.FormatUint(f.lastTimer, 10)
	f.timers[id] = t
	o.decide(SetTimer{ID: id, After: max(0, after)})
	return id
}

// cancelTimer stops the timer of that id, if any, and forgets the id.
func (f *Floor) cancelTimer(o *Out, id *string) {
	if *id == "" {
		return
	}
	delete(f.timers, *id)
	o.decide(CancelTimer{ID: *id})
	*id = ""
}

// ticker gives tickets that rise with time and never repeat. Being made of the
// time they go on rising across a restart, so that whoever comes while the
// waiting are still being adopted stands behind them.
type ticker int64

func (t *ticker) next(at time.Time) int64 {
	*t = max(*t+1, ticker(at.UnixMicro()))
	return int64(*t)
}

func (t *ticker) seen(ticket int64) { *t = max(*t, ticker(ticket)) }
