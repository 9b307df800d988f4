package ari

import (
	"context"
	"net/http"
	"net/url"

	lib "github.com/CyCoreSystems/ari/v6"
)

// Info tells version, entity id and start-up time of Asterisk.
func (c *Client) Info(ctx context.Context) (lib.AsteriskInfo, error) {
	var info lib.AsteriskInfo
	err := c.send(ctx, http.MethodGet, "asterisk/info", nil, nil, &info)
	return info, err
}

// Application tells which channels and bridges the Stasis application has or
// is subscribed to. Asterisk forgets an application when it is not connected
// and its last channel has left.
func (c *Client) Application(ctx context.Context) (lib.ApplicationData, error) {
	var app lib.ApplicationData
	err := c.send(ctx, http.MethodGet, path("applications", c.cfg.App), nil, nil, &app)
	return app, err
}

// Subscribe asks for the events of a channel that is not in the application.
func (c *Client) Subscribe(ctx context.Context, channel string) error {
	return c.send(ctx, http.MethodPost, path("applications", c.cfg.App, "subscription"),
		url.Values{"eventSource": {"channel:" + channel}}, nil, nil)
}

// MuteEvents tells Asterisk not to send events of the named types. It must be
// told again after each connect.
func (c *Client) MuteEvents(ctx context.Context, types []string) error {
	type filter struct {
		Type string `json:"type"`
	}
	var muted struct {
		Disallowed []filter `json:"disallowed"`
	}
	for _, t := range types {
		muted.Disallowed = append(muted.Disallowed, filter{t})
	}
	return c.send(ctx, http.MethodPut, path("applications", c.cfg.App, "eventFilter"), nil, muted, nil)
}
