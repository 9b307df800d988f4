package stream

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"markaz/call"
)

func TestEventsReachRedisInOrder(t *testing.T) {
	server := startRedis(t, "always")
	l := openLog(t, server.Addr(), t.TempDir())
	appendEvents(t, l, 0, 10) // before Redis is asked for
	runLog(t, l)
	appendEvents(t, l, 10, 1000)
	eventually(t, "all is sent", allSent(l))
	got := readStream(t, server.Addr())
	for n, e := range got {
		if e.Event.ID != eventID(n) || e.Event.At != event(n).At || e.Event.Call != event(n).Call {
			t.Fatalf("%d: %+v", n, e)
		}
	}
	st := l.Stats()
	if len(got) != 1000 || st.Appended != 1000 || st.Sent != 1000 || st.OldestAge != 0 {
		t.Fatalf("%d, %+v", len(got), st)
	}
}

func TestAppendRefusesWhatNeverBelongsInTheLog(t *testing.T) {
	l := openLog(t, "127.0.0.1:1", t.TempDir())
	nameless, transient, huge, good := event(1), event(2), event(3), event(4)
	nameless.ID, transient.Kind, huge.Text = "", call.TimerFired, strings.Repeat("x", maxEvent)
	for _, e := range []call.Event{nameless, transient, huge} {
		if err := l.Append(e); err == nil {
			t.Fatalf("taken: %s", e.ID)
		}
	}
	if err := l.Append(good); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(good); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// Redis is killed over and over while events are appended.
func TestRedisKilledOverAndOver(t *testing.T) {
	for _, fsync := range []string{"everysec", "always"} {
		t.Run(fsync, func(t *testing.T) {
			server := startRedis(t, fsync)
			l := openLog(t, server.Addr(), t.TempDir())
			runLog(t, l)
			var enough atomic.Bool
			done, n := make(chan struct{}), 0
			go func() {
				defer close(done)
				for ; !enough.Load(); n++ {
					if err := l.Append(event(n)); err != nil {
						t.Error(err)
					}
					if n%20 == 0 {
						time.Sleep(2 * time.Millisecond) // the pace of events, not a wait
					}
				}
			}()
			for range 6 {
				before := l.Stats().Sent
				server.Kill()
				resume(t, server)
				eventually(t, "events flow again", func() bool { return l.Stats().Sent > before })
			}
			enough.Store(true)
			<-done
			eventually(t, "all is sent", allSent(l))
			wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, n))
		})
	}
}

func TestRedisAwayWhileTheProcessIsRestarted(t *testing.T) {
	server, dir := startRedis(t, "everysec"), t.TempDir()
	server.Kill()
	for round := range 3 {
		l := openLog(t, server.Addr(), dir)
		stop := runLog(t, l)
		appendEvents(t, l, round*500, round*500+500)
		var got []string
		if err := l.Recover(t.Context(), func(e call.Event) { got = append(got, e.ID) }); err != nil {
			t.Fatal(err)
		}
		wantIDs(t, got, eventIDs(0, round*500+500))
		stop()
		if st := l.Stats(); st.RedisUp || st.Unsent != uint64(round*500+500) || st.OldestAge == 0 {
			t.Fatalf("%+v", st)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	resume(t, server)
	l := openLog(t, server.Addr(), dir)
	runLog(t, l)
	eventually(t, "all is sent", allSent(l))
	wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 1500))
}

func TestOldSessionsAreForgotten(t *testing.T) {
	server, dir := startRedis(t, "everysec"), t.TempDir()
	rdb := connect(t, server.Addr()).rdb
	var l *Log
	for round := range 3 {
		l = openLog(t, server.Addr(), dir)
		stop := runLog(t, l)
		appendEvents(t, l, round*10, round*10+10)
		eventually(t, "all is sent", allSent(l))
		if n := rdb.HLen(t.Context(), "markaz:writers").Val(); n != int64(round+1) {
			t.Fatalf("%d sessions", n)
		}
		if round < 2 {
			stop()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.spool.mu.Lock()
	l.spool.now = func() time.Time { return time.Now().Add(time.Hour) }
	l.spool.mu.Unlock()
	eventually(t, "old sessions have gone", func() bool { return rdb.HLen(t.Context(), "markaz:writers").Val() == 1 })
	appendEvents(t, l, 30, 40)
	eventually(t, "all is sent", allSent(l))
	wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 40))
}

func TestManyWritersAndSpools(t *testing.T) {
	server := startRedis(t, "everysec")
	var all sync.WaitGroup
	for w := range 3 {
		l := openLog(t, server.Addr(), t.TempDir())
		runLog(t, l)
		for part := range 2 {
			all.Go(func() {
				for n := range 300 {
					e := event(n)
					e.ID = fmt.Sprintf("w%dp%d-%04d", w, part, n)
					if err := l.Append(e); err != nil {
						t.Error(err)
					}
				}
				eventually(t, "all is sent", allSent(l))
			})
		}
	}
	all.Wait()
	last, n := map[string]string{}, 0
	for _, id := range streamIDs(t, server.Addr()) {
		who, _, _ := strings.Cut(id, "-")
		if id <= last[who] {
			t.Fatalf("%s after %s", id, last[who])
		}
		last[who] = id
		n++
	}
	if n != 1800 {
		t.Fatal(n)
	}
}

func TestStreamIDs(t *testing.T) {
	for _, ids := range [][2]string{{"1-1", "1-2"}, {"9-9", "10-0"}, {"0-0", "1"}, {"x", "0-1"}} {
		if compareID(ids[0], ids[1]) != -1 || compareID(ids[1], ids[0]) != 1 || compareID(ids[1], ids[1]) != 0 {
			t.Error(ids)
		}
	}
	at := time.UnixMilli(1763726400123)
	if id := beforeTime(at); compareID(id, strconv.FormatInt(at.UnixMilli(), 10)+"-0") != -1 || compareID(id, "1763726400122-5") != 1 {
		t.Error(id)
	}
	if beforeTime(time.Time{}) != "0-0" {
		t.Error(beforeTime(time.Time{}))
	}
}

func TestAlwaysWaitsForTheDisk(t *testing.T) {
	cfg := testConfig("127.0.0.1:1", t.TempDir())
	for _, policy := range []SyncPolicy{SyncAlways, SyncInterval} {
		cfg.Spool.Sync = policy
		l, err := Open(cfg, quiet())
		if err != nil {
			t.Fatal(err)
		}
		appendEvents(t, l, 0, 300) // Run does not run: nobody else syncs
		l.spool.mu.Lock()
		unsynced := l.spool.unsynced
		l.spool.mu.Unlock()
		if unsynced != (policy == SyncInterval) {
			t.Errorf("%s: unsynced is %v", policy, unsynced)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
