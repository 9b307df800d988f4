package ari

import (
	"context"
	"net/http"
)

// Endpoint is a phone or a line that Asterisk knows, and whether it can be
// reached: online, offline, or unknown where nobody looks after that.
type Endpoint struct {
	Technology string `json:"technology"`
	Resource   string `json:"resource"`
	State      string `json:"state"`
}

// Endpoints lists those of one technology, such as PJSIP. To ask again and
// again is cheaper than to subscribe to them: Asterisk then tells everything
// that happens to their channels a second time.
func (c *Client) Endpoints(ctx context.Context, technology string) ([]Endpoint, error) {
	var list []Endpoint
	err := c.send(ctx, http.MethodGet, path("endpoints", technology), nil, nil, &list)
	return list, err
}
