package legacy

import (
	"bufio"
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"markaz/call"
	"markaz/legacy/link"
	"markaz/legacy/testbed"
)

// BenchmarkImport takes an old log of a million lines into calls: how fast,
// and how much memory the whole process comes to hold. Events go nowhere, for
// the log is another room's matter; everything else is as it is at work.
func BenchmarkImport(b *testing.B) {
	const lines = 1_000_000
	path := filepath.Join(b.TempDir(), "smdr.log")
	writeLog(b, path, lines)
	debug.FreeOSMemory()
	forgetPeak(b)
	for b.Loop() {
		var connection link.Config
		connection.Type, connection.Path = "file", filepath.Join(b.TempDir(), "nothing")
		s := panasonicSource(connection)
		log := &counted{}
		e, err := Open(configIn(b.TempDir(), s), Deps{Log: log, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Settled: 200 * time.Millisecond})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		ended := make(chan error, 1)
		go func() { ended <- e.Run(ctx) }()
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		begun := time.Now()
		report, err := e.Import(ctx, "old", f)
		took := time.Since(begun)
		f.Close()
		if err != nil || report.Lines != lines || !report.Done {
			b.Fatalf("%+v, %v", report, err)
		}
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
		if err := e.Close(); err != nil {
			b.Error(err)
		}
		b.ReportMetric(took.Seconds(), "s/import")
		b.ReportMetric(float64(report.Calls), "calls")
		b.ReportMetric(peak(b), "MB-peak")
	}
}

// counted is a log that keeps nothing.
type counted struct{ n int }

func (c *counted) Append(call.Event) error { c.n++; return nil }

// writeLog writes what an exchange would have printed in some months.
func writeLog(b *testing.B, path string, lines int) {
	b.Helper()
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	zone, err := time.LoadLocation("Asia/Tehran")
	if err != nil {
		b.Fatal(err)
	}
	o := &testbed.Office{
		Trunks: 60, Extensions: 60, Pattern: 'A', Rings: true, Answers: true, PerMinute: 8,
		Start: time.Date(2025, 1, 1, 0, 0, 0, 0, zone), Chance: rand.New(rand.NewPCG(1, 1)),
	}
	for n := 0; n < lines; {
		_, printed := o.Calls(2000)
		for _, l := range printed[:min(len(printed), lines-n)] {
			if _, err := w.WriteString(l.Text + "\r\n"); err != nil {
				b.Fatal(err)
			}
			n++
		}
		o.Start = printed[len(printed)-1].At.Add(time.Hour)
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
}

// forgetPeak has the kernel forget how much memory the process once held.
func forgetPeak(b *testing.B) {
	b.Helper()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Skipf("the peak cannot be measured here: %v", err)
	}
}

// peak is the most memory the process has held since, in MB.
func peak(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}
