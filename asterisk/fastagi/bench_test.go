package fastagi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/CyCoreSystems/agi"

	"markaz/call"
)

// The benchmark measures processor time of the server alone, so each server
// runs in a process of its own: this test binary, started again with the name
// of the server in serverVar.
const serverVar = "FASTAGI_BENCH_SERVER"

func TestMain(m *testing.M) {
	switch os.Getenv(serverVar) {
	case "":
		os.Exit(m.Run())
	case "ours":
		serveOurs()
	case "bare":
		serveBare()
	}
}

const (
	benchCallID = "01JD3ZQ8T5W6V9Y2X4C7B8N0MA"
	benchFile   = "markaz/welcome"
)

// serveOurs runs the script with our sessions, and makes an event of each
// answer, as a leg does.
func serveOurs() {
	var events atomic.Int64
	last := sync.Pool{New: func() any { return new([]call.Event) }}
	s := &Server{Config: DefaultConfig(), Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	s.Config.Listen = "127.0.0.1:0"
	s.Handler = func(_ context.Context, c *Session) {
		log := last.Get().(*[]call.Event)
		tell := func(kind call.Kind, text string) {
			*log = append(*log, call.Event{V: call.Schema, Kind: kind, Leg: c.Request.UniqueID, At: time.Now(), Live: true, Text: text})
		}
		_ = oursScript(c, tell) // the caller notices when it does not go to the end
		events.Add(int64(len(*log)))
		*log = (*log)[:0]
		last.Put(log)
	}
	if err := s.Listen(); err != nil {
		panic(err)
	}
	go func() { panic(s.Run(context.Background())) }()
	report(s.Addr().String())
}

func oursScript(c *Session, tell func(call.Kind, string)) error {
	if err := c.Answer(); err != nil {
		return err
	}
	tell(call.LegAnswered, "")
	to, _, err := c.GetVariable("MARKAZ_TO")
	tell(call.CallStarted, to)
	if err != nil {
		return err
	}
	if err := c.SetVariable("MARKAZ_CALL", benchCallID); err != nil {
		return err
	}
	tell(call.CallStarted, benchCallID)
	played, err := c.StreamFile(benchFile, "0123", 0, 10*time.Second)
	tell(call.PlayDone, played.Key)
	if err != nil {
		return err
	}
	key, err := c.WaitForDigit(3 * time.Second)
	tell(call.LegDigit, key)
	if err != nil {
		return err
	}
	trunk, _, err := c.GetVariable("MARKAZ_TRUNK")
	tell(call.CallStarted, trunk)
	if err != nil {
		return err
	}
	if err := c.Verbose("a caller chose "+key, 3); err != nil {
		return err
	}
	tell(call.IVRInput, key)
	if err := c.Hangup(); err != nil {
		return err
	}
	tell(call.LegEnded, "")
	return nil
}

// serveBare runs the same script as the library's own documentation would.
func serveBare() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	go func() {
		panic(agi.Listen(addr, func(a *agi.AGI) {
			defer a.Close()
			_ = a.Answer()
			_, _ = a.Get("MARKAZ_TO")
			_ = a.Set("MARKAZ_CALL", benchCallID)
			_, _ = a.StreamFile(benchFile, "0123", 0)
			key, _ := a.WaitForDigit(3 * time.Second)
			_, _ = a.Get("MARKAZ_TRUNK")
			_ = a.Verbose("a caller chose "+key, 3)
			_ = a.Hangup()
		}))
	}()
	report(addr)
}

// report tells the address, then for each word read the processor time or the
// memory used so far, until the parent is gone.
func report(addr string) {
	fmt.Println(addr)
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		if in.Text() == "memory" {
			debug.FreeOSMemory() // what is in use, and not what the collector has left for later
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			fmt.Println(m.HeapInuse + m.StackInuse)
			continue
		}
		var ru syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
			panic(err)
		}
		fmt.Println(ru.Utime.Nano() + ru.Stime.Nano())
	}
}

// child is a server in its own process.
type child struct {
	addr string
	in   io.Writer
	out  *bufio.Reader
}

