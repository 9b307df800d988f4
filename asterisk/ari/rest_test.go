package ari

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"
)

func TestAStalledAsteriskIsGivenUp(t *testing.T) {
	f := newFake(t)
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	f.obey(func(http.ResponseWriter, *http.Request) { <-hold })
	err := f.hasty().Answer(context.Background(), "1.2") // while it holds: else for ever
	if err == nil {
		t.Error("it is said to have answered")
	}
	if Status(err) != 0 || Gone(err) {
		t.Errorf("an unknown outcome looks like an answer: %v", err)
	}
}

func TestACancelledCommandReturns(t *testing.T) {
	f := newFake(t)
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	ctx, cancel := context.WithCancel(context.Background())
	f.obey(func(http.ResponseWriter, *http.Request) { cancel(); <-hold })
	if err := f.client().Answer(ctx, "1.2"); !errors.Is(err, context.Canceled) {
		t.Errorf("have %v", err)
	}
}

func TestAsterisksWordsReachTheCaller(t *testing.T) {
	f := newFake(t)
	for body, text := range map[string]string{
		`{"error":"Allocation failed"}`:     "Allocation failed",
		`{"message":"Channel not found"}`:   "Channel not found",
		`<html>`:                            "Internal Server Error",
		strings.Repeat("x", 1<<20):          "Internal Server Error",
		`{"message":"` + "a\nb" + `"}`:      "Internal Server Error", // not JSON
		`{"message":"\u202Egnissim \"x\""}`: "\u202egnissim \"x\"",
	} {
		f.obey(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, body)
		})
		err := f.client().Originate(context.Background(), lib.OriginateRequest{Endpoint: "PJSIP/1"})
		var refused *Error
		if !errors.As(err, &refused) || refused.Text != text || Status(err) != 500 {
			t.Errorf("body %.40q: have %v", body, err)
		}
		if strings.Contains(err.Error(), "secret") {
			t.Error("the password is in the error")
		}
	}
}

func TestNamesAreEscaped(t *testing.T) {
	f := newFake(t)
	seen := make(chan *url.URL, 1)
	f.obey(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.URL
		_, _ = io.WriteString(w, `{"value":"v"}`)
	})
	const id, name = "a/b c%2F?d&e#f", "IF($[1 > 0]?a b:c&d)"
	value, err := f.client().Variable(context.Background(), id, name)
	if err != nil || value != "v" {
		t.Errorf("have %q, %v", value, err)
	}
	u := <-seen
	if u.Path != "/ari/channels/"+id+"/variable" || u.Query().Get("variable") != name {
		t.Errorf("Asterisk saw %s with %q", u.Path, u.Query())
	}
}

func TestWhatIsThereAlreadyIsNoError(t *testing.T) {
	f := newFake(t)
	c, ctx := f.client(), context.Background()
	status := func(code int) {
		f.obey(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				_, _ = io.WriteString(w, `{}`)
				return
			}
			w.WriteHeader(code)
		})
	}
	status(http.StatusConflict)
	if err := c.Originate(ctx, lib.OriginateRequest{ChannelID: "x"}); err != nil {
		t.Errorf("channel: %v", err)
	}
	if err := c.CreateBridge(ctx, "b", ""); err != nil {
		t.Errorf("bridge on 22: %v", err)
	}
	status(http.StatusInternalServerError)
	if err := c.CreateBridge(ctx, "b", ""); err != nil {
		t.Errorf("bridge on 16: %v", err)
	}
	f.obey(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	if err := c.CreateBridge(ctx, "b", ""); Status(err) != 500 {
		t.Errorf("a bridge that could not be made: %v", err)
	}
}

// Ensure that a burst stays below Asterisk's limit of sessions, and that no
// command of it fails.
func TestManyCommandsShareFewConnections(t *testing.T) {
	f := newFake(t)
	var now, most, failed atomic.Int64
	f.obey(func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(time.Millisecond)
		w.WriteHeader(http.StatusNoContent)
	})
	c := f.client()
	var all sync.WaitGroup
	for range 150 {
		all.Go(func() {
			for range 5 {
				if err := c.Answer(context.Background(), "x"); err != nil {
					failed.Add(1)
				}
			}
		})
	}
	all.Wait()
	if failed.Load() != 0 || most.Load() > 16 || f.opened.Load() > 16 {
		t.Errorf("%d failed, %d at once, %d connections", failed.Load(), most.Load(), f.opened.Load())
	}
}

// Ensure that a command survives the connection that Asterisk has just closed
// because it was idle.
func TestAStaleConnectionIsReplaced(t *testing.T) {
	f := newFake(t)
	c := f.client()
	for i := range 20 {
		if err := c.Answer(context.Background(), "x"); err != nil {
			t.Fatalf("command %d: %v", i, err)
		}
		f.server.CloseClientConnections()
	}
}

func TestARecordingIsCopiedWhole(t *testing.T) {
	f := newFake(t)
	wav := bytes.Repeat([]byte("RIFF"), 1<<18)
	f.obey(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(wav) })
	var got bytes.Buffer
	n, err := f.client().FetchRecording(context.Background(), "r", &got)
	if err != nil || n != int64(len(wav)) || !bytes.Equal(got.Bytes(), wav) {
		t.Errorf("%d bytes, %v", n, err)
	}
	f.obey(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(wav[:100])
	})
	if _, err := f.client().FetchRecording(context.Background(), "r", io.Discard); err == nil {
		t.Error("half a recording passes for a whole one")
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	err := Config{App: "a b"}.Validate()
	for _, key := range []string{"url", "username", "password", "app", "timeout", "connections", "heartbeat", "event_buffer"} {
		if err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s is not named in %v", key, err)
		}
	}
	good := DefaultConfig()
	good.Password = "x"
	if err := good.Validate(); err != nil {
		t.Errorf("default: %v", err)
	}
}

func BenchmarkCommand(b *testing.B) {
	f := newFake(&testing.T{})
	c := New(f.config(), nil)
	defer f.server.Close()
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Answer(context.Background(), "1.2"); err != nil {
			b.Fatal(err)
		}
	}
}
