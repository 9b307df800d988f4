package crm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"markaz/asterisk/testbed/redisbed"
	"markaz/call"
	"markaz/stream"
)

const (
	manyCRMs  = 50
	manyCalls = 12 // of one round, one each
	manyPace  = 300 * time.Millisecond
)

// lags is how long after its end each call was told, of CRMs that are well.
type lags struct {
	mu    sync.Mutex
	ended map[string]time.Time // by call
	all   []time.Duration
}

func (l *lags) arrived(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.ended[id]; ok {
		l.all = append(l.all, time.Since(at))
	}
}

func (l *lags) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// many is fifty CRMs that answer in 5 ms, one process that delivers to them
// through Redis, and a switch that lets the first of them hang.
type many struct {
	*testing.B
	log  *stream.Log
	lags *lags
	mu   sync.Mutex
	hang chan struct{} // nil: all are well; closed when it has hung long enough
}

func newMany(b *testing.B) *many {
	b.Helper()
	m := &many{B: b, lags: &lags{ended: map[string]time.Time{}}}
	redis := redisbed.StartT(b, redisbed.Options{})
	client, err := chaosClient(redis.Addr())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	cfg := stream.Config{Redis: stream.RedisConfig{Addr: redis.Addr()}, Spool: stream.SpoolConfig{Dir: b.TempDir()}}
	if m.log, err = stream.Open(cfg, quiet()); err != nil {
		b.Fatal(err)
	}
	sinks, err := Open(m.crms(), Deps{
		History: logbook{}.history, Report: func(call.Event) {}, Now: time.Now, Chance: rand.Float64, Logger: quiet(),
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { m.ends(m.log.Run(ctx)) })
	for _, s := range sinks {
		g, err := stream.NewGroup(client, stream.GroupConfig{Name: s.Group(), MaxAttempts: -1, Parallel: 8, Handle: func(ctx context.Context, d stream.Delivery) error {
			v, err := s.Deliver(ctx, d.Event, d.Attempt)
			if v.Act == Done {
				return nil
			}
			return stream.RetryAfter(err, v.After)
		}})
		if err != nil {
			b.Fatal(err)
		}
		work.Go(func() { m.ends(g.Run(ctx)) })
	}
	b.Cleanup(func() {
		cancel()
		work.Wait()
		_ = m.log.Close()
		for _, s := range sinks {
			s.conn.(*webhook).web.client.CloseIdleConnections()
		}
	})
	return m
}

func (m *many) ends(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		m.Error(err)
	}
}

// crms starts the receivers and returns their settings.
func (m *many) crms() Config {
	var out Config
	for i := range manyCRMs {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var env Envelope
			if err := json.NewDecoder(r.Body).Decode(&env); err != nil {
				m.Error(err)
			}
			m.mu.Lock()
			hang := m.hang
			m.mu.Unlock()
			if i == 0 && hang != nil {
				select {
				case <-hang:
				case <-r.Context().Done():
				}
				return
			}
			time.Sleep(5 * time.Millisecond)
			if i > 0 && env.Data.Event.Kind == call.CallEnded {
				m.lags.arrived(env.Subject)
			}
			w.WriteHeader(http.StatusNoContent)
		}))
		m.Cleanup(srv.Close)
		out = append(out, SinkConfig{Name: fmt.Sprintf("crm%02d", i), Filter: Filter{Route: Route{Only: OnlyFinished}}, Webhook: &Webhook{
			URL: srv.URL, Secrets: []Secret{NewSecret(secretA)}, Net: Net{AllowPrivate: true},
		}})
	}
	return out
}

// round lets calls happen and returns the lags of the CRMs that are well.
func (m *many) round(name string, hanging bool) []time.Duration {
	m.Helper()
	if hanging {
		over := make(chan struct{})
		m.mu.Lock()
		m.hang = over
		m.mu.Unlock()
		defer func() {
			m.mu.Lock()
			m.hang = nil
			m.mu.Unlock()
			close(over)
		}()
	}
	m.lags.mu.Lock()
	m.lags.all = nil
	m.lags.mu.Unlock()
	for i := range manyCalls {
		id := fmt.Sprintf("%s-%d", name, i)
		for _, e := range numbered(id, queued(id)) {
			e.At, e.SeenAt = time.Now(), time.Now()
			if e.Kind == call.CallEnded {
				m.lags.mu.Lock()
				m.lags.ended[id] = e.At
				m.lags.mu.Unlock()
			}
			if err := m.log.Append(e); err != nil {
				m.Fatal(err)
			}
		}
		time.Sleep(manyPace)
	}
	for begin := time.Now(); m.lags.count() < manyCalls*(manyCRMs-1); time.Sleep(10 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			m.Fatalf("%s: %d of %d arrived", name, m.lags.count(), manyCalls*(manyCRMs-1))
		}
	}
	m.lags.mu.Lock()
	defer m.lags.mu.Unlock()
	return slices.Clone(m.lags.all)
}

// BenchmarkFiftyCRMs measures the lag of forty-nine CRMs while the fiftieth is
// well and while it hangs, by turns, in one run.
func BenchmarkFiftyCRMs(b *testing.B) {
	m := newMany(b)
	m.round("warm", false)
	lag := map[bool][]time.Duration{}
	n := 0
	for b.Loop() {
		for _, hanging := range []bool{false, true, true, false} {
			n++
			lag[hanging] = append(lag[hanging], m.round(fmt.Sprintf("r%d", n), hanging)...)
		}
	}
	at := func(hanging bool, part float64) float64 {
		slices.SortFunc(lag[hanging], cmp.Compare[time.Duration])
		return float64(lag[hanging][int(part*float64(len(lag[hanging])-1))].Microseconds()) / 1000
	}
	for name, part := range map[string]float64{"p50": 0.5, "p99": 0.99} {
		b.ReportMetric(at(false, part), "well-"+name+"-ms")
		b.ReportMetric(at(true, part), "hanging-"+name+"-ms")
		b.ReportMetric(at(true, part)/at(false, part), name+"-ratio")
	}
}
