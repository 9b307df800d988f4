package queue

import "time"

// Counts is what has happened in a queue since the floor was made. Joined is
// the sum of all ways to leave and of those who wait.
type Counts struct {
	Joined         uint64        `json:"joined"`
	Answered       uint64        `json:"answered"`
	InTime         uint64        `json:"in_time"` // of Answered: within the service level
	Abandoned      uint64        `json:"abandoned"`
	AbandonedShort uint64        `json:"abandoned_short"` // of Abandoned: so soon that nobody is to blame
	TimedOut       uint64        `json:"timed_out"`
	Exited         uint64        `json:"exited"`
	Full           uint64        `json:"full"`
	Unstaffed      uint64        `json:"no_agents"`
	Other          uint64        `json:"other"`       // moved, or taken out for a reason of the application
	AnswerWait     time.Duration `json:"answer_wait"` // sum over Answered
}

func (c *Counts) add(r Reason, waited time.Duration, cfg QueueConfig) {
	switch r {
	case Answered:
		c.Answered++
		c.AnswerWait += waited
		if waited <= cfg.ServiceLevel {
			c.InTime++
		}
	case Abandoned:
		c.Abandoned++
		if waited <= cfg.ShortAbandon {
			c.AbandonedShort++
		}
	case TimedOut:
		c.TimedOut++
	case Exited:
		c.Exited++
	case Full:
		c.Full++
	case Unstaffed:
		c.Unstaffed++
	default:
		c.Other++
	}
}

// ServiceLevel is the share of callers answered in time, of those answered and
// those who had reason to give up; false if there were none.
func (c Counts) ServiceLevel() (float64, bool) {
	n := c.Answered + c.Abandoned - c.AbandonedShort
	if n == 0 {
		return 0, false
	}
	return float64(c.InTime) / float64(n), true
}

// Snapshot is how a floor stands. Making it costs by queue and by agent, never
// by caller.
type Snapshot struct {
	Queues []QueueState `json:"queues"`
	Agents []AgentState `json:"agents"`
}

// QueueState is how a queue stands.
type QueueState struct {
	Queue   string        `json:"queue"`
	Waiting int           `json:"waiting"`
	Offered int           `json:"offered"` // of Waiting: a phone rings for them
	Longest time.Duration `json:"longest"` // of those who wait
	Next    Wait          `json:"next"`    // estimate for one who would come now
	Agents  map[State]int `json:"agents"`  // states in which there is somebody
	Counts  Counts        `json:"counts"`
}

// AgentState is how an agent stands.
type AgentState struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Extension string    `json:"extension"`
	Queues    []string  `json:"queues"`
	State     State     `json:"state"`
	Reason    string    `json:"reason,omitempty"`  // of a pause or rest
	Pending   Wish      `json:"pending,omitempty"` // when the call is over
	Since     time.Time `json:"since,omitzero"`    // of State
	Call      string    `json:"call,omitempty"`    // on which he rings or talks
	Queue     string    `json:"queue,omitempty"`   // of Call
}

// Snapshot tells how the floor stands.
func (f *Floor) Snapshot(at time.Time) Snapshot {
	var s Snapshot
	for _, q := range f.queues {
		s.Queues = append(s.Queues, q.snapshot(at))
	}
	for _, a := range f.agents {
		s.Agents = append(s.Agents, a.snapshot())
	}
	return s
}

// Agent tells how the agent of an id or extension stands; false if there is
// none.
func (f *Floor) Agent(name string) (AgentState, bool) {
	a := f.agentOf[name]
	if a == nil {
		return AgentState{}, false
	}
	return a.snapshot(), true
}

// Queue returns the configuration of a queue, with defaults filled in; false
// if there is none.
func (f *Floor) Queue(name string) (QueueConfig, bool) {
	q := f.queueOf[name]
	if q == nil {
		return QueueConfig{}, false
	}
	return q.QueueConfig, true
}

func (q *queue) snapshot(at time.Time) QueueState {
	s := QueueState{
		Queue: q.Name, Waiting: q.waiting.len(), Offered: q.waiting.len() - q.unmet.len(),
		Next: q.estimate(at, q.waiting.len()+1), Agents: map[State]int{}, Counts: q.counts,
	}
	if c := q.waiting.oldest(); c != nil {
		s.Longest = max(0, at.Sub(c.Joined))
	}
	for state, n := range q.states {
		if n > 0 {
			s.Agents[State(state)] = n
		}
	}
	return s
}

func (a *agent) snapshot() AgentState {
	s := AgentState{
		ID: a.ID, Name: a.Name, Extension: a.Extension,
		State: a.shown.state, Reason: a.shown.reason, Pending: a.shown.pending,
		Since: a.since, Call: a.shown.call, Queue: a.shown.queue,
	}
	for _, q := range a.queues {
		s.Queues = append(s.Queues, q.Name)
	}
	return s
}
