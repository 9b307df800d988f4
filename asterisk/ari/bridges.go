package ari

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	lib "github.com/CyCoreSystems/ari/v6"
)

// Bridges lists all bridges of this Asterisk.
func (c *Client) Bridges(ctx context.Context) ([]lib.BridgeData, error) {
	var list []lib.BridgeData
	err := c.send(ctx, http.MethodGet, "bridges", nil, nil, &list)
	return list, err
}

// CreateBridge makes a mixing bridge, unless there is one of that id.
func (c *Client) CreateBridge(ctx context.Context, id, name string) error {
	err := c.send(ctx, http.MethodPost, path("bridges", id), nil, map[string]string{"type": "mixing", "name": name}, nil)
	switch Status(err) {
	case http.StatusConflict: // there is one, says Asterisk 22
		return nil
	case http.StatusInternalServerError: // Asterisk 16 says so for the same
		if c.send(ctx, http.MethodGet, path("bridges", id), nil, nil, nil) == nil {
			return nil
		}
	}
	return err
}

// DestroyBridge removes a bridge; channels in it stay in Stasis.
func (c *Client) DestroyBridge(ctx context.Context, id string) error {
	return c.send(ctx, http.MethodDelete, path("bridges", id), nil, nil, nil)
}

// AddChannel puts channels into a bridge, all or (when one of them is not in
// Stasis) none. A channel that is in it already leaves and comes back, audibly.
func (c *Client) AddChannel(ctx context.Context, bridge string, channels ...string) error {
	return c.send(ctx, http.MethodPost, path("bridges", bridge, "addChannel"), url.Values{"channel": {strings.Join(channels, ",")}}, nil, nil)
}

// RemoveChannel takes a channel out of a bridge.
func (c *Client) RemoveChannel(ctx context.Context, bridge, channel string) error {
	return c.send(ctx, http.MethodPost, path("bridges", bridge, "removeChannel"), url.Values{"channel": {channel}}, nil, nil)
}
