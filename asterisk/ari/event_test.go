package ari

import (
	"encoding/json"
	"testing"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"
)

const (
	destroyed = `{"type":"ChannelDestroyed","timestamp":"2026-11-22T00:26:45.040+0000","cause":17,"cause_txt":"User busy","tech_cause":486,"channel":{"id":"1795307205.19","name":"PJSIP/trunk-0000000d","state":"Up","protocol_id":"1-12716@127.0.0.1","caller":{"name":"sipp","number":"sipp"},"connected":{"name":"","number":""},"accountcode":"","dialplan":{"context":"in","exten":"100","priority":3,"app_name":"Stasis","app_data":"markaz,inbound"},"creationtime":"2026-11-22T00:26:45.004+0000","language":"en"},"asterisk_id":"02:fc:00:00:00:01","application":"markaz"}`
	varset    = `{"variable":"MARKAZ_STATE","value":"{\"type\":\"x\"}","type":"ChannelVarset","timestamp":"2026-11-22T00:26:45.040+0000","channel":{"id":"1795307205.19"},"application":"markaz"}`
)

func TestTheTypeIsFoundWithoutDecoding(t *testing.T) {
	for raw, want := range map[string]string{
		destroyed: "ChannelDestroyed",
		varset:    "ChannelVarset",
		`{"channel":{"type":"inner"},"list":[{"type":"a"},"type"],"type" : "Outer"}`: "Outer",
		`{"note":"\"type\":\"fake\"","type":"True"}`:                                 "True",
		`{"value":"type","type":"After"}`:                                            "After",
	} {
		if have, err := typeOf([]byte(raw)); err != nil || have != want {
			t.Errorf("%.60s: have %q, %v", raw, have, err)
		}
	}
}

func TestTheSIPCodeIsRead(t *testing.T) {
	e, err := decode("ChannelDestroyed", []byte(destroyed), time.Now())
	if err != nil || e.TechCause != 486 || e.Body.(*lib.ChannelDestroyed).Cause != 17 {
		t.Errorf("have %+v, %v", e, err)
	}
}

// Ensure that each type we use is one that the library can decode, and that
// nothing useful is muted.
func TestEveryUsedTypeIsDecoded(t *testing.T) {
	for _, kind := range []string{
		"StasisStart", "StasisEnd", "ChannelStateChange", "ChannelDestroyed", "ChannelHangupRequest", "ChannelDtmfReceived",
		"ChannelHold", "ChannelUnhold", "ChannelEnteredBridge", "ChannelLeftBridge",
		"BridgeBlindTransfer", "BridgeAttendedTransfer", "PlaybackFinished", "RecordingStarted", "RecordingFinished", "RecordingFailed",
	} {
		if usageOf(kind) != used {
			t.Errorf("%s is not used", kind)
		}
		if _, err := decode(kind, []byte(`{"type":"`+kind+`"}`), time.Now()); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, kind := range mutedTypes() {
		if usageOf(kind) != muted {
			t.Errorf("%s is muted and used", kind)
		}
	}
}

func FuzzTypeOf(f *testing.F) {
	for _, seed := range []string{destroyed, varset, `{`, `{"type"`, `{"type":"`, `{"type":"\"`, `}{"type":"x"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		have, err := typeOf(raw)
		var want struct{ Type any }
		if json.Unmarshal(raw, &want) != nil {
			return // only no panic is asked for
		}
		if word, is := want.Type.(string); err == nil && is && json.Valid([]byte(`"`+have+`"`)) {
			var plain string
			_ = json.Unmarshal([]byte(`"`+have+`"`), &plain)
			var keys map[string]json.RawMessage
			_ = json.Unmarshal(raw, &keys)
			if _, exact := keys["type"]; exact && len(keys) == 1 && plain != word {
				t.Errorf("have %q, want %q", plain, word)
			}
		}
	})
}

func BenchmarkEventDecode(b *testing.B) {
	for name, raw := range map[string]string{"ChannelDestroyed": destroyed, "ChannelVarset-passed-over": varset} {
		b.Run(name, func(b *testing.B) {
			c, out := New(DefaultConfig(), nil), make(chan Event, 1)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.sort([]byte(raw), time.Time{}, out); err != nil {
					b.Fatal(err)
				}
				select {
				case <-out:
				default:
				}
			}
		})
	}
}
