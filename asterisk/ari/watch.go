package ari

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// subscription is what the event socket asks for.
func (c *Client) subscription() url.Values {
	v := url.Values{"app": {c.cfg.App}}
	if c.cfg.Watch {
		v.Set("subscribeAll", "true")
	}
	return v
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
