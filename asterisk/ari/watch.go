package ari

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// watch asks to be told of all channels and all bridges. Asterisk has an
// option for that, subscribeAll, which asks for the states of devices too: and
// to end that, when a connection is lost, can block all applications for ever
// (github.com/asterisk/asterisk issue 2170; seen with 22.10.1 in two of twelve
// runs with calls). These subscriptions outlive the connection; asked for
// again, they are the same.
func (c *Client) watch(ctx context.Context) error {
	if !c.cfg.Watch {
		return nil
	}
	err := c.send(ctx, http.MethodPost, path("applications", c.cfg.App, "subscription"), url.Values{"eventSource": {"channel:,bridge:"}}, nil, nil)
	if err != nil {
		return fmt.Errorf("subscribe to all channels: %w", err)
	}
	return nil
}

// watchedTypes are the events that tell what somebody else's dialplan does
// with calls.
func watchedTypes() []string {
	return []string{
		"ChannelCreated", "ChannelStateChange", "ChannelDestroyed", "ChannelHangupRequest",
		"ChannelDialplan", "ChannelVarset", "ChannelCallerId", "ChannelDtmfReceived",
		"ChannelHold", "ChannelUnhold", "Dial",
		"BridgeCreated", "BridgeDestroyed", "BridgeMerged", "ChannelEnteredBridge", "ChannelLeftBridge",
		"BridgeBlindTransfer", "BridgeAttendedTransfer",
	}
}

// WatchedVariables are the channel variables whose setting is told to who
// watches; a call sets hundreds, and no other tells anything about it.
func WatchedVariables() []string {
	return []string{
		"MIXMONITOR_FILENAME", "QUEUESTATUS", "VMSTATUS", "VM_MESSAGEFILE",
	}
}

// dull reports an event whose type is watched and which nobody needs: a
// variable that means nothing to us. It is dropped before it costs a decoding.
func dull(kind string, raw []byte) bool {
	if kind != "ChannelVarset" {
		return false
	}
	for _, name := range WatchedVariables() {
		if bytes.Contains(raw, []byte(`"`+name+`"`)) {
			return false
		}
	}
	return true
}

// usageOf says what this client does with events of a type.
func (c *Client) usageOf(kind string) usage {
	use := usageOf(kind)
	if !c.cfg.Watch || use == own || use == unknown {
		return use
	}
	if slices.Contains(watchedTypes(), kind) {
		return used
	}
	return muted
}

// mutedTypes are the events that this client asks not to be sent.
func (c *Client) mutedTypes() []string {
	if !c.cfg.Watch {
		return mutedTypes()
	}
	all := append(mutedTypes(), "StasisStart", "StasisEnd", "PlaybackFinished", "RecordingStarted", "RecordingFinished", "RecordingFailed")
	return slices.DeleteFunc(all, func(kind string) bool { return slices.Contains(watchedTypes(), kind) })
}

// decode reads an event, or copies it for who watches.
func (c *Client) decode(kind string, raw []byte, at time.Time) (Event, error) {
	if c.cfg.Watch {
		return Event{At: at, Raw: bytes.Clone(raw)}, nil
	}
	return decode(kind, raw, at)
}

// Everything lists all channels and all bridges, as Asterisk writes them.
func (c *Client) Everything(ctx context.Context) (channels, bridges json.RawMessage, err error) {
	if err := c.send(ctx, http.MethodGet, path("channels"), nil, nil, &channels); err != nil {
		return nil, nil, err
	}
	err = c.send(ctx, http.MethodGet, path("bridges"), nil, nil, &bridges)
	return channels, bridges, err
}
