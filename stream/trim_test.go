package stream

import (
	"testing"
	"time"
)

func TestTrimSparesWhatAGroupNeeds(t *testing.T) {
	server := startRedis(t, "everysec")
	c := connect(t, server.Addr())
	cfg := testConfig(server.Addr(), t.TempDir())
	cfg.MaxAge, cfg.HardMaxLen = time.Millisecond, 2000
	h := &heard{}
	l, err := Open(cfg, h.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	runLog(t, l)
	length := func() int64 { return c.rdb.XLen(t.Context(), "markaz:events").Val() }
	trim := func() {
		t.Helper()
		if _, err := l.Trim(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	appendEvents(t, l, 0, 1000)
	eventually(t, "all is sent", allSent(l))
	if err := c.rdb.XGroupCreate(t.Context(), "markaz:events", "slow", "0").Err(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Millisecond) // older than MaxAge
	trim()
	if n := length(); n != 1000 {
		t.Fatalf("%d events left of those a group has not seen", n)
	}
	appendEvents(t, l, 1000, 3000)
	eventually(t, "all is sent", allSent(l))
	told := h.count()
	trim() // too long: now even those go, loudly
	if n := length(); n >= 3000 || n < 2000 || h.count() == told || l.status.trimmedUnread.Load() != uint64(3000-n) {
		t.Fatalf("%d left, told %v", n, h.lines)
	}
	if err := c.RemoveGroup(t.Context(), "slow"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Millisecond)
	trim()
	if n := length(); n > 200 { // Redis trims by whole nodes of 100
		t.Fatalf("%d left that nobody needs", n)
	}
}
