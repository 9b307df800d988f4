package ari

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// Record records a bridge into the WAV file name of Asterisk's recording
// folder, mixed, until it is stopped or the bridge is empty. A name that is
// taken is refused.
func (c *Client) Record(ctx context.Context, bridge, name string) error {
	return c.send(ctx, http.MethodPost, path("bridges", bridge, "record"), nil, map[string]any{
		"name": name, "format": "wav", "ifExists": "fail", "beep": false,
		"maxDurationSeconds": 0, "maxSilenceSeconds": 0, "terminateOn": "none",
	}, nil)
}

// Recording reports whether a recording of that name is under way.
func (c *Client) Recording(ctx context.Context, name string) (bool, error) {
	err := c.send(ctx, http.MethodGet, path("recordings", "live", name), nil, nil, nil)
	if Gone(err) {
		return false, nil
	}
	return err == nil, err
}

// StopRecording ends a recording and keeps it.
func (c *Client) StopRecording(ctx context.Context, name string) error {
	return c.send(ctx, http.MethodPost, path("recordings", "live", name, "stop"), nil, nil, nil)
}

// PauseRecording pauses a recording or goes on with it.
func (c *Client) PauseRecording(ctx context.Context, name string, pause bool) error {
	method := http.MethodPost
	if !pause {
		method = http.MethodDelete
	}
	return c.send(ctx, method, path("recordings", "live", name, "pause"), nil, nil, nil)
}

// StoredRecordings lists the names of finished recordings.
func (c *Client) StoredRecordings(ctx context.Context) ([]string, error) {
	var list []struct{ Name string }
	if err := c.send(ctx, http.MethodGet, "recordings/stored", nil, nil, &list); err != nil {
		return nil, err
	}
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return names, nil
}

// FetchRecording copies a finished recording to w and returns its length in
// bytes. Only ctx limits how long it may take.
func (c *Client) FetchRecording(ctx context.Context, name string, w io.Writer) (int64, error) {
	res, err := c.open(ctx, http.MethodGet, path("recordings", "stored", name, "file"), nil, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	n, err := io.Copy(w, res.Body)
	if err != nil {
		return n, fmt.Errorf("copy recording %s: %w", name, err)
	}
	return n, nil
}

// DeleteRecording removes a finished recording.
func (c *Client) DeleteRecording(ctx context.Context, name string) error {
	return c.send(ctx, http.MethodDelete, path("recordings", "stored", name), nil, nil, nil)
}
