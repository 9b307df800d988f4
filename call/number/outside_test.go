package number

import "testing"

func TestOutside(t *testing.T) {
	tehran, err := New(Plan{Country: "IR", City: "21", Release: "9"})
	if err != nil {
		t.Fatal(err)
	}
	moscow, err := New(Plan{Country: "RU", City: "495"})
	if err != nil {
		t.Fatal(err)
	}
	nowhere, err := New(Plan{Release: "0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		r                          *Reader
		written, shown, e164, dial string
		ok                         bool
	}{
		{tehran, "09121234567", "09121234567", "+989121234567", "909121234567", true},
		{tehran, "+989121234567", "09121234567", "+989121234567", "909121234567", true},
		{tehran, "00989121234567", "00989121234567", "+989121234567", "900989121234567", true},
		{tehran, "88776655", "88776655", "+982188776655", "988776655", true},
		{tehran, "+442079460958", "00442079460958", "+442079460958", "900442079460958", true},
		{tehran, "115", "115", "", "9115", true},
		{moscow, "+74951234567", "84951234567", "+74951234567", "84951234567", true},
		{moscow, "+442079460958", "810442079460958", "+442079460958", "810442079460958", true},
		{nowhere, "09121234567", "09121234567", "", "009121234567", true},
		{nowhere, "+989121234567", "", "", "", false},
		{tehran, "0912x", "", "", "", false},
		{tehran, "", "", "", "", false},
		{tehran, "0912@x", "", "", "", false},
		{tehran, "*71", "", "", "", false},
	} {
		n, dial, ok := c.r.Outside(c.written)
		if ok != c.ok || dial != c.dial || ok && (n.Shown != c.shown || n.E164 != c.e164) {
			t.Errorf("%q: have %q %q dial %q %v", c.written, n.Shown, n.E164, dial, ok)
		}
	}
}
