package testbed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// CallOption changes how a call presents itself.
type CallOption func(*diago.InviteClientOptions)

// From sets the caller's name and number, quoted as SIP wants it.
func From(name, number string) CallOption {
	return RawFrom(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name), number)
}

// RawFrom sets the caller's name as it stands between the quotes on the wire,
// so that a test can send what no telephone should.
func RawFrom(name, number string) CallOption {
	return func(o *diago.InviteClientOptions) { o.WithCaller(name, number, "127.0.0.1") }
}

// WithHeader adds a header to the INVITE.
func WithHeader(name, value string) CallOption {
	return func(o *diago.InviteClientOptions) { o.Headers = append(o.Headers, sip.NewHeader(name, value)) }
}

// Call dials and waits until the call is answered; *CallError says that it was not.
func (p *Phone) Call(ctx context.Context, number string, options ...CallOption) (*Conversation, error) {
	c, err := p.Dial(ctx, number, options...)
	if err != nil {
		return nil, err
	}
	if err := c.WaitAnswer(ctx); err != nil {
		return nil, fmt.Errorf("call %s: %w", number, errors.Join(err, c.Hangup(context.WithoutCancel(ctx))))
	}
	return c, nil
}

// Dial begins a call and returns at once. The call outlives ctx.
func (p *Phone) Dial(ctx context.Context, number string, options ...CallOption) (*Conversation, error) {
	d, err := p.dg.NewDialog(p.uri(number), diago.NewDialogOptions{})
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", number, err)
	}
	id := sip.CallIDHeader(sip.GenerateTagN(24))
	d.InviteRequest.AppendHeader(&id)
	c := p.newConversation(id.Value())
	c.Dialled, c.client, c.invite = number, d, d.InviteRequest
	opt := diago.InviteClientOptions{OnResponse: c.noteResponse}
	if p.isLine {
		opt.Username, opt.Password = p.Name, Password
	}
	for _, o := range options {
		o(&opt)
	}
	p.remember(c)
	ctx, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.workers.Go(func() { c.runOutgoing(ctx, opt) })
	return c, nil
}

func (c *Conversation) runOutgoing(ctx context.Context, opt diago.InviteClientOptions) {
	d := c.client
	defer d.Close()
	defer c.cancel()
	err := d.Invite(ctx, opt)
	if err == nil {
		err = d.Ack(ctx)
	}
	if err != nil {
		c.finish(Ending{Code: c.lastCode(err)})
		return
	}
	c.noteAnswer()
	if ctx.Err() != nil { // given up while the answer was under way
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.Hangup(ctx)
		return
	}
	c.talk(d.Context(), &d.DialogMedia)
}

func (c *Conversation) noteResponse(res *sip.Response) error {
	c.mu.Lock()
	c.codes = append(c.codes, res.StatusCode)
	c.mu.Unlock()
	if res.StatusCode >= 300 {
		c.noteReason(res.GetHeader("Reason"))
	}
	return nil
}

// lastCode is the SIP code of a call that failed; a call that was given up
// gets no answer but 487 (RFC 3261, 9.1), which diago swallows.
func (c *Conversation) lastCode(err error) int {
	if errors.Is(err, context.Canceled) {
		return sip.StatusRequestTerminated
	}
	return sipCode(err)
}

// talk runs both directions of sound until the dialog ends.
func (c *Conversation) talk(dialog context.Context, d *diago.DialogMedia) {
	c.phone.workers.Go(func() { c.mouth.run(d, c.ended) })
	c.phone.workers.Go(func() { c.listen(d) })
	select {
	case <-dialog.Done():
	case <-c.ended:
	}
	c.finish(Ending{})
	_ = d.Close() // or a blocked Read never returns
}

// watch sees each request before diago does, for the Reason header in it.
func (p *Phone) watch(next sipgo.RequestHandler) sipgo.RequestHandler {
	return func(req *sip.Request, tx sip.ServerTransaction) {
		if req.Method == sip.BYE && req.CallID() != nil {
			if c := p.find(req.CallID().Value()); c != nil {
				c.noteReason(req.GetHeader("Reason"))
			}
		}
		if req.Method == sip.INVITE && req.CallID() != nil {
			tx.OnCancel(func(cancel *sip.Request) {
				if c := p.find(req.CallID().Value()); c != nil {
					c.noteReason(cancel.GetHeader("Reason"))
				}
			})
		}
		next(req, tx)
	}
}

// serve is called by diago for each incoming call and returns when it is over.
func (p *Phone) serve(d *diago.DialogServerSession) {
	if !p.begin() {
		_ = d.Respond(sip.StatusServiceUnavailable, "Closed", nil)
		return
	}
	defer p.workers.Done()
	c := p.newConversation(d.InviteRequest.CallID().Value())
	from := d.InviteRequest.From()
	c.Incoming, c.server, c.invite = true, d, d.InviteRequest
	c.Dialled, c.FromName, c.FromUser = d.InviteRequest.Recipient.User, from.DisplayName, from.Address.User
	p.remember(c)
	p.mu.Lock()
	react := p.reaction
	p.mu.Unlock()
	if err := d.Ringing(); err != nil {
		c.finish(Ending{})
		return
	}
	p.incoming <- c
	p.workers.Go(func() { react(c) })
	select {
	case <-c.answered:
		c.talk(d.Context(), &d.DialogMedia)
	case <-d.Context().Done():
		c.finish(Ending{Code: sip.StatusRequestTerminated})
	case <-c.ended:
	}
}

// Answer takes an incoming call.
func (c *Conversation) Answer() error {
	c.deciding.Lock()
	defer c.deciding.Unlock()
	if err := c.undecided(); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if err := c.server.Answer(); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	c.noteAnswer()
	return nil
}

// Reject refuses an incoming call with a SIP code from 400 on.
func (c *Conversation) Reject(code int) error {
	c.deciding.Lock()
	defer c.deciding.Unlock()
	if err := c.undecided(); err != nil {
		return fmt.Errorf("reject: %w", err)
	}
	c.mu.Lock()
	c.hungUp, c.refusal = true, code
	c.mu.Unlock()
	if err := c.server.Respond(code, "Rejected", nil); err != nil {
		return fmt.Errorf("reject: %w", err)
	}
	c.finish(Ending{})
	return nil
}

func (c *Conversation) undecided() error {
	select {
	case <-c.ended:
		return ErrEnded
	case <-c.answered:
		return errAnswered
	default:
	}
	if !c.Incoming {
		return errors.New("the call is outgoing")
	}
	return nil
}
