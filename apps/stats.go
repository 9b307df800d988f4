package apps

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/call"
)

// stats are the loop's figures.
type stats struct {
	events   *prometheus.CounterVec
	unlogged prometheus.Counter
	full     prometheus.Counter
	panics   prometheus.Counter
	turn     prometheus.Histogram
}

func newStats() *stats {
	return &stats{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "markaz_loop_events_total", Help: "Events taken by the loop, by kind.",
		}, []string{"kind"}),
		unlogged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "markaz_loop_events_unlogged_total", Help: "Events that the log refused.",
		}),
		full: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "markaz_loop_inbox_full_total", Help: "Times that a source had to wait for the loop.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "markaz_loop_panics_total", Help: "Steps that panicked; their calls went back to the dialplan.",
		}),
		turn: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "markaz_loop_turn_seconds", Help: "Time of one turn: an event and all that follows from it.",
			Buckets: prometheus.ExponentialBuckets(1e-6, 4, 10),
		}),
	}
}

// Register adds the loop's metrics, the live calls by state among them.
func (l *Loop) Register(r prometheus.Registerer) {
	r.MustRegister(l.stats.events, l.stats.unlogged, l.stats.full, l.stats.panics, l.stats.turn, liveCalls{l})
}

type liveCalls struct{ loop *Loop }

// Describe implements prometheus.Collector.
func (liveCalls) Describe(ch chan<- *prometheus.Desc) { ch <- liveDesc() }

func liveDesc() *prometheus.Desc {
	return prometheus.NewDesc("markaz_calls_active", "Calls that are going on, by state.", []string{"state"}, nil)
}

// Collect implements prometheus.Collector.
func (c liveCalls) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n := map[call.State]float64{
		call.StateNew: 0, call.StateRouting: 0, call.StateIVR: 0, call.StateQueued: 0,
		call.StateRinging: 0, call.StateTalking: 0, call.StateHeld: 0,
	}
	err := c.loop.View(ctx, func(b call.Book) {
		for _, x := range b {
			if !x.Over() {
				n[x.State]++
			}
		}
	})
	if err != nil {
		ch <- prometheus.NewInvalidMetric(liveDesc(), err)
		return
	}
	for state, v := range n {
		ch <- prometheus.MustNewConstMetric(liveDesc(), prometheus.GaugeValue, v, string(state))
	}
}
