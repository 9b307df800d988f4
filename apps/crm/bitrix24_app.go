package crm

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"markaz/call"
)

// token returns what authorises a request: "" for a web hook.
func (a *b24API) token(ctx context.Context) (string, error) {
	if a.hook {
		return "", nil
	}
	a.mu.Lock()
	access := a.tokens.Access
	a.mu.Unlock()
	if access != "" {
		return access, nil
	}
	return a.renew(ctx, "")
}

func (a *b24API) tokenKey() string { return "bitrix24:" + a.dep.Sink + ":tokens" }

// renew replaces an access token that is not accepted any more: by the one that
// another process or the installation has noted meanwhile, or by a new one.
func (a *b24API) renew(ctx context.Context, old string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tokens.Access != old {
		return a.tokens.Access, nil
	}
	noted, err := readNote[b24Tokens](ctx, a.dep.Notes, a.tokenKey())
	if err != nil {
		return "", err
	}
	if noted.Refresh != "" {
		a.tokens = noted
	}
	if a.tokens.Access != old {
		return a.tokens.Access, nil
	}
	if a.tokens.Refresh == "" {
		return "", fmt.Errorf("%w: %w", ErrAway, &Problem{"not_installed", errors.New("the application is not installed in Bitrix24 yet")})
	}
	fresh, err := a.exchange(ctx, a.tokens.Refresh)
	if err != nil {
		return "", err
	}
	fresh.Application = a.tokens.Application
	a.tokens = fresh
	return fresh.Access, writeNote(ctx, a.dep.Notes, a.tokenKey(), fresh)
}

// exchange asks the authorisation server for new tokens. Only our application's
// secret gets them, and only those of our portal are taken.
func (a *b24API) exchange(ctx context.Context, refresh string) (b24Tokens, error) {
	q := url.Values{
		"grant_type": {"refresh_token"}, "client_id": {a.clientID}, "client_secret": {a.secret}, "refresh_token": {refresh},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.oauth+"?"+q.Encode(), nil)
	if err != nil {
		return b24Tokens{}, fmt.Errorf("%w: make request: %w", ErrPermanent, err)
	}
	ans, err := a.web.do(req)
	if err != nil {
		return b24Tokens{}, err
	}
	var reply struct {
		b24Error
		Access   string `json:"access_token"`
		Refresh  string `json:"refresh_token"`
		Endpoint string `json:"client_endpoint"`
	}
	if err := json.Unmarshal(ans.body, &reply); err != nil || reply.Code != "" || reply.Access == "" {
		reply.status = ans.status
		return b24Tokens{}, fmt.Errorf("%w: renew tokens: %w", ErrAway, &reply.b24Error)
	}
	portal, err := url.Parse(a.base)
	endpoint, err2 := url.Parse(reply.Endpoint)
	if err != nil || err2 != nil || !strings.EqualFold(portal.Host, endpoint.Host) {
		return b24Tokens{}, fmt.Errorf("%w: the application is installed in another portal", ErrAway)
	}
	return b24Tokens{Access: reply.Access, Refresh: reply.Refresh}, nil
}

// Asks implements [Asker]. It serves the address in the settings' handler:
// Bitrix24 sends the installation of the application there, and each click on
// a number (events ONAPPINSTALL and ONEXTERNALCALLSTART).
func (c *bitrix24conn) Asks(ask func(context.Context, Ask) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
		if r.Method != http.MethodPost || r.ParseForm() != nil {
			http.Error(w, "want a form by POST", http.StatusBadRequest)
			return
		}
		var err error
		switch event := strings.ToUpper(r.PostForm.Get("event")); event {
		case "ONAPPINSTALL":
			err = c.install(r.Context(), r.PostForm)
		case "ONEXTERNALCALLSTART":
			err = c.asked(r.Context(), r.PostForm, ask)
		default:
			http.Error(w, "no such event here", http.StatusNotImplemented)
			return
		}
		switch {
		case errors.Is(err, errNotBitrix24):
			http.Error(w, err.Error(), http.StatusForbidden)
		case err != nil:
			c.log.Warn("request of Bitrix24 failed", "event", r.PostForm.Get("event"), "error", err)
			http.Error(w, "failed", http.StatusBadGateway)
		}
	})
}

var errNotBitrix24 = errors.New("not proven to come from Bitrix24")

// install takes the tokens of a fresh installation over. Whoever posts them
// must hold a refresh token that our application's secret can use, in our
// portal.
func (c *bitrix24conn) install(ctx context.Context, form url.Values) error {
	refresh, application := form.Get("auth[refresh_token]"), form.Get("auth[application_token]")
	if c.api.hook || refresh == "" || application == "" {
		return errNotBitrix24
	}
	tokens, err := c.api.exchange(ctx, refresh)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotBitrix24, err)
	}
	tokens.Application = application
	if err := writeNote(ctx, c.dep.Notes, c.api.tokenKey(), tokens); err != nil {
		return err
	}
	c.api.mu.Lock()
	c.api.tokens = tokens
	c.api.mu.Unlock()
	bind := map[string]any{"event": "OnExternalCallStart", "handler": c.cfg.Handler}
	err = c.api.call(ctx, b24Cmd{"bind", "event.bind", bind}, nil)
	if b24Is(err, "already") {
		return nil
	}
	return err
}

