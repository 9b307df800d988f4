package ari

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"
	"github.com/coder/websocket"

	"markaz/dialplan"
)

// frameLimit bounds one event. The largest that Asterisk sends, an attended
// transfer with long variables, is some tens of kilobytes.
const frameLimit = 1 << 20

// ErrReplaced says that another program has connected under the name of our
// application and now gets its events.
var ErrReplaced = errors.New("another program has taken over the Stasis application")

// ErrFull says that events came faster, for longer, than they were taken.
var ErrFull = errors.New("event buffer full")

// dial opens the WebSocket, which registers the application with Asterisk.
func (c *Client) dial(ctx context.Context) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	auth := base64.StdEncoding.EncodeToString([]byte(c.cfg.Username + ":" + c.cfg.Password))
	address := "ws" + strings.TrimPrefix(c.base, "http") + "/events?" + url.Values{"app": {c.cfg.App}}.Encode()
	conn, res, err := websocket.Dial(ctx, address, &websocket.DialOptions{
		HTTPClient:   c.http,
		HTTPHeader:   http.Header{"Authorization": {"Basic " + auth}},
		Subprotocols: []string{"ari"},
	})
	if err != nil && res != nil && res.StatusCode != http.StatusSwitchingProtocols {
		return nil, &Error{Op: "open event socket", Status: res.StatusCode, Text: refusal(res)}
	}
	if err != nil {
		return nil, fmt.Errorf("open event socket: %w", err)
	}
	conn.SetReadLimit(frameLimit)
	return conn, nil
}

// read takes events off the socket until it fails. It never waits for who
// uses the events: Asterisk cuts off a reader that is 100 ms late, so they are
// buffered in out, and a full buffer is an error that drops the connection.
// What is lost by that is found again by reconciling.
func (c *Client) read(ctx context.Context, conn *websocket.Conn, out chan<- Event) error {
	var frame bytes.Buffer
	for {
		_, r, err := conn.Reader(ctx)
		if err != nil {
			return fmt.Errorf("read event: %w", err)
		}
		frame.Reset()
		if _, err := frame.ReadFrom(r); err != nil {
			return fmt.Errorf("read event: %w", err)
		}
		if err := c.sort(frame.Bytes(), time.Now(), out); err != nil {
			return err
		}
	}
}

// sort decides by an event's type what becomes of it. One that cannot be read
// is counted and passed over: it must not end the connection for all calls.
func (c *Client) sort(raw []byte, at time.Time, out chan<- Event) error {
	kind, err := typeOf(raw)
	if err != nil {
		c.observe.Event("unreadable", false)
		return nil
	}
	use := c.usageOf(kind)
	c.observe.Event(kind, use != unknown)
	switch {
	case kind == lib.Events.ApplicationReplaced:
		return ErrReplaced
	case kind == lib.Events.ChannelUserevent && !bytes.Contains(raw, []byte(dialplan.EventEnd)):
		c.beats.heard(raw)
	case c.cfg.Watch && dull(kind, raw):
	case use == used, kind == lib.Events.ChannelUserevent:
		e, err := c.decode(kind, raw, at)
		if err != nil {
			c.observe.Event("unreadable", false)
			return nil
		}
		select {
		case out <- e:
		default:
			return ErrFull
		}
	}
	return nil
}
