package main

import (
	"testing"

	"markaz/call/number"
	"markaz/queue"
)

// Numbers of callers and dialled ones are read by the settings of the PBX;
// extensions, hidden numbers and names are none.
func TestNumbersOfThePBX(t *testing.T) {
	for _, c := range []struct {
		country, raw    string
		caller, dialled string
	}{
		{"IR", "09121111111", "+989121111111", "+989121111111"},
		{"IR", "9121111111", "+989121111111", "+989121111111"},
		{"IR", "+989121111111", "+989121111111", "+989121111111"},
		{"IR", "00989121111111", "+989121111111", "+989121111111"},
		{"IR", "88776655", "+982188776655", "+982188776655"},
		{"IR", "909121111111", "", "+989121111111"}, // a release code is dialled
		{"IR", "988776655", "", "+982188776655"},
		{"IR", "101", "", ""},
		{"IR", "66554433", "", ""}, // the phone of an agent
		{"IR", "9900112", "", ""},  // an extension by its length
		{"IR", "9110", "", ""},     // a short code
		{"IR", "0912111....", "", ""},
		{"IR", "0912***1111", "", ""},
		{"IR", "0912111XXXX", "", ""},
		{"IR", "anonymous", "", ""},
		{"IR", "", "", ""},
		{"IR", "ali09121111111", "", ""},
		{"IR", "x=09121111111", "", ""},
		{"IR", "09121111111@host", "", ""},
		{"", "09121111111", "", ""}, // nothing is set
	} {
		cfg := defaults()
		if cfg.Numbers = (number.Plan{Release: "9"}); c.country != "" {
			cfg.Numbers = number.Plan{Country: c.country, City: "21", Release: "9"}
		}
		cfg.Floor.Agents = []queue.AgentConfig{{ID: "sara", Extension: "66554433"}}
		cfg.Dialplan.Digits = []int{3, 7}
		o, err := newOfficeNumbers(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if caller, dialled := o.Caller(c.raw), o.Dialled(c.raw); caller != c.caller || dialled != c.dialled {
			t.Errorf("%q: from %q, to %q; want %q, %q", c.raw, caller, dialled, c.caller, c.dialled)
		}
	}
}
