package stream

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed/proc"
)

// appendUntilKilled is the child process: it appends events without end and
// prints the id of each for which Append returned nil, after it returned.
func appendUntilKilled(dir string) {
	cfg := Config{
		Redis: RedisConfig{Addr: os.Getenv("MARKAZ_STREAM_REDIS")},
		Spool: SpoolConfig{Dir: dir, SegmentBytes: minSegment, MaxBytes: 1024 * minSegment},
	}
	l, err := Open(cfg, quiet())
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	go func() { _ = l.Run(nothingEnds{}) }()
	run := os.Getenv("MARKAZ_STREAM_RUN")
	out := bufio.NewWriter(os.Stdout)
	for n := 0; ; n++ {
		e := event(n)
		e.ID = fmt.Sprintf("%s-%07d", run, n)
		if err := l.Append(e); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		fmt.Fprintln(out, e.ID)
		out.Flush()
	}
}

// nothingEnds is a context for a process that only SIGKILL ends.
type nothingEnds struct{ background }

type background struct{}

func (background) Deadline() (time.Time, bool) { return time.Time{}, false }
func (background) Done() <-chan struct{}       { return nil }
func (background) Err() error                  { return nil }
func (background) Value(any) any               { return nil }

// runChild appends in another process, kills it after a while, and returns the
// ids that it was promised.
func runChild(t *testing.T, dir, redisAddr, run string, life time.Duration) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "MARKAZ_STREAM_CHILD="+dir, "MARKAZ_STREAM_REDIS="+redisAddr, "MARKAZ_STREAM_RUN="+run)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, os.Stderr
	child, err := proc.Start(cmd)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer child.Kill()
	var ids []string
	begun := time.Time{}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break // half a line is no promise
		}
		if strings.HasPrefix(line, "error") {
			t.Fatal(line)
		}
		if begun.IsZero() {
			begun = time.Now()
			time.AfterFunc(life, child.Kill)
		}
		ids = append(ids, strings.TrimSpace(line))
	}
	r.Close()
	<-child.Done()
	return ids
}

// Every Append that returned nil before SIGKILL is in the stream exactly once,
// in order, whether Redis was there, came and went, or was away.
func TestKilledWriterLosesNothing(t *testing.T) {
	server := startRedis(t, "everysec")
	dir := t.TempDir()
	want := map[string][]string{}
	for round := range 6 {
		run := fmt.Sprintf("run%d", round)
		if round%3 == 2 {
			server.Kill()
		}
		want[run] = runChild(t, dir, server.Addr(), run, time.Duration(20+rand.IntN(300))*time.Millisecond)
		if round%3 == 2 {
			resume(t, server)
		}
	}
	l := openLog(t, server.Addr(), dir)
	runLog(t, l)
	eventually(t, "everything is sent", func() bool { st := l.Stats(); return st.RedisUp && st.Unsent == 0 })
	got := map[string][]string{}
	for _, e := range readStream(t, server.Addr()) {
		run, _, _ := strings.Cut(e.Event.ID, "-")
		got[run] = append(got[run], e.Event.ID)
	}
	for run, ids := range want {
		// The last ones may be there without a promise: written, not yet told.
		if n := len(got[run]) - len(ids); n < 0 || n > 1 {
			t.Fatalf("%s: %d promised, %d in the stream", run, len(ids), len(got[run]))
		}
		wantIDs(t, got[run][:len(ids)], ids)
	}
	t.Logf("%d, %d, %d, %d, %d, %d events before each kill", len(want["run0"]), len(want["run1"]), len(want["run2"]),
		len(want["run3"]), len(want["run4"]), len(want["run5"]))
}
