package link_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"markaz/legacy/link"
	"markaz/legacy/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heard is a sink that remembers.
type heard struct {
	mu    sync.Mutex
	more  *sync.Cond
	bytes []byte
	ups   []string
	downs []string
	edges int
}

func newHeard() *heard {
	h := &heard{}
	h.more = sync.NewCond(&h.mu)
	return h
}

func (h *heard) note(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
	h.more.Broadcast()
}

func (h *heard) Up(detail []byte)   { h.note(func() { h.ups = append(h.ups, string(detail)) }) }
func (h *heard) Data(b []byte)      { h.note(func() { h.bytes = append(h.bytes, b...) }) }
func (h *heard) Edge()              { h.note(func() { h.edges++ }) }
func (h *heard) Down(reason string) { h.note(func() { h.downs = append(h.downs, reason) }) }

// until waits until a condition holds.
func (h *heard) until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	late := time.AfterFunc(2*time.Minute, func() { h.note(func() {}) })
	defer late.Stop()
	begun := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	for !cond() {
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("waited in vain for %s; ups %q downs %q edges %d, heard %q", what, h.ups, h.downs, h.edges, tail(h.bytes))
		}
		h.more.Wait()
	}
}

func tail(b []byte) []byte { return b[max(0, len(b)-300):] }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start runs a link until the test ends.
func start(t *testing.T, cfg link.Config, sink link.Sink, resume []byte) *link.Link {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	l := link.New(cfg, sink, resume, quiet())
	run(t, l.Run)
	return l
}

