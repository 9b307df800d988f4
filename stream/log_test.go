package stream

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

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
			done := make(chan struct{})
			go func() {
				defer close(done)
				for n := range 6000 {
					if err := l.Append(event(n)); err != nil {
						t.Error(err)
					}
					if n%20 == 0 {
						time.Sleep(2 * time.Millisecond) // the pace of events, not a wait
					}
				}
			}()
			for kills := 0; ; kills++ {
				before := l.Stats().Sent
				select {
				case <-done:
					if kills < 3 {
						t.Fatalf("only %d kills", kills)
					}
					eventually(t, "all is sent", allSent(l))
					wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 6000))
					return
				default:
				}
				server.Kill()
				resume(t, server)
				eventually(t, "events flow again", func() bool { return l.Stats().Sent > before || l.Stats().Appended == 6000 })
			}
		})
	}
}

func TestRedisAwayWhileTheProcessIsRestarted(t *testing.T) {
	server, dir := startRedis(t, "everysec"), t.TempDir()
	server.Kill()
	for round := range 3 {
		l := openLog(t, server.Addr(), dir)
		stop := runLog(t, l)
		begun := time.Now()
		appendEvents(t, l, round*500, round*500+500)
		if took := time.Since(begun); took > time.Second {
			t.Fatalf("appending took %v without Redis", took)
		}
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

// A frozen Redis holds nobody up, and the answer it gives too late changes nothing.
func TestFrozenRedis(t *testing.T) {
	server := startRedis(t, "everysec")
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	appendEvents(t, l, 0, 100)
	eventually(t, "all is sent", allSent(l))
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	appendEvents(t, l, 100, 1100)
	if took := time.Since(begun); took > time.Second {
		t.Fatalf("appending took %v", took)
	}
	eventually(t, "the silence is noticed", func() bool { return !l.Stats().RedisUp })
	if err := server.Continue(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is sent", allSent(l))
	wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 1100))
}

func TestFullRedis(t *testing.T) {
	server := startRedis(t, "everysec")
	rdb := connect(t, server.Addr()).rdb
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	appendEvents(t, l, 0, 100)
	eventually(t, "all is sent", allSent(l))
	if err := rdb.ConfigSet(t.Context(), "maxmemory", "1mb").Err(); err != nil {
		t.Fatal(err)
	}
	appendEvents(t, l, 100, 1000)
	eventually(t, "the refusal is noticed", func() bool { return !l.Stats().RedisUp })
	if got := len(streamIDs(t, server.Addr())); got != 100 {
		t.Fatalf("%d events in a full Redis", got)
	}
	if err := rdb.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is sent", allSent(l))
	wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 1000))
}

// After FLUSHALL Redis gets again what the spool still has, which is all here.
func TestEmptiedRedis(t *testing.T) {
	server, dir := startRedis(t, "everysec"), t.TempDir()
	rdb := connect(t, server.Addr()).rdb
	for round := range 3 { // across restarts of the writer too
		l := openLog(t, server.Addr(), dir)
		stop := runLog(t, l)
		appendEvents(t, l, round*400, round*400+200)
		eventually(t, "all is sent", allSent(l))
		if err := rdb.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if round == 1 { // nothing new is said: it must look by itself
			eventually(t, "it is noticed", func() bool { return l.Stats().Rewinds > 0 })
		}
		appendEvents(t, l, round*400+200, round*400+400)
		eventually(t, "all is sent again", func() bool { return rdb.XLen(t.Context(), "markaz:events").Val() == int64(round*400+400) })
		wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, round*400+400))
		stop()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A replica that lags behind takes over: it gets just what it lacks.
