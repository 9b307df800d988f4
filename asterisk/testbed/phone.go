package testbed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"markaz/asterisk/testbed/tone"
)

// Phone is a SIP telephone on a bed: an agent's extension, a caller of the
// outside world who comes in over the trunk, or the provider who takes the
// calls that go out.
type Phone struct {
	Name  string    // extension, or what the phone is
	Voice tone.Tone // what Conversation.Speak says

	bed      *Asterisk
	ua       *sipgo.UserAgent
	dg       *diago.Diago
	addr     string // where it listens
	isLine   bool   // an extension with an account
	stop     context.CancelFunc
	workers  sync.WaitGroup
	incoming chan *Conversation

	mu            sync.Mutex
	reaction      Reaction
	conversations map[string]*Conversation // by Call-ID
	closed        bool
}

// Reaction is what a phone does with a call that comes in. It runs on its own
// and may wait; the call is ringing when it begins.
type Reaction func(*Conversation)

// NewPhone is the telephone of an extension. It answers calls at once unless
// OnCall says otherwise, and closes with the test.
func NewPhone(t testing.TB, bed *Asterisk, extension string) *Phone {
	t.Helper()
	return keep(t)(bed.Phone(extension))
}

// NewCaller is somebody outside who calls in over the trunk.
func NewCaller(t testing.TB, bed *Asterisk) *Phone {
	t.Helper()
	return keep(t)(bed.Caller(TrunkName))
}

// NewProvider takes the calls that go out over the trunk. There can be one.
func NewProvider(t testing.TB, bed *Asterisk) *Phone {
	t.Helper()
	return keep(t)(bed.Provider())
}

func keep(t testing.TB) func(*Phone, error) *Phone {
	return func(p *Phone, err error) *Phone {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p
	}
}

// Phone is NewPhone without a test; the caller closes it.
func (a *Asterisk) Phone(extension string) (*Phone, error) {
	return a.newPhone(extension, "127.0.0.1", 0, true)
}

// Caller is NewCaller without a test, on TrunkName or Trunk2Name. The trunk is
// known by the address that the call comes from.
func (a *Asterisk) Caller(trunk string) (*Phone, error) {
	host := "127.0.0.1"
	if trunk == Trunk2Name {
		host = "127.0.0.2"
	}
	return a.newPhone("caller", host, 0, false)
}

// Provider is NewProvider without a test.
func (a *Asterisk) Provider() (*Phone, error) {
	_, port, err := net.SplitHostPort(a.ProviderAddr())
	if err != nil {
		return nil, fmt.Errorf("make provider: %w", err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("make provider: %w", err)
	}
	return a.newPhone("provider", "127.0.0.1", n, false)
}

func (a *Asterisk) newPhone(name, host string, port int, isLine bool) (*Phone, error) {
	quiet := slog.New(slog.DiscardHandler)
	ua, err := sipgo.NewUA(sipgo.WithUserAgent(name), sipgo.WithUserAgentHostname("127.0.0.1"),
		sipgo.WithUserAgentTransportLayerOptions(sip.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(sip.WithTransactionLayerLogger(quiet)))
	if err != nil {
		return nil, fmt.Errorf("make phone %s: %w", name, err)
	}
	p := &Phone{
		Name: name, Voice: a.nextVoice(name), bed: a, ua: ua, isLine: isLine,
		incoming:      make(chan *Conversation, 1000),
		conversations: map[string]*Conversation{}, reaction: Answer,
	}
	p.dg = diago.NewDiago(ua, diago.WithLogger(quiet), diago.WithServerRequestMiddleware(p.watch),
		diago.WithTransport(diago.Transport{Transport: "udp", BindHost: host, BindPort: port}))
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	if err := p.dg.ServeBackground(ctx, p.serve); err != nil {
		cancel()
		return nil, fmt.Errorf("make phone %s: %w", name, errors.Join(err, ua.Close()))
	}
	p.addr = p.waitListening(host)
	return p, nil
}

// waitListening waits until the listening socket can be used for sending, too.
// diago says that it is ready a moment before (sipgo's pool does not have it
// yet), and a request sent in that moment fails with "address in use".
func (p *Phone) waitListening(host string) string {
	transport := p.ua.TransportLayer()
	for {
		for _, port := range transport.ListenPorts("udp") {
			addr := net.JoinHostPort(host, strconv.Itoa(port))
			if conn, err := transport.GetConnection("udp", addr); err == nil {
				_, _ = conn.TryClose() // gives back what GetConnection took
				return addr
			}
		}
		time.Sleep(100 * time.Microsecond)
	}
}

func (a *Asterisk) nextVoice(name string) tone.Tone {
	a.prompts.mu.Lock()
	v := tone.Voice(a.prompts.voices)
	a.prompts.voices++
	a.prompts.mu.Unlock()
	a.Name(v, "voice of "+name)
	return v
}

// OnCall sets what the phone does with calls that come in from now on.
func (p *Phone) OnCall(r Reaction) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaction = r
}

// Reactions for OnCall.

// Answer answers at once.
func Answer(c *Conversation) { _ = c.Answer() }

// Ignore lets it ring.
func Ignore(*Conversation) {}

// RejectBusy answers 486.
func RejectBusy(c *Conversation) { _ = c.Reject(sip.StatusBusyHere) }

// RejectDecline answers 603.
func RejectDecline(c *Conversation) { _ = c.Reject(sip.StatusGlobalDecline) }

// RejectWith answers with any SIP code from 400 on.
func RejectWith(code int) Reaction { return func(c *Conversation) { _ = c.Reject(code) } }

// AnswerAfter lets it ring for d and answers if the call is still there.
func AnswerAfter(d time.Duration) Reaction {
	return func(c *Conversation) {
		select {
		case <-time.After(d):
			_ = c.Answer()
		case <-c.Ended():
		}
	}
}

// uri addresses a number at Asterisk.
func (p *Phone) uri(number string) sip.Uri {
	host, port, _ := net.SplitHostPort(p.bed.SIPAddr())
	n, _ := strconv.Atoi(port)
	return sip.Uri{Scheme: "sip", User: number, Host: host, Port: n, UriParams: sip.NewParams(), Headers: sip.NewParams()}
}

// NextCall waits for the next call that comes in, in order; it may ring still.
func (p *Phone) NextCall(ctx context.Context) (*Conversation, error) {
	select {
	case c := <-p.incoming:
		return c, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a call at %s: %w", p.Name, ctx.Err())
	}
}

// Close hangs up everything and waits until all goroutines of the phone ended.
// It does not log the extension out, as a telephone without power would not.
func (p *Phone) Close() {
	p.mu.Lock()
	p.closed = true
	open := make([]*Conversation, 0, len(p.conversations))
	for _, c := range p.conversations {
		open = append(open, c)
	}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var hangups sync.WaitGroup
	for _, c := range open {
		hangups.Go(func() { _ = c.Hangup(ctx) })
	}
	hangups.Wait()
	p.stop()
	_ = p.ua.Close()
	p.workers.Wait()
}

// begin counts one more goroutine, unless the phone is closing.
func (p *Phone) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.workers.Add(1)
	}
	return !p.closed
}

func (p *Phone) remember(c *Conversation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conversations[c.id] = c
}

func (p *Phone) forget(c *Conversation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conversations, c.id)
}

func (p *Phone) find(id string) *Conversation {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conversations[id]
}
