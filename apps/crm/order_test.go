package crm

import (
	"slices"
	"testing"

	"markaz/call"
)

// Whoever is faster, the CRM that stands first in the configuration says who
// calls; one that is not to be looked in says nothing. A process that begins
// anew with the record decides no other way.
func TestCRMsAreBelievedInTheirOrder(t *testing.T) {
	cfg := Config{{Name: "first"}, {Name: "second"}, {Name: "mute", LookUp: new(false)}}
	says := func(sink string) call.Event {
		return call.Event{Kind: call.CallIdentified, Call: "a", Identity: sink, Data: map[string]string{"sink": sink}}
	}
	stranger := call.Event{Kind: call.CallIdentified, Call: "a", State: call.Unidentified}
	other := call.Event{Kind: call.DeliveryFailed, Call: "a"}
	for _, c := range []struct {
		name string
		told []call.Event
		want []int // which of them count
		is   string
	}{
		{"the first is faster", []call.Event{says("first"), says("second"), says("first")}, []int{0, 2}, "first"},
		{"the second is faster", []call.Event{says("second"), says("first"), says("second")}, []int{0, 1}, "first"},
		{"one has no say", []call.Event{says("mute"), says("second"), says("mute")}, []int{1}, "second"},
		{"one is not there any more", []call.Event{says("gone"), says("second"), says("gone")}, []int{0, 1}, "second"},
		{"nobody knows him", []call.Event{stranger, says("second"), stranger}, []int{0, 1, 2}, "second"},
		{"something else", []call.Event{other, says("second"), other}, []int{0, 1, 2}, "second"},
	} {
		record := &call.Call{ID: "a"}
		record.Apply(call.Event{Kind: call.CallStarted, Call: "a"})
		have := []int{}
		for i, e := range c.told {
			if NewOrder(cfg).Believes(e, record) {
				have = append(have, i)
				record.Apply(e)
			}
		}
		if !slices.Equal(have, c.want) || record.Identity != c.is || record.KnownBy != c.is {
			t.Errorf("%s: %v count, it is %q by %q; want %v, %q", c.name, have, record.Identity, record.KnownBy, c.want, c.is)
		}
	}
	if o := NewOrder(cfg); !o.Believes(says("second"), nil) || o.Believes(says("mute"), nil) {
		t.Error("of a call that is not known here")
	}
}
