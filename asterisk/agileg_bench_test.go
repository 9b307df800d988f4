package asterisk

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// idleServerVar makes TestAGIIdleServer the server of BenchmarkAGIIdle: what a
// session costs is measured in a process that holds nothing but sessions.
const idleServerVar = "MARKAZ_TEST_IDLE_SERVER"

func TestAGIIdleServer(t *testing.T) {
	if os.Getenv(idleServerVar) == "" {
		t.Skip("only a part of BenchmarkAGIIdle")
	}
	r := newAGIRig(t)
	fmt.Println("address", r.server.Addr())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() { // one line for each question, until the benchmark is over
		r.mu.Lock()
		r.events = nil
		r.mu.Unlock()
		debug.FreeOSMemory() // what is in use, and not what the collector has left for later
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println("memory", m.HeapInuse+m.StackInuse, resident(t), r.server.Stats().Open)
	}
}

// resident is the memory of this process that is in use, in bytes.
func resident(t *testing.T) int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// BenchmarkAGIIdle holds 2,000 callers who do nothing, each in a FastAGI
// session with its leg, and reports what one costs: heap and stacks, and
// resident memory, in bytes. The limit is 16 kB.
func BenchmarkAGIIdle(b *testing.B) {
	const sessions, limit = 2000, 16 << 10
	for b.Loop() {
		cmd := exec.Command(os.Args[0], "-test.run", "^TestAGIIdleServer$", "-test.v")
		cmd.Env = append(os.Environ(), idleServerVar+"=1")
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		lines := bufio.NewReader(out)
		next := func(word string) []string {
			for {
				ln, err := lines.ReadString('\n')
				if err != nil {
					b.Fatal(err)
				}
				if f := strings.Fields(ln); len(f) > 0 && f[0] == word {
					return f[1:]
				}
			}
		}
		memory := func() (inuse, rss, open int) {
			_, _ = fmt.Fprintln(in)
			f := next("memory")
			if _, err := fmt.Sscan(strings.Join(f, " "), &inuse, &rss, &open); err != nil {
				b.Fatal(err)
			}
			return inuse, rss, open
		}
		addr := next("address")[0]
		inuse0, rss0, _ := memory()
		callers := idleCallers(b, addr, sessions)
		inuse1, rss1, open := memory()
		for _, c := range callers {
			_ = c.Close()
		}
		_ = in.Close()
		_, _ = io.Copy(io.Discard, lines)
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
		if open != sessions {
			b.Fatalf("%d sessions open, want %d", open, sessions)
		}
		each, resident := (inuse1-inuse0)/sessions, (rss1-rss0)/sessions
		b.ReportMetric(float64(each), "B/session")
		b.ReportMetric(float64(resident), "resident-B/session")
		if each > limit || resident > limit {
			b.Errorf("%d bytes in use, %d resident for each session, limit %d", each, resident, limit)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// idleCallers begins calls and leaves each with a WAIT FOR DIGIT unanswered.
func idleCallers(b *testing.B, addr string, n int) []net.Conn {
	b.Helper()
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	for part := range 8 {
		wg.Go(func() {
			for i := part; i < n; i += 8 {
				var err error
				if conns[i], err = idleCaller(addr, i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return conns
}

func idleCaller(addr string, i int) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("1795307054.%d", i)
	if _, err := io.WriteString(conn, strings.Replace(fakeHeader("inbound"), fakeLeg, id, 1)); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(conn, 512)
	for {
		cmd, err := in.ReadString('\n')
		if err != nil {
			return nil, err
		}
		reply := "200 result=1\n"
		switch {
		case strings.HasPrefix(cmd, "WAIT FOR DIGIT"):
			return conn, nil
		case strings.HasPrefix(cmd, "GET FULL VARIABLE"):
			once, _, _ := strings.Cut(words(cmd)[3], "|")
			reply = "200 result=1 (" + once + "|02112345678|trunk|10|Up)\n"
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return nil, err
		}
	}
}
