package legacy

import (
	"context"
	"errors"
	"fmt"
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

	"markaz/call"
	"markaz/call/number"
	"markaz/legacy/link"
	"markaz/legacy/testbed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// kept is a log that outlives engines.
type kept struct {
	mu     sync.Mutex
	more   *sync.Cond
	events []call.Event
	broken bool
}

func newKept() *kept {
	k := &kept{}
	k.more = sync.NewCond(&k.mu)
	return k
}

func (k *kept) Append(e call.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken {
		return errors.New("is full")
	}
	k.events = append(k.events, e)
	k.more.Broadcast()
	return nil
}

// calls folds the log; an event that is there twice is a fault.
func (k *kept) calls(t *testing.T) []call.Call {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	ids, book := map[string]bool{}, call.Book{}
	for _, e := range k.events {
		if ids[e.ID] {
			t.Fatalf("event %s %s is there twice", e.ID, e.Kind)
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

// until waits until an event is there.
func (k *kept) until(t *testing.T, what string, is func(call.Event) bool) call.Event {
	t.Helper()
	begun := time.Now()
	late := time.AfterFunc(2*time.Minute, func() { k.more.Broadcast() })
	defer late.Stop()
	k.mu.Lock()
	defer k.mu.Unlock()
	for from := 0; ; {
		for ; from < len(k.events); from++ {
			if is(k.events[from]) {
				return k.events[from]
			}
		}
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("waited in vain for %s; %d events", what, len(k.events))
		}
		k.more.Wait()
	}
}

// panasonicSource is a source of the made-up office.
func panasonicSource(connection link.Config) Source {
	var s Source
	s.Key, s.Model, s.Date, s.Zone = "old", "KX-NS500", "DD/MM/YY", "Asia/Tehran"
	s.Number = number.Plan{Country: "IR", City: "21", Release: "9"}
	s.DISA, s.Groups = []string{testbed.DISA}, []string{testbed.Group}
	s.Link = connection
	return s
}

func configIn(dir string, sources ...Source) Config {
	cfg := Config{State: filepath.Join(dir, "state.db"), Sources: sources}
	cfg.SetDefaults()
	cfg.Journal.Dir, cfg.Journal.Sync = filepath.Join(dir, "journal"), 5*time.Millisecond
	return cfg
}

// start runs an engine. kill ends it as a crash would: what is not on disk is
// lost; stop ends it properly.
func start(t *testing.T, cfg Config, log *kept) (e *Engine, stop, kill func()) {
	t.Helper()
	e, err := Open(cfg, Deps{Log: log, Logger: slog.New(slog.DiscardHandler), Now: time.Now, Settled: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	log.mu.Lock()
	for _, ev := range log.events {
		if !ev.SeenAt.Before(e.Since()) {
			e.Known(ev.ID)
		}
	}
	log.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := e.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	end := func(last func() error) func() {
		return func() {
			cancel()
			wg.Wait()
			if err := last(); err != nil {
				t.Error(err)
			}
		}
	}
	return e, end(e.Close), end(func() error { return errors.Join(e.journal.Close(), e.store.Close()) })
}

func office(calls int, seed uint64) ([]testbed.Truth, []string) {
	zone, err := time.LoadLocation("Asia/Tehran")
	if err != nil {
		panic(err) // the zone data is there for every other test too
	}
	chance := rand.New(rand.NewPCG(seed, 0))
	o := &testbed.Office{
		Trunks: 60, Extensions: 40, Pattern: "ABC"[seed%3], Rings: seed%2 == 0, Answers: seed/2%2 == 0, PerMinute: 8,
		Start: time.Date(2026, 3, 23, 8, 0, 0, 0, zone), Chance: chance,
	}
	truth, printed := o.Calls(calls)
	var lines []string
	for _, l := range printed {
		lines = append(lines, l.Text)
	}
	// The last line, an hour later, settles what is still open.
	end := printed[len(printed)-1].At.Add(time.Hour)
	return truth, append(lines, end.Format("02/01/06 03:04PM")+"   299    LOG OUT")
}

func loggedOut(e call.Event) bool { return e.Kind == call.AgentChanged && e.Address == "299" }

func pbx(t *testing.T, opt testbed.Options) (p *testbed.PBX, cfg link.Config) {
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
	cfg.Type, cfg.Address, cfg.Login = "tcp", ln.Addr().String(), link.Login{User: opt.User, Password: opt.Password}
	return p, cfg
}

// A day of calls, with the link cut and the engine killed in between: every
// call is told once, as it was.
func TestCallsSurviveCrashes(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			truth, lines := office(400, seed)
			p, connection := pbx(t, testbed.Options{
				User: "SMDR", Password: "PCCSMDR", Page: 40, Repeat: 100, Split: rand.New(rand.NewPCG(seed, 1)),
			})
			cfg, log := configIn(t.TempDir(), panasonicSource(connection)), newKept()
			const parts = 4
			for i := range parts {
				_, stop, kill := start(t, cfg, log)
				part := lines[i*len(lines)/parts : (i+1)*len(lines)/parts]
				p.Print(part[:len(part)/2]...)
				log.until(t, "an event", func(call.Event) bool { return true })
				p.Cut()
				p.Print(part[len(part)/2:]...)
				switch {
				case i == parts-1:
					log.until(t, "the last record", loggedOut)
					stop()
				case i%2 == 0:
					kill()
				default:
					stop()
				}
			}
			for _, fault := range testbed.Compare(truth, log.calls(t)) {
				t.Error(fault)
			}
		})
	}
}

// An old log is imported; twice adds nothing; together with what was received
// it adds only what is new.
func TestImport(t *testing.T) {
	truth, lines := office(500, 0)
	p, connection := pbx(t, testbed.Options{})
	cfg, log := configIn(t.TempDir(), panasonicSource(connection)), newKept()
	e, stop, _ := start(t, cfg, log)
	p.Print(lines[:300]...)
	log.until(t, "an event", func(call.Event) bool { return true })
	for i, want := range []struct{ taken, known bool }{{true, true}, {false, true}} {
		report, err := e.Import(context.Background(), "old", strings.NewReader(strings.Join(lines, "\r\n")))
		if err != nil || !report.Done || (report.Records > 0) != want.taken || (report.Known > 0) != want.known {
			t.Errorf("import %d: %+v, %v", i+1, report, err)
		}
		if report.Lines != uint64(len(lines)) {
			t.Errorf("import %d: %d lines of %d", i+1, report.Lines, len(lines))
		}
	}
	if _, err := e.Import(context.Background(), "nobody", strings.NewReader("x")); err == nil {
		t.Error("a source that is not there took an import")
	}
	stop()
	for _, c := range log.calls(t) {
		if c.Live && c.Over() {
			t.Errorf("an old call is live: %+v", c)
		}
	}
	if n := len(log.calls(t)); n < len(truth) {
		t.Errorf("%d calls of %d", n, len(truth))
	}
}

// An import that was broken off goes on where it was.
func TestImportGoesOnAfterACrash(t *testing.T) {
	truth, lines := office(800, 1)
	_, connection := pbx(t, testbed.Options{})
	cfg, log := configIn(t.TempDir(), panasonicSource(connection)), newKept()
	text := strings.Join(lines, "\n") + "\n"
	for _, crash := range []int{100, 700, 1500} {
		e, _, kill := start(t, cfg, log)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = e.Import(context.Background(), "old", &slow{strings.NewReader(text)})
		}()
		log.until(t, "some events", func(call.Event) bool { return len(log.events) > crash })
		kill()
		<-done
	}
	e, stop, _ := start(t, cfg, log)
	report, err := e.Import(context.Background(), "old", strings.NewReader(text))
	if err != nil || !report.Done {
		t.Errorf("%+v, %v", report, err)
	}
	stop()
	for _, fault := range testbed.Compare(truth, log.calls(t)) {
		t.Error(fault)
	}
}

// slow is a file that is read in small pieces.
type slow struct{ *strings.Reader }

func (s *slow) Read(b []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.Reader.Read(b[:min(len(b), 700)])
}

// While the log refuses events, nothing is lost and the position stands still.
func TestLogThatRefuses(t *testing.T) {
	truth, lines := office(60, 2)
	p, connection := pbx(t, testbed.Options{Repeat: 1000})
	cfg, log := configIn(t.TempDir(), panasonicSource(connection)), newKept()
	log.broken = true
	e, stop, _ := start(t, cfg, log)
	p.Print(lines...)
	for e.journal.Last() < 2 {
		time.Sleep(time.Millisecond) // there is nothing to wait on in a log that refuses
	}
	stop()
	log.broken = false
	_, stop, _ = start(t, cfg, log)
	log.until(t, "the last record", loggedOut)
	stop()
	for _, fault := range testbed.Compare(truth, log.calls(t)) {
		t.Error(fault)
	}
}

// A file is read to where it ends, and on from there by the next process.
func TestFileSource(t *testing.T) {
	truth, lines := office(200, 3)
	var cfg link.Config
	cfg.Type, cfg.Path = "file", filepath.Join(t.TempDir(), "smdr.log")
	conf, log := configIn(t.TempDir(), panasonicSource(cfg)), newKept()
	for i := range 3 {
		f, err := os.OpenFile(cfg.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		part := lines[i*len(lines)/3 : (i+1)*len(lines)/3]
		if _, err := f.WriteString(strings.Join(part, "\r\n") + "\r\n"); err != nil {
			t.Fatal(err)
		}
		f.Close()
		e, stop, kill := start(t, conf, log)
		if i == 2 {
			log.until(t, "the last record", loggedOut)
			stop()
			continue
		}
		for e.Status()[0].Records < 20 {
			time.Sleep(time.Millisecond) // records make no event of their own
		}
		kill()
	}
	for _, fault := range testbed.Compare(truth, log.calls(t)) {
		t.Error(fault)
	}
}

// A line monitor on a serial port: a missed call is told when the ringing has
// stopped, by itself.
func TestSegal(t *testing.T) {
	device, port, err := testbed.Pty()
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	var s Source
	s.Key, s.Profile = "lines", filepath.Join(t.TempDir(), "quick.yml")
	profile := `
name: quick
frame: {end: ["@"]}
rules:
  - {event: cid, re: '^L(?P<line>\d)C(?P<number>\d+)$'}
  - {event: ring, re: '^L(?P<line>\d)R(?P<count>\d+)$'}
ring_gap_ms: 500
`
	if err := os.WriteFile(s.Profile, []byte(profile), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Link.Type, s.Link.Serial.Port = "serial", port
	log := newKept()
	e, stop, _ := start(t, configIn(t.TempDir(), s), log)
	defer stop()
	for len(e.Status()) == 0 || !e.Status()[0].Connected {
		time.Sleep(time.Millisecond)
	}
	latest, more, done := e.Watch("lines")
	defer done()
	if len(latest) != 0 {
		t.Errorf("lines before anything was sent: %v", latest)
	}
	if _, err := device.WriteString("L1C0912@L1R01@what?@"); err != nil {
		t.Fatal(err)
	}
	end := log.until(t, "the end", func(e call.Event) bool { return e.Kind == call.CallEnded })
	if end.Disposition != call.Missed || !end.Live {
		t.Errorf("%+v", end)
	}
	for _, want := range []string{"1 cid number=\"0912\"", "1 ring count=1", "1 unknown"} {
		if got := <-more; got.What != want {
			t.Errorf("saw %q %s, want %s", got.Raw, got.What, want)
		}
	}
	if st := e.Status()[0]; st.Lines != 3 || st.Kinds["unknown"] != 1 {
		t.Errorf("status %+v", st)
	}
}
