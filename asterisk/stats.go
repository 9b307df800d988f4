package asterisk

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/asterisk/fastagi"
)

// stats are the figures for operators. It is also the ari.Observer.
type stats struct {
	commands *prometheus.HistogramVec
	events   *prometheus.CounterVec
	unknown  prometheus.Counter
	beat     prometheus.Gauge
	done     *prometheus.CounterVec
	failed   *prometheus.CounterVec
	refused  prometheus.Counter
	connects prometheus.Counter
	away     prometheus.Counter
	up       prometheus.Gauge
	asked    []prometheus.Collector // read when somebody asks

	mu   sync.Mutex
	lost time.Time // when the connection was lost; zero while there is one
}

func newStats() *stats {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "markaz", Subsystem: "ari", Name: name, Help: help})
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "markaz", Subsystem: "ari", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "markaz", Subsystem: "ari", Name: name, Help: help})
	}
	return &stats{
		commands: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "markaz", Subsystem: "ari", Name: "command_seconds",
			Help:    "Time until Asterisk answered a REST command, by HTTP status; 0 is no answer.",
			Buckets: []float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .5, 1, 3},
		}, []string{"status"}),
		events:   counters("events_total", "Events received, by type.", "type"),
		unknown:  counter("unknown_events_total", "Events of a type that this program does not know, or that could not be read."),
		beat:     gauge("heartbeat_seconds", "Time that the last heartbeat took through Asterisk and back."),
		done:     counters("actions_total", "Actions carried out, by name.", "action"),
		failed:   counters("action_failures_total", "Actions that could not be carried out, by name.", "action"),
		refused:  counter("refused_actions_total", "Actions refused because too many waited for their leg."),
		connects: counter("connects_total", "Connections made to Asterisk."),
		away:     counter("disconnected_seconds_total", "Time without a connection to Asterisk."),
		up:       gauge("connected", "1 while connected and reconciled."),
	}
}

// watch names what is read only when somebody asks: the number of living legs,
// and the figures of the FastAGI server.
func (s *stats) watch(legs func() int, agi func() fastagi.Stats) {
	s.asked = []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "markaz", Subsystem: "ari", Name: "legs", Help: "Legs that live now.",
		}, func() float64 { return float64(legs()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "markaz", Subsystem: "agi", Name: "sessions", Help: "FastAGI sessions that run now.",
		}, func() float64 { return float64(agi().Open) }),
	}
	count := func(name, help string, of func(fastagi.Stats) int64) {
		s.asked = append(s.asked, prometheus.NewCounterFunc(prometheus.CounterOpts{
			Namespace: "markaz", Subsystem: "agi", Name: name, Help: help,
		}, func() float64 { return float64(of(agi())) }))
	}
	count("sessions_total", "FastAGI sessions begun.", func(s fastagi.Stats) int64 { return s.Sessions })
	count("refused_peers_total", "Connections from addresses that may not connect.", func(s fastagi.Stats) int64 { return s.RefusedPeer })
	count("refused_limits_total", "Connections over a limit.", func(s fastagi.Stats) int64 { return s.RefusedLimit })
	count("refused_tokens_total", "Connections without the token.", func(s fastagi.Stats) int64 { return s.RefusedToken })
	count("bad_headers_total", "Connections without a good header.", func(s fastagi.Stats) int64 { return s.BadHeader })
	count("protocol_errors_total", "Sessions dropped because an answer made no sense.", func(s fastagi.Stats) int64 { return s.Protocol })
	count("timeouts_total", "Sessions dropped because an answer did not come.", func(s fastagi.Stats) int64 { return s.Timeouts })
	count("panics_total", "Sessions whose handler panicked.", func(s fastagi.Stats) int64 { return s.Panics })
}

func (s *stats) register(reg prometheus.Registerer) error {
	var faults []error
	for _, c := range append(s.asked,
		s.commands, s.events, s.unknown, s.beat, s.done, s.failed, s.refused, s.connects, s.away, s.up) {
		faults = append(faults, reg.Register(c))
	}
	return errors.Join(faults...)
}

// Command implements ari.Observer.
func (s *stats) Command(took time.Duration, status int, _ error) {
	s.commands.WithLabelValues(strconv.Itoa(status)).Observe(took.Seconds())
}

// Event implements ari.Observer. Types that we do not know have one label
// together: their number must not be up to the other side.
func (s *stats) Event(kind string, known bool) {
	if !known {
		s.unknown.Inc()
		kind = "unknown"
	}
	s.events.WithLabelValues(kind).Inc()
}

// Beat implements ari.Observer.
func (s *stats) Beat(took time.Duration) { s.beat.Set(took.Seconds()) }

// connection notes that the connection is there or not.
func (s *stats) connection(up bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case up:
		s.connects.Inc()
		s.up.Set(1)
		if !s.lost.IsZero() {
			s.away.Add(max(0, now.Sub(s.lost).Seconds()))
			s.lost = time.Time{}
		}
	case s.lost.IsZero():
		s.up.Set(0)
		s.lost = now
	}
}
