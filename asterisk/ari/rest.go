package ari

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// bodyLimit bounds an answer that is read into memory: a list of some ten
// thousand channels.
const bodyLimit = 32 << 20

// Error is a refusal by Asterisk, in its own words.
type Error struct {
	Op     string // what was asked: "POST channels/…/answer"
	Status int    // HTTP status
	Text   string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: %s (HTTP %d)", e.Op, e.Text, e.Status)
}

// Status returns the HTTP status with which Asterisk refused a command, or 0
// when the error is not an answer of Asterisk: then the outcome is unknown.
func Status(err error) int {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Status
	}
	return 0
}

// Gone reports whether a command failed because what it concerns is not there.
func Gone(err error) bool { return Status(err) == http.StatusNotFound }

// Client sends commands to Asterisk and, in [Client.Run], receives its events.
// It may be used by many goroutines.
type Client struct {
	cfg     Config
	base    string
	http    *http.Client
	observe Observer
	beats   beats
}

// Observer is told how commands and events fare; its methods must be quick.
type Observer interface {
	Command(took time.Duration, status int, err error)
	Event(kind string, known bool)
	Beat(took time.Duration)
}

// New makes a client of a valid configuration; obs may be nil.
func New(cfg Config, obs Observer) *Client {
	if obs == nil {
		obs = silent{}
	}
	return &Client{
		cfg:     cfg,
		base:    strings.TrimRight(cfg.URL, "/"),
		observe: obs,
		http: &http.Client{Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: cfg.Timeout, KeepAlive: 5 * time.Second}).DialContext,
			MaxConnsPerHost:     cfg.Connections,
			MaxIdleConnsPerHost: cfg.Connections,
			// Below the 15 s after which Asterisk closes an idle connection
			// (session_keep_alive of http.conf).
			IdleConnTimeout:       10 * time.Second,
			ResponseHeaderTimeout: cfg.Timeout,
			DisableCompression:    true, // Asterisk has none; each header costs it time
		}},
	}
}

type silent struct{}

func (silent) Command(time.Duration, int, error) {}
func (silent) Event(string, bool)                {}
func (silent) Beat(time.Duration)                {}

// App returns the name of the Stasis application.
func (c *Client) App() string { return c.cfg.App }

// Close gives back the idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// path joins the parts of an address, each escaped: ids and names may hold
// blanks, slashes and percent signs.
func path(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// send does one command: body is sent as JSON unless nil, the answer is
// decoded into out unless nil.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	res, err := c.open(ctx, method, path, query, body)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	limited := io.LimitReader(res.Body, bodyLimit)
	if out == nil {
		_, err = io.Copy(io.Discard, limited)
	} else {
		err = json.NewDecoder(limited).Decode(out)
	}
	if err != nil {
		return fmt.Errorf("read answer of %s %s: %w", method, path, err)
	}
	return nil
}

// open does one command and returns the answer with its body still to be read.
// Any status but 2xx is an *Error.
func (c *Client) open(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	req, err := c.request(ctx, method, path, query, body)
	if err != nil {
		return nil, fmt.Errorf("make request %s %s: %w", method, path, err)
	}
	began := time.Now()
	res, err := c.http.Do(req)
	if err != nil {
		c.observe.Command(time.Since(began), 0, err)
		var inner *url.Error // its text repeats the address
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, fmt.Errorf("send %s %s: %w", method, path, err)
	}
	c.observe.Command(time.Since(began), res.StatusCode, nil)
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, &Error{Op: method + " " + path, Status: res.StatusCode, Text: refusal(res)}
}

func (c *Client) request(ctx context.Context, method, path string, query url.Values, body any) (*http.Request, error) {
	address := c.base + "/" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth(c.cfg.Username, c.cfg.Password)
	req.Header["User-Agent"] = nil // none is sent
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	// Every command carries ids that we chose, so it may be repeated when a
	// kept connection turns out to be closed. The empty value says so to
	// net/http without sending a header (see http.Transport).
	req.Header["Idempotency-Key"] = nil
	return req, nil
}

// refusal extracts Asterisk's words: {"message": …}, or {"error": …} for a
// channel that could not be made.
func refusal(res *http.Response) string {
	raw, _ := io.ReadAll(io.LimitReader(res.Body, 4096))
	var words struct{ Message, Error string }
	_ = json.Unmarshal(raw, &words)
	switch {
	case words.Message != "":
		return words.Message
	case words.Error != "":
		return words.Error
	}
	return http.StatusText(res.StatusCode)
}
