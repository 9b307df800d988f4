package crm

import "github.com/prometheus/client_golang/prometheus"

// stats are the figures of one sink.
type stats struct {
	attempts *prometheus.CounterVec
	seconds  prometheus.Histogram
	behind   prometheus.Gauge
	lag      prometheus.GaugeFunc
	away     prometheus.GaugeFunc
	disabled prometheus.GaugeFunc
}

func newStats(s *Sink) *stats {
	labels := prometheus.Labels{"sink": s.cfg.Name}
	state := func(name, help, of string) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels}, func() float64 {
			if s.Status().State == of {
				return 1
			}
			return 0
		})
	}
	return &stats{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "markaz_delivery_attempts_total", ConstLabels: labels,
			Help: "Events handed to a sink, by what became of them: done, skipped, retry, waiting, dead, disable.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "markaz_delivery_request_seconds", ConstLabels: labels,
			Help: "Time that a sink's receiver took to answer.", Buckets: prometheus.ExponentialBuckets(0.002, 2.5, 11),
		}),
		behind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "markaz_delivery_behind_seconds", ConstLabels: labels,
			Help: "Age of the last event that was taken, when it was taken.",
		}),
		lag: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "markaz_delivery_lag_seconds", ConstLabels: labels,
			Help: "Age of the oldest event that was tried and not taken; 0 if there is none.",
		}, func() float64 { return float64(s.Status().LagMS) / 1000 }),
		away:     state("markaz_delivery_away", "1 while the receiver as a whole fails.", "away"),
		disabled: state("markaz_delivery_disabled", "1 when the receiver has answered 410 and the sink is switched off.", "disabled"),
	}
}

func (t *stats) all() []prometheus.Collector {
	return []prometheus.Collector{t.attempts, t.seconds, t.behind, t.lag, t.away, t.disabled}
}

// Describe implements [prometheus.Collector].
func (s *Sink) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range s.stats.all() {
		c.Describe(ch)
	}
}

// Collect implements [prometheus.Collector].
func (s *Sink) Collect(ch chan<- prometheus.Metric) {
	for _, c := range s.stats.all() {
		c.Collect(ch)
	}
}
