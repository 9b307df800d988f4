package ari

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"
)

const digit = `{"type":"ChannelDtmfReceived","timestamp":"2026-11-22T00:26:45.040+0000","digit":"5","duration_ms":%d,"channel":{"id":"1.2","state":"Up","creationtime":"2026-11-22T00:26:45.004+0000"},"application":"app"}`

func TestAWrongPasswordIsFatalAtOnce(t *testing.T) {
	f := newFake(t)
	cfg := f.config()
	cfg.Password = "wrong"
	wait, _ := run(t, New(cfg, nil), newLife())
	if err := wait(); !errors.Is(err, ErrRefused) || Status(err) != 401 || strings.Contains(err.Error(), "wrong") {
		t.Errorf("have %v", err)
	}
}

func TestAReadOnlyUserIsFatalAtOnce(t *testing.T) {
	f := newFake(t)
	f.obey(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	wait, _ := run(t, f.client(), newLife())
	if err := wait(); !errors.Is(err, ErrRefused) || Status(err) != 403 {
		t.Errorf("have %v", err)
	}
}

func TestAPasswordThatIsRefusedLaterIsRetried(t *testing.T) {
	f, h := newFake(t), newLife()
	run(t, f.hasty(), h)
	next(t, "connect", h.connected)
	f.obey(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	next(t, "loss", h.lost)
	next(t, "attempt", h.trying)
	f.obey(nil)
	next(t, "reconnect", h.connected)
}

func TestNobodyThereIsTriedForEver(t *testing.T) {
	cfg := DefaultConfig()
	cfg.URL, cfg.Password = "http://127.0.0.1:1/ari", "x"
	h := newLife()
	wait, stop := run(t, New(cfg, nil), h)
	for range 3 {
		if err := next(t, "attempt", h.trying); Status(err) != 0 {
			t.Errorf("have %v", err)
		}
	}
	stop()
	if err := wait(); err != nil {
		t.Errorf("stopped with %v", err)
	}
}

func TestACutSocketIsReplaced(t *testing.T) {
	f, h := newFake(t), newLife()
	run(t, f.client(), h)
	for range 3 {
		next(t, "connect", h.connected)
		f.cut()
		next(t, "loss", h.lost)
	}
}

func TestASilentSocketIsNoticed(t *testing.T) {
	f, h := newFake(t), newLife()
	run(t, f.hasty(), h)
	next(t, "connect", h.connected)
	f.silence(true)
	if err := next(t, "loss", h.lost); !errors.Is(err, errBeatLost) {
		t.Error(err)
	}
}

func TestReplacedMeansStayAway(t *testing.T) {
	f, h := newFake(t), newLife()
	wait, _ := run(t, f.client(), h)
	next(t, "connect", h.connected)
	<-f.arrived
	f.send(`{"application":"app","timestamp":"2026-11-22T00:26:45.040+0000","type":"ApplicationReplaced"}`)
	if err := wait(); !errors.Is(err, ErrReplaced) {
		t.Errorf("have %v", err)
	}
	next(t, "loss", h.lost)
	if len(f.arrived) != 0 {
		t.Error("it came back")
	}
}

func TestEventsWaitForReconciling(t *testing.T) {
	f, h := newFake(t), newLife()
	h.sync = func(context.Context) error {
		f.send(fmt.Sprintf(digit, 7))
		return nil
	}
	run(t, f.client(), h)
	next(t, "connect", h.connected)
	e := next(t, "event", h.events)
	if d, ok := e.Body.(*lib.ChannelDtmfReceived); !ok || d.DurationMs != 7 || time.Since(e.At) > time.Minute {
		t.Errorf("have %+v", e)
	}
}

func TestAFailedReconcilingDropsTheConnection(t *testing.T) {
	f, h := newFake(t), newLife()
	failing := true
	h.sync = func(context.Context) error {
		if failing {
			failing = false
			return errors.New("no list")
		}
		return nil
	}
	run(t, f.client(), h)
	if err := next(t, "attempt", h.trying); err.Error() != "no list" {
		t.Errorf("have %v", err)
	}
	next(t, "connect", h.connected)
}

// seen counts events by type.
type seen struct {
	silent
	mu    sync.Mutex
	kinds map[string]int
	odd   int
}

func (s *seen) Event(kind string, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kinds[kind]++
	if !known {
		s.odd++
	}
}

func TestOddEventsAreCountedAndPassedOver(t *testing.T) {
	f, h := newFake(t), newLife()
	obs := &seen{kinds: map[string]int{}}
	run(t, New(f.config(), obs), h)
	next(t, "connect", h.connected)
	odd := []string{
		`{"type":"NeverHeardOf","channel":{"id":"1"}}`, `{}`, `[]`, ``, `null`, `"type"`, `{"type":5}`, `{"type":"StasisStart"`,
		`{"type":"StasisStart","channel":7}`, `{"type":"ChannelDestroyed","tech_cause":"x"}`, `{"a":{"type":"StasisEnd"}}`,
	}
	for _, raw := range odd {
		f.send(raw)
	}
	f.send(`{"type":"ChannelTransfer"}`) // unknown to the library: it killed ari-proxy
	f.send(fmt.Sprintf(digit, 1))
	next(t, "event", h.events)
	obs.mu.Lock()
	defer obs.mu.Unlock()
	if obs.odd != len(odd) || obs.kinds["ChannelTransfer"] != 1 {
		t.Errorf("%d odd of %d: %v", obs.odd, len(odd), obs.kinds)
	}
}

// Ensure that a flood beside busy processors loses nothing: the library's bus
// loses 18 % of it.
func TestAFloodIsTakenWhole(t *testing.T) {
	f, h := newFake(t), newLife()
	run(t, f.client(), h)
	next(t, "connect", h.connected)
	stop := make(chan struct{})
	var busy sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		busy.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	const events = 2000
	began := time.Now()
	for i := range events {
		if wait := time.Duration(i)*time.Second/2000 - time.Since(began); wait > 0 {
			time.Sleep(wait) // the rate is what is tested
		}
		f.send(fmt.Sprintf(digit, i))
	}
	for i := range events {
		if d := next(t, "event", h.events).Body.(*lib.ChannelDtmfReceived); d.DurationMs != i {
			t.Fatalf("event %d came in the place of %d", d.DurationMs, i)
		}
	}
	close(stop)
	busy.Wait()
	if len(h.lost) > 0 {
		t.Errorf("connection lost: %v", <-h.lost)
	}
}

// slow is a reader that has stopped reading.
type slow struct {
	*life
	gate chan struct{}
}

func (s slow) Event(e Event) { <-s.gate; s.life.Event(e) }

func TestAFullBufferDropsTheConnectionNotAnEvent(t *testing.T) {
	f := newFake(t)
	cfg := f.config()
	cfg.EventBuffer = 64
	h := slow{newLife(), make(chan struct{})}
	open := sync.OnceFunc(func() { close(h.gate) })
	run(t, New(cfg, nil), h)
	t.Cleanup(open)
	next(t, "connect", h.connected)
	for i := range 200 {
		f.send(fmt.Sprintf(digit, i))
	}
	next(t, "socket to be dropped", f.left)
	open()
	if err := next(t, "loss", h.lost); !errors.Is(err, ErrFull) {
		t.Errorf("have %v", err)
	}
	for i := range 64 {
		if d := next(t, "event", h.events).Body.(*lib.ChannelDtmfReceived); d.DurationMs != i {
			t.Errorf("event %d came in the place of %d", d.DurationMs, i)
		}
	}
	next(t, "reconnect", h.connected)
}
