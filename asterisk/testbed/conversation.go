package testbed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"markaz/asterisk/testbed/tone"
)

// Conversation is one call as one phone sees it. Its Ear tells what the phone
// heard.
type Conversation struct {
	*Ear
	Incoming bool
	Dialled  string // the number that was called
	FromName string // display name of the caller, as sent
	FromUser string // number of the caller
	Began    time.Time

	id       string // Call-ID
	phone    *Phone
	invite   *sip.Request
	server   *diago.DialogServerSession // of an incoming call
	client   *diago.DialogClientSession // of an outgoing call
	cancel   context.CancelFunc         // gives up an outgoing call that rings
	mouth    *mouth
	answered chan struct{}
	ended    chan struct{}
	deciding sync.Mutex // one answer or rejection at a time

	mu         sync.Mutex
	codes      []int
	answeredAt time.Time
	ending     Ending
	hungUp     bool
	refusal    int // the SIP code that we refused the call with
	digits     string
}

// Ending says how a conversation ended.
type Ending struct {
	ByUs   bool   // this phone hung up, rejected or gave up
	Code   int    // the final SIP code of a call that was not answered, else 0
	Reason string // the Reason header of the BYE, CANCEL or final answer (RFC 3326)
	Q850   int    // the cause in it, else 0
	At     time.Time
}

// CallError is how Call and WaitAnswer tell that nobody answered.
type CallError struct{ Ending }

func (e *CallError) Error() string {
	return fmt.Sprintf("call not answered: SIP %d, %s", e.Code, e.Reason)
}

// ErrEnded says that the conversation is over.
var (
	ErrEnded    = errors.New("the conversation has ended")
	errAnswered = errors.New("the call is answered already")
)

func (p *Phone) newConversation(id string) *Conversation {
	return &Conversation{
		Ear: &Ear{names: p.bed.Names}, id: id, phone: p, Began: time.Now(),
		mouth: newMouth(), answered: make(chan struct{}), ended: make(chan struct{}), cancel: func() {},
	}
}

// Answered is closed when the call was answered, Ended when it is over.
func (c *Conversation) Answered() <-chan struct{} { return c.answered }

// Ended is closed when the call is over, answered or not.
func (c *Conversation) Ended() <-chan struct{} { return c.ended }

// AnsweredAt is when the call was answered; zero if it was not.
func (c *Conversation) AnsweredAt() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answeredAt
}

// Codes are the provisional and final SIP codes that an outgoing call got.
func (c *Conversation) Codes() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]int(nil), c.codes...)
}

// Digits are the keys that the other side pressed (RFC 4733).
func (c *Conversation) Digits() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.digits
}

// Header is a header of the INVITE, or "".
func (c *Conversation) Header(name string) string {
	if h := c.invite.GetHeader(name); h != nil {
		return h.Value()
	}
	return ""
}

// Phone is whose conversation this is.
func (c *Conversation) Phone() *Phone { return c.phone }

// Speak makes the phone sound without end: its own voice, or the tone given.
func (c *Conversation) Speak(t ...tone.Tone) {
	if len(t) == 0 {
		c.mouth.say(c.phone.Voice)
		return
	}
	c.mouth.say(t[0])
}

// Mute makes the phone send silence, as it does from the beginning.
func (c *Conversation) Mute() { c.mouth.say(tone.Tone{}) }

// SendDTMF presses keys 0-9 * # A-D one after another (RFC 4733), 140 ms each
// with 100 ms between them, and returns when all were sent.
func (c *Conversation) SendDTMF(ctx context.Context, keys string) error {
	for _, key := range keys {
		select {
		case c.mouth.keys <- key:
		case <-c.ended:
			return fmt.Errorf("send DTMF: %w", ErrEnded)
		case <-ctx.Done():
			return fmt.Errorf("send DTMF: %w", ctx.Err())
		}
	}
	return c.mouth.drain(ctx, c.ended)
}

