package history

import (
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/call"
)

// stats are the store's figures.
type stats struct {
	events  *prometheus.CounterVec
	failed  prometheus.Counter
	batch   prometheus.Histogram
	last    prometheus.Gauge
	dropped prometheus.Counter
}

func newStats() *stats {
	return &stats{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "markaz_history_events_total", Help: "Events handed to the history, by whether they were new.",
		}, []string{"what"}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "markaz_history_failures_total", Help: "Events that could not be written and are handed over again.",
		}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "markaz_history_write_seconds", Help: "Time of one transaction.", Buckets: prometheus.ExponentialBuckets(1e-3, 2, 12),
		}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "markaz_history_last_event_timestamp_seconds", Help: "When Markaz learnt of the last event that was written.",
		}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "markaz_history_calls_forgotten_total", Help: "Calls that were removed because of their age.",
		}),
	}
}

func (s *stats) took(events []call.Event, fresh int, took time.Duration) {
	s.events.WithLabelValues("new").Add(float64(fresh))
	s.events.WithLabelValues("repeat").Add(float64(len(events) - fresh))
	s.batch.Observe(took.Seconds())
	if last := events[len(events)-1].SeenAt; !last.IsZero() {
		s.last.Set(float64(last.UnixMilli()) / 1000)
	}
}

// Describe implements prometheus.Collector.
func (s *Store) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range s.collectors() {
		c.Describe(ch)
	}
	ch <- sizeDesc()
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(ch chan<- prometheus.Metric) {
	for _, c := range s.collectors() {
		c.Collect(ch)
	}
	var size int64
	for _, f := range []string{s.cfg.File, s.cfg.File + "-wal"} {
		if info, err := os.Stat(f); err == nil {
			size += info.Size()
		}
	}
	ch <- prometheus.MustNewConstMetric(sizeDesc(), prometheus.GaugeValue, float64(size))
}

func sizeDesc() *prometheus.Desc {
	return prometheus.NewDesc("markaz_history_size_bytes", "Size of the history on disk.", nil, nil)
}

func (s *Store) collectors() []prometheus.Collector {
	return []prometheus.Collector{s.stats.events, s.stats.failed, s.stats.batch, s.stats.last, s.stats.dropped}
}
