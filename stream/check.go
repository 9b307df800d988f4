package stream

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Severity is how bad a finding is.
type Severity int

// The severities.
const (
	Good Severity = iota
	Doubtful
	Bad
)

// String names the severity as doctor prints it.
func (s Severity) String() string { return [...]string{"ok", "warning", "error"}[s] }

// Finding is one thing that was looked at, and what to do about it.
type Finding struct {
	Name     string
	Severity Severity
	Detail   string // what was found
	Fix      string // what to do; "" if it is good
}

// Check looks at Redis and at the spool.
func (l *Log) Check(ctx context.Context) []Finding {
	return append(l.client.Check(ctx), CheckSpool(l.cfg.Spool), l.checkBacklog())
}

// Check looks at Redis: whether it can be reached, keeps what it gets and
// throws nothing away.
func (c *Client) Check(ctx context.Context) []Finding {
	begun := time.Now()
	server, err := c.rdb.Time(ctx).Result()
	if err != nil {
		return []Finding{{"redis", Bad, err.Error(), "start Redis, or correct redis.addr, redis.password and redis.tls"}}
	}
	text, err := c.rdb.Info(ctx, "server", "memory", "persistence", "replication").Result()
	if err != nil {
		return []Finding{{"redis", Bad, err.Error(), "allow this user the command INFO"}}
	}
	info := readInfo(text)
	fsync := "unknown"
	if got, err := c.rdb.ConfigGet(ctx, "appendfsync").Result(); err == nil && got["appendfsync"] != "" {
		fsync = got["appendfsync"]
	}
	return []Finding{
		{Name: "redis", Detail: fmt.Sprintf("answers in %v", time.Since(begun).Round(10*time.Microsecond))},
		checkVersion(info["redis_version"]),
		checkRole(info["role"]),
		checkPolicy(info["maxmemory_policy"]),
		checkMemory(info),
		checkAppendOnly(info),
		checkFsync(fsync),
		checkClock(server.Sub(begun)),
	}
}

func readInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[key] = value
		}
	}
	return info
}

func checkVersion(v string) Finding {
	major, _, _ := strings.Cut(v, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 7 {
		return Finding{"redis version", Bad, v, "install Redis 7.0 or later, or Valkey"}
	}
	return Finding{Name: "redis version", Detail: v}
}

func checkRole(role string) Finding {
	if role != "master" {
		return Finding{"redis role", Bad, role, "point redis.addr at the primary, or give redis.sentinels"}
	}
	return Finding{Name: "redis role", Detail: role}
}

func checkPolicy(policy string) Finding {
	if policy != "noeviction" {
		return Finding{"redis eviction", Bad, policy, "set maxmemory-policy noeviction: Redis may throw the call log away"}
	}
	return Finding{Name: "redis eviction", Detail: policy}
}

func checkMemory(info map[string]string) Finding {
	limit, _ := strconv.ParseInt(info["maxmemory"], 10, 64)
	used, _ := strconv.ParseInt(info["used_memory"], 10, 64)
	if limit == 0 {
		return Finding{Name: "redis memory", Detail: fmt.Sprintf("%d MB used, no limit", used>>20)}
	}
	f := Finding{Name: "redis memory", Detail: fmt.Sprintf("%d of %d MB used", used>>20, limit>>20)}
	if used > limit/10*8 {
		f.Severity, f.Fix = Doubtful, "raise maxmemory, or lower max_age"
	}
	return f
}

func checkAppendOnly(info map[string]string) Finding {
	const name = "redis append-only file"
	switch {
	case info["aof_enabled"] != "1":
		return Finding{name, Bad, "off", "set appendonly yes: a restart of Redis loses the call log"}
	case info["aof_last_write_status"] != "ok":
		return Finding{name, Bad, "the last write failed", "free space on the disk of Redis"}
	case info["aof_last_bgrewrite_status"] != "ok":
		return Finding{name, Doubtful, "the last rewrite failed", "see the log of Redis; it needs memory to fork and space on its disk"}
	}
	return Finding{Name: name, Detail: "on"}
}

func checkFsync(policy string) Finding {
	f := Finding{Name: "redis appendfsync", Detail: policy}
	switch policy {
	case "no":
		f.Severity, f.Fix = Doubtful, "set appendfsync everysec, or always"
	case "unknown":
		f.Severity, f.Fix = Doubtful, "allow this user CONFIG GET, or look yourself: want everysec or always"
	}
	return f
}

func checkClock(ahead time.Duration) Finding {
	f := Finding{Name: "redis clock", Detail: fmt.Sprintf("%v from ours", ahead.Round(time.Millisecond))}
	if ahead.Abs() > 2*time.Second {
		f.Severity, f.Fix = Doubtful, "run a time service on both machines"
	}
	return f
}

// CheckSpool looks at the disk of the spool, which may be in use.
func CheckSpool(cfg SpoolConfig) Finding {
	cfg = Config{Spool: cfg}.withDefaults().Spool
	const name = "spool disk"
	free, err := freeBytes(cfg.Dir)
	if err != nil {
		return Finding{name, Bad, fmt.Sprintf("%s: %v", cfg.Dir, err), "make the folder spool.dir, writable for this user"}
	}
	f := Finding{Name: name, Detail: fmt.Sprintf("%d MB free in %s", free>>20, cfg.Dir)}
	if free < cfg.MaxBytes {
		f.Severity, f.Fix = Doubtful, fmt.Sprintf("free space, or set spool.max_bytes below %d", free)
	}
	return f
}

func (l *Log) checkBacklog() Finding {
	st := l.Stats()
	f := Finding{Name: "spool", Detail: fmt.Sprintf("%d events wait for Redis, the oldest for %v", st.Unsent, st.OldestAge.Round(time.Second))}
	switch {
	case st.InMemory > 0:
		f.Severity, f.Detail = Bad, fmt.Sprintf("%d events are in memory only, the disk refuses them", st.InMemory)
		f.Fix = "free space on the disk of spool.dir, or replace it"
	case st.OldestAge > time.Minute:
		f.Severity, f.Fix = Bad, "see the log: Redis does not take events"
	}
	return f
}
