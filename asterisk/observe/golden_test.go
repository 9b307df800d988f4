package observe_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"markaz/apps"
	"markaz/asterisk/observe"
	"markaz/call"
)

var update = flag.Bool("update", false, "write the golden files anew")

func testConfig() observe.Config {
	cfg := observe.DefaultConfig()
	cfg.Source, cfg.Recordings = "pbx", "/var/spool/asterisk"
	return cfg
}

// memory is a log and a switch for the loop: it keeps the one and is not asked
// for the other.
type memory struct{ events []call.Event }

func (m *memory) Append(e call.Event) error { m.events = append(m.events, e); return nil }
func (m *memory) Do(a call.Action)          { panic(fmt.Sprintf("an observed call was acted upon: %T", a)) }

// fold puts events through the loop that owns live calls, as they come.
func fold(t testing.TB, events []call.Event) (log []call.Event, calls []*call.Call) {
	t.Helper()
	mem := &memory{}
	n := 0
	now := time.Time{}
	loop, err := apps.NewLoop(apps.Config{}, apps.Deps{
		Log: mem, Switch: mem, Logger: slog.New(slog.DiscardHandler), Source: "pbx",
		Now:   func() time.Time { return now },
		NewID: func() string { n++; return fmt.Sprint("event-", n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		now = e.At
		loop.Take(e)
	}
	for _, e := range mem.events {
		if e.Kind == call.CallStarted {
			calls = append(calls, loop.Call(e.Call))
		}
	}
	return mem.events, calls
}

// translate puts a recorded log through the machine.
func translate(t testing.TB, file string) []call.Event {
	t.Helper()
	m, err := observe.NewMachine(testConfig(), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var events []call.Event
	for line := range bytes.Lines(raw) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		out, err := m.Step(line)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, out...)
	}
	return events
}

// TestGolden replays what Asterisk said of real calls, and compares the events
// and the records that come of it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.ari")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d recorded logs, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".ari"), func(t *testing.T) {
			events, calls := fold(t, translate(t, file))
			got := write(t, events, calls)
			golden := strings.TrimSuffix(file, ".ari") + ".golden"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("differs from %s; -update writes it anew. Now:\n%s", golden, got)
			}
			for _, c := range calls {
				if !c.Over() {
					t.Errorf("call %s is not over", c.ID)
				}
			}
		})
	}
}

// write puts events one a line, then the records.
func write(t testing.TB, events []call.Event, calls []*call.Call) []byte {
	t.Helper()
	var b bytes.Buffer
	short := map[string]string{}
	for _, c := range calls {
		short[c.ID] = fmt.Sprintf("call-%d", len(short)+1)
	}
	for _, e := range events {
		fmt.Fprintln(&b, line(t, e, short))
	}
	for _, c := range calls {
		text, err := json.MarshalIndent(c, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		for id, name := range short {
			text = bytes.ReplaceAll(text, []byte(id), []byte(name))
		}
		b.Write(append(text, '\n'))
	}
	return b.Bytes()
}

// line writes an event for people: when, what, and the fields that are set.
func line(t testing.TB, e call.Event, short map[string]string) string {
	t.Helper()
	when := e.At.Format("05.000")
	kind, of := e.Kind, e.Call
	e.V, e.ID, e.Kind, e.Source, e.Call, e.Seq, e.At, e.SeenAt, e.Caps, e.Live, e.Observed, e.Data = 0, "", "", "", "", 0, time.Time{}, time.Time{}, nil, false, false, nil
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	var list []string
	for key, value := range fields {
		if text := fmt.Sprint(value); text != "" && text != "0" && text != "false" && !strings.HasPrefix(text, "0001-") {
			list = append(list, key+"="+text)
		}
	}
	slices.Sort(list)
	text := fmt.Sprintf("%s %s %s %s", when, short[of], kind, strings.Join(list, " "))
	for id, name := range short {
		text = strings.ReplaceAll(text, id, name)
	}
	return text
}
