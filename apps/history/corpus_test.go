package history_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"markaz/apps/history"
	"markaz/call"
	"markaz/lang"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// corpus reads the logs of testdata, each of one call and of what was merged
// into it. The call has the name of the file.
func corpus(t testing.TB) map[string][]call.Event {
	t.Helper()
	files, err := filepath.Glob("testdata/*.events")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d logs, %v", len(files), err)
	}
	out := map[string][]call.Event{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".events")
		for line := range bytes.Lines(raw) {
			var e call.Event
			if err := json.Unmarshal(line, &e); err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			out[name] = append(out[name], e)
		}
	}
	return out
}

// The record of each log, and what an administrator is told of it, are those
// of the golden file: look at the difference before you take over a new one.
func TestCorpus(t *testing.T) {
	words := lang.New()
	for name, events := range corpus(t) {
		t.Run(name, func(t *testing.T) {
			x := history.Explain(name, events).In(words.In("en"))
			var got bytes.Buffer
			for _, s := range x.Why {
				fmt.Fprintln(&got, s.Text)
			}
			fmt.Fprintln(&got)
			for _, f := range x.Fields {
				fmt.Fprintf(&got, "%s = %s (%s #%d)\n", f.Name, f.Value, f.By.Kind, f.By.Seq)
			}
			fmt.Fprintln(&got)
			enc := json.NewEncoder(&got)
			enc.SetIndent("", "  ")
			if err := enc.Encode(x.Call); err != nil {
				t.Fatal(err)
			}
			golden := "testdata/" + name + ".golden"
			if *update {
				if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s differs; run with -update and look at the difference:\n%s", golden, got.String())
			}
			// What was decided at the end is what would be decided now.
			if changes := history.Compare(history.Fold(name, mine(events, name)), history.Refold(name, events)); len(changes) > 0 {
				t.Errorf("folded again: %+v", changes)
			}
		})
	}
}

func mine(events []call.Event, id string) (out []call.Event) {
	for _, e := range events {
		if e.Call == id {
			out = append(out, e)
		}
	}
	return out
}

var unfilled = regexp.MustCompile(`\{[a-z_]+\}|history\.|cause\.[a-z]|disposition\.|role\.|party\.[a-z]`)

func TestExplanationsReadInEveryLanguage(t *testing.T) {
	words := lang.New()
	for name, events := range corpus(t) {
		for _, l := range words.Languages() {
			x := history.Explain(name, events).In(words.In(l))
			if len(x.Why) < 2 {
				t.Errorf("%s %s: %d sentences", name, l, len(x.Why))
			}
			for _, s := range x.Why {
				if unfilled.MatchString(s.Text) || s.Text == "" {
					t.Errorf("%s %s: %s gives %q", name, l, s.Key, s.Text)
				}
			}
		}
	}
}

// In whatever mixture the events of all calls come, and however often they are
// told again, the records are the same.
func TestAnyInterleavingGivesTheSameRecords(t *testing.T) {
	var logs [][]call.Event
	want := call.Book{}
	for _, events := range corpus(t) {
		byCall := map[string][]call.Event{}
		for _, e := range events {
			want.Apply(e)
			byCall[e.Call] = append(byCall[e.Call], e)
		}
		for _, l := range byCall {
			logs = append(logs, l)
		}
	}
	wanted, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		next := make([]int, len(logs))
		var open []int
		for i := range logs {
			open = append(open, i)
		}
		book := call.Book{}
		for len(open) > 0 {
			k := rapid.IntRange(0, len(open)-1).Draw(t, "log")
			i := open[k]
			for range rapid.IntRange(1, 4).Draw(t, "run") {
				book.Apply(logs[i][next[i]])
				if again := rapid.IntRange(-8, next[i]).Draw(t, "again"); again >= 0 {
					book.Apply(logs[i][again]) // told once more, a later one or the same
				}
				if next[i]++; next[i] == len(logs[i]) {
					open = append(open[:k], open[k+1:]...)
					break
				}
			}
		}
		if got, _ := json.Marshal(book); !bytes.Equal(got, wanted) {
			t.Fatalf("got  %s\nwant %s", got, wanted)
		}
	})
}
