package ari

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	lib "github.com/CyCoreSystems/ari/v6"
)

// Channels lists all channels of this Asterisk.
func (c *Client) Channels(ctx context.Context) ([]lib.ChannelData, error) {
	var list []lib.ChannelData
	err := c.send(ctx, http.MethodGet, "channels", nil, nil, &list)
	return list, err
}

// Channel tells about one channel.
func (c *Client) Channel(ctx context.Context, id string) (lib.ChannelData, error) {
	var ch lib.ChannelData
	err := c.send(ctx, http.MethodGet, path("channels", id), nil, nil, &ch)
	return ch, err
}

// Originate makes a channel and calls its endpoint. A channel of that id that
// is there already is no error: it was made by an earlier try whose answer was
// lost.
func (c *Client) Originate(ctx context.Context, req lib.OriginateRequest) error {
	err := c.send(ctx, http.MethodPost, "channels", nil, req, nil)
	if req.ChannelID != "" && Status(err) == http.StatusConflict {
		return nil
	}
	return err
}

// Answer picks a channel up.
func (c *Client) Answer(ctx context.Context, id string) error {
	return c.send(ctx, http.MethodPost, path("channels", id, "answer"), nil, nil, nil)
}

// Hangup asks for the end of a channel with a Q.850 cause. Asterisk agrees
// before it is done; only a later 404 proves it.
func (c *Client) Hangup(ctx context.Context, id string, cause int) error {
	query := url.Values{"reason_code": {strconv.Itoa(cause)}}
	if word := reasonOf(cause); word != "" {
		query = url.Values{"reason": {word}}
	}
	return c.send(ctx, http.MethodDelete, path("channels", id), query, nil, nil)
}

// reasonOf is Asterisk's word for a cause, or "". Asterisk 16 knows only the
// words, Asterisk 22 the number as well, and neither takes both at once.
func reasonOf(cause int) string {
	switch cause {
	case 1:
		return "unallocated"
	case 16:
		return "normal"
	case 17:
		return "busy"
	case 18:
		return "timeout"
	case 19:
		return "no_answer"
	case 21:
		return "rejected"
	case 26:
		return "answered_elsewhere"
	case 28:
		return "number_incomplete"
	case 31:
		return "normal_unspecified"
	case 34:
		return "congestion"
	case 127:
		return "interworking"
	}
	return ""
}

// Continue gives a channel back to the dialplan, at the step after Stasis.
func (c *Client) Continue(ctx context.Context, id string) error {
	return c.send(ctx, http.MethodPost, path("channels", id, "continue"), nil, nil, nil)
}

// Variable reads a channel variable or function; one that is not set is "".
func (c *Client) Variable(ctx context.Context, id, name string) (string, error) {
	var answer struct{ Value string }
	err := c.send(ctx, http.MethodGet, path("channels", id, "variable"), url.Values{"variable": {name}}, nil, &answer)
	if Gone(err) { // for an unset variable and for a missing channel alike
		return "", nil
	}
	return answer.Value, err
}

// SetVariable writes a channel variable or function.
func (c *Client) SetVariable(ctx context.Context, id, name, value string) error {
	return c.send(ctx, http.MethodPost, path("channels", id, "variable"), nil,
		map[string]string{"variable": name, "value": value}, nil)
}

// StartMusic plays music on hold; class "" is Asterisk's default.
func (c *Client) StartMusic(ctx context.Context, id, class string) error {
	query := url.Values{}
	if class != "" {
		query.Set("mohClass", class)
	}
	return c.send(ctx, http.MethodPost, path("channels", id, "moh"), query, nil, nil)
}

// StopMusic ends music on hold.
func (c *Client) StopMusic(ctx context.Context, id string) error {
	return c.send(ctx, http.MethodDelete, path("channels", id, "moh"), nil, nil, nil)
}

// Play queues one medium ("sound:…", "number:…", "digits:…") on a channel.
// PlaybackFinished tells its end, with state "failed" for a missing file.
func (c *Client) Play(ctx context.Context, channel, playback, media, lang string) error {
	body := map[string]any{"media": []string{media}}
	if lang != "" {
		body["lang"] = lang
	}
	return c.send(ctx, http.MethodPost, path("channels", channel, "play", playback), nil, body, nil)
}

// StopPlayback ends a playback that runs or waits.
func (c *Client) StopPlayback(ctx context.Context, id string) error {
	return c.send(ctx, http.MethodDelete, path("playbacks", id), nil, nil, nil)
}

// Playing reports whether a playback runs or waits.
func (c *Client) Playing(ctx context.Context, id string) (bool, error) {
	err := c.send(ctx, http.MethodGet, path("playbacks", id), nil, nil, nil)
	if Gone(err) {
		return false, nil
	}
	return err == nil, err
}

// Ring lets a channel hear (on) that it rings elsewhere, or no longer.
func (c *Client) Ring(ctx context.Context, id string, on bool) error {
	method := http.MethodPost
	if !on {
		method = http.MethodDelete
	}
	return c.send(ctx, method, path("channels", id, "ring"), nil, nil, nil)
}

// Snoop makes a channel that hears another and may speak into it. Directions
// are none, in (what it says), out (what it hears) and both. The new channel
// enters the application; it ends with the other one.
func (c *Client) Snoop(ctx context.Context, channel, snoop, spy, whisper string) error {
	query := url.Values{"app": {c.cfg.App}, "spy": {spy}, "whisper": {whisper}}
	return c.send(ctx, http.MethodPost, path("channels", channel, "snoop", snoop), query, nil, nil)
}