func TestFailoverToAReplicaThatLagsBehind(t *testing.T) {
	primary := startRedis(t, "everysec")
	host, port, _ := strings.Cut(primary.Addr(), ":")
	replica := startRedis(t, "everysec", "--replicaof", host+" "+port)
	pdb, rdb := connect(t, primary.Addr()).rdb, connect(t, replica.Addr()).rdb
	link := newProxy(t, primary.Addr())
	l := openLog(t, link.addr(), t.TempDir())
	runLog(t, l)
	appendEvents(t, l, 0, 3000)
	eventually(t, "the replica has the first", func() bool { return rdb.XLen(t.Context(), "markaz:events").Val() == 3000 })
	if err := replica.Freeze(); err != nil {
		t.Fatal(err)
	}
	appendEvents(t, l, 3000, 5000)
	eventually(t, "the primary has acknowledged all", func() bool {
		return allSent(l)() && pdb.XLen(t.Context(), "markaz:events").Val() == 5000
	})
	primary.Kill()
	if err := replica.Continue(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Do(t.Context(), "REPLICAOF", "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
	lost := 5000 - rdb.XLen(t.Context(), "markaz:events").Val()
	if lost < 1 {
		t.Skip("the replica had everything after all: the kernel's buffers held it")
	}
	link.lead(replica.Addr())
	appendEvents(t, l, 5000, 5500)
	eventually(t, "the replica has all", func() bool { return rdb.XLen(t.Context(), "markaz:events").Val() >= 5500 })
	wantIDs(t, streamIDs(t, replica.Addr()), eventIDs(0, 5500))
	t.Logf("%d acknowledged events were lost and sent again", lost)
}

// A link that is cut at random in both directions: answers are lost after the
// work was done.
func TestLinkThatIsCutOverAndOver(t *testing.T) {
	server := startRedis(t, "everysec")
	link := newProxy(t, server.Addr())
	l := openLog(t, link.addr(), t.TempDir())
	runLog(t, l)
	for n := 0; n < 20000; n += 500 {
		appendEvents(t, l, n, n+500)
		sent := l.Stats().Sent
		link.cut()
		eventually(t, "events flow", func() bool { return l.Stats().Sent > sent || allSent(l)() })
	}
	eventually(t, "all is sent", allSent(l))
	wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 20000))
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

func TestCheckNamesWhatIsWrong(t *testing.T) {
	server := startRedis(t, "no")
	c := connect(t, server.Addr())
	bad := func(c *Client) (names []string) {
		for _, f := range c.Check(t.Context()) {
			if f.Severity != Good {
				if f.Fix == "" {
					t.Errorf("%s has no fix", f.Name)
				}
				names = append(names, f.Name)
			}
		}
		return names
	}
	if got := bad(c); !slices.Equal(got, []string{"redis appendfsync"}) {
		t.Fatal(got)
	}
	for k, v := range map[string]string{"maxmemory-policy": "allkeys-lru", "maxmemory": "1mb", "appendonly": "no", "appendfsync": "always"} {
		if err := c.rdb.ConfigSet(t.Context(), k, v).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if got := bad(c); !slices.Equal(got, []string{"redis eviction", "redis memory", "redis append-only file"}) {
		t.Fatal(got)
	}
	server.Kill()
	if got := bad(c); !slices.Equal(got, []string{"redis"}) {
		t.Fatal(got)
	}
	if f := CheckSpool(SpoolConfig{Dir: filepath.Join(t.TempDir(), "none")}); f.Severity != Bad || f.Fix == "" {
		t.Fatalf("%+v", f)
	}
	l := openLog(t, server.Addr(), t.TempDir())
	if got := l.Check(t.Context()); len(got) != 3 || got[1].Severity != Good && got[1].Fix == "" {
		t.Fatalf("%+v", got)
	}
}

func TestMetrics(t *testing.T) {
	server := startRedis(t, "everysec")
	l := openLog(t, server.Addr(), t.TempDir())
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(l.Collector())
	appendEvents(t, l, 0, 5)
	want := `
		# HELP markaz_stream_appended_total Events taken into the spool.
		# TYPE markaz_stream_appended_total counter
		markaz_stream_appended_total 5
		# HELP markaz_stream_spool_unsent_events Events that wait for Redis.
		# TYPE markaz_stream_spool_unsent_events gauge
		markaz_stream_spool_unsent_events 5
		# HELP markaz_stream_redis_up 1 if Redis takes events.
		# TYPE markaz_stream_redis_up gauge
		markaz_stream_redis_up 0
	`
	names := []string{"markaz_stream_appended_total", "markaz_stream_spool_unsent_events", "markaz_stream_redis_up"}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Fatal(err)
	}
	runLog(t, l)
	c := connect(t, server.Addr())
	if err := c.rdb.XGroupCreateMkStream(t.Context(), "markaz:events", "crm", "0").Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the group shows", func() bool {
		n, err := testutil.GatherAndCount(reg, "markaz_stream_group_lag_events", "markaz_stream_group_dead_letters")
		return err == nil && n == 2
	})
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	good := Config{}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Config{
		Redis:  RedisConfig{Addr: "x", Master: "m", Sentinels: []string{"s"}, DB: -1, Timeout: 1, PoolSize: -1},
		Prefix: "a b", Spool: SpoolConfig{Sync: "never", MaxBytes: 1, SegmentBytes: 1, Keep: -1, SyncInterval: -1, MemoryBytes: -1},
		MaxAge: -1, HardMaxLen: -1,
	}
	err := bad.Validate()
	if err == nil {
		t.Fatal("taken")
	}
	for _, key := range []string{
		"redis:", "redis.db", "redis.timeout", "redis.pool_size", "prefix", "spool.sync:", "spool.max_bytes",
		"spool.segment_bytes", "spool.keep", "spool.sync_interval", "spool.memory_bytes", "max_age", "hard_max_len",
	} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
	s := Secret("hunter2")
	if out := fmt.Sprintf("%v %s %#v %+v", s, s, s, RedisConfig{Password: s}); strings.Contains(out, "hunter2") {
		t.Fatal(out)
	}
}

func TestLease(t *testing.T) {
	server := startRedis(t, "everysec")
	c := connect(t, server.Addr())
	ctx := t.Context()
	a, b := NewLease(c, "loop", "a", 200*time.Millisecond), NewLease(c, "loop", "b", time.Minute)
	first, err := a.Acquire(ctx)
	if err != nil || first == 0 {
		t.Fatal(first, err)
	}
	if _, err := b.Acquire(ctx); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	if err := b.Renew(ctx); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	if err := a.Renew(ctx); err != nil {
		t.Fatal(err)
	}
	var second int64
	eventually(t, "a lease that is not renewed ends", func() bool { second, err = b.Acquire(ctx); return err == nil })
	if second <= first {
		t.Fatalf("epoch %d after %d", second, first)
	}
	if err := a.Renew(ctx); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	if err := a.Release(ctx); !errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
	}
	if err := b.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.rdb.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	if third, err := a.Acquire(ctx); err != nil || third <= second {
		t.Fatalf("epoch %d after %d: %v", third, second, err)
	}
	server.Kill()
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := a.Renew(short); err == nil || errors.Is(err, ErrNotHeld) {
		t.Fatal(err)
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
