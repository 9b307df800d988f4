package asterisk

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"markaz/call"
)

// bench is a Switch whose Asterisk is a handler of the test, without events.
type bench struct {
	*Switch
	got chan call.Event
}

func newBench(t *testing.T, asterisk http.HandlerFunc) *bench {
	t.Helper()
	server := httptest.NewServer(asterisk)
	t.Cleanup(server.Close)
	cfg := DefaultConfig()
	cfg.ARI.URL, cfg.ARI.Password, cfg.ARI.Timeout = server.URL+"/ari", "x", time.Second
	cfg.Mailbox = 8
	b := &bench{got: make(chan call.Event, 1000)}
	s, err := New(cfg, slog.New(slog.DiscardHandler), func(e call.Event) { b.got <- e })
	if err != nil {
		t.Fatal(err)
	}
	b.Switch = s
	t.Cleanup(s.ari.Close)
	return b
}

// work opens the lanes until the test ends.
func (b *bench) work(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); b.lanes.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	for b.lanes.add("x", func(context.Context) {}) != "" {
		time.Sleep(time.Millisecond) // until run has opened them
	}
}

func (b *bench) next(t *testing.T) call.Event {
	t.Helper()
	select {
	case e := <-b.got:
		return e
	case <-time.After(5 * time.Second):
		t.Fatal("no event came")
		panic("unreachable")
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

func TestDoNeverBlocksAndNeverDropsInSilence(t *testing.T) {
	hold := make(chan struct{})
	b := newBench(t, func(http.ResponseWriter, *http.Request) { <-hold })
	t.Cleanup(func() { close(hold) })
	b.work(t)
	began := time.Now()
	for range 20 {
		b.Do(call.Answer{Leg: "a"})
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("Do blocked for %v", took)
	}
	for range 11 { // one is being done, eight wait
		e := b.next(t)
		if e.Kind != call.ActionFailed || e.Ref != "Answer" || e.Leg != "a" || !strings.Contains(e.Reason, "too many") {
			t.Errorf("have %+v", e)
		}
	}
}

func TestEveryFailureIsToldToWhoWaitsForIt(t *testing.T) {
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	b.work(t)
	for _, c := range []struct {
		action call.Action
		kinds  []call.Kind
	}{
		{call.Play{Leg: "gone", ID: "p", Prompts: []call.Prompt{{Kind: call.Sound, Value: "x"}}}, []call.Kind{call.ActionFailed, call.PlayDone}},
		{call.Ring{Call: "c", Leg: "r", Address: "101"}, []call.Kind{call.ActionFailed, call.LegEnded}},
		{call.Record{Call: "c", Bridge: "b", ID: "../x"}, []call.Kind{call.ActionFailed, call.RecordingFailed}},
		{call.Record{Call: "c", Bridge: "b", ID: "x"}, []call.Kind{call.ActionFailed, call.RecordingFailed}},
		{call.Bridge{Call: "c", ID: "b", Legs: []string{"l", "m"}}, []call.Kind{call.ActionFailed}},
		{call.Remember{Leg: "l", State: strings.Repeat("x", 1025)}, []call.Kind{call.ActionFailed}},
		{call.Release{Leg: "l"}, []call.Kind{call.ActionFailed}},
		{call.SetTimer{Call: "c", ID: "t"}, []call.Kind{call.ActionFailed}},
		{call.CancelTimer{Call: "c", ID: "t"}, []call.Kind{call.ActionFailed}},
	} {
		b.Do(c.action)
		for _, kind := range c.kinds {
			if e := b.next(t); e.Kind != kind || e.Reason == "" && e.Text == "" || e.Source != "asterisk" || !e.Live {
				t.Errorf("%T: have %+v, want %s", c.action, e, kind)
			}
		}
	}
}

func TestWhatIsAskedBeforeRunIsRefused(t *testing.T) {
	b := newBench(t, ok)
	b.Do(call.Answer{Leg: "a"})
	if e := b.next(t); e.Kind != call.ActionFailed || !strings.Contains(e.Reason, "not connected") {
		t.Errorf("have %+v", e)
	}
	if b.Ready() == nil {
		t.Error("ready before Run")
	}
}

func TestActionsOfALegAreDoneInOrder(t *testing.T) {
	var mu sync.Mutex
	var paths []string
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths = append(paths, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/ari/channels/"))
		mu.Unlock()
		if r.Method == http.MethodDelete && r.URL.Path == "/ari/channels/a" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	b.work(t)
	b.legs.add(newLeg("a", "c", who{}, present))
	b.Do(call.Answer{Leg: "a"})
	b.Do(call.Music{Leg: "a"})
	b.Do(call.StopMusic{Leg: "a"})
	b.Do(call.Answer{Leg: "a"})
	b.Do(call.Hangup{Leg: "a"})
	if e := b.next(t); e.Kind != call.LegEnded {
		t.Errorf("have %+v", e)
	}
	want := []string{"POST a/answer", "POST a/moh", "DELETE a/moh", "POST a/answer", "DELETE a"}
	if !slices.Equal(paths, want) {
		t.Errorf("have %q", paths)
	}
}

// Ensure that a hang-up is asked for until the channel is gone: in overload
// Asterisk refuses, agrees, and forgets.
func TestAHangupIsRepeatedUntilTheChannelIsGone(t *testing.T) {
	var mu sync.Mutex
	tries := 0
	b := newBench(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		tries++
		w.WriteHeader([]int{500, 503, 204, 404}[min(tries, 4)-1])
	})
	b.work(t)
	b.legs.add(newLeg("a", "c", who{Role: call.RoleCaller}, present))
	b.Do(call.Hangup{Leg: "a", Cause: 17})
	if e := b.next(t); e.Kind != call.LegEnded || e.Cause != 17 || e.By != call.BySystem {
		t.Errorf("have %+v", e)
	}
	mu.Lock()
	defer mu.Unlock()
	if tries != 4 {
		t.Errorf("tried %d times", tries)
	}
}

func TestRingArguments(t *testing.T) {
	in := call.Ring{Call: "C", Role: call.RoleAgent, Address: "101", Agent: `ma,ry"am`, Queue: "فروش", Trunk: "t-1"}
	callID, w, err := readLegArgs(strings.Split(legArgs(in), ","))
	if err != nil || callID != "C" || w != (who{call.RoleAgent, "101", "ma_ry_am", "فروش", "t-1"}) {
		t.Errorf("have %q %+v %v", callID, w, err)
	}
	if _, _, err := readLegArgs([]string{"leg"}); err == nil {
		t.Error("a leg without a call passes")
	}
}

func TestCallerIDCannotBreakOut(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"Ali", "0912"}:                           `"Ali" <0912>`,
		{`Ali" <1>, "x`, `1> <2`}:                 `"Ali 1, x" <12>`,
		{"a\r\nX: y\u202e", "1\n2"}:               `"aX: y" <12>`,
		{strings.Repeat("x", 300), "${SHELL(x)}"}: `"` + strings.Repeat("x", 80) + `" <${SHELLx}>`,
	} {
		if have := callerID(in[0], in[1]); have != want {
			t.Errorf("%q: have %s, want %s", in, have, want)
		}
	}
}

