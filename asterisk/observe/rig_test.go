package observe_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"markaz/asterisk/ari"
	"markaz/asterisk/testbed"
)

// provider is the outside world that takes calls: one phone for all shapes,
// which does for each number what that shape wants.
type provider struct {
	mu    sync.Mutex
	react map[string]testbed.Reaction
	calls map[string]chan *testbed.Conversation
}

func newProvider(t testing.TB, bed *testbed.Asterisk) *provider {
	p := &provider{react: map[string]testbed.Reaction{}, calls: map[string]chan *testbed.Conversation{}}
	testbed.NewProvider(t, bed).OnCall(func(c *testbed.Conversation) {
		p.mu.Lock()
		react, calls := p.react[c.Dialled], p.calls[c.Dialled]
		p.mu.Unlock()
		if react != nil {
			calls <- c
			react(c)
		}
	})
	return p
}

func (p *provider) on(number string, r testbed.Reaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.react[number], p.calls[number] = r, make(chan *testbed.Conversation, 10)
}

// taken is the next call to a number, answered.
func (p *provider) taken(s *stage, number string) *testbed.Conversation {
	s.t.Helper()
	p.mu.Lock()
	calls := p.calls[number]
	p.mu.Unlock()
	select {
	case c := <-calls:
		s.ok(c.WaitAnswer(s.ctx))
		return c
	case <-s.ctx.Done():
		s.t.Fatalf("no call to %s", number)
		return nil
	}
}

// tape keeps what Asterisk says, as it says it.
type tape struct {
	mu    sync.Mutex
	lines [][]byte
	ready chan struct{}
}

func (l *tape) Connected(context.Context) error { close(l.ready); return nil }
func (l *tape) Lost(error)                      {}
func (l *tape) Trying(error, time.Duration)     {}

func (l *tape) Event(e ari.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, scrub(e.Raw))
}

// scrub leaves out what tells nothing about a call, and where it was recorded.
func scrub(raw []byte) []byte {
	var event map[string]any
	if json.Unmarshal(raw, &event) != nil {
		return raw
	}
	drop(event)
	short, err := json.Marshal(event)
	if err != nil {
		return raw
	}
	return regexp.MustCompile(`/tmp/[A-Za-z0-9_/.-]*/`).ReplaceAll(short, []byte("/var/spool/asterisk/"))
}

func drop(of map[string]any) {
	for key, value := range of {
		switch key {
		case "asterisk_id", "application", "channelvars", "language", "accountcode", "connected", "protocol_id", "cause_txt",
			"creator", "bridge_type", "video_mode", "video_source_id", "musicclass", "duration_ms", "tenantid", "caller_rdnis":
			delete(of, key)
		default:
			if inner, ok := value.(map[string]any); ok {
				drop(inner)
			}
		}
	}
}

// take gives what was said since the last time.
func (l *tape) take() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := append(bytes.Join(l.lines, []byte("\n")), '\n')
	l.lines = nil
	return all
}

func ariConfig(bed *testbed.Asterisk) ari.Config {
	cfg := ari.DefaultConfig()
	cfg.URL, cfg.Username, cfg.Password, cfg.App = bed.ARIURL(), testbed.ARIUser, testbed.ARIPassword, "markaz-observe"
	cfg.Watch = true
	return cfg
}

func allShapes() []shape {
	return append(append(simpleShapes(), groupShapes()...), transferShapes()...)
}

// twoContacts lets two phones be registered for one extension.
func twoContacts(t testing.TB, ctx context.Context, bed *testbed.Asterisk) {
	t.Helper()
	path := filepath.Join(bed.ConfigDir(), "pjsip.conf")
	text, err := os.ReadFile(path)
	if err == nil {
		err = bed.WriteConfig("pjsip.conf", strings.ReplaceAll(string(text), "max_contacts=1\nremove_existing=yes", "max_contacts=2"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := bed.CLI(ctx, "module reload res_pjsip.so"); err != nil {
		t.Fatal(out, err)
	}
}

// TestRecord plays each shape alone and keeps what Asterisk said, for the
// golden files. It is run by hand: RECORD=1 go test -run TestRecord, for each version.
func TestRecord(t *testing.T) {
	if os.Getenv("RECORD") == "" {
		t.Skip("RECORD is not set: it would write the golden files anew")
	}
	bed := pbx(t, testbed.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	twoContacts(t, ctx, bed)
	out := newProvider(t, bed)
	log := &tape{ready: make(chan struct{})}
	go func() { _ = ari.New(ariConfig(bed), nil).Run(ctx, log) }()
	<-log.ready
	for i, sh := range allShapes() {
		if only := os.Getenv("RECORD"); only != "1" && only != sh.name {
			continue
		}
		version := os.Getenv("ASTERISK")
		if version == "" {
			version = "22"
		}
		if sh.only != "" && sh.only != version {
			continue
		}
		t.Run(sh.name, func(t *testing.T) {
			short, cancel := context.WithTimeout(ctx, 25*time.Second)
			defer cancel()
			s := &stage{t: t, ctx: short, bed: bed, out: out, first: 101 + 5*i}
			sh.play(s)
			bed.NothingLeft(t)
			time.Sleep(300 * time.Millisecond)
			file := filepath.Join("testdata", strings.ReplaceAll(sh.name, " ", "_")+"."+version+".ari")
			if err := os.WriteFile(file, log.take(), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}
