package crm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// b24API calls Bitrix24's REST methods, as an application whose tokens are
// renewed or by a web hook, at the pace that Bitrix24 allows an address.
type b24API struct {
	dep     Deps
	web     *web
	base    string // up to the method's name
	hook    bool   // the base holds the authority
	limiter *rate.Limiter

	oauth    string
	clientID string
	secret   string

	mu     sync.Mutex
	tokens b24Tokens
}

// b24Tokens are noted, since each renewal gives new ones.
type b24Tokens struct {
	Access      string `json:"access"`
	Refresh     string `json:"refresh"`
	Application string `json:"application"` // proves that a request comes from Bitrix24
}

func newB24API(cfg *Bitrix24, dep Deps) (*b24API, error) {
	a := &b24API{
		dep: dep, base: strings.TrimRight(cfg.URL, "/") + "/rest/", oauth: cfg.OAuthURL, clientID: cfg.ClientID,
		limiter: rate.NewLimiter(2, 40),
	}
	if a.oauth == "" {
		a.oauth = "https://oauth.bitrix.info/oauth/token/"
	}
	if cfg.Rate > 0 {
		a.limiter.SetLimit(rate.Limit(cfg.Rate))
	}
	if cfg.Burst > 0 {
		a.limiter.SetBurst(cfg.Burst)
	}
	var hook string
	for _, s := range []struct {
		from Secret
		to   *string
	}{{cfg.Webhook, &hook}, {cfg.ClientSecret, &a.secret}, {cfg.RefreshToken, &a.tokens.Refresh}, {cfg.ApplicationToken, &a.tokens.Application}} {
		var err error
		if *s.to, err = s.from.Reveal(); err != nil {
			return nil, err
		}
	}
	if hook != "" {
		a.base, a.hook = a.base+strings.Trim(hook, "/")+"/", true
	}
	var err error
	a.web, err = newWeb(cfg.Net, hook, a.secret, a.tokens.Refresh, a.tokens.Application)
	return a, err
}

// b24Cmd is one method with its parameters; name is what a batch calls it.
type b24Cmd struct {
	name, method string
	params       map[string]any
}

// call calls a method and decodes its result into out, unless that is nil.
func (a *b24API) call(ctx context.Context, cmd b24Cmd, out any) error {
	if !a.limiter.AllowN(a.dep.Now(), 1) {
		return a.full(1)
	}
	used, err := a.token(ctx)
	if err != nil {
		return err
	}
	err = a.send(ctx, cmd, used, out)
	var e *b24Error
	if errors.As(err, &e) && (e.Code == "expired_token" || e.Code == "invalid_token") && !a.hook {
		if used, err = a.renew(ctx, used); err == nil {
			err = a.send(ctx, cmd, used, out)
		}
	}
	return err
}

// room reports, as a wait, that so many requests cannot be made at once.
func (a *b24API) room(requests float64) error {
	if a.limiter.TokensAt(a.dep.Now()) >= requests {
		return nil
	}
	return a.full(requests)
}

func (a *b24API) full(requests float64) error {
	short := requests - a.limiter.TokensAt(a.dep.Now())
	wait := time.Duration(short / float64(a.limiter.Limit()) * float64(time.Second))
	return RetryAfter(errors.New("as many requests as Bitrix24 allows have been made"), max(wait, 10*time.Millisecond))
}

// b24Reply is the frame of every answer.
type b24Reply struct {
	b24Error
	Result json.RawMessage `json:"result"`
	Time   struct {
		Reset float64 `json:"operating_reset_at"`
	} `json:"time"`
}

func (a *b24API) send(ctx context.Context, cmd b24Cmd, token string, out any) error {
	body := map[string]any{}
	for k, v := range cmd.params {
		body[k] = v
	}
	if token != "" {
		body["auth"] = token
	}
	ans, err := a.web.json(ctx, http.MethodPost, a.base+cmd.method, "", body)
	if err != nil {
		return err
	}
	var reply b24Reply
	if err := json.Unmarshal(ans.body, &reply); err != nil || ans.cut {
		if ans.status >= 200 && ans.status < 300 {
			return fmt.Errorf("%w: not an answer of Bitrix24: %s", ErrAway, a.web.describe(ans))
		}
		return a.web.failure(ans, a.dep.Now())
	}
	if reply.Code != "" || reply.Text != "" || ans.status >= 300 {
		return a.refused(reply, ans)
	}
	return b24Decode(reply.Result, out)
}

func b24Decode(result json.RawMessage, out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(result, out); err != nil {
		return fmt.Errorf("decode answer of Bitrix24: %w", err)
	}
	return nil
}

