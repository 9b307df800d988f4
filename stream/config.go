package stream

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Config is how the log is kept. The zero value of a field means its default.
type Config struct {
	Redis  RedisConfig `yaml:"redis"`
	Prefix string      `yaml:"prefix"` // of every key in Redis; default "markaz:"
	Spool  SpoolConfig `yaml:"spool"`

	// MaxAge is how long Redis keeps an event that every group has done with.
	// Default 30 days.
	MaxAge time.Duration `yaml:"max_age"`
	// HardMaxLen is the number of events that Redis never exceeds by much. The
	// oldest go even if a group still needs them, which is reported as an
	// error. Default 5 million, 2 to 3 GB of memory.
	HardMaxLen int64 `yaml:"hard_max_len"`
}

// RedisConfig says where Redis is: one server, or the sentinels that know it.
type RedisConfig struct {
	Addr     string `yaml:"addr"` // host:port or the path of a socket; default 127.0.0.1:6379
	Username string `yaml:"username"`
	Password Secret `yaml:"password"`
	DB       int    `yaml:"db"`
	TLS      bool   `yaml:"tls"`

	Master           string   `yaml:"master"`    // name of the primary that the sentinels watch
	Sentinels        []string `yaml:"sentinels"` // host:port of each; then Addr is not used
	SentinelPassword Secret   `yaml:"sentinel_password"`

	PoolSize int           `yaml:"pool_size"` // connections; every reader and group that waits holds one; default 64
	Timeout  time.Duration `yaml:"timeout"`   // of one exchange; default 3 s
}

// SpoolConfig says how the events are kept on this machine.
type SpoolConfig struct {
	Dir string `yaml:"dir"` // a folder of its own on a local disk; one process at a time

	// Sync is "interval" (default): written events survive the death of the
	// process at once and that of the machine after SyncInterval; or "always":
	// Append waits until the disk has confirmed, milliseconds on most disks.
	Sync         SyncPolicy    `yaml:"sync"`
	SyncInterval time.Duration `yaml:"sync_interval"` // default 200 ms

	// Keep is how long events stay here after Redis has them, to be sent again
	// to a Redis that lost its latest data. Default 10 min.
	Keep time.Duration `yaml:"keep"`
	// MaxBytes bounds the folder. Events that Redis has not yet are never
	// thrown away for it: Append refuses instead. Default 1 GiB.
	MaxBytes int64 `yaml:"max_bytes"`
	// SegmentBytes is the size of one file. Default 8 MiB, or an eighth of
	// MaxBytes if that is less.
	SegmentBytes int64 `yaml:"segment_bytes"`
	// MemoryBytes bounds the events held in memory while the disk refuses
	// them. Default 64 MiB.
	MemoryBytes int64 `yaml:"memory_bytes"`
}

// SyncPolicy says when the disk is told to make events permanent.
type SyncPolicy string

// The sync policies.
const (
	SyncInterval SyncPolicy = "interval"
	SyncAlways   SyncPolicy = "always"
)

// Secret is text that does not show itself in logs and dumps.
type Secret string

const masked = "****"

// String is four stars, or nothing if there is no secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// GoString is what String is.
func (s Secret) GoString() string { return s.String() }

// LogValue is what String is.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalYAML is what String is.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// MarshalText is what String is.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// minSegment keeps the number of files bounded.
const minSegment = 64 << 10

// Validate reports every fault, each named by its key. The spool folder may be
// empty for a program that only reads; [Open] wants it.
func (c Config) Validate() error {
	var faults []error
	add := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	r, s := c.Redis, c.Spool
	add((r.Master == "") != (len(r.Sentinels) == 0), "redis: master and sentinels go together")
	add(r.Addr != "" && len(r.Sentinels) > 0, "redis: give addr or sentinels, not both")
	add(r.DB < 0, "redis.db: %d is negative", r.DB)
	add(r.PoolSize < 0, "redis.pool_size: %d is negative", r.PoolSize)
	add(r.Timeout != 0 && r.Timeout < 100*time.Millisecond, "redis.timeout: %v is less than 100ms", r.Timeout)
	add(strings.ContainsAny(c.Prefix, " \r\n*?[]"), "prefix: %q has a blank or a pattern character", c.Prefix)
	add(s.Sync != "" && s.Sync != SyncInterval && s.Sync != SyncAlways, "spool.sync: %q is neither interval nor always", s.Sync)
	add(s.SyncInterval < 0, "spool.sync_interval: %v is negative", s.SyncInterval)
	add(s.Keep < 0, "spool.keep: %v is negative", s.Keep)
	add(s.MaxBytes != 0 && s.MaxBytes < 4*minSegment, "spool.max_bytes: %d is less than %d", s.MaxBytes, 4*minSegment)
	add(s.SegmentBytes != 0 && (s.SegmentBytes < minSegment || s.SegmentBytes > 64<<20),
		"spool.segment_bytes: %d is not between 64 KiB and 64 MiB", s.SegmentBytes)
	add(s.MemoryBytes < 0, "spool.memory_bytes: %d is negative", s.MemoryBytes)
	add(c.MaxAge < 0, "max_age: %v is negative", c.MaxAge)
	add(c.HardMaxLen < 0, "hard_max_len: %d is negative", c.HardMaxLen)
	full := c.withDefaults().Spool
	add(full.SegmentBytes > full.MaxBytes/4, "spool.segment_bytes: %d is more than a quarter of max_bytes", full.SegmentBytes)
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if len(c.Redis.Sentinels) == 0 {
		def(&c.Redis.Addr, "127.0.0.1:6379")
	}
	def(&c.Redis.PoolSize, 64)
	def(&c.Redis.Timeout, 3*time.Second)
	def(&c.Prefix, "markaz:")
	def(&c.Spool.Sync, SyncInterval)
	def(&c.Spool.SyncInterval, 200*time.Millisecond)
	def(&c.Spool.Keep, 10*time.Minute)
	def(&c.Spool.MaxBytes, 1<<30)
	def(&c.Spool.SegmentBytes, max(minSegment, min(8<<20, c.Spool.MaxBytes/8)))
	def(&c.Spool.MemoryBytes, 64<<20)
	def(&c.MaxAge, 30*24*time.Hour)
	def(&c.HardMaxLen, 5_000_000)
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
