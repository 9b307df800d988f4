package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/asterisk/testbed/proc"
	"markaz/asterisk/testbed/redisbed"
	"markaz/call"
	"markaz/legacy/testbed"
	"markaz/stream"
)

// asCommand makes the test's own program the sidecar, which needs no second
// build and has the race detector if the test has.
const asCommand = "MARKAZ_LEGACY_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// stage is a sidecar as a process of its own, with what is around it.
type stage struct {
	t       *testing.T
	dir     string
	config  string
	redis   *redisbed.Redis
	process *proc.Process
	log     *os.File
}

// token is what the stage's sidecar asks for.
const token = "stage-token"

// newStage writes the configuration; sources are in YAML, listen may be "".
func newStage(t *testing.T, listen, sources string) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), redis: redisbed.StartT(t, redisbed.Options{})}
	s.config = filepath.Join(s.dir, "legacy.yaml")
	secret := filepath.Join(s.dir, "token")
	text := fmt.Sprintf("dir: %s\nlisten: %q\ntoken_file: %s\nstream: {redis: {addr: %q}}\nsources:\n%s", s.dir, listen, secret, s.redis.Addr(), sources)
	for path, text := range map[string]string{s.config: text, secret: token + "\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(s.dir, "sidecar.log"))
	if err != nil {
		t.Fatal(err)
	}
	s.log = log
	t.Cleanup(func() {
		if s.process != nil {
			s.process.Kill()
		}
		log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("the sidecar says:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return s
}

// command is a command line of the program, not started yet.
func (s *stage) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"--config", s.config}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return cmd
}

func (s *stage) start() {
	s.t.Helper()
	cmd := s.command("run")
	cmd.Stdout, cmd.Stderr = s.log, s.log
	p, err := proc.Start(cmd)
	if err != nil {
		s.t.Fatal(err)
	}
	s.process = p
}

// answers waits until the sidecar answers at its address.
func (s *stage) answers(address string) {
	s.t.Helper()
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/livez")
		if err == nil {
			resp.Body.Close()
			return
		}
		if time.Since(begun) > 2*time.Minute {
			s.t.Fatal(err)
		}
	}
}

func (s *stage) stop() {
	s.t.Helper()
	if !s.process.Stop(time.Minute) {
		s.t.Error("the sidecar had to be killed")
	}
	if err := s.process.Wait(); err != nil {
		s.t.Errorf("the sidecar ended with %v", err)
	}
}

// events are what the stream holds, in order.
func (s *stage) events() []call.Event {
	s.t.Helper()
	client := s.client()
	defer client.Close()
	var all []call.Event
	_, err := stream.NewReader(client).Snapshot(s.t.Context(), time.Unix(0, 0), func(e stream.Entry) error {
		all = append(all, e.Event)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

func (s *stage) client() *stream.Client {
	s.t.Helper()
	client, err := stream.Connect(stream.Config{Redis: stream.RedisConfig{Addr: s.redis.Addr()}}, quiet())
	if err != nil {
		s.t.Fatal(err)
	}
	return client
}

// until waits for an event in the stream, whatever happens to Redis meanwhile,
// for as long as new ones come: how fast that is depends on the machine.
func (s *stage) until(what string, is func(call.Event) bool) (found call.Event) {
	s.t.Helper()
	const still = 2 * time.Minute
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	gaveUp := time.AfterFunc(still, cancel)
	defer gaveUp.Stop()
	client := s.client()
	defer client.Close()
	for most := 0; ; {
		n := 0
		err := stream.NewReader(client).Tail(ctx, "0-0", func(e stream.Entry) error {
			if n++; n > most {
				most = n
				gaveUp.Reset(still)
			}
			if is(e.Event) {
				found = e.Event
				return io.EOF
			}
			return nil
		})
		switch {
		case err == io.EOF:
			return found
		case ctx.Err() != nil:
			s.t.Fatalf("waited in vain for %s, after %d events", what, most)
		}
	}
}

// calls folds the stream; an event that is there twice is a fault.
func (s *stage) calls() []call.Call {
	s.t.Helper()
	ids, book := map[string]bool{}, call.Book{}
	for _, e := range s.events() {
		if ids[e.ID] {
			s.t.Errorf("event %s %s is there twice", e.ID, e.Kind)
		}
		ids[e.ID] = true
		book.Apply(e)
	}
	var calls []call.Call
	for _, c := range book {
		calls = append(calls, *c)
	}
	return calls
}

// exchange is a fake exchange that ends with the test.
func exchange(t testing.TB, opt testbed.Options) (p *testbed.PBX, address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p = testbed.NewPBX(opt)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p, ln.Addr().String()
}

func source(lines ...string) string { return "  - " + strings.Join(lines, "\n    ") + "\n" }
