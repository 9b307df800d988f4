package testbed

import (
	"context"
	"fmt"
	"strings"

	"github.com/emiago/diago"
	"github.com/emiago/sipgo/sip"
)

// Transfer asks Asterisk to connect the other side with number (blind, REFER),
// waits until it says how that went, and on success hangs up, as telephones do.
// Asterisk refuses (400) while the two are not in a bridge yet, which may be a
// moment after the answer.
func (c *Conversation) Transfer(ctx context.Context, number string) error {
	return c.refer(ctx, c.phone.uri(number))
}

// TransferTo does the same to connect the other sides of two conversations of
// this phone (attended, REFER with Replaces, RFC 3891).
func (c *Conversation) TransferTo(ctx context.Context, other *Conversation) error {
	if err := other.WaitAnswer(ctx); err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	to := c.phone.uri(other.otherNumber())
	local, remote := other.tags()
	replaces := other.id + ";to-tag=" + remote + ";from-tag=" + local
	to.Headers.Add("Replaces", escapeHeader(replaces))
	return c.refer(ctx, to)
}

// escapeHeader escapes what may not stand in a header part of a SIP URI.
func escapeHeader(value string) string {
	return strings.NewReplacer("%", "%25", ";", "%3B", "=", "%3D", "@", "%40", "?", "%3F", "&", "%26").Replace(value)
}

func (c *Conversation) refer(ctx context.Context, to sip.Uri) error {
	if err := c.WaitAnswer(ctx); err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	result := make(chan int, 100) // one for each NOTIFY
	notify := func(code int) { result <- code }
	var err error
	if c.Incoming {
		err = c.server.ReferOptions(ctx, to, diago.ReferServerOptions{OnNotify: notify})
	} else {
		err = c.client.ReferOptions(ctx, to, diago.ReferClientOptions{OnNotify: notify})
	}
	if err != nil {
		return fmt.Errorf("transfer: %w", err)
	}
	for {
		select {
		case code := <-result:
			if code >= 300 {
				return fmt.Errorf("transfer: SIP %d", code)
			}
			if code >= 200 {
				return c.Hangup(ctx)
			}
		case <-c.ended:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("transfer: %w", ctx.Err())
		}
	}
}

func (c *Conversation) otherNumber() string {
	if c.Incoming {
		return c.FromUser
	}
	return c.Dialled
}

// tags are the dialog tags of this phone and of Asterisk.
func (c *Conversation) tags() (local, remote string) {
	d := c.dialog().DialogSIP()
	from, _ := d.InviteRequest.From().Params.Get("tag")
	to, _ := d.InviteResponse.To().Params.Get("tag")
	if c.Incoming {
		return to, from
	}
	return from, to
}
