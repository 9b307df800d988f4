package testbed

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func (a *Asterisk) controlSocket() string { return filepath.Join(a.path("run"), "asterisk.ctl") }

// CLI runs one command as `asterisk -rx` does and returns what it printed. It
// speaks the protocol of the control socket (main/asterisk.c, netconsole and
// ast_remotecontrol): a greeting line, then commands that end in a zero byte;
// "cli quit after" makes Asterisk close the connection when it is done.
func (a *Asterisk) CLI(ctx context.Context, command string) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", a.controlSocket())
	if err != nil {
		return "", fmt.Errorf("run %q: %w", command, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if _, err := conn.Write([]byte("cli quit after " + command + "\x00")); err != nil {
		return "", fmt.Errorf("run %q: %w", command, err)
	}
	raw, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("run %q: %w", command, err)
	}
	_, answer, _ := strings.Cut(string(raw), "\n")
	// Lines of the verbose log begin with a byte above 0x7e and a level.
	return strings.Map(func(r rune) rune {
		if r == 0 || r == 0x7f {
			return -1
		}
		return r
	}, answer), nil
}

// Counts are the channels and bridges that exist now.
func (a *Asterisk) Counts(ctx context.Context) (channels, bridges int, err error) {
	text, err := a.CLI(ctx, "core show channels count")
	if err != nil {
		return 0, 0, err
	}
	match := regexp.MustCompile(`(?m)^(\d+) active channel`).FindStringSubmatch(text)
	if match == nil {
		return 0, 0, fmt.Errorf("count channels: answer %q", text)
	}
	if channels, err = strconv.Atoi(match[1]); err != nil {
		return 0, 0, fmt.Errorf("count channels: %w", err)
	}
	if text, err = a.CLI(ctx, "bridge show all"); err != nil {
		return 0, 0, err
	}
	id := regexp.MustCompile(`(?m)^\S+\s+\d+\s`)           // id, number of channels, …
	lots := regexp.MustCompile(`(?m)^\S+\s+0\s+parking\s`) // of a parking lot, which Asterisk 16 keeps when it is empty
	return channels, len(id.FindAllString(text, -1)) - len(lots.FindAllString(text, -1)), nil
}

// NothingLeft fails the test when channels or bridges are still there 5 s
// later. Call it at the end of each scenario.
func (a *Asterisk) NothingLeft(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 5*time.Second)
	defer cancel()
	for {
		channels, bridges, err := a.Counts(ctx)
		if err == nil && channels == 0 && bridges == 0 {
			return
		}
		select {
		case <-ctx.Done():
			dump, _ := a.CLI(context.WithoutCancel(ctx), "core show channels concise")
			between, _ := a.CLI(context.WithoutCancel(ctx), "bridge show all")
			t.Errorf("left over: %d channels, %d bridges (%v)\n%s%s", channels, bridges, err, dump, between)
			return
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// StartT starts an Asterisk that ends with the test. Where it is not installed
// the test is skipped, or fails when REQUIRE_REAL is set.
func StartT(t testing.TB, opt Options) *Asterisk {
	t.Helper()
	a, err := Start(t.Context(), opt)
	if isMissing(err) && os.Getenv("REQUIRE_REAL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("asterisk log:\n%s", tail(a.Log(), 60))
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// tail is the last n lines of text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
