package observe

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stats are the figures for operators. It is also the ari.Observer.
type stats struct {
	received   *prometheus.CounterVec
	told       *prometheus.CounterVec
	unreadable prometheus.Counter
	badRecords prometheus.Counter
	taken      prometheus.Counter
	gauge      prometheus.Gauge
	beat       prometheus.Gauge
	up         atomic.Bool
}

func newStats() *stats {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "markaz", Subsystem: "observe", Name: name, Help: help}
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(opts(name, help)))
	}
	counters := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), []string{label})
	}
	return &stats{
		received:   counters("received_total", "Events received from Asterisk, by type.", "type"),
		told:       counters("events_total", "Events of calls told, by kind.", "kind"),
		unreadable: counter("unreadable_total", "Events of Asterisk that could not be read."),
		badRecords: counter("bad_records_total", "Lines of the call detail records that could not be read."),
		taken:      counter("taken_over_total", "Calls that nobody watched, taken over from call detail records."),
		gauge:      prometheus.NewGauge(prometheus.GaugeOpts(opts("connected", "1 while calls are observed."))),
		beat:       prometheus.NewGauge(prometheus.GaugeOpts(opts("heartbeat_seconds", "Time that the last heartbeat took through Asterisk and back."))),
	}
}

func (s *stats) all() []prometheus.Collector {
	return []prometheus.Collector{s.received, s.told, s.unreadable, s.badRecords, s.taken, s.gauge, s.beat}
}

func (s *stats) connection(up bool) {
	s.up.Store(up)
	s.gauge.Set(0)
	if up {
		s.gauge.Set(1)
	}
}

func (s *stats) isUp() bool { return s.up.Load() }

// Command implements ari.Observer.
func (s *stats) Command(time.Duration, int, error) {}

// Event implements ari.Observer.
func (s *stats) Event(kind string, _ bool) { s.received.WithLabelValues(kind).Inc() }

// Beat implements ari.Observer.
func (s *stats) Beat(took time.Duration) { s.beat.Set(took.Seconds()) }

// Describe implements prometheus.Collector.
func (o *Observer) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range o.stats.all() {
		c.Describe(ch)
	}
}

// Collect implements prometheus.Collector.
func (o *Observer) Collect(ch chan<- prometheus.Metric) {
	for _, c := range o.stats.all() {
		c.Collect(ch)
	}
}

// Watching reports whether calls are observed now.
func (o *Observer) Watching() bool { return o.stats.isUp() }
