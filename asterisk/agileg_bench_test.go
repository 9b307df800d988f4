package asterisk

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/CyCoreSystems/agi"

	"markaz/call"
	"markaz/dialplan"
)

// What a session costs is measured in a process that does nothing else: this
// test binary, started again with the name of the server in serverVar.
const serverVar = "MARKAZ_TEST_AGI_SERVER"

func TestAGIServerProcess(t *testing.T) {
	switch os.Getenv(serverVar) {
	case "":
		t.Skip("only a part of the benchmarks")
	case "leg":
		r := newAGIRig(t, func(d *agiDeps) { d.log = slog.New(slog.DiscardHandler) })
		r.quiet = true
		r.onTell = func(e call.Event) { choose(r, e) }
		report(t, r.server.Addr().String())
	case "bare":
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		go func() { panic(agi.Listen(l.Addr().String(), bareChoose)) }()
		report(t, l.Addr().String())
		os.Exit(0) // its Listen has no end
	}
}

// choose is the shortest of menus: greet, take one key, hang up.
func choose(r *agiRig, e call.Event) {
	r.mu.Lock()
	h := r.legs[e.Leg]
	r.mu.Unlock()
	switch e.Kind {
	case call.CallStarted:
		h.do(call.Lease{Leg: e.Leg, On: true})
		h.do(call.Answer{Leg: e.Leg})
		h.do(playWelcome(e.Leg))
	case call.LegDigit:
		h.do(call.Remember{Leg: e.Leg, State: "chosen " + e.Digits})
		h.do(call.Hangup{Leg: e.Leg})
	case call.LegEnded:
		r.mu.Lock()
		delete(r.legs, e.Leg)
		r.mu.Unlock()
	}
}

func playWelcome(leg string) call.Play {
	return call.Play{Leg: leg, ID: "welcome", Barge: "0123456789", Prompts: []call.Prompt{{Kind: call.Sound, Value: "markaz/welcome"}}}
}

// bareChoose sends what a leg sends for choose, in the library's own way.
func bareChoose(a *agi.AGI) {
	defer a.Close()
	to, _ := a.Get(dialplan.VarTo)
	_ = a.Set(dialplan.VarCall, to)
	_ = a.Set("TIMEOUT(absolute)", "10.0")
	_ = a.Answer()
	_, _ = a.StreamFile("markaz/welcome", "0123456789", 0)
	_ = a.Set(dialplan.VarState, "chosen")
	_ = a.Set(dialplan.VarDone, dialplan.DoneHangup)
}

// report tells the address, then for each line read the processor time used
// (ns), heap and stacks in use, and resident memory (bytes), until the parent
// is gone.
func report(t *testing.T, addr string) {
	fmt.Println("address", addr)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		var ru syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
			t.Fatal(err)
		}
		if in.Text() == "memory" {
			debug.FreeOSMemory() // what is in use, and not what the collector has left for later
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Println("used", ru.Utime.Nano()+ru.Stime.Nano(), m.HeapInuse+m.StackInuse, resident(t))
	}
}

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

// serverProcess is a server in a process of its own.
type serverProcess struct {
	addr  string
	in    io.WriteCloser
	lines *bufio.Reader
}

func startServer(b *testing.B, name string) *serverProcess {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestAGIServerProcess$", "-test.v")
	cmd.Env = append(os.Environ(), serverVar+"="+name)
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
	p := &serverProcess{in: in, lines: bufio.NewReader(out)}
	b.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, p.lines)
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	p.addr = p.next(b, "address")[0]
	return p
}

// next returns the rest of the next line that begins with a word.
func (p *serverProcess) next(b *testing.B, word string) []string {
	b.Helper()
	for {
		ln, err := p.lines.ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		if f := strings.Fields(ln); len(f) > 0 && f[0] == word {
			return f[1:]
		}
	}
}

