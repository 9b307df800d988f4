package hub

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"markaz/access"
	"markaz/call"
)

// BenchmarkFanout has 200 pages open while 200 events a second come in, and
// reports how much of a core the hub and its HTTP server take, and how many
// bytes a page gets in a second. The readers are in this process too and only
// throw away what they read; their share is in the figure. CPU is that of the
// process by getrusage.
func BenchmarkFanout(b *testing.B) {
	for _, c := range []struct {
		pages, classes int
	}{{200, 1}, {200, 20}, {200, 200}} {
		b.Run(fmt.Sprintf("pages=%d/classes=%d", c.pages, c.classes), func(b *testing.B) {
			cores, rate := fanout(b, c.pages, c.classes, 200, 3*time.Second)
			b.ReportMetric(cores, "cores")
			b.ReportMetric(rate/1000, "kB/s/page")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func fanout(b *testing.B, pages, classes, events int, length time.Duration) (cores, rate float64) {
	log := newTape()
	h := New(Config{}, office(), Deps{Log: log, Now: time.Now, Logger: slog.New(slog.DiscardHandler), Epoch: "bench"})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var all sync.WaitGroup
	all.Go(func() { _ = h.Run(ctx) })
	mux := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("n"), &n)
		v := boss
		v.See = access.Condition{All: true, Not: []string{fmt.Sprint("9", n%classes)}}
		h.Stream(w, r, func() (Viewer, bool) { return v, true })
	})
	srv := newServer(b, mux)
	var bytes atomic.Int64
	for i := range pages {
		all.Go(func() { drink(ctx, srv+"?n="+fmt.Sprint(i), &bytes) })
	}
	for h.Readers() < pages {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond)
	before, from, got := cpu(), time.Now(), bytes.Load()
	var script []call.Event
	tick := time.NewTicker(time.Second / time.Duration(events))
	defer tick.Stop()
	for i := 0; time.Since(from) < length; i++ {
		<-tick.C
		if len(script) == 0 {
			script = ring(fmt.Sprint("b", i), "sales", "101")
		}
		h.Note(script[0])
		script = script[1:]
	}
	passed := time.Since(from)
	cores = (cpu() - before).Seconds() / passed.Seconds()
	rate = float64(bytes.Load()-got) / passed.Seconds() / float64(pages)
	cancel()
	all.Wait()
	return cores, rate
}

func newServer(b *testing.B, h http.Handler) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(l) }()
	b.Cleanup(func() { _ = srv.Close() })
	return "http://" + l.Addr().String()
}

func drink(ctx context.Context, url string, n *atomic.Int64) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return
	}
	defer res.Body.Close()
	buf := make([]byte, 32<<10)
	for {
		got, err := res.Body.Read(buf)
		n.Add(int64(got))
		if err == io.EOF || err != nil {
			return
		}
	}
}

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
