package crm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Users implements [UserLister]. PayamGostar can only be asked for one peer
// after the other.
func (c *payamGostarConn) Users(ctx context.Context, extensions []string) ([]User, error) {
	var out []User
	for _, x := range extensions {
		var peer struct {
			Name   string
			UserID any `json:"UserId"`
		}
		err := c.api.send(ctx, http.MethodGet, "telephony/"+url.PathEscape(c.api.cfg.Key)+"/peer/"+url.PathEscape(x), nil, &peer)
		switch {
		case errors.Is(err, errNotFound):
			continue
		case err != nil:
			return nil, fmt.Errorf("ask for %s: %w", x, err)
		case peer.UserID != nil:
			out = append(out, User{Extension: x, ID: fmt.Sprint(peer.UserID)})
		}
	}
	return joinUsers(nil, out), nil
}