func (p *serverProcess) used(b *testing.B, what string) (cpu, inuse, rss int) {
	b.Helper()
	if _, err := fmt.Fprintln(p.in, what); err != nil {
		b.Fatal(err)
	}
	if _, err := fmt.Sscan(strings.Join(p.next(b, "used"), " "), &cpu, &inuse, &rss); err != nil {
		b.Fatal(err)
	}
	return cpu, inuse, rss
}

// benchCall begins the n-th call and plays Asterisk until a command begins
// with stop, or until the server closes.
func benchCall(addr string, n int, stop string) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	id := fmt.Sprintf("1795307054.%d", n)
	if _, err := io.WriteString(conn, strings.Replace(fakeHeader("inbound"), fakeLeg, id, 1)); err != nil {
		return nil, err
	}
	var buf [512]byte
	for {
		k, err := conn.Read(buf[:])
		if err == io.EOF {
			return nil, conn.Close()
		}
		if err != nil {
			return nil, err
		}
		reply := "200 result=1\n"
		switch cmd := string(buf[:k]); {
		case stop != "" && strings.HasPrefix(cmd, stop):
			return conn, nil
		case strings.HasPrefix(cmd, "STREAM FILE"):
			reply = "200 result=53 endpos=15960\n"
		case strings.HasPrefix(cmd, "GET FULL VARIABLE"):
			once, _, _ := strings.Cut(words(cmd)[3], "|")
			reply = "200 result=1 (" + once + "|02112345678|trunk|10|Ring)\n"
		}
		if _, err := io.WriteString(conn, reply); err != nil {
			return nil, err
		}
	}
}

// round plays n calls, 32 at once, and returns the processor time they took.
func (p *serverProcess) round(b *testing.B, n int) time.Duration {
	b.Helper()
	before, _, _ := p.used(b, "cpu")
	var done atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := done.Add(1); i <= int64(n); i = done.Add(1) {
				if _, err := benchCall(p.addr, int(i), ""); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	after, _, _ := p.used(b, "cpu")
	return time.Duration(after - before)
}

// BenchmarkAGILeg compares calls per second of processor time: a leg with its
// mailbox, lease, events and actions, against a bare handler of the library
// that sends the same seven commands.
func BenchmarkAGILeg(b *testing.B) {
	const perRound = 2000
	leg, bare := startServer(b, "leg"), startServer(b, "bare")
	leg.round(b, 500)
	bare.round(b, 500)
	var ratios []float64
	var legTime time.Duration
	for i := 0; b.Loop(); i++ {
		times := map[*serverProcess]time.Duration{}
		for _, p := range [][]*serverProcess{{leg, bare}, {bare, leg}}[i%2] {
			times[p] = p.round(b, perRound)
		}
		legTime += times[leg]
		ratios = append(ratios, times[bare].Seconds()/times[leg].Seconds())
	}
	slices.Sort(ratios)
	b.ReportMetric(float64(len(ratios)*perRound)/legTime.Seconds(), "calls/cpu-s")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAGIIdle holds 2,000 callers, each in a FastAGI session with its leg,
// and reports what one costs: heap and stacks, and resident memory. The limit
// is 16 kB.
func BenchmarkAGIIdle(b *testing.B) {
	const sessions, limit = 2000, 16 << 10
	for b.Loop() {
		p := startServer(b, "leg")
		_, inuse0, rss0 := p.used(b, "memory")
		for i := range sessions {
			conn, err := benchCall(p.addr, i, "STREAM FILE")
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = conn.Close() })
		}
		_, inuse1, rss1 := p.used(b, "memory")
		each, resident := (inuse1-inuse0)/sessions, (rss1-rss0)/sessions
		b.ReportMetric(float64(each), "B/session")
		b.ReportMetric(float64(resident), "resident-B/session")
		if each > limit || resident > limit {
			b.Errorf("%d bytes in use, %d resident for each session, limit %d", each, resident, limit)
		}
	}
	b.ReportMetric(0, "ns/op")
}
