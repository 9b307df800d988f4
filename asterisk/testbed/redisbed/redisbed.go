// Package redisbed gives a test or the demo a real Redis of its own: free port
// on 127.0.0.1, own folder, append-only file. It can be killed, frozen and
// started again with its data. It is a server, not a client: it knows nothing
// of what is stored.
//
//	redis := redisbed.StartT(t, redisbed.Options{Fsync: "always"})
//	client := redis.NewClient(&redis.Options{Addr: redis.Addr()})
//	redis.Kill()                    // SIGKILL
//	redis.Resume(ctx)               // same port, same data
package redisbed

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"markaz/asterisk/testbed/proc"
)

// Options of a server. The zero value is an append-only file with fsync every
// second, no memory limit, no eviction.
type Options struct {
	Dir       string   // data and log; a temporary folder that Close removes when empty
	Fsync     string   // appendfsync: always, everysec (default) or no
	MaxMemory string   // e.g. "8mb"
	Args      []string // further arguments, e.g. "--replicaof", "127.0.0.1 7001"
}

// Redis is a server that was started at least once.
type Redis struct {
	opt     Options
	binary  string
	ports   *proc.Ports
	process *proc.Process
	ownDir  bool
}

// ErrMissing says that redis-server is not installed.
var ErrMissing = errors.New("redis-server is not installed; run make setup")

// Start starts a server and waits until it answers.
func Start(ctx context.Context, opt Options) (*Redis, error) {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrMissing
	}
	r := &Redis{opt: opt, binary: binary}
	if opt.Dir == "" {
		if r.opt.Dir, err = proc.TempDir("markaz-redis-"); err != nil {
			return nil, err
		}
		r.ownDir = true
	}
	if r.ports, err = proc.ReservePorts(1); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if err := r.Resume(ctx); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// StartT starts a server that ends with the test. Without redis-server the
// test is skipped, or fails when REQUIRE_REAL is set.
func StartT(t testing.TB, opt Options) *Redis {
	t.Helper()
	r, err := Start(t.Context(), opt)
	if errors.Is(err, ErrMissing) && os.Getenv("REQUIRE_REAL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Resume starts the server again after Kill or Stop, with the same port and
// data, and waits until it answers PING with PONG (not LOADING).
func (r *Redis) Resume(ctx context.Context) error {
	if r.process != nil && r.process.Running() {
		return errors.New("start redis: it is running")
	}
	fsync, memory := r.opt.Fsync, r.opt.MaxMemory
	if fsync == "" {
		fsync = "everysec"
	}
	if memory == "" {
		memory = "0"
	}
	_, port, err := net.SplitHostPort(r.Addr())
	if err != nil {
		return fmt.Errorf("start redis: %w", err)
	}
	args := []string{
		"--bind", "127.0.0.1", "--port", port, "--dir", r.opt.Dir, "--logfile", r.LogFile(),
		"--daemonize", "no", "--save", "", "--appendonly", "yes", "--appendfsync", fsync,
		"--maxmemory", memory, "--maxmemory-policy", "noeviction",
	}
	r.process, err = proc.Start(exec.Command(r.binary, append(args, r.opt.Args...)...))
	if err != nil {
		return err
	}
	return r.waitReady(ctx)
}

func (r *Redis) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !r.answers(ctx) {
		select {
		case <-tick.C:
		case <-r.process.Done():
			log, _ := os.ReadFile(r.LogFile())
			return fmt.Errorf("start redis: %w\n%s", r.process.Wait(), log)
		case <-ctx.Done():
			return fmt.Errorf("start redis: %w", ctx.Err())
		}
	}
	return nil
}

func (r *Redis) answers(ctx context.Context) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", r.Addr())
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && line == "+PONG\r\n"
}

// Addr is host and port.
func (r *Redis) Addr() string { return r.ports.Addr(0) }

// Dir holds the append-only file.
func (r *Redis) Dir() string { return r.opt.Dir }

// LogFile is the path of the server's log.
func (r *Redis) LogFile() string { return filepath.Join(r.opt.Dir, "redis.log") }

// Process is the running server; after Resume it is another one.
func (r *Redis) Process() *proc.Process { return r.process }

// Kill ends the server as a crash would (SIGKILL). Data stays for Resume.
func (r *Redis) Kill() { r.process.Kill() }

// Stop ends the server in an orderly way. Data stays for Resume.
func (r *Redis) Stop() { r.process.Stop(10 * time.Second) }

// Freeze makes the server hang with its connections open; Continue ends it.
func (r *Redis) Freeze() error { return r.process.Freeze() }

// Continue ends a Freeze.
func (r *Redis) Continue() error { return r.process.Continue() }

// Close ends the server for good. A folder that Start made is removed.
func (r *Redis) Close() error {
	if r.process != nil {
		r.process.Kill()
	}
	if r.ports != nil {
		r.ports.Release()
	}
	if r.ownDir {
		if err := os.RemoveAll(r.opt.Dir); err != nil {
			return fmt.Errorf("remove redis folder: %w", err)
		}
	}
	return nil
}
