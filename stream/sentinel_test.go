package stream

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"markaz/asterisk/testbed/proc"
)

// startSentinel watches a primary with one sentinel, whose word is enough.
func startSentinel(t *testing.T, primary string) (addr string) {
	t.Helper()
	ports, err := proc.ReservePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ports.Release)
	host, port, _ := strings.Cut(primary, ":")
	_, own, _ := net.SplitHostPort(ports.Addr(0))
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("port %s\nbind 127.0.0.1\nsentinel monitor calls %s %s 1\nsentinel down-after-milliseconds calls 300\n"+
		"sentinel failover-timeout calls 3000\n", own, host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", conf, "--sentinel")
	cmd.Dir = filepath.Dir(conf)
	p, err := proc.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return ports.Addr(0)
}

// The sentinel promotes the replica; the writer, a reader and a group follow
// by themselves.
func TestSentinelFailover(t *testing.T) {
	primary := startRedis(t, "everysec", "--repl-diskless-sync-delay", "0")
	host, port, _ := strings.Cut(primary.Addr(), ":")
	replica := startRedis(t, "everysec", "--replicaof", host+" "+port)
	rdb := connect(t, replica.Addr()).rdb
	sentinel := startSentinel(t, primary.Addr())

	cfg := Config{
		Redis: RedisConfig{Master: "calls", Sentinels: []string{sentinel}, Timeout: time.Second},
		Spool: SpoolConfig{Dir: t.TempDir()},
	}
	l, err := Open(cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	runLog(t, l)
	c, err := Connect(cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	f := newEffects()
	runGroup(t, newTestGroup(t, c, GroupConfig{Handle: handled(f)}))

	watch := redis.NewClient(&redis.Options{Addr: sentinel})
	defer watch.Close()
	appendEvents(t, l, 0, 500)
	eventually(t, "the replica has all and the sentinel knows it", func() bool {
		info, _ := watch.Info(t.Context(), "sentinel").Result()
		return rdb.XLen(t.Context(), "markaz:events").Val() == 500 && strings.Contains(info, "slaves=1")
	})
	eventually(t, "the group has done them", func() bool { return f.count() == 500 })
	primary.Kill()
	begun := time.Now()
	appendEvents(t, l, 500, 1000)
	eventually(t, "the replica has all", func() bool { return rdb.XLen(t.Context(), "markaz:events").Val() >= 1000 })
	t.Logf("switched over in %v", time.Since(begun).Round(time.Millisecond))
	wantIDs(t, streamIDs(t, replica.Addr()), eventIDs(0, 1000))
	eventually(t, "the group has done all", func() bool { return f.count() >= 1000 })
	f.want(t, 0, 1000)
}
