package crm

import (
	"encoding/json"
	"fmt"
	"time"

	"markaz/call"
)

// ContentType is the media type of a CloudEvents 1.0 event in structured JSON.
const ContentType = "application/cloudevents+json"

// Envelope is what a web hook carries: a CloudEvents 1.0 event.
type Envelope struct {
	SpecVersion string    `json:"specversion"` // 1.0
	ID          string    `json:"id"`          // of the event; the same whenever it is sent again
	Source      string    `json:"source"`      // markaz/<key of the PBX or line monitor>
	Type        string    `json:"type"`        // org.markaz.<kind>.v1
	Subject     string    `json:"subject,omitempty"`
	Time        time.Time `json:"time"` // when it happened
	ContentType string    `json:"datacontenttype"`
	Schema      string    `json:"dataschema"`
	// Sequence is the event's number within its call, from 1, with leading
	// zeros: the CloudEvents extension of that name wants strings that sort.
	// Numbers that a sink filters out are missing.
	Sequence string `json:"sequence,omitempty"`
	Data     Data   `json:"data"`
}

// Data is the content of an envelope.
type Data struct {
	Event call.Event `json:"event"`
	// Call is the whole record, in call.ended, call.amended and call.merged.
	Call *call.Call `json:"call,omitempty"`
	// RecordingURL is where the call's recording can be fetched for a while.
	RecordingURL string `json:"recording_url,omitempty"`
	// Truncated tells that the record was too long for a web hook, and that
	// its legs, menus and queues are left out.
	Truncated bool `json:"truncated,omitempty"`
}

// bodyLimit keeps a body below the 64 KiB that CloudEvents 1.0 ("Size limits")
// lets every intermediary forward.
const bodyLimit = 60 << 10

// envelop wraps an event, and its call's record where it belongs.
func envelop(e call.Event, record call.Call, thin bool, link string) ([]byte, error) {
	env := Envelope{
		SpecVersion: "1.0",
		ID:          e.ID,
		Source:      "markaz/" + e.Source,
		Type:        fmt.Sprintf("org.markaz.%s.v%d", e.Kind, call.Schema),
		Subject:     e.Call,
		Time:        e.At,
		ContentType: "application/json",
		Schema:      fmt.Sprintf("urn:markaz:event:v%d", call.Schema),
		Data:        Data{Event: e},
	}
	if e.Seq > 0 {
		env.Sequence = fmt.Sprintf("%010d", e.Seq)
	}
	switch {
	case thin:
		env.Data.Event = call.Event{
			V: e.V, ID: e.ID, Kind: e.Kind, Source: e.Source, Call: e.Call, Leg: e.Leg,
			Seq: e.Seq, At: e.At, SeenAt: e.SeenAt, Live: e.Live,
		}
	case e.Kind == call.CallEnded, e.Kind == call.CallAmended, e.Kind == call.CallMerged:
		env.Data.Call, env.Data.RecordingURL = &record, link
	}
	body, err := json.Marshal(env)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	if len(body) > bodyLimit && env.Data.Call != nil {
		record.Legs, record.Menus, record.Queues = nil, nil, nil
		env.Data.Truncated = true
		if body, err = json.Marshal(env); err != nil {
			return nil, fmt.Errorf("encode event: %w", err)
		}
	}
	return body, nil
}