// asked hands a click on, once. If nothing comes of it, the card that Bitrix24
// has opened is closed.
func (c *bitrix24conn) asked(ctx context.Context, form url.Values, ask func(context.Context, Ask) error) error {
	if err := c.api.proven(ctx, form.Get("auth[application_token]")); err != nil {
		return err
	}
	id := form.Get("data[CALL_ID]")
	user, err := strconv.Atoi(form.Get("data[USER_ID]"))
	if err != nil || id == "" {
		return fmt.Errorf("read request: user %q, call %q", form.Get("data[USER_ID]"), id)
	}
	key := "bitrix24:" + c.dep.Sink + ":asked:" + id
	if done, err := readNote[bool](ctx, c.dep.Notes, key); err != nil || done {
		return err
	}
	if err := writeNote(ctx, c.dep.Notes, key, true); err != nil {
		return err
	}
	number := form.Get("data[PHONE_NUMBER_INTERNATIONAL]")
	if number == "" {
		number = form.Get("data[PHONE_NUMBER]")
	}
	extension, err := c.extension(ctx, user)
	if err == nil {
		err = ask(ctx, Ask{
			ID: id, Extension: extension, Number: number, Line: form.Get("data[LINE_NUMBER]"),
			Data: map[string]string{AskedBy: c.dep.Sink, b24AskKey: id, b24AskUser: strconv.Itoa(user)},
		})
	}
	if err == nil {
		return nil
	}
	return errors.Join(err, c.drop(ctx, id, user, err.Error()))
}

// drop closes the card of a call that did not come about.
func (c *bitrix24conn) drop(ctx context.Context, id string, user int, why string) error {
	finish := map[string]any{"CALL_ID": id, "USER_ID": user, "DURATION": 0, "STATUS_CODE": "480", "FAILED_REASON": why}
	return c.api.call(ctx, b24Cmd{"finish", "telephony.externalCall.finish", finish}, nil)
}

// refused closes the card of a call that Markaz would not make.
func (c *bitrix24conn) refused(ctx context.Context, e call.Event) error {
	id := e.Data[b24AskKey]
	if id == "" {
		return ErrSkip
	}
	user, err := strconv.Atoi(e.Data[b24AskUser])
	if err != nil {
		user = c.cfg.DefaultUser
	}
	err = c.drop(ctx, id, user, c.dep.Words.T(e.Reason))
	if b24Is(err, "Call is not found") {
		return nil // an earlier try has closed it
	}
	return err
}

// proven checks the token that Bitrix24 sends with each event.
func (a *b24API) proven(ctx context.Context, token string) error {
	a.mu.Lock()
	want := a.tokens.Application
	a.mu.Unlock()
	if want == "" {
		noted, err := readNote[b24Tokens](ctx, a.dep.Notes, a.tokenKey())
		if err != nil {
			return err
		}
		want = noted.Application
	}
	if want == "" || subtle.ConstantTimeCompare([]byte(want), []byte(token)) != 1 {
		return errNotBitrix24
	}
	return nil
}

// Test implements [Connector]: the permissions, that calls may be registered,
// that rows can be read back, and the user who answers for missed calls.
func (c *bitrix24conn) Test(ctx context.Context) error {
	var scopes []string
	if err := c.api.call(ctx, b24Cmd{"scope", "scope", nil}, &scopes); err != nil {
		return err
	}
	if scope := strings.Join(scopes, ","); !strings.Contains(scope, "telephony") || !strings.Contains(scope, "user") {
		return &Problem{"permissions", fmt.Errorf("Bitrix24 gives the permissions %q; telephony and user are needed", scope)}
	}
	var users []struct {
		ID     b24Int `json:"ID"`
		Active bool   `json:"ACTIVE"`
	}
	for _, step := range []struct {
		cmd b24Cmd
		out any
	}{
		{b24Cmd{"lines", "telephony.externalLine.get", nil}, nil},
		{b24Cmd{"rows", "voximplant.statistic.get", map[string]any{"FILTER": map[string]any{"CALL_ID": "none"}}}, nil},
		{b24Cmd{"user", "user.get", map[string]any{"FILTER": map[string]any{"ID": c.cfg.DefaultUser}}}, &users},
	} {
		if err := c.api.call(ctx, step.cmd, step.out); err != nil {
			return fmt.Errorf("%s: %w", step.cmd.method, err)
		}
	}
	if len(users) == 0 || !users[0].Active {
		return &Problem{"user", fmt.Errorf("default_user: Bitrix24 has no active user %d", c.cfg.DefaultUser)}
	}
	return nil
}
