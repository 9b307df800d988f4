package stream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed/proc"
)

// consumeUntilKilled is the child process: a member of a group that writes the
// beginning and the end of its work on each event into a ledger.
func consumeUntilKilled(ledger string) {
	out, err := os.OpenFile(ledger, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		var c *Client
		if c, err = Connect(testConfig(os.Getenv("MARKAZ_STREAM_REDIS"), ""), quiet()); err == nil {
			err = consume(c, out)
		}
	}
	fmt.Fprintln(os.Stderr, "consumer:", err)
	os.Exit(1)
}

func consume(c *Client, out *os.File) error {
	cfg := GroupConfig{
		Name: "crm", Claim: 600 * time.Millisecond, Parallel: 4, MaxAttempts: -1,
		Handle: func(_ context.Context, d Delivery) error {
			fmt.Fprintf(out, "begin %d %s %s\n", os.Getpid(), d.Event.Call, d.Event.ID)
			time.Sleep(time.Duration(rand.IntN(2000)) * time.Microsecond)
			fmt.Fprintf(out, "end %d %s %s\n", os.Getpid(), d.Event.Call, d.Event.ID)
			return nil
		},
	}
	if os.Getenv("MARKAZ_STREAM_TOGETHER") != "" {
		cfg.Gather = 5 * time.Millisecond
		cfg.HandleAll = func(ctx context.Context, list []Delivery) error {
			for _, d := range list {
				_ = cfg.Handle(ctx, d)
			}
			return nil
		}
	}
	g, err := NewGroup(c, cfg)
	if err != nil {
		return err
	}
	return g.Run(nothingEnds{})
}

func startConsumer(t *testing.T, ledger, addr string) *proc.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MARKAZ_STREAM_LEDGER="+ledger, "MARKAZ_STREAM_REDIS="+addr)
	cmd.Stderr = os.Stderr
	p, err := proc.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Three processes share the work; one after the other is killed with SIGKILL
// while it works, and replaced.
func TestKilledConsumersLoseNothing(t *testing.T) { killConsumers(t, 1) }

// The same, when what waits of a call is done at once: what was not
// acknowledged is done again from its beginning.
func TestKilledConsumersOfManyEventsLoseNothing(t *testing.T) {
	t.Setenv("MARKAZ_STREAM_TOGETHER", "1")
	killConsumers(t, handMost)
}

// killConsumers allows that so many events of a call are done again.
func killConsumers(t *testing.T, again int) {
	t.Helper()
	const events = 3000
	b := newBench(t)
	ledger := filepath.Join(t.TempDir(), "ledger")
	var members []*proc.Process
	for range 3 {
		members = append(members, startConsumer(t, ledger, b.addr))
	}
	note, err := os.OpenFile(ledger, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer note.Close()
	const kills = 8
	for round := range kills {
		appendEvents(t, b.log, round*events/kills, (round+1)*events/kills)
		done := strings.Count(readFile(t, ledger), "end ")
		eventually(t, "work goes on", func() bool { return strings.Count(readFile(t, ledger), "end ") > done+50 })
		victim := members[round%3]
		victim.Kill()
		fmt.Fprintf(note, "killed %d\n", victim.PID())
		members[round%3] = startConsumer(t, ledger, b.addr)
	}
	eventually(t, "all is done", func() bool {
		return strings.Count(readFile(t, ledger), "end ") >= events && b.idle(t, "crm")()
	})
	for _, m := range members {
		m.Kill()
	}
	repeats := checkLedger(t, readFile(t, ledger), events, again)
	t.Logf("%d events were done twice because of %d kills", repeats, kills)
	if repeats > kills*4*again {
		t.Fatal("more than each kill accounts for")
	}
	b.nothingLeft(t, "crm")
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(raw)
}

// checkLedger checks that each call's events were done in order, all of them,
// and never by two living processes at once. It counts those done twice, which
// must be among the latest of their call.
func checkLedger(t *testing.T, ledger string, events, again int) (repeats int) {
	t.Helper()
	owner, byCall, done := map[string]string{}, map[string][]string{}, map[string]bool{}
	for line := range strings.Lines(ledger) {
		f := strings.Fields(line)
		if f[0] == "killed" {
			for call, pid := range owner {
				if pid == f[1] {
					delete(owner, call)
				}
			}
			continue
		}
		pid, call, id := f[1], f[2], f[3]
		if f[0] == "begin" {
			if other := owner[call]; other != "" && other != pid {
				t.Fatalf("%s is worked on by %s and %s", call, other, pid)
			}
			owner[call] = pid
			continue
		}
		delete(owner, call)
		if done[id] {
			repeats++
			if got := byCall[call]; !slices.Contains(got[max(0, len(got)-again):], id) {
				t.Fatalf("%s was done again after %s", id, got[len(got)-1])
			}
			continue
		}
		done[id] = true
		byCall[call] = append(byCall[call], id)
	}
	for call, got := range byCall {
		if !slices.IsSorted(got) {
			t.Fatalf("%s: %v", call, got)
		}
	}
	if len(done) != events {
		t.Fatalf("%d events were done, want %d", len(done), events)
	}
	return repeats
}
