package hub

import (
	"encoding/json"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"markaz/call"
)

const slowReaders = 1000

// crowd opens pages that read nothing, or one byte now and then.
func (s *stage) crowd() {
	s.Helper()
	stop := make(chan struct{})
	done := make(chan struct{})
	var drips []net.Conn
	for i := range slowReaders {
		c, err := net.Dial("tcp", s.srv.Listener.Addr().String())
		if err != nil {
			s.Fatal(err)
		}
		s.Cleanup(func() { _ = c.Close() })
		_ = c.(*net.TCPConn).SetReadBuffer(1)
		fmt.Fprintf(c, "GET /?who=boss HTTP/1.1\r\nHost: x\r\n\r\n")
		if i%2 == 0 {
			drips = append(drips, c)
		}
	}
	go func() {
		defer close(done)
		var one [1]byte
		for {
			for _, c := range drips {
				_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
				_, _ = c.Read(one[:]) // cut off, or nothing there: both are as they should be
			}
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	s.Cleanup(func() { close(stop); <-done })
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A thousand pages that read slowly or not at all, while calls run, hold up
// neither the hub nor who reads, cost a bounded amount of memory, and are cut off.
func TestSlowReaders(t *testing.T) {
	s := newStage(t, Config{Every: 5 * time.Millisecond, Patience: 500 * time.Millisecond})
	b := s.open("boss", "")
	b.until("a snapshot", func(map[string]json.RawMessage) bool { return len(b.rows) > 0 })
	before := heap()
	s.crowd()
	wide := strings.Repeat("x", 60)
	var most uint64
	slowest, peak := time.Duration(0), 0
	deadline := time.Now().Add(60 * time.Second)
	for i := 0; i < 20 || s.hub.Readers() > 1; i++ {
		peak = max(peak, s.hub.Readers())
		for range 50 {
			s.log.Append(ring(fmt.Sprintf("%s%d-%d", wide, i, time.Now().UnixNano()), "sales", "101")...)
		}
		now := time.Now()
		s.log.Append(call.Event{ID: fmt.Sprint("p", i), Kind: call.AgentChanged, Agent: "sara", State: "paused", Reason: fmt.Sprint("r", i), At: now, SeenAt: now})
		b.until("pause", has("x:101", fmt.Sprintf(`"reason":"r%d"`, i)))
		slowest = max(slowest, time.Since(now))
		if i%10 == 5 {
			most = max(most, heap())
		}
		if now.After(deadline) {
			t.Fatalf("%d readers that do not read are still there", s.hub.Readers()-1)
		}
	}
	grown := float64(max(most, before)-before) / (1 << 20)
	t.Logf("at most %d readers, %.1f MiB more, a page was told after at most %v", peak, grown, slowest)
	if peak < slowReaders/2 {
		t.Errorf("only %d readers were there at once", peak)
	}
	if slowest > 2*time.Second {
		t.Errorf("a page was told %v late", slowest)
	}
	if grown > 200 {
		t.Errorf("%.0f MiB for the slow readers", grown)
	}
}