func run(t *testing.T, fn func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := fn(ctx); err != nil {
			t.Error(err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

func pbx(t *testing.T, opt testbed.Options) (p *testbed.PBX, address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = testbed.NewPBX(opt)
	run(t, func(ctx context.Context) error { return p.Serve(ctx, ln) })
	return p, ln.Addr().String()
}

func tcp(address, password string) link.Config {
	var cfg link.Config
	cfg.SetDefaults()
	cfg.Type, cfg.Address, cfg.Login = "tcp", address, link.Login{User: "SMDR", Password: password}
	return cfg
}

func TestLogInAndBurst(t *testing.T) {
	for _, end := range []string{"\r", "\n", "\r\n"} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) {
			p, address := pbx(t, testbed.Options{User: "SMDR", Password: "PCCSMDR", End: end, Page: 50, Split: rand.New(rand.NewPCG(1, 1))})
			var lines []string
			for i := range 10_000 {
				lines = append(lines, fmt.Sprintf("23/10/26 09:41AM   204 03 %025d", i))
			}
			p.Print(lines...)
			h := newHeard()
			l := start(t, tcp(address, "PCCSMDR"), h, nil)
			h.until(t, "the last line", func() bool { return bytes.Contains(h.bytes, []byte(lines[9999]+end)) })
			h.mu.Lock()
			for _, line := range lines {
				if !bytes.Contains(h.bytes, []byte(line+end)) {
					t.Fatalf("%q was not heard", line)
				}
				h.bytes = h.bytes[bytes.Index(h.bytes, []byte(line)):]
			}
			h.mu.Unlock()
			if s := l.Status(); !s.Connected || s.Reconnects != 0 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

func TestReconnects(t *testing.T) {
	p, address := pbx(t, testbed.Options{User: "SMDR", Password: "PCCSMDR", Repeat: 5})
	h := newHeard()
	start(t, tcp(address, "PCCSMDR"), h, nil)
	for i := range 2 {
		line := fmt.Sprintf("23/10/26 09:4%dAM   204 03 0912", i)
		p.Print(line)
		h.until(t, line, func() bool { return bytes.Contains(h.bytes, []byte(line)) })
		p.Cut()
		h.until(t, "the loss", func() bool { return len(h.downs) == i+1 })
		h.until(t, "the reconnection", func() bool { return len(h.ups) == i+2 })
	}
}

func TestWrongPasswordIsNotTriedAgainSoon(t *testing.T) {
	p, address := pbx(t, testbed.Options{User: "SMDR", Password: "PCCSMDR"})
	h := newHeard()
	l := start(t, tcp(address, "pccsmdr"), h, nil)
	h.until(t, "the refusal", func() bool { return len(h.downs) == 1 })
	if !strings.Contains(h.downs[0], link.ErrRefused.Error()) {
		t.Errorf("the reason is %q", h.downs[0])
	}
	if ok, refused := p.Logins(); ok != 0 || refused != 1 {
		t.Errorf("%d accepted, %d refused", ok, refused)
	}
	if s := l.Status(); s.Connected {
		t.Errorf("status %+v", s)
	}
}

func TestSecondClientIsRejected(t *testing.T) {
	_, address := pbx(t, testbed.Options{User: "SMDR", Password: "PCCSMDR"})
	first, second := newHeard(), newHeard()
	start(t, tcp(address, "PCCSMDR"), first, nil)
	first.until(t, "the log-in", func() bool { return bytes.Contains(first.bytes, []byte("*")) })
	start(t, tcp(address, "PCCSMDR"), second, nil)
	second.until(t, "the refusal", func() bool { return len(second.downs) == 1 })
	if !strings.Contains(second.downs[0], link.ErrBusy.Error()) {
		t.Errorf("the reason is %q", second.downs[0])
	}
}

func TestTee(t *testing.T) {
	p, address := pbx(t, testbed.Options{})
	cfg := tcp(address, "")
	cfg.Login = link.Login{}
	cfg.Tee = freeAddress(t)
	h := newHeard()
	start(t, cfg, h, nil)
	h.until(t, "the connection", func() bool { return len(h.ups) == 1 })
	copied, err := net.Dial("tcp", cfg.Tee)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	// The copy begins when the tee has taken the client: print until it comes.
	got := make(chan string)
	go func() {
		buf := make([]byte, 64)
		n, _ := io.ReadAtLeast(copied, buf, 10)
		got <- string(buf[:n])
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case text := <-got:
			if !strings.HasPrefix(text, "23/10/26") {
				t.Errorf("the copy is %q", text)
			}
			return
		case <-tick.C:
			p.Print("23/10/26 09:41AM   204 03 0912")
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestListener(t *testing.T) {
	var cfg link.Config
	cfg.SetDefaults()
	cfg.Type, cfg.Address = "listen", freeAddress(t)
	h := newHeard()
	start(t, cfg, h, nil)
	first := dial(t, cfg.Address)
	send(t, first, "one\n")
	h.until(t, "the first", func() bool { return string(h.bytes) == "one\n" })
	second := dial(t, cfg.Address) // the first is taken for dead
	send(t, second, "two\n")
	h.until(t, "the second", func() bool { return string(h.bytes) == "one\ntwo\n" && len(h.ups) == 2 && len(h.downs) == 1 })
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	var conn net.Conn
	var err error
	for range 6000 { // until the listener is there
		if conn, err = net.Dial("tcp", address); err == nil {
			t.Cleanup(func() { conn.Close() })
			return conn
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal(err)
	return nil
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func TestSenderMustBeAllowed(t *testing.T) {
	var cfg link.Config
	cfg.SetDefaults()
	cfg.Type, cfg.Address, cfg.Allow = "listen", freeAddress(t), []string{"192.0.2.0/24"}
	h := newHeard()
	start(t, cfg, h, nil)
	conn := dial(t, cfg.Address)
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection stays")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.ups) != 0 {
		t.Error("the connection was taken")
	}
}

func TestDatagrams(t *testing.T) {
	var cfg link.Config
	cfg.SetDefaults()
	cfg.Type, cfg.Address = "udp", freeAddress(t)
	h := newHeard()
	start(t, cfg, h, nil)
	h.until(t, "the socket", func() bool { return len(h.ups) == 1 })
	conn, err := net.Dial("udp", cfg.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send(t, conn, "01 I S")
	send(t, conn, "01 I E")
	h.until(t, "both", func() bool { return string(h.bytes) == "01 I S01 I E" && h.edges == 2 })
}

func TestSerialPort(t *testing.T) {
	device, port, err := testbed.Pty()
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "adapter") // as /dev/serial/by-id does
	if err := os.Symlink(port, name); err != nil {
		t.Fatal(err)
	}
	var cfg link.Config
	cfg.SetDefaults()
	cfg.Type, cfg.Serial.Port, cfg.Serial.Flow = "serial", name, "rtscts"
	h := newHeard()
	start(t, cfg, h, nil)
	h.until(t, "the port", func() bool { return len(h.ups) == 1 })
	say(t, device, "L1C0912@")
	h.until(t, "the first frame", func() bool { return string(h.bytes) == "L1C0912@" })
	device.Close() // pulled out
	h.until(t, "the loss", func() bool { return len(h.downs) == 1 })
	device, port, err = testbed.Pty()
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(port, name); err != nil {
		t.Fatal(err)
	}
	h.until(t, "the port again", func() bool { return len(h.ups) == 2 })
	say(t, device, "L1R01@")
	h.until(t, "the second frame", func() bool { return string(h.bytes) == "L1C0912@L1R01@" })
}

func say(t *testing.T, device *os.File, text string) {
	t.Helper()
	if _, err := device.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestFileIsFollowed(t *testing.T) {
	var cfg link.Config
	cfg.SetDefaults()
	cfg.Type, cfg.Path = "file", filepath.Join(t.TempDir(), "smdr.log")
	add := func(text string) {
		f, err := os.OpenFile(cfg.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		say(t, f, text)
	}
	add("one\n")
	h := newHeard()
	l := link.New(cfg, h, nil, quiet())
	stop := run(t, l.Run)
	h.until(t, "the first line", func() bool { return string(h.bytes) == "one\n" })
	add("two\n")
	h.until(t, "the second line", func() bool { return string(h.bytes) == "one\ntwo\n" })
	stop()
	// The next run goes on where this one came to.
	add("three\n")
	place := strings.Replace(h.ups[0], `"offset":0`, `"offset":8`, 1)
	h = newHeard()
	start(t, cfg, h, []byte(place))
	h.until(t, "the third line", func() bool { return string(h.bytes) == "three\n" })
	// The file is put away and another begun.
	if err := os.Rename(cfg.Path, cfg.Path+".1"); err != nil {
		t.Fatal(err)
	}
	add("four\n")
	h.until(t, "the other file", func() bool { return string(h.bytes) == "three\nfour\n" && len(h.ups) == 2 })
}
