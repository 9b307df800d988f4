package asterisk

import (
	"net/http"
	"strings"
	"testing"
	"time"

	lib "github.com/CyCoreSystems/ari/v6"

	"markaz/asterisk/ari"
	"markaz/call"
)

func at(body lib.Event) ari.Event { return ari.Event{At: time.Now(), Body: body} }

func channel(id, name, state string) lib.ChannelData {
	return lib.ChannelData{ID: id, Name: name, State: state, Caller: &lib.CallerID{Name: "Ali", Number: "0912"}}
}

// Ensure that what happens to a caller before we know who he is comes after
// his CallStarted, in order.
func TestAHastyCallerIsToldInOrder(t *testing.T) {
	read := make(chan struct{})
	b := newBench(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			<-read
			_, _ = w.Write([]byte(`{"value":"021"}`))
		}
	})
	b.work(t)
	ch := channel("1.2", "PJSIP/trunk-1", "Ring")
	b.take(at(&lib.StasisStart{Args: []string{"inbound"}, Channel: ch}))
	b.take(at(&lib.StasisStart{Args: []string{"inbound"}, Channel: ch}))
	b.take(at(&lib.ChannelDtmfReceived{Channel: ch, Digit: "5"}))
	b.take(at(&lib.ChannelHangupRequest{Channel: ch}))
	b.take(at(&lib.StasisEnd{Channel: ch}))
	b.take(at(&lib.ChannelDestroyed{Channel: ch, Cause: 16}))
	select {
	case e := <-b.got:
		t.Fatalf("%s came before its time", e.Kind)
	default:
	}
	close(read)
	for _, kind := range []call.Kind{call.CallStarted, call.LegDigit, call.LegEnded} {
		if e := b.next(t); e.Kind != kind || e.Leg != "1.2" || e.Call == "" || kind == call.CallStarted && (e.To != "021" || e.FromName != "Ali") {
			t.Errorf("have %+v, want %s", e, kind)
		}
	}
	if b.Stats().Legs != 0 || len(b.got) != 0 {
		t.Errorf("left over: %d legs, %d events", b.Stats().Legs, len(b.got))
	}
}

func TestChannelsThatAreNoCallers(t *testing.T) {
	asked := make(chan string, 10)
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + strings.TrimPrefix(r.URL.Path, "/ari/")
	})
	b.work(t)
	for _, name := range []string{"Snoop/x", "UnicastRTP/127.0.0.1:9", "Recorder/ARI-1", "Announcer/ARI-1"} {
		b.take(at(&lib.StasisStart{Channel: channel(name, name, "Up")}))
		b.take(at(&lib.ChannelEnteredBridge{Channel: channel(name, name, "Up"), Bridge: lib.BridgeData{ID: "b"}}))
		b.take(at(&lib.ChannelLeftBridge{Channel: channel(name, name, "Up"), Bridge: lib.BridgeData{ID: "b"}}))
		b.take(at(&lib.StasisEnd{Channel: channel(name, name, "Up")}))
	}
	if len(asked) != 0 || len(b.got) != 0 {
		t.Fatalf("%d commands, %d events", len(asked), len(b.got))
	}
	// A channel that the dialplan sent without a purpose must not hang in silence.
	b.take(at(&lib.StasisStart{Channel: channel("9.9", "PJSIP/x-1", "Up"), Args: []string{"nonsense"}}))
	<-asked
	if have := <-asked; have != "POST channels/9.9/continue" {
		t.Errorf("asked for %s", have)
	}
}

func TestRepeatsChangeNothing(t *testing.T) {
	b := newBench(t, ok)
	b.work(t)
	b.Do(call.Ring{Call: "c", Leg: "r", Address: "101", Role: call.RoleAgent})
	ch := channel("r", "PJSIP/101-1", "Ringing")
	up := channel("r", "PJSIP/101-1", "Up")
	in := lib.BridgeData{ID: "b", Name: b.bridgeName(), ChannelIDs: []string{"r"}}
	out := lib.BridgeData{ID: "b", Name: b.bridgeName()}
	for _, body := range []lib.Event{
		&lib.ChannelStateChange{Channel: ch}, &lib.ChannelStateChange{Channel: up},
		&lib.StasisStart{Args: []string{"leg", "c"}, Channel: up},
		&lib.ChannelEnteredBridge{Channel: up, Bridge: in}, &lib.ChannelLeftBridge{Channel: up, Bridge: out},
		&lib.ChannelHangupRequest{Channel: up}, &lib.StasisEnd{Channel: up}, &lib.ChannelDestroyed{Channel: up, Cause: 16},
	} {
		b.take(at(body))
		b.take(at(body))
	}
	for _, kind := range []call.Kind{call.LegRinging, call.LegAnswered, call.LegJoined, call.LegLeft, call.LegEnded} {
		if e := b.next(t); e.Kind != kind || e.Call != "c" || e.Leg != "r" {
			t.Errorf("have %+v, want %s", e, kind)
		}
	}
	if len(b.got) != 0 {
		t.Errorf("%d more events: %+v", len(b.got), <-b.got)
	}
}

