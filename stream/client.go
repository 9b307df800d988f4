package stream

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Client is a connection to the Redis that holds the log. One serves any
// number of readers, groups and leases.
type Client struct {
	cfg  Config
	log  *slog.Logger
	rdb  redis.UniversalClient
	keys keys

	meeting sync.Mutex // one heals a Redis that has just begun
}

// keys are the names of what is kept in Redis.
type keys struct{ prefix string }

func (k keys) events() string                  { return k.prefix + "events" }
func (k keys) writers() string                 { return k.prefix + "writers" }
func (k keys) seams() string                   { return k.prefix + "seams" }
func (k keys) groups() string                  { return k.prefix + "group:" }
func (k keys) dead(group string) string        { return k.prefix + "dead:" + group }
func (k keys) group(group, part string) string { return k.groups() + group + ":" + part }
func (k keys) note(key string) string          { return k.prefix + "note:" + key }
func (k keys) lease(name string) string        { return k.prefix + "lease:" + name }

// Connect prepares the connection; it does not wait for Redis. Close ends it.
func Connect(cfg Config, log *slog.Logger) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("connect to redis: %w", err)
	}
	cfg = cfg.withDefaults()
	redis.SetLogger(libraryLog{log})
	return &Client{cfg: cfg, log: log, rdb: redis.NewUniversalClient(redisOptions(cfg.Redis)), keys: keys{cfg.Prefix}}, nil
}

func redisOptions(c RedisConfig) *redis.UniversalOptions {
	o := &redis.UniversalOptions{
		Addrs: []string{c.Addr}, Username: c.Username, Password: string(c.Password), DB: c.DB,
		MasterName: c.Master, SentinelPassword: string(c.SentinelPassword),
		// A repeat behind our back would hide a failover; every loop here
		// repeats by itself, and knows what it repeats.
		MaxRetries: -1, DialerRetries: 1,
		DialTimeout: min(c.Timeout, 2*time.Second), ReadTimeout: c.Timeout, WriteTimeout: c.Timeout,
		ContextTimeoutEnabled: true,
		PoolSize:              c.PoolSize, PipelinePoolSize: -1, PoolTimeout: c.Timeout,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DisableIdentity:          true,
	}
	if len(c.Sentinels) > 0 {
		o.Addrs = c.Sentinels
	}
	if c.TLS {
		host, _, err := net.SplitHostPort(o.Addrs[0])
		if err != nil {
			host = o.Addrs[0]
		}
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	}
	return o
}

// Close ends all connections.
func (c *Client) Close() error {
	if err := c.rdb.Close(); err != nil {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// Ping asks whether Redis answers and takes commands.
func (c *Client) Ping(ctx context.Context) error {
	if err := c.rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("ping redis: %w", err)
	}
	return nil
}

// libraryLog gives the words of the Redis library to our log, quietly: what
// matters of them comes back as errors.
type libraryLog struct{ log *slog.Logger }

func (l libraryLog) Printf(ctx context.Context, format string, v ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "redis library", "text", fmt.Sprintf(format, v...))
	}
}

// backoff is the wait between tries that fail: by chance from the whole of a
// span that doubles, so that many do not come back at once.
type backoff struct{ failed int }

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
)

func (b *backoff) next() time.Duration {
	span := backoffMost
	if b.failed < 6 {
		span = min(span, backoffFirst<<b.failed)
	}
	b.failed++
	return chance(span) + time.Millisecond
}

// chance is a time by chance from 0 to a bound, which it never reaches.
func chance(bound time.Duration) time.Duration { return time.Duration(rand.Int64N(int64(bound))) }

// wait sleeps after a failure; false when ctx has ended.
func (b *backoff) wait(ctx context.Context) bool { return sleep(ctx, b.next()) }

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
