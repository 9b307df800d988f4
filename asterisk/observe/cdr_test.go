package observe

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	oldRow    = `"","0912","101","ext-local","""Ali"" <0912>","PJSIP/trunk-00000001","PJSIP/101-00000002","Dial","PJSIP/101,20","2026-11-22 03:00:00","2026-11-22 03:00:05","2026-11-22 03:00:10",10,5,"ANSWERED","DOCUMENTATION"`
	idRow     = oldRow + `,"1795316400.1",""`
	newRow    = oldRow + `,"1795316400.1","7.7","","1795316399.9","12"`
	customRow = `"""Ali"" <0912>","0912","101","ext-local","PJSIP/trunk-00000001","PJSIP/101-00000002","Dial","PJSIP/101,20","2026-11-22 03:00:00","2026-11-22 03:00:05","2026-11-22 03:00:10","10","5","ANSWERED","DOCUMENTATION","","1795316400.1","7.7",12`
)

func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "Master.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRecordsOfThePBX(t *testing.T) {
	for name, tc := range map[string]struct {
		text      string
		good, bad int
		unique    string
		linked    string
	}{
		"without ids":          {oldRow + "\n", 1, 0, "", ""},
		"with unique id":       {idRow + "\n", 1, 0, "1795316400.1", ""},
		"newcdrcolumns":        {newRow + "\n", 1, 0, "1795316400.1", "1795316399.9"},
		"cdr_custom":           {customRow + "\n", 1, 0, "1795316400.1", ""},
		"empty":                {"", 0, 0, "", ""},
		"torn last line":       {idRow + "\n" + idRow[:len(idRow)-8], 1, 0, "1795316400.1", ""},
		"torn line inside":     {`"","0912","10` + "\n" + idRow + "\n" + idRow + "\n", 1, 1, "1795316400.1", ""},
		"newline in a name":    {strings.Replace(idRow, "Ali", "A\nli", 1) + "\n", 1, 0, "1795316400.1", ""},
		"zero bytes":           {"\x00\x00\n" + strings.Replace(idRow, "Ali", "A\x00li", 1) + "\n", 1, 1, "1795316400.1", ""},
		"quote in a name":      {strings.Replace(idRow, `""Ali""`, `A"li`, 1) + "\n", 1, 0, "1795316400.1", ""},
		"no time":              {strings.ReplaceAll(idRow, "2026-11-22", "never") + "\n", 0, 1, "", ""},
		"too many columns":     {idRow + strings.Repeat(",", 50) + "\n", 0, 1, "", ""},
		"huge line, then good": {strings.Repeat("x", tail+100) + "\n" + idRow + "\n", 1, 0, "1795316400.1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			list, bad, err := readRecords(fileOf(t, tc.text), time.UTC, time.Time{})
			if err != nil || len(list) != tc.good || bad != tc.bad {
				t.Fatalf("%d records, %d unreadable, %v; want %d and %d", len(list), bad, err, tc.good, tc.bad)
			}
			if tc.good == 0 {
				return
			}
			r := list[0]
			if r.unique != tc.unique || r.linked != tc.linked || r.src != "0912" || r.partner != "PJSIP/101-00000002" || r.context != "ext-local" || r.disposition != "ANSWERED" || r.end.Sub(r.start) != 10*time.Second {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A file that was rotated away is read too, if what is wanted may be in it.
func TestRotatedRecords(t *testing.T) {
	path := fileOf(t, strings.ReplaceAll(idRow, "03:00", "04:00")+"\n")
	if err := os.WriteFile(path+".1", []byte(idRow+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	at := func(hour int) time.Time { return time.Date(2026, 11, 22, hour, 0, 0, 0, time.UTC) }
	for since, want := range map[time.Time]int{at(2): 2, at(4): 1, at(5): 0} {
		if list, _, err := readRecords(path, time.UTC, since); err != nil || len(list) != want {
			t.Errorf("since %v: %d records, %v; want %d", since, len(list), err, want)
		}
	}
	if _, _, err := readRecords(path+".none", time.UTC, at(2)); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestStamp(t *testing.T) {
	for text, good := range map[string]bool{
		`"2026-11-22T03:29:38.474+0000"`: true, `"2026-11-22T03:29:38.474Z"`: true, `""`: true, `null`: true, `"yesterday"`: false, `7`: false,
	} {
		var s stamp
		if err := json.Unmarshal([]byte(text), &s); (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzRecords(f *testing.F) {
	for _, row := range []string{oldRow, idRow, newRow, customRow, `"`, "\x00,\n"} {
		f.Add([]byte(row + "\n" + idRow + "\n"))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := NewMachine(DefaultConfig(), nil)
		if err != nil {
			t.Fatal(err)
		}
		list, _ := parseRecords(text, time.UTC)
		n := 0
		for _, records := range group(list) {
			n += len(records)
			for _, e := range m.takenOver(records) {
				if e.Live || e.Call == "" || strings.ContainsAny(e.From+e.To+e.Address+e.Trunk, "\x00\n") {
					t.Errorf("%+v", e)
				}
			}
		}
		if n != len(list) {
			t.Errorf("%d records in groups, of %d", n, len(list))
		}
	})
}

// FuzzMachine feeds what Asterisk said of real calls, mutilated: no panic, and
// nothing is told that is not marked as observed.
func FuzzMachine(f *testing.F) {
	files, err := filepath.Glob("testdata/*.ari")
	if err != nil || len(files) == 0 {
		f.Fatal("no recorded logs", err)
	}
	slices.Sort(files)
	for _, file := range files[:12] {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text[:min(len(text), 12<<10)]) // whole logs are too slow to mutilate
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := NewMachine(DefaultConfig(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			events, _ := m.Step([]byte(line))
			for _, e := range events {
				if !e.Observed || e.Call == "" {
					t.Errorf("%+v", e)
				}
			}
		}
		m.Tick(m.at.Add(time.Hour))
	})
}
