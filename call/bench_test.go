//go:build unix

package call_test

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"markaz/call"
)

// Events folded into the records of calls that are interleaved as on a busy
// day: a hundred at a time, twenty events each.
func BenchmarkFold(b *testing.B) {
	const together = 100
	var logs [][]call.Event
	for i := range together {
		logs = append(logs, queued(fmt.Sprintf("call-%03d", i)))
	}
	var mixed []call.Event
	for k := range logs[0] {
		for i := range logs {
			mixed = append(mixed, logs[i][k])
		}
	}
	b.ReportAllocs()
	events, begun := 0, processor(b)
	for b.Loop() {
		book := call.Book{}
		for i := range mixed {
			book.Apply(mixed[i])
		}
		events += len(mixed)
		if c := book["call-007"]; !c.Over() || c.TalkMS != 60000 {
			b.Fatalf("%+v", c)
		}
	}
	b.ReportMetric(float64(events)/(processor(b)-begun).Seconds(), "events/s") // of processor time: others use the machine too
	b.ReportMetric(0, "ns/op")
}

// processor is the processor time that this process has used.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Memory of a call that waited, rang at two agents, and is talking.
func BenchmarkLiveCallMemory(b *testing.B) {
	const calls = 10_000
	var per float64
	for b.Loop() {
		var before, after runtime.MemStats
		book := call.Book{}
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range calls {
			for _, e := range queued(fmt.Sprintf("call-%06d", i)) {
				if e.Kind == call.RecordingStopped || e.Kind == call.LegEnded && e.Leg != "a2" || e.Kind == call.CallEnded || e.Kind == call.CallAmended {
					continue
				}
				book.Apply(e)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		per = float64(after.HeapAlloc-before.HeapAlloc) / calls
		runtime.KeepAlive(book)
	}
	b.ReportMetric(per, "B/call")
	if per > 8192 {
		b.Errorf("%.0f bytes per call", per)
	}
}
