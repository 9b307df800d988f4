package history_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"markaz/apps/history"
	"markaz/call"
)

// Events written, on the disk, by as many at the same time as the reader of
// the stream has; and the search of a number among the calls.
func BenchmarkTakeAndSearch(b *testing.B) {
	s, err := history.Open(b.Context(), history.Config{File: filepath.Join(b.TempDir(), "h.db")})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	events, calls := 0, 0
	var writing, searching time.Duration
	for b.Loop() {
		begun := time.Now()
		var wg sync.WaitGroup
		for range 64 {
			logOf := answered(fmt.Sprintf("c%06d", calls), t0.Add(time.Duration(calls)*time.Second), fmt.Sprintf("0912%07d", calls), "", "sales", "sara")
			calls++
			events += len(logOf)
			wg.Go(func() { takeAll(b, s, logOf) })
		}
		wg.Wait()
		writing += time.Since(begun)
		begun = time.Now()
		page, err := s.Calls(b.Context(), history.Query{Number: fmt.Sprintf("+98912%07d", calls/2)})
		if err != nil || len(page.Calls) != 1 {
			b.Fatalf("found %d, %v", len(page.Calls), err)
		}
		searching += time.Since(begun)
	}
	b.ReportMetric(float64(events)/writing.Seconds(), "events/s")
	b.ReportMetric(searching.Seconds()*1000/float64(max(1, b.N)), "ms/search")
	b.ReportMetric(float64(calls), "calls")
}

func takeAll(b *testing.B, s *history.Store, events []call.Event) {
	for _, e := range events {
		if err := s.Take(context.Background(), e); err != nil {
			b.Error(err)
		}
	}
}
