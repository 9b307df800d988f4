package stream

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metric is one number of Stats under its Prometheus name.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(Stats) float64
}

// collector shows a log to Prometheus.
type collector struct {
	stats   func() Stats
	metrics []metric
	groups  []groupMetric
}

type groupMetric struct {
	desc  *prometheus.Desc
	value func(GroupStatus, time.Time) float64
}

// Collector shows the log's Stats as metrics named markaz_stream_*.
func (l *Log) Collector() prometheus.Collector {
	return &collector{stats: l.Stats, metrics: logMetrics(), groups: groupMetrics()}
}

func logMetrics() []metric {
	count := func(name, help string, v func(Stats) uint64) metric {
		return metric{streamDesc(name, help), prometheus.CounterValue, func(s Stats) float64 { return float64(v(s)) }}
	}
	gauge := func(name, help string, v func(Stats) float64) metric {
		return metric{streamDesc(name, help), prometheus.GaugeValue, v}
	}
	return []metric{
		count("appended_total", "Events taken into the spool.", func(s Stats) uint64 { return s.Appended }),
		count("refused_total", "Events that could not be taken and are not in the log.", func(s Stats) uint64 { return s.Refused }),
		count("sent_total", "Events that Redis took.", func(s Stats) uint64 { return s.Sent }),
		count("rewinds_total", "Times that Redis had lost events and got them again.", func(s Stats) uint64 { return s.Rewinds }),
		gauge("spool_unsent_events", "Events that wait for Redis.", func(s Stats) float64 { return float64(s.Unsent) }),
		gauge("spool_oldest_seconds", "Age of the oldest event that waits for Redis.", func(s Stats) float64 { return s.OldestAge.Seconds() }),
		gauge("spool_bytes", "Size of the spool on disk.", func(s Stats) float64 { return float64(s.SpoolBytes) }),
		gauge("spool_memory_events", "Events held in memory because the disk refused them.", func(s Stats) float64 { return float64(s.InMemory) }),
		count("spool_disk_failures_total", "Times that the disk began to refuse events.", func(s Stats) uint64 { return s.DiskFails }),
		count("spool_sync_failures_total", "Times that the disk did not confirm events.", func(s Stats) uint64 { return s.SyncFails }),
		count("spool_damaged_total", "Places in the spool that could not be read.", func(s Stats) uint64 { return s.Damaged }),
		count("spool_lost_events_total", "Events known to be lost to damage in the spool.", func(s Stats) uint64 { return s.Lost }),
		count("spool_shortened_total", "Spool files removed before their time for want of room.", func(s Stats) uint64 { return s.Shortened }),
		gauge("redis_up", "1 if Redis takes events.", func(s Stats) float64 {
			if s.RedisUp {
				return 1
			}
			return 0
		}),
		gauge("length", "Events in Redis.", func(s Stats) float64 { return float64(s.StreamLen) }),
		count("trimmed_total", "Events removed from Redis by age or length.", func(s Stats) uint64 { return s.Trimmed }),
		count("trimmed_unread_total", "Events removed from Redis that a group had not done with.", func(s Stats) uint64 { return s.TrimmedLate }),
	}
}

func groupMetrics() []groupMetric {
	return []groupMetric{
		{streamDesc("group_lag_events", "Events that the group has not looked at.", "group"), func(g GroupStatus, _ time.Time) float64 { return float64(g.Lag) }},
		{streamDesc("group_open_events", "Events that the group has not done with.", "group"), func(g GroupStatus, _ time.Time) float64 { return float64(g.Open) }},
		{streamDesc("group_oldest_seconds", "Age of the oldest event that the group has not done with.", "group"), func(g GroupStatus, now time.Time) float64 {
			if g.Oldest.IsZero() {
				return 0
			}
			return max(0, now.Sub(g.Oldest).Seconds())
		}},
		{streamDesc("group_dead_letters", "Events that the group gave up.", "group"), func(g GroupStatus, _ time.Time) float64 { return float64(g.Dead) }},
	}
}

func streamDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("markaz_stream_"+name, help, labels, nil)
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		out <- m.desc
	}
	for _, m := range c.groups {
		out <- m.desc
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	st, now := c.stats(), time.Now()
	for _, m := range c.metrics {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(st))
	}
	for _, m := range c.groups {
		for _, g := range st.Groups {
			out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.value(g, now), g.Name)
		}
	}
}

// groupCollector shows what this process did for a group.
type groupCollector struct {
	stats   func() GroupStats
	handled *prometheus.Desc
	taken   *prometheus.Desc
	lost    *prometheus.Desc
}

// Collector shows the group's Stats as metrics named markaz_stream_group_*.
func (g *Group) Collector() prometheus.Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("markaz_stream_group_"+name, help, labels, prometheus.Labels{"group": g.cfg.Name})
	}
	return &groupCollector{
		stats:   g.Stats,
		handled: desc("handled_total", "What became of the tries of events.", "outcome"),
		taken:   desc("reclaimed_total", "Calls taken over from processes that died."),
		lost:    desc("claims_lost_total", "Claims lost while working."),
	}
}

// Describe implements [prometheus.Collector].
func (c *groupCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.handled
	out <- c.taken
	out <- c.lost
}

// Collect implements [prometheus.Collector].
func (c *groupCollector) Collect(out chan<- prometheus.Metric) {
	st := c.stats()
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	counter(c.handled, st.Handled, "done")
	counter(c.handled, st.Retried, "retry")
	counter(c.handled, st.Dead, "dead")
	counter(c.handled, st.Repeats, "repeat")
	counter(c.taken, st.Reclaimed)
	counter(c.lost, st.Lost)
}