// batch calls several methods in one request, which counts as one; a later one
// may use $result[name][field] of an earlier one. It stops at the first that
// fails. Results are decoded into out by name, those before a failure too.
func (a *b24API) batch(ctx context.Context, cmds []b24Cmd, out map[string]any) error {
	lines := map[string]string{}
	order := []string{}
	for i, c := range cmds {
		// Bitrix24 keeps the order of the keys; JSON objects of Go are sorted.
		key := fmt.Sprintf("%02d%s", i, c.name)
		order = append(order, key)
		lines[key] = c.method + "?" + b24Query(c.params, cmds)
	}
	var reply struct {
		Result json.RawMessage `json:"result"`
		Errors json.RawMessage `json:"result_error"`
	}
	if err := a.call(ctx, b24Cmd{method: "batch", params: map[string]any{"halt": 1, "cmd": lines}}, &reply); err != nil {
		return err
	}
	results, failures := map[string]json.RawMessage{}, map[string]b24Error{}
	// PHP writes an empty map as [], which is no error here.
	_ = json.Unmarshal(reply.Result, &results)
	_ = json.Unmarshal(reply.Errors, &failures)
	for i, key := range order {
		if e, failed := failures[key]; failed {
			e.status = http.StatusBadRequest
			return a.refused(b24Reply{b24Error: e}, answer{status: e.status})
		}
		result, done := results[key]
		if !done {
			return fmt.Errorf("batch did not come to %s", cmds[i].method)
		}
		if err := b24Decode(result, out[cmds[i].name]); err != nil {
			return err
		}
	}
	return nil
}

// b24Query writes parameters as PHP reads them.
func b24Query(params map[string]any, cmds []b24Cmd) string {
	q := url.Values{}
	for k, v := range params {
		switch v := v.(type) {
		case []int:
			for i, n := range v {
				q.Set(fmt.Sprintf("%s[%d]", k, i), strconv.Itoa(n))
			}
		default:
			text := fmt.Sprint(v)
			for i, c := range cmds {
				text = strings.ReplaceAll(text, "$result["+c.name+"]", fmt.Sprintf("$result[%02d%s]", i, c.name))
			}
			q.Set(k, text)
		}
	}
	return q.Encode()
}

// b24Error is a refusal in Bitrix24's own words.
type b24Error struct {
	Code   string `json:"error"`
	Text   string `json:"error_description"`
	status int
}

func (e *b24Error) Error() string {
	text := fmt.Sprintf("Bitrix24 answered %d %s: %s", e.status, e.Code, e.Text)
	if hint := e.hint(); hint != "" {
		text += " (" + hint + ")"
	}
	return text
}

// hint says what an administrator can do about it.
func (e *b24Error) hint() string {
	switch e.Code {
	case "WRONG_AUTH_TYPE":
		return "this portal lets only applications register calls: create a local application and set client_id and client_secret in place of webhook"
	case "insufficient_scope", "ERROR_METHOD_NOT_FOUND":
		return "give the application or web hook the permissions telephony and user"
	case "INVALID_CREDENTIALS", "NO_AUTH_FOUND":
		return "the web hook's user or code is wrong, or it was deleted"
	case "ACCESS_DENIED":
		return "the portal's plan has no REST access, or the user may not see the call statistics"
	case "invalid_grant", "invalid_client", "user_access_error":
		return "install the application again"
	}
	return ""
}

// problem implements [coded].
func (e *b24Error) problem() string {
	switch e.Code {
	case "WRONG_AUTH_TYPE":
		return "app_only"
	case "insufficient_scope", "ERROR_METHOD_NOT_FOUND":
		return "permissions"
	case "INVALID_CREDENTIALS", "NO_AUTH_FOUND":
		return "credentials"
	case "ACCESS_DENIED":
		return "plan"
	case "invalid_grant", "invalid_client", "user_access_error":
		return "not_installed"
	case "QUERY_LIMIT_EXCEEDED", "OPERATION_TIME_LIMIT":
		return "limit"
	}
	return statusProblem(e.status)
}

func b24Is(err error, text string) bool {
	var e *b24Error
	return errors.As(err, &e) && strings.Contains(e.Text, text)
}

// refused says whose fault a refusal is, and how long to wait.
func (a *b24API) refused(r b24Reply, ans answer) error {
	e := &r.b24Error
	e.status, e.Text = ans.status, a.web.mask(e.Text)
	now := a.dep.Now()
	switch {
	case e.Code == "QUERY_LIMIT_EXCEEDED":
		// Somebody else at this address makes requests too: begin anew from none.
		a.limiter.ReserveN(now, int(max(0, a.limiter.TokensAt(now))))
		return RetryAfter(e, 5*time.Second)
	case e.Code == "OPERATION_TIME_LIMIT":
		wait := time.Unix(int64(r.Time.Reset), 0).Sub(now)
		return RetryAfter(e, min(max(wait, 30*time.Second), 10*time.Minute))
	case e.status == http.StatusUnauthorized, e.status == http.StatusForbidden, e.status == http.StatusNotFound, e.status >= 500:
		return fmt.Errorf("%w: %w", ErrAway, e)
	}
	return e
}

// b24Int is a number that Bitrix24 writes as a number, a text, or null.
type b24Int int

// UnmarshalJSON implements json.Unmarshaler.
func (n *b24Int) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "" || text == "null" || text == "false" {
		*n = 0
		return nil
	}
	v, err := strconv.Atoi(text)
	*n = b24Int(v)
	return err
}

func b24Bool(v bool) int {
	if v {
		return 1
	}
	return 0
}
