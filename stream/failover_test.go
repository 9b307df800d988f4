package stream

import (
	"strings"
	"testing"
	"time"
)

// A frozen Redis holds nobody up: whoever waited for it would wait for ever.
func TestFrozenRedisHoldsNobodyUp(t *testing.T) {
	server := startRedis(t, "everysec")
	cfg := testConfig(server.Addr(), t.TempDir())
	cfg.Redis.Timeout = time.Hour
	l, err := Open(cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	runLog(t, l)
	appendEvents(t, l, 0, 100)
	eventually(t, "all is sent", allSent(l))
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Continue() }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 100; n < 1100; n++ {
			if err := l.Append(event(n)); err != nil {
				t.Error(err)
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Error("appending waits for Redis")
	}
	if err := server.Continue(); err != nil {
		t.Fatal(err)
	}
	<-done
	eventually(t, "all is sent", allSent(l))
}

// The answer that a frozen Redis gives too late changes nothing.
func TestFrozenRedis(t *testing.T) {
	server := startRedis(t, "everysec")
	l := openLog(t, server.Addr(), t.TempDir())
	runLog(t, l)
	appendEvents(t, l, 0, 100)
	eventually(t, "all is sent", allSent(l))
	if err := server.Freeze(); err != nil {
		t.Fatal(err)
	}
	appendEvents(t, l, 100, 1100)
	eventually(t, "the silence is noticed", func() bool { return !l.Stats().RedisUp })
	if err := server.Continue(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is sent", allSent(l))
	wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 1100))
}

// Whatever the reason for which Redis takes no events: not now is not never.
func TestRedisThatRefuses(t *testing.T) {
	for name, do := range map[string][2][]any{
		"full":        {{"CONFIG", "SET", "maxmemory", "1mb"}, {"CONFIG", "SET", "maxmemory", "0"}},
		"no replicas": {{"CONFIG", "SET", "min-replicas-to-write", "1"}, {"CONFIG", "SET", "min-replicas-to-write", "0"}},
		"read only":   {{"REPLICAOF", "127.0.0.1", "1"}, {"REPLICAOF", "NO", "ONE"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := startRedis(t, "everysec")
			rdb := connect(t, server.Addr()).rdb
			l := openLog(t, server.Addr(), t.TempDir())
			runLog(t, l)
			appendEvents(t, l, 0, 100)
			eventually(t, "all is sent", allSent(l))
			if err := rdb.Do(t.Context(), do[0]...).Err(); err != nil {
				t.Fatal(err)
			}
			appendEvents(t, l, 100, 1000)
			eventually(t, "the refusal is noticed", func() bool { return !l.Stats().RedisUp })
			if got := rdb.XLen(t.Context(), "markaz:events").Val(); got != 100 {
				t.Fatalf("%d events in a Redis that takes none", got)
			}
			if err := rdb.Do(t.Context(), do[1]...).Err(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "all is sent", allSent(l))
			wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 1000))
		})
	}
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
	primary := startRedis(t, "everysec", "--repl-diskless-sync-delay", "0")
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
	for n := 0; n < 6000; n += 300 {
		appendEvents(t, l, n, n+300)
		sent := l.Stats().Sent
		link.cut()
		eventually(t, "events flow", func() bool { return l.Stats().Sent > sent || allSent(l)() })
	}
	eventually(t, "all is sent", allSent(l))
	wantIDs(t, streamIDs(t, server.Addr()), eventIDs(0, 6000))
}
