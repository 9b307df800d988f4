package main

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/call"
	"markaz/queue"
)

// floorFigures shows queues and agents to Prometheus.
type floorFigures struct{ s *server }

type figure struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func newFigure(kind prometheus.ValueType, name, help string, labels ...string) figure {
	return figure{prometheus.NewDesc("markaz_"+name, help, labels, nil), kind}
}

func (f figure) give(ch chan<- prometheus.Metric, v float64, labels ...string) {
	ch <- prometheus.MustNewConstMetric(f.desc, f.kind, v, labels...)
}

// figures of the floor.
type figureSet struct {
	waiting, longest, agents                  figure
	joined, answered, inTime, abandoned, wait figure
}

func floorSet() figureSet {
	const g, c = prometheus.GaugeValue, prometheus.CounterValue
	return figureSet{
		waiting:   newFigure(g, "queue_waiting", "Callers who wait.", "queue"),
		longest:   newFigure(g, "queue_longest_wait_seconds", "How long the first of those who wait has waited.", "queue"),
		agents:    newFigure(g, "queue_agents", "Agents of the queue, by state.", "queue", "state"),
		joined:    newFigure(c, "queue_joined_total", "Callers who came to the queue.", "queue"),
		answered:  newFigure(c, "queue_answered_total", "Callers whom an agent took.", "queue"),
		inTime:    newFigure(c, "queue_answered_in_time_total", "Callers whom an agent took within the service level.", "queue"),
		abandoned: newFigure(c, "queue_abandoned_total", "Callers who hung up while they waited.", "queue"),
		wait:      newFigure(c, "queue_answered_wait_seconds_total", "Sum of the waits of those who were taken.", "queue"),
	}
}

// Describe implements prometheus.Collector.
func (f floorFigures) Describe(ch chan<- *prometheus.Desc) {
	s := floorSet()
	for _, x := range []figure{s.waiting, s.longest, s.agents, s.joined, s.answered, s.inTime, s.abandoned, s.wait} {
		ch <- x.desc
	}
}

// Collect implements prometheus.Collector.
func (f floorFigures) Collect(ch chan<- prometheus.Metric) {
	s := floorSet()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	snap, err := f.s.snapshot(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(s.waiting.desc, err)
		return
	}
	for _, q := range snap.Queues {
		s.waiting.give(ch, float64(q.Waiting), q.Queue)
		s.longest.give(ch, q.Longest.Seconds(), q.Queue)
		s.joined.give(ch, float64(q.Counts.Joined), q.Queue)
		s.answered.give(ch, float64(q.Counts.Answered), q.Queue)
		s.inTime.give(ch, float64(q.Counts.InTime), q.Queue)
		s.abandoned.give(ch, float64(q.Counts.Abandoned), q.Queue)
		s.wait.give(ch, q.Counts.AnswerWait.Seconds(), q.Queue)
		for state, n := range q.Agents {
			s.agents.give(ch, float64(n), q.Queue, state.String())
		}
	}
}

// snapshot asks the floor in the goroutine that owns it.
func (s *server) snapshot(ctx context.Context) (queue.Snapshot, error) {
	var snap queue.Snapshot
	err := s.loop.View(ctx, func(call.Book) { snap = s.floor.Snapshot(time.Now()) })
	return snap, err
}

// desk joins the HTTP side to the server.
func (s *server) desk() *desk {
	d := &desk{gate: s.gate, loop: s.loop, ready: s.checks, reg: s.reg, log: s.log, mounts: []func(*http.ServeMux) error{s.mountAPI, s.mountPages}}
	if s.public == nil {
		d.public = s.publicSide()
	}
	return d
}

// checks are what /readyz looks at. Without Redis calls are served all the
// same: the spool holds the events.
func (s *server) checks(ctx context.Context) []check {
	var out []check
	add := func(name string, err error, degraded bool) {
		c := check{Name: name, Degraded: degraded && err != nil}
		if err != nil {
			c.Error = err.Error()
		}
		out = append(out, c)
	}
	add("asterisk", s.sw.Ready(), false)
	turn, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	add("loop", s.loop.View(turn, func(call.Book) {}), false)
	add("redis", s.client.Ping(turn), true)
	return out
}
