package crm

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"markaz/call"
)

// Net says how a receiver may be reached.
type Net struct {
	AllowPrivate bool          `yaml:"allow_private"` // private addresses and plain http are fine
	AllowHosts   []string      `yaml:"allow_hosts"`   // the same for these hosts
	Timeout      time.Duration `yaml:"timeout"`       // of one request with its answer; default 15 s
	CAFile       string        `yaml:"ca_file"`       // PEM certificates to trust beside the system's
}

// faults checks the address of a receiver against the rules for reaching it.
func (n Net) faults(key, address string) []error {
	var out []error
	u, err := url.Parse(address)
	switch {
	case address == "":
		out = append(out, fmt.Errorf("%s: is missing", key))
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		out = append(out, fmt.Errorf("%s: want https://host/path", key))
	case u.User != nil:
		out = append(out, fmt.Errorf("%s: must hold no user and password", key))
	case u.Scheme == "http" && !newGuard(n).allowed(u.Hostname()):
		out = append(out, fmt.Errorf("%s: plain http is only for hosts of your own network: use https, allow_private or allow_hosts", key))
	}
	if n.Timeout < 0 {
		out = append(out, fmt.Errorf("timeout: is negative"))
	}
	if n.CAFile != "" {
		if _, err := n.pool(); err != nil {
			out = append(out, fmt.Errorf("ca_file: %w", err))
		}
	}
	return out
}

func (n Net) pool() (*x509.CertPool, error) {
	pem, err := os.ReadFile(n.CAFile)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no PEM certificate", n.CAFile)
	}
	return pool, nil
}

// web makes the requests of one connector.
type web struct {
	client  *http.Client
	secrets []string // never to be seen in an error
	limit   int64    // bytes of an answer that are read
}

// newWeb makes a client that connects through the guard alone: without a
// proxy, without redirects.
func newWeb(n Net, secrets ...string) (*web, error) {
	t := &http.Transport{
		DialContext:         newGuard(n).DialContext,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 32,
		IdleConnTimeout:     90 * time.Second,
		ForceAttemptHTTP2:   true,
	}
	if n.CAFile != "" {
		pool, err := n.pool()
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	timeout := n.Timeout
	if timeout == 0 {
		timeout = 15 * time.Second
	}
	return &web{
		client: &http.Client{
			Transport:     t,
			Timeout:       timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		secrets: secrets,
		limit:   256 << 10,
	}, nil
}

// answer is what came back for a request.
type answer struct {
	status int
	header http.Header
	body   []byte // no more than the limit
	cut    bool   // the body was longer or broke off
}

// do sends a request. Whatever keeps the answer from coming is [ErrAway].
func (w *web) do(req *http.Request) (answer, error) {
	req.Header.Set("User-Agent", "Markaz")
	res, err := w.client.Do(req)
	if err != nil {
		return answer{}, w.away(req.Context(), err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, w.limit+1))
	a := answer{status: res.StatusCode, header: res.Header, body: body, cut: err != nil}
	if int64(len(body)) > w.limit {
		a.body, a.cut = body[:w.limit], true
	}
	return a, nil
}

// json sends a value, if there is one, as JSON.
func (w *web) json(ctx context.Context, method, address, authority string, in any) (answer, error) {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return answer{}, fmt.Errorf("%w: encode request: %w", ErrPermanent, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, address, &body)
	if err != nil {
		return answer{}, fmt.Errorf("%w: make request: %w", ErrPermanent, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if authority != "" {
		req.Header.Set("Authorization", authority)
	}
	return w.do(req)
}

// plain reports whether the body of a success is one that a CRM gives to a
// command: nothing, or JSON. A proxy's page says 200 as well, and nothing has
// been done.
func (a answer) plain() bool {
	body := bytes.TrimSpace(a.body)
	return !a.cut && (len(body) == 0 || json.Valid(body))
}

// away words a failure of the connection, without the address, which may hold
// a secret.
func (w *web) away(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return fmt.Errorf("%w: %w", ErrAway, &Problem{"no_answer", fmt.Errorf("no answer within %v", w.client.Timeout)})
		}
		err = u.Err
	}
	return fmt.Errorf("%w: %w", ErrAway, &Problem{connection(err), errors.New(w.mask(err.Error()))})
}

// connection names what kept a connection from coming about.
func connection(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, errForbidden):
		return "private"
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &invalid):
		return "certificate"
	}
	return "no_answer"
}

// failure makes an error of an answer that is no success, by the rules of the
// package comment.
func (w *web) failure(a answer, now time.Time) error {
	var err error = &Problem{statusProblem(a.status), fmt.Errorf("answered %s", w.describe(a))}
	after := retryAfter(a.header.Get("Retry-After"), now)
	switch {
	case a.status == http.StatusGone:
		return fmt.Errorf("%w: %w", ErrGone, err)
	case a.status == http.StatusTooManyRequests:
		return RetryAfter(err, after)
	case a.status >= 300 && a.status < 400:
		return fmt.Errorf("%w: %w; redirects are not followed, set the final address", ErrAway, err)
	case a.status == 401, a.status == 403, a.status == 404, a.status == 405, a.status == 408, a.status >= 500:
		err = fmt.Errorf("%w: %w", ErrAway, err)
		if after > 0 {
			return RetryAfter(err, after)
		}
	}
	return err
}

// statusProblem names what an answer means.
func statusProblem(status int) string {
	switch {
	case status == http.StatusGone:
		return "gone"
	case status == http.StatusTooManyRequests:
		return "limit"
	case status >= 300 && status < 400:
		return "redirect"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "credentials"
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return "address"
	case status >= 500:
		return "broken"
	}
	return "refused"
}

// describe gives the status and the beginning of the body, made safe to print.
func (w *web) describe(a answer) string {
	text := strconv.Itoa(a.status) + " " + http.StatusText(a.status)
	if excerpt := w.mask(call.Clean(string(a.body[:min(len(a.body), 2000)]), 300)); excerpt != "" {
		text += ": " + excerpt
	}
	return text
}

func (w *web) mask(text string) string {
	for _, s := range w.secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "****")
		}
	}
	return text
}

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header of that name, seconds or a date (RFC 9110
// section 10.2.3); 0 if it says nothing that can be read.
func retryAfter(v string, now time.Time) time.Duration {
	v = strings.TrimSpace(v)
	if v == "" {
		return 0
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		if n > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter
		}
		return max(0, time.Duration(n)*time.Second)
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), maxRetryAfter)
}
