package stream

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

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