func startChild(tb testing.TB, name string) *child {
	tb.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVar+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	c := &child{in: in, out: bufio.NewReader(out)}
	c.addr = strings.TrimSpace(c.line(tb))
	return c
}

func (c *child) line(tb testing.TB) string {
	tb.Helper()
	ln, err := c.out.ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return ln
}

// ask returns what the child has used so far: nanoseconds of "cpu", bytes of
// "memory".
func (c *child) ask(tb testing.TB, what string) (n int64) {
	tb.Helper()
	if _, err := fmt.Fprintln(c.in, what); err != nil {
		tb.Fatal(err)
	}
	if _, err := fmt.Sscan(c.line(tb), &n); err != nil {
		tb.Fatal(err)
	}
	return n
}

// round has n sessions played to the end by 32 callers at once, and returns
// the server's processor time.
func (c *child) round(tb testing.TB, n int) time.Duration {
	tb.Helper()
	before := c.ask(tb, "cpu")
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := playCall(c.addr); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Duration(c.ask(tb, "cpu") - before)
}

// playCall is the part of Asterisk, with fixed answers.
func playCall(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	return answerUntil(conn, "")
}

// answerUntil answers the script's commands until one begins with stop.
func answerUntil(conn net.Conn, stop string) error {
	if _, err := conn.Write([]byte(header())); err != nil {
		return err
	}
	var buf [512]byte
	for n := range 8 {
		k, err := conn.Read(buf[:])
		if err != nil {
			return fmt.Errorf("command %d: %w", n+1, err)
		}
		reply := "200 result=1\n"
		switch cmd := string(buf[:k]); {
		case stop != "" && strings.HasPrefix(cmd, stop):
			return nil
		case strings.HasPrefix(cmd, "ANSWER"):
			reply = "200 result=0\n"
		case strings.HasPrefix(cmd, "GET"):
			reply = "200 result=1 (02112345678)\n"
		case strings.HasPrefix(cmd, "STREAM"):
			reply = "200 result=0 endpos=15960\n"
		case strings.HasPrefix(cmd, "WAIT"):
			reply = "200 result=53\n"
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return err
		}
	}
	_, _ = conn.Read(buf[:]) // until the server closes
	return nil
}

// BenchmarkSessions compares sessions per second of processor time, ours with
// quoting, checks, typed answers and an event for each, with a bare handler of
// the library that does the same eight commands.
func BenchmarkSessions(b *testing.B) {
	const perRound = 2000
	ours, bare := startChild(b, "ours"), startChild(b, "bare")
	ours.round(b, 500)
	bare.round(b, 500)
	var ratios []float64
	var oursTime, bareTime time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		pair := []*child{ours, bare}
		if rounds%2 == 0 {
			slices.Reverse(pair)
		}
		t := map[*child]time.Duration{}
		for _, c := range pair {
			t[c] = c.round(b, perRound)
		}
		oursTime, bareTime = oursTime+t[ours], bareTime+t[bare]
		ratios = append(ratios, t[bare].Seconds()/t[ours].Seconds())
	}
	slices.Sort(ratios)
	total := float64(rounds * perRound)
	b.ReportMetric(total/oursTime.Seconds(), "sessions/cpu-s")
	b.ReportMetric(total/bareTime.Seconds(), "bare-sessions/cpu-s")
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkIdle holds 2,000 callers whom both servers wait for to press a key,
// and compares heap and stacks for each.
func BenchmarkIdle(b *testing.B) {
	const limit = 16 << 10
	for b.Loop() {
		ours := startChild(b, "ours").idle(b, 2000)
		b.ReportMetric(ours, "B/session")
		b.ReportMetric(startChild(b, "bare").idle(b, 2000), "bare-B/session")
		if ours > limit {
			b.Errorf("%.0f bytes for each session, limit %d", ours, limit)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// idle returns the bytes that each of n idle sessions takes.
func (c *child) idle(tb testing.TB, n int) float64 {
	tb.Helper()
	before := c.ask(tb, "memory")
	for range n {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			tb.Fatal(err)
		}
		defer conn.Close()
		if err := answerUntil(conn, "WAIT"); err != nil {
			tb.Fatal(err)
		}
	}
	return float64(c.ask(tb, "memory")-before) / float64(n)
}