// Ensure that an agent who answers while we withdraw the call is not taken for
// one who talks.
func TestAnAnswerThatComesTooLate(t *testing.T) {
	b := newBench(t, ok)
	b.work(t)
	b.Do(call.Ring{Call: "c", Leg: "r", Address: "101", Role: call.RoleAgent})
	b.legs.with("r", func(l *leg) { l.ending.asked, l.ending.askedCause = true, call.CauseElsewhere })
	up := channel("r", "PJSIP/101-1", "Up")
	b.take(at(&lib.StasisStart{Args: []string{"leg", "c"}, Channel: up}))
	b.take(at(&lib.ChannelDestroyed{Channel: up, Cause: 26}))
	if e := b.next(t); e.Kind != call.LegEnded || e.Result != call.AnsweredElsewhere {
		t.Errorf("have %+v", e)
	}
}

func TestCallersArePassedOnWithTheDialplansArguments(t *testing.T) {
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			t.Errorf("asked for %s", r.URL)
		}
	})
	b.work(t)
	b.take(at(&lib.StasisStart{Args: []string{"inbound", "021", "trunk1"}, Channel: channel("1.2", "PJSIP/trunk-1", "Up")}))
	if e := b.next(t); e.Kind != call.CallStarted || e.To != "021" || e.Trunk != "trunk1" {
		t.Errorf("have %+v", e)
	}
	if e := b.next(t); e.Kind != call.LegAnswered {
		t.Errorf("have %+v", e)
	}
}

// Ensure that a bridge that was empty for a moment is not taken away from under
// a leg that has come back, and that one that stays empty is removed.
func TestOnlyAnEmptyBridgeIsRemoved(t *testing.T) {
	asked := make(chan string, 20)
	b := newBench(t, func(_ http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + strings.TrimPrefix(r.URL.Path, "/ari/")
	})
	b.work(t)
	b.legs.add(newLeg("a", "c", who{}, present))
	ch := channel("a", "PJSIP/a-1", "Up")
	full := lib.BridgeData{ID: "b", Name: b.bridgeName(), ChannelIDs: []string{"a"}}
	empty := lib.BridgeData{ID: "b", Name: b.bridgeName()}
	expect := func(want ...string) {
		t.Helper()
		for _, w := range want {
			if have := <-asked; have != w {
				t.Errorf("asked for %s, want %s", have, w)
			}
		}
	}
	join := call.Bridge{Call: "c", ID: "b", Legs: []string{"a"}}

	b.Do(join)
	expect("POST bridges/b", "POST bridges/b/addChannel")
	b.take(at(&lib.ChannelEnteredBridge{Channel: ch, Bridge: full}))
	b.Do(join) // is there: nothing but the bridge itself is asked for
	expect("POST bridges/b")
	b.Do(call.Unbridge{ID: "b", Leg: "a"})
	b.Do(join)
	order := map[string]int{} // the bridge itself is asked for in a lane of its own
	for i := range 3 {
		order[<-asked] = i
	}
	if len(order) != 3 || order["POST bridges/b/removeChannel"] > order["POST bridges/b/addChannel"] {
		t.Errorf("asked for %v", order)
	}
	b.take(at(&lib.ChannelLeftBridge{Channel: ch, Bridge: empty}))
	b.take(at(&lib.ChannelEnteredBridge{Channel: ch, Bridge: full}))
	b.Do(call.Music{Leg: "a"})
	expect("POST channels/a/moh")
	b.take(at(&lib.ChannelLeftBridge{Channel: ch, Bridge: empty}))
	expect("DELETE bridges/b")
	for _, kind := range []call.Kind{call.LegJoined, call.LegLeft, call.LegJoined, call.LegLeft} {
		if e := b.next(t); e.Kind != kind || e.Ref != "b" {
			t.Errorf("have %+v, want %s", e, kind)
		}
	}
}
