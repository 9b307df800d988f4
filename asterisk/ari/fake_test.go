package ari

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an Asterisk that does as a test says. Without orders it accepts
// everything and echoes heartbeats.
type fake struct {
	t      *testing.T
	server *httptest.Server
	opened atomic.Int64 // TCP connections

	mu      sync.Mutex
	answer  http.HandlerFunc // of commands; nil is 204
	mute    bool             // heartbeats are not echoed
	sockets []*websocket.Conn
	arrived chan struct{} // one for each socket
	left    chan struct{} // one for each socket that is closed
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, arrived: make(chan struct{}, 100), left: make(chan struct{}, 100)}
	f.server = httptest.NewUnstartedServer(f)
	f.server.Config.ConnState = f.connState
	f.server.Start()
	t.Cleanup(func() {
		f.cut()
		f.server.Close()
	})
	return f
}

func (f *fake) connState(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		f.opened.Add(1)
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	answer, mute := f.answer, f.mute
	f.mu.Unlock()
	switch user, password, _ := r.BasicAuth(); {
	case user != "markaz" || password != "secret":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"message":"Authentication required"}`))
	case r.URL.Path == "/ari/events":
		f.socket(w, r)
	case answer != nil:
		answer(w, r)
	case strings.HasPrefix(r.URL.Path, "/ari/events/user/") && !mute:
		f.echo(r)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *fake) socket(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock() // no event may be sent between the client's view of the socket and ours
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"ari"}})
	if err == nil {
		f.sockets = append(f.sockets, conn)
	}
	f.mu.Unlock()
	if err != nil {
		f.t.Errorf("accept socket: %v", err)
		return
	}
	f.arrived <- struct{}{}
	<-conn.CloseRead(r.Context()).Done()
	f.left <- struct{}{}
}

// echo turns a user event into a ChannelUserevent, as Asterisk does.
func (f *fake) echo(r *http.Request) {
	var body struct{ Variables map[string]string }
	_ = json.NewDecoder(r.Body).Decode(&body)
	body.Variables["eventname"] = beatName
	vars, _ := json.Marshal(body.Variables)
	f.send(fmt.Sprintf(`{"type":"ChannelUserevent","eventname":%q,"userevent":%s,"application":"app"}`, beatName, vars))
}

// send sends one event on the newest socket.
func (f *fake) send(event string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.sockets) > 0 {
		_ = f.sockets[len(f.sockets)-1].Write(context.Background(), websocket.MessageText, []byte(event))
	}
}

// cut ends all sockets without a word.
func (f *fake) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.sockets {
		_ = s.CloseNow()
	}
	f.sockets = nil
}

func (f *fake) obey(answer http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

func (f *fake) silence(yes bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mute = yes
}

// config is patient: a machine that is too busy for a test is no Asterisk that
// is away.
func (f *fake) config() Config {
	c := DefaultConfig()
	c.URL, c.App, c.Password = f.server.URL+"/ari", "app", "secret"
	c.Timeout, c.Heartbeat = time.Minute, time.Minute
	return c
}

// hasty gives up soon, for tests in which something stays away.
func (f *fake) hasty() *Client {
	cfg := f.config()
	cfg.Timeout, cfg.Heartbeat = 500*time.Millisecond, 200*time.Millisecond
	c := New(cfg, nil)
	f.t.Cleanup(c.Close)
	return c
}

func (f *fake) client() *Client {
	c := New(f.config(), nil)
	f.t.Cleanup(c.Close)
	return c
}

// life records what a Handler is told.
type life struct {
	connected chan struct{}
	lost      chan error
	trying    chan error
	events    chan Event
	sync      func(context.Context) error // in Connected
}

func newLife() *life {
	return &life{make(chan struct{}, 100), make(chan error, 100), make(chan error, 1000), make(chan Event, 100000), nil}
}

func (l *life) Connected(ctx context.Context) error {
	if l.sync != nil {
		if err := l.sync(ctx); err != nil {
			return err
		}
	}
	l.connected <- struct{}{}
	return nil
}
func (l *life) Event(e Event)                     { l.events <- e }
func (l *life) Lost(err error)                    { l.lost <- err }
func (l *life) Trying(err error, _ time.Duration) { l.trying <- err }

// run starts Run; the returned function stops it and gives its error.
func run(t *testing.T, c *Client, h Handler) (wait func() error, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx, h) }()
	ended := sync.OnceValue(func() error { return <-done })
	t.Cleanup(func() { cancel(); _ = ended() })
	return ended, cancel
}

// next takes from a channel, or fails the test.
func next[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(time.Minute):
		t.Fatalf("waited in vain for: %s", what)
		panic("unreachable")
	}
}
