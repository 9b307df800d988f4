package ari

import (
	"context"
	"net/http"
	"net/url"

	lib "github.com/CyCoreSystems/ari/v6"
)

// What `doctor` looks at, once, before any call.

// Global reads a global variable, or a dialplan function that wants no channel.
func (c *Client) Global(ctx context.Context, name string) (string, error) {
	var v struct {
		Value string `json:"value"`
	}
	err := c.send(ctx, http.MethodGet, "asterisk/variable", url.Values{"variable": {name}}, nil, &v)
	return v.Value, err
}

// SetGlobal writes a global variable, which a user who is read_only may not.
func (c *Client) SetGlobal(ctx context.Context, name, value string) error {
	return c.send(ctx, http.MethodPost, "asterisk/variable", url.Values{"variable": {name}, "value": {value}}, nil, nil)
}

// Module reports whether a module is loaded and running.
func (c *Client) Module(ctx context.Context, name string) (bool, error) {
	var m lib.ModuleData
	err := c.send(ctx, http.MethodGet, path("asterisk", "modules", name), nil, nil, &m)
	if Gone(err) {
		return false, nil
	}
	return err == nil && m.Status == "Running", err
}

// Sounds counts the sounds that Asterisk has in a language.
func (c *Client) Sounds(ctx context.Context, lang string) (int, error) {
	var list []struct{}
	err := c.send(ctx, http.MethodGet, "sounds", url.Values{"lang": {lang}}, nil, &list)
	if Gone(err) {
		return 0, nil
	}
	return len(list), err
}

// Call lets the dialplan call itself: one end of a Local channel with our id
// goes to an extension of a context, the other to another one there. Variables
// are for the first.
func (c *Client) Call(ctx context.Context, id, in, extension, other string, variables map[string]string) error {
	err := c.Originate(ctx, lib.OriginateRequest{
		Endpoint: "Local/" + extension + "@" + in + "/n", ChannelID: id,
		Context: in, Extension: other, Priority: 1, Timeout: 5, Variables: variables,
	})
	return err
}