// FloodDTMF presses keys as fast as a machine that means harm, 500 a second, and
// returns when all were sent.
func (c *Conversation) FloodDTMF(ctx context.Context, keys string) error {
	select {
	case c.mouth.floods <- keys:
		return c.mouth.drain(ctx, c.ended)
	case <-c.ended:
		return fmt.Errorf("flood DTMF: %w", ErrEnded)
	case <-ctx.Done():
		return fmt.Errorf("flood DTMF: %w", ctx.Err())
	}
}

// WaitAnswer waits until the call is answered; *CallError says that it will not be.
func (c *Conversation) WaitAnswer(ctx context.Context) error {
	select {
	case <-c.answered:
		return nil
	case <-c.ended:
		select {
		case <-c.answered:
			return nil
		default:
			return &CallError{c.how()}
		}
	case <-ctx.Done():
		return fmt.Errorf("wait for answer: %w", ctx.Err())
	}
}

// WaitEnd waits until the call is over.
func (c *Conversation) WaitEnd(ctx context.Context) (Ending, error) {
	select {
	case <-c.ended:
		return c.how(), nil
	case <-ctx.Done():
		return Ending{}, fmt.Errorf("wait for the end: %w; heard:\n%s", ctx.Err(), c.Timeline())
	}
}

// Hangup ends the call: BYE if it was answered, CANCEL or 603 if not.
func (c *Conversation) Hangup(ctx context.Context) error {
	c.mu.Lock()
	c.hungUp = true
	c.mu.Unlock()
	if err := c.sendEnd(ctx); err != nil && !errors.Is(err, ErrEnded) {
		return fmt.Errorf("hang up: %w", err)
	}
	select {
	case <-c.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("hang up: %w", ctx.Err())
	}
}

func (c *Conversation) sendEnd(ctx context.Context) error {
	if c.Incoming {
		if err := c.Reject(sip.StatusGlobalDecline); !errors.Is(err, errAnswered) {
			return err
		}
	}
	select {
	case <-c.ended:
		return ErrEnded
	case <-c.answered:
	default:
		c.cancel() // rings still; an answer that crosses this ends in talk
		return nil
	}
	err := c.dialog().Hangup(ctx)
	c.finish(Ending{})
	return err
}

// Hold sends a re-INVITE with "sendonly", Unhold one with "sendrecv".
func (c *Conversation) Hold(ctx context.Context) error {
	if err := c.WaitAnswer(ctx); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	if err := c.dialog().Hold(ctx); err != nil {
		return fmt.Errorf("hold: %w", err)
	}
	return nil
}

// Unhold ends a Hold.
func (c *Conversation) Unhold(ctx context.Context) error {
	if err := c.dialog().Unhold(ctx); err != nil {
		return fmt.Errorf("take off hold: %w", err)
	}
	return nil
}

// sipDialog is what both kinds of diago's sessions can do.
type sipDialog interface {
	diago.DialogSession
	Hold(context.Context) error
	Unhold(context.Context) error
}

func (c *Conversation) dialog() sipDialog {
	if c.Incoming {
		return c.server
	}
	return c.client
}

func (c *Conversation) how() Ending {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending
}

// noteReason keeps the Reason header of a message that ends the call.
func (c *Conversation) noteReason(h sip.Header) {
	if h == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending.Reason != "" {
		c.ending.Reason += ", "
	}
	c.ending.Reason += h.Value()
	if _, cause, ok := strings.Cut(h.Value(), "cause="); ok && strings.HasPrefix(h.Value(), "Q.850") {
		cause, _, _ = strings.Cut(cause, ";")
		c.ending.Q850, _ = strconv.Atoi(cause)
	}
}

func (c *Conversation) noteAnswer() {
	c.mu.Lock()
	c.answeredAt = time.Now()
	c.mu.Unlock()
	close(c.answered)
}

// finish is called when the call is over, maybe more than once.
func (c *Conversation) finish(e Ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ending.At.IsZero() {
		return
	}
	c.ending.At, c.ending.Code, c.ending.ByUs = time.Now(), cmp.Or(c.refusal, e.Code), c.hungUp
	close(c.ended)
	c.phone.forget(c)
}

func sipCode(err error) int {
	var refused *sipgo.ErrDialogResponse
	if errors.As(err, &refused) {
		return refused.Res.StatusCode
	}
	return 0
}
