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

// flood makes calls come and go, and hurries a change to a page that reads. It
// returns the most memory that was in use.
func (s *stage) flood(reads *browser, first, rounds int) (most uint64) {
	s.Helper()
	wide := strings.Repeat("x", 60)
	for i := first; i < first+rounds; i++ {
		for n := range 50 {
			s.log.Append(ring(fmt.Sprintf("%s%d-%d", wide, i, n), "sales", "101")...)
		}
		now := time.Now()
		s.log.Append(call.Event{ID: fmt.Sprint("p", i), Kind: call.AgentChanged, Agent: "sara", State: "paused", Reason: fmt.Sprint("r", i), At: now, SeenAt: now})
		reads.until("pause", has("x:101", fmt.Sprintf(`"reason":"r%d"`, i)))
		if i%10 == 5 {
			most = max(most, heap())
		}
	}
	return most
}

// A thousand pages that read slowly or not at all, while calls run, hold up
// neither the hub nor who reads, and cost a bounded amount of memory: every
// change reaches the page that reads while the others are still being waited for.
func TestSlowReaders(t *testing.T) {
	s := newStage(t, Config{Every: 5 * time.Millisecond, Patience: time.Hour})
	b := s.open("boss", "")
	b.until("a snapshot", func(map[string]json.RawMessage) bool { return len(b.rows) > 0 })
	before := heap()
	s.crowd()
	s.await("a thousand slow readers", func() bool { return s.hub.Readers() > slowReaders })
	most := s.flood(b, 0, 40)
	if n := s.hub.Readers(); n != slowReaders+1 {
		t.Errorf("%d of %d readers are there: who reads was told after the others were gone", n, slowReaders+1)
	}
	grown := float64(max(most, before)-before) / (1 << 20)
	t.Logf("%.1f MiB more", grown)
	if grown > 200 {
		t.Errorf("%.0f MiB for the slow readers", grown)
	}
}

// Pages that do not read are cut off after a while; the one that reads is not.
func TestSlowReadersAreCutOff(t *testing.T) {
	s := newStage(t, Config{Every: 5 * time.Millisecond, Patience: 500 * time.Millisecond})
	b := s.open("boss", "")
	b.until("a snapshot", func(map[string]json.RawMessage) bool { return len(b.rows) > 0 })
	s.crowd()
	round := 0
	s.await("the slow readers to be cut off", func() bool {
		s.flood(b, round, 1)
		round++
		return s.hub.Readers() == 1
	})
}
