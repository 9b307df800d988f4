package stream

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"markaz/asterisk/testbed/redisbed"
)

func startRedis(t testing.TB, fsync string, args ...string) *redisbed.Redis {
	t.Helper()
	return redisbed.StartT(t, redisbed.Options{Fsync: fsync, Args: args})
}

func resume(t testing.TB, r *redisbed.Redis) {
	t.Helper()
	if err := r.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func testConfig(addr, dir string) Config {
	return Config{Redis: RedisConfig{Addr: addr, Timeout: time.Second}, Spool: SpoolConfig{Dir: dir, SegmentBytes: minSegment}}
}

func connect(t testing.TB, addr string) *Client {
	t.Helper()
	c, err := Connect(testConfig(addr, ""), quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func openLog(t testing.TB, addr, dir string) *Log {
	t.Helper()
	l, err := Open(testConfig(addr, dir), quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// runLog runs a log until stop is called or the test ends.
func runLog(t testing.TB, l *Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop = func() {
		cancel()
		if err, ok := <-done; ok {
			close(done)
			if err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func appendEvents(t testing.TB, l *Log, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := l.Append(event(n)); err != nil {
			t.Fatal(err)
		}
	}
}

func readStream(t testing.TB, addr string) []Entry {
	t.Helper()
	var out []Entry
	_, err := NewReader(connect(t, addr)).Snapshot(t.Context(), time.Time{}, func(e Entry) error {
		out = append(out, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func streamIDs(t testing.TB, addr string) []string {
	t.Helper()
	var out []string
	for _, e := range readStream(t, addr) {
		out = append(out, e.Event.ID)
	}
	return out
}

func allSent(l *Log) func() bool {
	return func() bool { st := l.Stats(); return st.RedisUp && st.Unsent == 0 }
}

func xadd(stream string, fields ...any) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: stream, Values: fields}
}