func TestPromptsAreChecked(t *testing.T) {
	for value, kind := range map[string]call.PromptKind{
		"": call.Sound, "http://x/y": call.Sound, "recording:x": call.Sound, "a\nb": call.Sound,
		"1.5": call.Number, "-": call.Number, "12a": call.Digits, "x": "song",
	} {
		if _, err := mediaOf([]call.Prompt{{Kind: kind, Value: value}}); err == nil {
			t.Errorf("%s %q passes", kind, value)
		}
	}
	media, err := mediaOf([]call.Prompt{
		{Kind: call.Sound, Value: "/var/sounds/فارسی/a b.c"},
		{Kind: call.Number, Value: "-15"},
		{Kind: call.Digits, Value: "1*#"},
	})
	if err != nil || !slices.Equal(media, []string{"sound:/var/sounds/فارسی/a b.c", "number:-15", "digits:1*#"}) {
		t.Errorf("have %q, %v", media, err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	err := Config{}.Validate()
	for _, key := range []string{"source", "ari", "agi", "extension_endpoint", "trunk_endpoint", "mailbox"} {
		if !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
	if err := (Config{Lease: time.Second}).Validate(); !strings.Contains(err.Error(), "lease:") {
		t.Errorf("have %v", err)
	}
}

func TestMetricsRegisterOnce(t *testing.T) {
	b := newBench(t, ok)
	reg := prometheus.NewPedanticRegistry()
	if err := b.Register(reg); err != nil {
		t.Fatal(err)
	}
	if _, err := reg.Gather(); err != nil {
		t.Error(err)
	}
}
