package stream

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"markaz/call"
)

// A call's event as it comes from a busy queue.
func BenchmarkAppend(b *testing.B) {
	for _, policy := range []SyncPolicy{SyncInterval, SyncAlways} {
		b.Run(string(policy), func(b *testing.B) {
			cfg := testConfig("127.0.0.1:1", b.TempDir())
			cfg.Spool.SegmentBytes, cfg.Spool.MaxBytes, cfg.Spool.Sync = 8<<20, 64<<30, policy
			l, err := Open(cfg, quiet())
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			runLog(b, l)
			e := event(1)
			b.ReportAllocs()
			for b.Loop() {
				if err := l.Append(e); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(encoded(b, e))))
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	e, buf := event(1), []byte(nil)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = appendJSON(buf[:0], &e)
	}
}

// BenchmarkThroughRedis appends events and waits until Redis has them, and
// beside it lets redis-benchmark add as many of the same size to the same
// server, one connection, pipelines of as many as our script adds at once. The metric
// ratio is ours against theirs.
func BenchmarkThroughRedis(b *testing.B) {
	tool, err := exec.LookPath("redis-benchmark")
	if err != nil {
		if os.Getenv("REQUIRE_REAL") != "" {
			b.Fatal(err)
		}
		b.Skip("redis-benchmark is not installed")
	}
	for _, fsync := range []string{"everysec", "always"} {
		b.Run(fsync, func(b *testing.B) {
			const n = 100_000
			server := startRedis(b, fsync)
			cfg := testConfig(server.Addr(), b.TempDir())
			cfg.Spool.SegmentBytes = 0 // as in production
			l, err := Open(cfg, quiet())
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			defer runLog(b, l)()
			rdb := connect(b, server.Addr()).rdb
			e := event(1)
			raw, err := appendJSON(nil, &e)
			if err != nil {
				b.Fatal(err)
			}
			var ours, theirs float64
			rounds := 0
			for b.Loop() {
				begun := time.Now()
				for i := range n {
					if err := l.Append(event(i)); err != nil {
						b.Fatal(err)
					}
				}
				eventually(b, "all is sent", allSent(l))
				ours += n / time.Since(begun).Seconds()
				theirs += redisBenchmark(b, tool, server.Addr(), n, string(raw))
				rounds++
				if err := rdb.Del(b.Context(), "markaz:events", "bench").Err(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(ours/float64(rounds), "events/s")
			b.ReportMetric(theirs/float64(rounds), "xadd/s")
			b.ReportMetric(ours/theirs, "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// redisBenchmark runs redis-benchmark with the four fields that our entries
// have and returns its entries per second.
func redisBenchmark(b *testing.B, tool, addr string, n int, json string) float64 {
	b.Helper()
	host, port, _ := strings.Cut(addr, ":")
	e := event(1)
	out, err := exec.Command(tool, "-h", host, "-p", port, "-n", strconv.Itoa(n), "-c", "1", "-P", strconv.Itoa(scriptEvents), "--csv",
		"XADD", "bench", "*", "i", e.ID, "k", string(e.Kind), "c", e.Call, "e", json).Output()
	if err != nil {
		b.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	last := lines[len(lines)-1] // "command","rps",...
	at := strings.LastIndex(last, `}","`)
	fields := strings.Split(strings.Trim(last[at+3:], `"`), `","`)
	rps, err := strconv.ParseFloat(strings.Trim(fields[0], `,"`), 64)
	if err != nil {
		b.Fatalf("%v in %q", err, last)
	}
	return rps
}

// BenchmarkGroup is a backlog worked off by one process whose handlers do
// nothing.
func BenchmarkGroup(b *testing.B) {
	const n = 20_000
	server := startRedis(b, "everysec")
	l := openLog(b, server.Addr(), b.TempDir())
	defer runLog(b, l)()
	events := 0
	for b.Loop() {
		b.StopTimer()
		for range n {
			if err := l.Append(event(events)); err != nil {
				b.Fatal(err)
			}
			events++
		}
		eventually(b, "all is sent", allSent(l))
		f := newEffects()
		b.StartTimer()
		stop := runGroup(b, newTestGroup(b, connect(b, server.Addr()), GroupConfig{Handle: handled(f)}))
		eventually(b, "all is done", func() bool { return f.count() == n })
		b.StopTimer()
		if err := stop(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkRecover reads a spool back as a start does.
func BenchmarkRecover(b *testing.B) {
	cfg := testConfig("127.0.0.1:1", b.TempDir())
	cfg.Spool.SegmentBytes = 0
	l, err := Open(cfg, quiet())
	if err != nil {
		b.Fatal(err)
	}
	const n = 100_000
	for i := range n {
		if err := l.Append(event(i)); err != nil {
			b.Fatal(err)
		}
	}
	size := l.Stats().SpoolBytes
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l, err := Open(cfg, quiet())
		if err != nil {
			b.Fatal(err)
		}
		got := 0
		if err := l.Recover(b.Context(), func(call.Event) { got++ }); err != nil || got != n {
			b.Fatal(got, err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/n, "bytes/event")
	b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
