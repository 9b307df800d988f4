package ari

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"
)

// Event is one event of Asterisk.
type Event struct {
	At   time.Time // when it reached us
	Body lib.Event // the library's structure of this type; nil for who watches
	Raw  []byte    // for who watches: the event as Asterisk wrote it

	// TechCause is the SIP status with which a channel ended, 0 if none;
	// Asterisk 22 tells it, the library does not.
	TechCause int
}

// errNoType is what a message is that names no event.
var errNoType = errors.New("event without a type")

// typeOf finds the type of an event without decoding it: the string under the
// key "type" of the outermost object. Asterisk writes it first.
func typeOf(raw []byte) (string, error) {
	depth, key := 0, false
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '{', '[':
			depth++
			key = raw[i] == '{'
		case '}', ']':
			depth--
		case ',':
			key = true
		case ':':
			key = false
		case '"':
			end := closing(raw, i+1)
			if end < 0 {
				return "", errNoType
			}
			if depth == 1 && key && string(raw[i+1:end]) == "type" {
				return stringAfter(raw[end+1:])
			}
			i = end
		}
	}
	return "", errNoType
}

// closing returns the index of the quote that ends a string starting at i.
func closing(raw []byte, i int) int {
	for ; i < len(raw); i++ {
		switch raw[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// stringAfter reads the plain string that follows a colon.
func stringAfter(raw []byte) (string, error) {
	raw = bytes.TrimLeft(raw, " \t\r\n:")
	if len(raw) == 0 || raw[0] != '"' {
		return "", errNoType
	}
	end := closing(raw, 1)
	if end < 0 {
		return "", errNoType
	}
	return string(raw[1:end]), nil
}

// decode reads an event of a type that somebody waits for.
func decode(kind string, raw []byte, at time.Time) (Event, error) {
	body, err := lib.DecodeEvent(raw)
	if err != nil {
		return Event{}, fmt.Errorf("decode %s: %w", kind, err)
	}
	e := Event{At: at, Body: body}
	if bytes.Contains(raw, []byte(`"tech_cause"`)) {
		var rest struct {
			TechCause int `json:"tech_cause"`
		}
		if err := json.Unmarshal(raw, &rest); err != nil {
			return Event{}, fmt.Errorf("decode %s: %w", kind, err)
		}
		e.TechCause = rest.TechCause
	}
	return e, nil
}

// usage says what is done with events of a type.
type usage int

const (
	unknown usage = iota // a type that this program has never heard of: counted
	muted                // Asterisk is asked not to send it
	used                 // decoded and handed on
	own                  // handled by the connection itself
)

// usageOf knows every event type of Asterisk 16 to 22. A function rather than
// a map: there are no package variables in this house.
func usageOf(kind string) usage {
	switch kind {
	case "StasisStart", "StasisEnd",
		"ChannelStateChange", "ChannelDestroyed", "ChannelHangupRequest", "ChannelDtmfReceived",
		"ChannelHold", "ChannelUnhold",
		"ChannelEnteredBridge", "ChannelLeftBridge",
		"BridgeBlindTransfer", "BridgeAttendedTransfer",
		"PlaybackFinished",
		"RecordingStarted", "RecordingFinished", "RecordingFailed":
		return used
	case "ApplicationReplaced", "ChannelUserevent":
		return own
	}
	for _, m := range mutedTypes() {
		if m == kind {
			return muted
		}
	}
	return unknown
}

// mutedTypes are of no use to us and together outnumber the rest.
func mutedTypes() []string {
	return []string{
		"ChannelVarset", "ChannelDialplan", "ChannelCallerId", "ChannelConnectedLine", "ChannelCreated",
		"ChannelTalkingStarted", "ChannelTalkingFinished", "ChannelToneDetected", "ChannelTransfer",
		"Dial", "BridgeCreated", "BridgeDestroyed", "BridgeMerged", "BridgeVideoSourceChanged",
		"PlaybackStarted", "PlaybackContinuing",
		"DeviceStateChanged", "EndpointStateChange", "PeerStatusChange", "ContactStatusChange",
		"TextMessageReceived", "ApplicationMoveFailed", "ApplicationRegistered", "ApplicationUnregistered",
		"CallBroadcast", "CallClaimed", "MissingParams", "RESTResponse",
	}
}
