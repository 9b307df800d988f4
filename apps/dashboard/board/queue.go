package board

import (
	"cmp"
	"slices"
	"time"

	"markaz/call"
)

type queue struct {
	QueueTarget
	waiting []string // calls, the first first
	today   figures
}

type figures struct {
	joined, answered, inTime, abandoned, short int
	wait                                       int64
}

func (b *Board) addQueue(t QueueTarget) *queue {
	if q := b.queues[t.Name]; q != nil || len(b.queues) >= maxNames {
		return q
	}
	t.ServiceLevel = cmp.Or(t.ServiceLevel, 20*time.Second)
	t.ShortAbandon = cmp.Or(t.ShortAbandon, 5*time.Second)
	q := &queue{QueueTarget: t}
	b.queues[t.Name] = q
	b.touch("q:" + t.Name)
	return q
}

// relateQueue notes in which queue a call waits.
func (b *Board) relateQueue(l *liveCall) {
	now := ""
	if n := len(l.Queues); n > 0 && l.Queues[n-1].Left == "" && !l.Over() {
		now = l.Queues[n-1].Queue
	}
	if now == l.queue {
		return
	}
	if q := b.queues[l.queue]; q != nil {
		q.waiting = slices.DeleteFunc(q.waiting, func(id string) bool { return id == l.ID })
		b.touch("q:" + l.queue)
	}
	if now != "" {
		if q := b.addQueue(QueueTarget{Name: now}); q != nil {
			q.waiting = append(q.waiting, l.ID)
			b.touch("q:" + now)
		}
	}
	l.queue = now
}

// figure counts for the day what an event says.
func (b *Board) figure(l *liveCall, e call.Event) {
	if !b.today(e.At) {
		return
	}
	switch e.Kind {
	case call.QueueJoined:
		if q := b.addQueue(QueueTarget{Name: e.Queue}); q != nil {
			q.today.joined++
		}
	case call.QueueLeft, call.QueueAbandoned:
		b.leftQueue(l, e)
	case call.CallStarted:
		b.countLine(l)
	case call.CallEnded:
		if x := b.exts[l.Reached]; x != nil && l.Answered != nil {
			x.handled++
			x.talk += l.TalkMS
			b.touch("x:" + l.Reached)
		}
	}
}

func (b *Board) leftQueue(l *liveCall, e call.Event) {
	q := b.queues[e.Queue]
	n := len(l.Queues)
	if q == nil || n == 0 || l.Queues[n-1].Queue != e.Queue || l.queue != e.Queue {
		return // told twice: as left and as abandoned
	}
	waited := time.Duration(l.Queues[n-1].WaitMS) * time.Millisecond
	switch l.Queues[n-1].Left {
	case "answered":
		q.today.answered++
		q.today.wait += waited.Milliseconds()
		if waited <= q.ServiceLevel {
			q.today.inTime++
		}
	case "abandoned":
		q.today.abandoned++
		if waited <= q.ShortAbandon {
			q.today.short++
		}
	}
	b.touch("q:" + e.Queue)
}

func (b *Board) queueRow(name string, q *queue) Row {
	body := Queue{
		Kind: "q", Name: name, Waiting: len(q.waiting), Target: q.ServiceLevel.Milliseconds(),
		Joined: q.today.joined, Answered: q.today.answered, InTime: q.today.inTime,
		Abandoned: q.today.abandoned, Short: q.today.short, WaitMS: q.today.wait,
		Line: slices.Clone(q.waiting[:min(len(q.waiting), LineShown)]), Agents: map[string]int{},
	}
	if len(q.waiting) > 0 {
		if l := b.calls[q.waiting[0]]; l != nil {
			body.Oldest = milli(l.Queues[len(l.Queues)-1].Joined)
		}
	}
	for _, p := range b.cfg.People {
		if slices.Contains(p.Queues, name) {
			body.Agents[b.stateOf(p.Number)]++
		}
	}
	return Row{Key: "q:" + name, Body: body, Queue: name}
}

// stateOf is the state of an extension without its calls being copied.
func (b *Board) stateOf(number string) string {
	x := b.exts[number]
	var on []OnCall
	for _, id := range x.on {
		l := b.calls[id]
		if l == nil {
			continue
		}
		for i := range l.Legs {
			if leg := &l.Legs[i]; leg.Address == number && leg.Ended == nil {
				on = append(on, l.onCall(leg))
			}
		}
	}
	state, _ := x.state(on)
	return state
}
