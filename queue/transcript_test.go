package queue

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"markaz/call"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata")

// TestTranscripts plays each file of testdata: a configuration in YAML up to
// "====", then commands with what the floor answers.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(raw))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(raw) {
				t.Errorf("%s differs; got:\n%s", file, got)
			}
		})
	}
}

// play runs the commands of a script and returns it with the answers in place.
func play(t *testing.T, script string) string {
	t.Helper()
	head, body, ok := strings.Cut(script, "====\n")
	if !ok {
		t.Fatal("transcript has no ==== line")
	}
	var cfg Config
	if err := yaml.UnmarshalWithOptions([]byte(head), &cfg, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	s := newSim(cfg, t.Fatalf)
	var b strings.Builder
	b.WriteString(head + "====\n")
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "  ") {
			continue // an answer of the last run
		}
		b.WriteString(line + "\n")
		if line != "" && !strings.HasPrefix(line, "#") {
			b.WriteString(command(t, s, strings.Fields(line)))
			s.check()
		}
	}
	return b.String()
}

func command(t *testing.T, s *sim, words []string) string {
	t.Helper()
	words = append(words, "", "", "")
	who, what := words[1], words[2]
	wishes := map[string]Wish{"login": WishAvailable, "ready": WishReady, "pause": WishPaused, "logout": WishOffline}
	switch words[0] {
	case "open":
		return describe(s.apply(s.floor.Open(s.now)))
	case "login", "ready", "pause", "logout":
		return s.asked(who, wishes[words[0]], what)
	case "busy":
		return describe(s.apply(s.floor.Busy(s.now, who, what == "on")))
	case "join":
		c := Caller{Call: who, Leg: who + "-leg", Queue: what}
		_, _ = fmt.Sscanf(words[3], "priority=%d", &c.Priority)
		o, err := s.floor.Join(s.now, c)
		if err != nil {
			return fmt.Sprintf("  %v\n", err)
		}
		return describe(s.apply(o))
	case "hangup":
		return describe(s.apply(s.floor.Leave(s.now, who, Abandoned)))
	case "leave":
		return describe(s.apply(s.floor.Leave(s.now, who, Reason(what))))
	case "key":
		o, ours := s.floor.Key(s.now, who, what)
		if !ours {
			return "  not a key of the queue\n"
		}
		return describe(s.apply(o))
	case "answer":
		return describe(s.apply(s.floor.Answered(s.now, who, what)))
	case "end":
		return describe(s.ended(who, call.Result(what)))
	case "adopt":
		return describe(s.apply(s.floor.Adopt(s.now, who, what, words[3])))
	case "restart":
		var newcomers []Caller
		if who != "" {
			newcomers = append(newcomers, Caller{Call: who, Leg: who + "-leg", Queue: what})
		}
		return describe(s.restart(newcomers...))
	case "wait":
		return waitFor(t, s, who)
	}
	return show(t, s, words)
}

func (s *sim) asked(who string, w Wish, reason string) string {
	if w == WishReady {
		delete(s.wrapTo, who)
	}
	o, err := s.floor.Ask(s.now, who, w, reason)
	if err != nil {
		return fmt.Sprintf("  %v\n", err)
	}
	return describe(s.apply(o))
}

func waitFor(t *testing.T, s *sim, d string) string {
	t.Helper()
	length, err := time.ParseDuration(d)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	s.advance(length, func(id string, o Out) {
		if text := describe(o); text != "" {
			fmt.Fprintf(&b, "  %s timer %s\n%s", s.now.Format("15:04:05"), id[:strings.LastIndexByte(id, ':')], text)
		}
	})
	return b.String()
}

func show(t *testing.T, s *sim, words []string) string {
	t.Helper()
	var b strings.Builder
	snap := s.floor.Snapshot(s.now)
	switch words[0] {
	case "line":
		for i, c := range s.floor.Line(words[1]) {
			fmt.Fprintf(&b, "  %d %s priority %d, told %d\n", i+1, c.Call, c.Priority, c.Told)
		}
	case "agents":
		for _, a := range snap.Agents {
			fmt.Fprintf(&b, "  %s %s %s%s since %s\n", a.ID, a.State, a.Reason, a.Call, a.Since.Format("15:04:05"))
		}
	case "queue":
		i := slices.IndexFunc(snap.Queues, func(q QueueState) bool { return q.Queue == words[1] })
		q := snap.Queues[i]
		fmt.Fprintf(&b, "  waiting %d, offered %d, longest %s, next %s to %s, agents %v\n  %+v\n", q.Waiting, q.Offered, q.Longest, q.Next.Min, q.Next.Max, q.Agents, q.Counts)
		if level, ok := q.Counts.ServiceLevel(); ok {
			fmt.Fprintf(&b, "  service level %.2f\n", level)
		}
	case "timers":
		for _, id := range slices.Sorted(maps.Keys(s.timers)) {
			fmt.Fprintf(&b, "  %s in %s\n", id[:strings.LastIndexByte(id, ':')], s.timers[id].Sub(s.now))
		}
	default:
		t.Fatalf("unknown command %q", words[0])
	}
	return b.String()
}
