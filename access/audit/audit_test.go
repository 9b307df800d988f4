package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func openLog(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(t.Context(), filepath.Join(dir, "audit.db"), "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// filled is a closed log of n records.
func filled(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	l := openLog(t, dir)
	for i := range n {
		e := Entry{Who: "leila", What: "monitor", Target: fmt.Sprint("call-", i), Reason: "training", From: "127.0.0.1", Result: OK, Detail: "101"}
		if err := l.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// copied is a copy of a closed log.
func copied(t *testing.T, from string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// forge changes the file as somebody with a tool of the database would.
func forge(t *testing.T, dir string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "audit.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range append([]string{"DROP TRIGGER audit_u", "DROP TRIGGER audit_d"}, statements...) {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(s, err)
		}
	}
}

func verify(t *testing.T, dir string, known ...Head) (Head, error) {
	t.Helper()
	l := openLog(t, dir)
	defer l.Close()
	return l.Verify(context.Background(), known...)
}

func TestVerifyFindsAnyChange(t *testing.T) {
	dir := filled(t, 5)
	head, err := verify(t, dir)
	if err != nil || head.Seq != 5 {
		t.Fatalf("an untouched log: %v %v", head, err)
	}
	for name, statement := range map[string]string{
		"who":         "UPDATE audit SET who = 'nima' WHERE seq = 3",
		"what":        "UPDATE audit SET what = 'login' WHERE seq = 3",
		"target":      "UPDATE audit SET target = 'call-9' WHERE seq = 3",
		"reason":      "UPDATE audit SET reason = '' WHERE seq = 3",
		"from":        "UPDATE audit SET origin = '10.0.0.1' WHERE seq = 3",
		"result":      "UPDATE audit SET result = 'refused' WHERE seq = 3",
		"detail":      "UPDATE audit SET detail = '102' WHERE seq = 3",
		"time":        "UPDATE audit SET at = at + 1 WHERE seq = 3",
		"hash":        "UPDATE audit SET hash = 'ab' WHERE seq = 3",
		"the newest":  "UPDATE audit SET who = 'nima' WHERE seq = 5",
		"moved text":  "UPDATE audit SET who = who || what, what = '' WHERE seq = 3",
		"removed":     "DELETE FROM audit WHERE seq = 3",
		"first gone":  "DELETE FROM audit WHERE seq = 1",
		"newest gone": "DELETE FROM audit WHERE seq = 5",
		"all gone":    "DELETE FROM audit",
		"inserted":    "INSERT INTO audit SELECT 6, at, who, what, target, reason, origin, result, detail, hash FROM audit WHERE seq = 5",
		"swapped":     "UPDATE audit SET seq = CASE seq WHEN 2 THEN -3 WHEN 3 THEN -2 ELSE seq END; UPDATE audit SET seq = abs(seq)",
	} {
		t.Run(name, func(t *testing.T) {
			dir := copied(t, dir)
			forge(t, dir, statement)
			var fault *Fault
			if _, err := verify(t, dir); !errors.As(err, &fault) {
				t.Errorf("not found: %v", err)
			}
		})
	}
}

func TestTheTableRefusesChanges(t *testing.T) {
	l := openLog(t, filled(t, 1))
	defer l.Close()
	for _, s := range []string{"UPDATE audit SET who = 'x'", "DELETE FROM audit"} {
		if _, err := l.db.Exec(s); err == nil {
			t.Errorf("%s is taken", s)
		}
	}
}

// The last records removed, and others written in their place.
func TestCutAndGoneOn(t *testing.T) {
	dir := filled(t, 5)
	forge(t, dir, "DELETE FROM audit WHERE seq > 3")
	l := openLog(t, dir)
	for range 4 {
		if err := l.Record(t.Context(), Entry{Who: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	var fault *Fault
	if _, err := verify(t, dir); !errors.As(err, &fault) || fault.Seq != 5 {
		t.Errorf("not found: %v", err)
	}
}

func TestNoteOfTheNewestGone(t *testing.T) {
	dir := filled(t, 2)
	if err := os.Remove(filepath.Join(dir, "audit.db.head")); err != nil {
		t.Fatal(err)
	}
	var fault *Fault
	if _, err := verify(t, dir); !errors.As(err, &fault) {
		t.Errorf("not found: %v", err)
	}
}

// Somebody who may write into the folder, and has no key, begins the log anew.
func TestAnotherKey(t *testing.T) {
	dir, other := filled(t, 3), filled(t, 3)
	head, err := verify(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"audit.db", "audit.db.head"} {
		data, err := os.ReadFile(filepath.Join(other, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var fault *Fault
	if _, err := verify(t, dir); !errors.As(err, &fault) {
		t.Errorf("a log with another key: %v", err)
	}
	if _, err := verify(t, other, head); !errors.As(err, &fault) {
		t.Errorf("a log that does not hold a record known from elsewhere: %v", err)
	}
}

// A command and the server write at the same time.
func TestTwoWriters(t *testing.T) {
	dir := t.TempDir()
	var work sync.WaitGroup
	for range 2 {
		l := openLog(t, dir)
		defer l.Close()
		for range 2 {
			work.Go(func() {
				for range 10 {
					if err := l.Record(context.Background(), Entry{Who: "w", What: "login"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	work.Wait()
	if head, err := verify(t, dir); err != nil || head.Seq != 40 {
		t.Errorf("%v %v", head, err)
	}
}

func TestTextsAreBounded(t *testing.T) {
	l := openLog(t, t.TempDir())
	defer l.Close()
	if err := l.Record(t.Context(), Entry{Who: "a\nb\x00c\xff", Reason: strings.Repeat("ж", 1000)}); err != nil {
		t.Fatal(err)
	}
	list, _, err := l.List(t.Context(), Query{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if e := list[0]; e.Who != "a b c\uFFFD" || len(e.Reason) > maxText+5 || !strings.HasSuffix(e.Reason, "ж…") {
		t.Errorf("%+v", e)
	}
}

func TestListing(t *testing.T) {
	l := openLog(t, filled(t, 7))
	defer l.Close()
	if err := l.Record(t.Context(), Entry{Who: "nima", What: "login"}); err != nil {
		t.Fatal(err)
	}
	var seen []int64
	for q := (Query{Who: "leila", Limit: 3}); ; {
		list, next, err := l.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			seen = append(seen, e.Seq)
		}
		if q.Before = next; next == 0 {
			break
		}
	}
	if got := fmt.Sprint(seen); got != "[7 6 5 4 3 2 1]" {
		t.Error(got)
	}
	if list, _, err := l.List(t.Context(), Query{What: "login"}); err != nil || len(list) != 1 || list[0].Who != "nima" {
		t.Error(list, err)
	}
	if list, _, err := l.List(t.Context(), Query{Target: "call-4"}); err != nil || len(list) != 1 || list[0].Seq != 5 {
		t.Error(list, err)
	}
}
