package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"markaz/apps/crm/hooktest"
	"markaz/asterisk/testbed"
	"markaz/asterisk/testbed/office"
	"markaz/asterisk/testbed/tone"
	"markaz/call"
)

// binary is the markaz program that the end-to-end tests run.
var binary string

func TestMain(m *testing.M) {
	err := os.Setenv("LC_ALL", "C") // what programs say is compared with English
	var dir string
	if err == nil {
		dir, err = os.MkdirTemp("", "markaz-test-")
	}
	if err == nil {
		binary, err = office.Build(dir, raceEnabled)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build markaz:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// hookTimeout is how long Markaz waits for the web hook's answer.
const hookTimeout = 3 * time.Second

const hookSecret = "whsec_" + "bWFya2F6LWVuZC10by1lbmQtdGVzdC1zZWNyZXQtMzI="

// house is an office with menus, queues and a web-hook receiver, and the tones
// that stand for what its callers are told.
type house struct {
	*office.Office
	t     *testing.T
	hook  *hooktest.Receiver
	web   *httptest.Server // where the hook is
	tones map[string]tone.Tone

	stalls stallMeter
}

const usualMenus = `
  person: {to: "queue:sales"}
  wrong_key: [{sound: tones/wrong}]
  silence: [{sound: tones/silence}]
  routes:
    - {number: "0219", to: "menu:shut"}
    - {number: "0218", to: "queue:sales"}
    - {to: "menu:main"}
  hours:
    never: {zone: Asia/Tehran, override: closed, closed: "message:closed"}
  messages:
    closed: {prompt: [{sound: tones/closed}]}
  menus:
    main:
      prompt: [{sound: tones/welcome}]
      keys: {"1": "queue:sales", "2": "menu:second"}
      dial_extension: {length: 3}
      timeout: 2s
      inter_digit: 700ms
    second:
      prompt: [{sound: tones/second}]
      keys: {"1": "queue:sales"}
      timeout: 2s
    shut:
      prompt: [{sound: tones/welcome}]
      hours: never
      keys: {"1": "queue:sales"}`

const usualQueues = `
  - name: sales
    agents: [sara]
    ring_timeout: 20s
    record: true
    announce: {at_join: true, every: 5s, position: true}`

// newHouse opens an office; sections replace parts of the usual configuration.
func newHouse(t *testing.T, opt office.Options) *house {
	t.Helper()
	h := &house{t: t, tones: map[string]tone.Tone{}}
	var err error
	if h.hook, err = hooktest.New(hookSecret); err != nil {
		t.Fatal(err)
	}
	h.web = httptest.NewServer(h.hook)
	t.Cleanup(func() { h.web.Close() })
	sections := map[string]string{
		"ivr":      usualMenus,
		"agents":   "\n  - {id: sara, extension: \"101\", auto_login: true}",
		"queues":   usualQueues,
		"prompts":  "\n  announce: {position_sound: \"tones/position-{n}\", wait_sound: \"tones/wait-{n}\"}",
		"recorder": "{rules: [{}]}",
		"crm":      fmt.Sprintf("\n  - name: hook\n    webhook: {url: %q, secrets: [%q], allow_private: true, timeout: %v}", h.web.URL, hookSecret, hookTimeout),
	}
	for k, v := range opt.Sections {
		sections[k] = v
	}
	opt.Sections, opt.Binary, opt.Prepare = sections, binary, h.prompts
	h.Office = office.StartT(t, opt)
	go h.stalls.run(t.Context())
	return h
}

// prompts makes the sounds of the usual menus.
func (h *house) prompts(bed *testbed.Asterisk) (err error) {
	for _, name := range []string{"welcome", "second", "wrong", "silence", "closed", "position-1", "position-2", "position-3", "long-1"} {
		seconds := 1.0
		switch name {
		case "welcome":
			seconds = welcomeLength.Seconds() // long enough to be interrupted
		case "long-1":
			seconds = 6
		}
		if h.tones[name], err = bed.Prompt(soundFolder+name, seconds); err != nil {
			return err
		}
	}
	return nil
}

// soundFolder keeps our sounds apart from Asterisk's, which has one called
// "second" and the like.
const soundFolder = "tones/"

// prompt makes one more sound.
func (h *house) prompt(name string) tone.Tone {
	h.t.Helper()
	made, err := h.Bed.Prompt(soundFolder+name, 1)
	h.must(err)
	return made
}

func (h *house) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(h.t.Context(), d)
	h.t.Cleanup(cancel)
	return ctx
}

// agent is a registered phone that lets calls ring until told otherwise.
func (h *house) agent(ctx context.Context, extension string) *testbed.Phone {
	h.t.Helper()
	p := testbed.NewPhone(h.t, h.Bed, extension)
	p.OnCall(testbed.Ignore)
	h.must(p.Register(ctx))
	return p
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// hears waits until a named prompt was heard, since the last that was.
func (h *house) hears(ctx context.Context, c *testbed.Conversation, names ...string) {
	h.t.Helper()
	for _, name := range names {
		want, ok := h.tones[name]
		if name == "music" {
			want, ok = tone.Music(), true
		}
		if !ok {
			h.t.Fatalf("no prompt %q", name)
		}
		h.must(c.WaitHeard(ctx, want))
	}
}

// dial calls the main number, or another, from a mobile number.
func (h *house) dial(ctx context.Context, number, from string) *testbed.Conversation {
	h.t.Helper()
	c, err := testbed.NewCaller(h.t, h.Bed).Call(ctx, number, testbed.From("Ali "+from, from))
	h.must(err)
	return c
}

// record waits until every call from that number has ended with what was
// expected of it, and returns the only one.
func (h *house) record(ctx context.Context, from string, done func(call.Call) bool) call.Call {
	h.t.Helper()
	var found []call.Call
	_, err := h.AwaitCalls(ctx, func(all []call.Call) bool {
		found = nil
		for _, c := range all {
			if c.From == from {
				found = append(found, c)
			}
		}
		return len(found) > 0 && found[0].Over() && done(found[0])
	})
	h.must(err)
	if len(found) != 1 {
		h.t.Fatalf("%d records of one call from %s", len(found), from)
	}
	return found[0]
}

func recorded(c call.Call) bool { return len(c.Recordings) == 1 && c.Recordings[0].State == "done" }

func ended(call.Call) bool { return true }

// hookAgrees waits until the web hook has every event of the calls that it is
// to have, each once and in order.
func (h *house) hookAgrees(ctx context.Context, calls ...call.Call) {
	h.t.Helper()
	events, err := h.Events(ctx)
	h.must(err)
	want := map[string][]string{}
	for _, e := range events {
		want[e.Call] = append(want[e.Call], e.ID)
	}
	for _, c := range calls {
		var have []string
		err := h.hook.Wait(ctx, func([]hooktest.Event) bool {
			have = have[:0]
			for _, e := range h.hook.Of(c.ID) {
				have = append(have, e.ID)
			}
			return len(have) >= len(want[c.ID])
		})
		if want := want[c.ID]; err != nil || !slices.Equal(have, want) {
			h.t.Errorf("the web hook got %d events, the log has %d (%v)\n%v\n%v", len(have), len(want), err, have, want)
		}
	}
	for _, b := range h.hook.Broken() {
		h.t.Error("web hook:", b)
	}
}
