package stream

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"markaz/call"
)

// appendJSON appends the JSON of an event to b: byte for byte what
// encoding/json makes of it, five times as fast and without garbage. A test
// holds the two together, and fails when the event gets a field that is
// missing here.
func appendJSON(b []byte, e *call.Event) ([]byte, error) {
	o := object{b: append(b, '{')}
	o.int("v", int64(e.V))
	o.text("id", e.ID)
	o.text("kind", string(e.Kind))
	o.text("source", e.Source)
	o.optText("call", e.Call)
	o.optText("leg", e.Leg)
	if e.Seq != 0 {
		o.key("seq")
		o.b = strconv.AppendUint(o.b, e.Seq, 10)
	}
	o.time("at", e.At)
	o.time("seen_at", e.SeenAt)
	o.key("live")
	o.b = strconv.AppendBool(o.b, e.Live)
	o.parties(e)
	o.place(e)
	o.outcome(e)
	o.optInt("size", e.Size)
	o.optText("sha256", e.SHA256)
	o.optText("into", e.Into)
	o.optInt("revision", int64(e.Revision))
	o.optText("text", e.Text)
	if len(e.Data) > 0 {
		o.any("data", e.Data)
	}
	if o.err != nil {
		return b, fmt.Errorf("encode event: %w", o.err)
	}
	return append(o.b, '}'), nil
}

func (o *object) parties(e *call.Event) {
	o.optText("ref", e.Ref)
	o.optText("direction", string(e.Direction))
	o.optText("origin", string(e.Origin))
	o.optText("from", e.From)
	o.optText("from_name", e.FromName)
	o.optText("from_e164", e.FromE164)
	o.optText("to", e.To)
	o.optText("to_e164", e.ToE164)
	o.optText("trunk", e.Trunk)
	o.optText("did", e.DID)
	o.optText("identity", e.Identity)
	if len(e.Caps) > 0 {
		o.any("caps", e.Caps)
	}
	if e.Observed {
		o.key("observed")
		o.b = append(o.b, "true"...)
	}
}

func (o *object) place(e *call.Event) {
	o.optText("role", string(e.Role))
	o.optText("address", e.Address)
	o.optText("agent", e.Agent)
	o.optText("queue", e.Queue)
	o.optText("menu", e.Menu)
	o.optText("digits", e.Digits)
	o.optText("state", e.State)
	o.optText("mode", e.Mode)
	o.optInt("position", int64(e.Position))
	o.optInt("wait_ms", e.WaitMS)
	o.optInt("talk_ms", e.TalkMS)
	o.optInt("ring_ms", e.RingMS)
	o.optInt("duration_ms", e.DurationMS)
	o.optInt("grain_ms", e.GrainMS)
}

func (o *object) outcome(e *call.Event) {
	o.optText("result", string(e.Result))
	o.optText("disposition", string(e.Disposition))
	o.optText("by", string(e.By))
	o.optInt("cause", int64(e.Cause))
	o.optInt("sip", int64(e.SIP))
	o.optText("reason", e.Reason)
	o.optText("recording", e.Recording)
	o.optText("file", e.File)
}

// object is a JSON object that grows. The first error sticks.
type object struct {
	b   []byte
	err error
}

func (o *object) key(name string) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
}

func (o *object) int(name string, v int64) {
	o.key(name)
	o.b = strconv.AppendInt(o.b, v, 10)
}

func (o *object) optInt(name string, v int64) {
	if v != 0 {
		o.int(name, v)
	}
}

func (o *object) optText(name, v string) {
	if v != "" {
		o.text(name, v)
	}
}

func (o *object) text(name, v string) {
	if !plain(v) {
		o.any(name, v)
		return
	}
	o.key(name)
	o.b = append(o.b, '"')
	o.b = append(o.b, v...)
	o.b = append(o.b, '"')
}

func (o *object) time(name string, v time.Time) {
	o.key(name)
	o.b = append(o.b, '"')
	b, err := v.AppendText(o.b)
	if err != nil {
		o.fail(name, err)
		return
	}
	o.b = append(b, '"')
}

// any leaves what is rare to encoding/json.
func (o *object) any(name string, v any) {
	o.key(name)
	raw, err := json.Marshal(v)
	if err != nil {
		o.fail(name, err)
		return
	}
	o.b = append(o.b, raw...)
}

func (o *object) fail(name string, err error) {
	if o.err == nil {
		o.err = fmt.Errorf("%s: %w", name, err)
	}
}

// plain reports whether a string stands in JSON as it is.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			return false
		}
	}
	return true
}
