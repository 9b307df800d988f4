package apps

import (
	"testing"

	"markaz/call"
)

// readable reads every number and says how.
type readable struct{}

func (readable) Caller(n string) string  { return "caller " + n }
func (readable) Dialled(n string) string { return "dialled " + n }

// The party outside the office has an E.164 number in the log, whoever handles
// the call; the raw numbers stay.
func TestTheOtherPartyHasAnE164Number(t *testing.T) {
	for _, c := range []struct {
		name     string
		told     []call.Event // of the call "c"
		from, to string       // E.164, in the last event
	}{
		{"incoming", []call.Event{{Direction: call.Inbound}}, "caller 1", ""},
		{"incoming, observed", []call.Event{{Direction: call.Inbound, Observed: true}}, "caller 1", ""},
		{"read by whoever told of it", []call.Event{{Direction: call.Inbound, FromE164: "+1"}}, "+1", ""},
		{"outgoing, observed", []call.Event{{Direction: call.Outbound, Observed: true}}, "", "dialled 2"},
		{"by an application of ours", []call.Event{{Direction: call.Outbound, ToE164: "+2"}}, "", "+2"},
		{"by an application of ours, unreadable", []call.Event{{Direction: call.Outbound}}, "", ""},
		{"within the office", []call.Event{{Direction: call.Internal, Observed: true}}, "", ""},
		{"of another PBX", []call.Event{{Direction: call.Inbound, Source: "old"}}, "", ""},
		{"turns out to go out", []call.Event{{Direction: call.Internal, Observed: true}, {Kind: call.CallAmended, Direction: call.Outbound, Observed: true}}, "", "dialled 2"},
		{"the number comes late", []call.Event{{Direction: call.Inbound}, {Kind: call.CallAmended, From: "3"}}, "caller 3", ""},
		{"something else comes late", []call.Event{{Direction: call.Inbound}, {Kind: call.CallAmended, TalkMS: 1}}, "", ""},
		{"amended, but not known", []call.Event{{Kind: call.CallAmended, From: "3"}}, "", ""},
		{"transferred", []call.Event{{Direction: call.Inbound}, {Kind: call.TransferCompleted, To: "4"}}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &journal{}
			l := newLoop(t, j)
			l.dep.Numbers = readable{}
			for _, e := range c.told {
				e.Call = "c"
				if e.Kind == "" {
					e.Kind, e.From, e.To = call.CallStarted, "1", "2"
				}
				l.Take(e)
				if last := j.events[len(j.events)-1]; last.From != e.From || last.To != e.To {
					t.Errorf("%s to %s was told as %s to %s", e.From, e.To, last.From, last.To)
				}
			}
			if last := j.events[len(j.events)-1]; last.FromE164 != c.from || last.ToE164 != c.to {
				t.Errorf("%q to %q, want %q to %q", last.FromE164, last.ToE164, c.from, c.to)
			}
		})
	}
}
