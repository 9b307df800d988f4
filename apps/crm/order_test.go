package crm

import (
	"fmt"
	"slices"
	"testing"

	"markaz/call"
)

// Whoever is faster, the CRM that stands first in the configuration says who
// calls; one that is not to be looked in says nothing.
func TestCRMsAreBelievedInTheirOrder(t *testing.T) {
	cfg := Config{{Name: "first"}, {Name: "second"}, {Name: "mute", LookUp: new(false)}}
	says := func(id, sink string) call.Event {
		return call.Event{Kind: call.CallIdentified, Call: id, Identity: sink, Data: map[string]string{"sink": sink}}
	}
	stranger := call.Event{Kind: call.CallIdentified, Call: "a", State: call.Unidentified}
	other := call.Event{Kind: call.DeliveryFailed}
	for _, c := range []struct {
		name string
		told []call.Event
		want []int // which of them are handed on
	}{
		{"the first is faster", []call.Event{says("a", "first"), says("a", "second"), says("a", "first")}, []int{0, 2}},
		{"the second is faster", []call.Event{says("a", "second"), says("a", "first"), says("a", "second")}, []int{0, 1}},
		{"each its own call", []call.Event{says("a", "first"), says("b", "second")}, []int{0, 1}},
		{"one has no say", []call.Event{says("a", "mute"), says("a", "second"), says("a", "mute")}, []int{1}},
		{"nobody knows him", []call.Event{stranger, says("a", "second"), stranger}, []int{0, 1, 2}},
		{"something else", []call.Event{other, says("a", "second"), other}, []int{0, 1, 2}},
	} {
		have := []int{}
		now := 0
		report := InOrder(cfg, func(call.Event) { have = append(have, now) })
		for now = range c.told {
			report(c.told[now])
		}
		if !slices.Equal(have, c.want) {
			t.Errorf("%s: %v, want %v", c.name, have, c.want)
		}
	}
}

// It is remembered for the calls that go on, and not for ever.
func TestTheOrderForgets(t *testing.T) {
	told := 0
	report := InOrder(Config{{Name: "first"}, {Name: "second"}}, func(call.Event) { told++ })
	say := func(id int, sink string) {
		report(call.Event{Kind: call.CallIdentified, Call: fmt.Sprint(id), Data: map[string]string{"sink": sink}})
	}
	say(-1, "first")
	for i := range orderKept {
		say(i, "first")
	}
	told = 0
	if say(-1, "second"); told != 0 {
		t.Error("forgotten after too few calls")
	}
	for i := range orderKept {
		say(orderKept+i, "first")
	}
	if say(-1, "second"); told != orderKept+1 {
		t.Errorf("%d told: kept for ever", told)
	}
}
