package testbed

import (
	"context"
	"fmt"
	"net"
	"strconv"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"
)

// registerSeconds is how long a registration lasts; no test takes that long.
const registerSeconds = 3600

// Register logs the extension in at Asterisk.
func (p *Phone) Register(ctx context.Context) error {
	if err := p.register(ctx, registerSeconds); err != nil {
		return fmt.Errorf("register %s: %w", p.Name, err)
	}
	return nil
}

// Unregister takes the extension off Asterisk.
func (p *Phone) Unregister(ctx context.Context) error {
	if err := p.register(ctx, 0); err != nil {
		return fmt.Errorf("unregister %s: %w", p.Name, err)
	}
	return nil
}

// register is written on sipgo, because diago's own panics when no answer comes.
func (p *Phone) register(ctx context.Context, seconds int) error {
	client, err := sipgo.NewClient(p.ua, sipgo.WithClientNAT(), sipgo.WithClientConnectionAddr(p.addr))
	if err != nil {
		return err
	}
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	req := sip.NewRequest(sip.REGISTER, p.uri(p.Name))
	expires := sip.ExpiresHeader(seconds)
	req.AppendHeader(&sip.ContactHeader{Address: sip.Uri{Scheme: "sip", User: p.Name, Host: host, Port: n}})
	req.AppendHeader(&expires)
	res, err := client.Do(ctx, req, sipgo.ClientRequestRegisterBuild)
	if err == nil && res != nil && res.StatusCode == sip.StatusUnauthorized {
		res, err = client.DoDigestAuth(ctx, req, res, sipgo.DigestAuth{Username: p.Name, Password: Password})
	}
	switch {
	case err != nil:
		return err
	case res == nil:
		return fmt.Errorf("no answer")
	case !res.IsSuccess():
		return fmt.Errorf("SIP %d %s", res.StatusCode, res.Reason)
	}
	return nil
}
