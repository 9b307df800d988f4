package bitrix24

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Install installs the application: the portal sends its tokens to the address
// (settings/oauth/simple-way.md, ONAPPINSTALL).
func (p *Portal) Install(ctx context.Context, address string) error {
	return p.send(ctx, address, url.Values{
		"event":                   {"ONAPPINSTALL"},
		"auth[refresh_token]":     {p.RefreshToken()},
		"auth[application_token]": {applicationToken},
	})
}

// Click is what happens when a user clicks on a number: the portal registers
// the call without an external id, opens the card, and tells the application
// (events/on-external-call-start.md). It returns the CALL_ID.
func (p *Portal) Click(ctx context.Context, user int, number string) (string, error) {
	p.mu.Lock()
	c := p.add(Row{User: user, Number: number, Type: 1, Start: p.opt.Now()})
	c.cards = []int{user}
	address := p.handler
	p.mu.Unlock()
	return c.CallID, p.Resend(ctx, address, c.CallID, user, number, applicationToken)
}

// Resend sends the event of a click, with a token that proves it or not.
func (p *Portal) Resend(ctx context.Context, address, callID string, user int, number, token string) error {
	if address == "" {
		p.mu.Lock()
		address = p.handler
		p.mu.Unlock()
	}
	return p.send(ctx, address, url.Values{
		"event":                            {"ONEXTERNALCALLSTART"},
		"data[PHONE_NUMBER]":               {number},
		"data[PHONE_NUMBER_INTERNATIONAL]": {number},
		"data[USER_ID]":                    {strconv.Itoa(user)},
		"data[CALL_ID]":                    {callID},
		"data[LINE_NUMBER]":                {""},
		"auth[application_token]":          {token},
	})
}

func (p *Portal) send(ctx context.Context, address string, form url.Values) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("handler answered %s", res.Status)
	}
	return nil
}
