package asterisk

import "testing"

func TestWhichEndpointsArePhones(t *testing.T) {
	for _, c := range []struct{ pattern, technology, name, state, want string }{
		{"PJSIP/{address}", "PJSIP", "101", "offline", "101 unreachable"},
		{"PJSIP/{address}", "PJSIP", "101", "online", "101 reachable"},
		{"PJSIP/{address}", "PJSIP", "101", "unknown", ""},
		{"PJSIP/{address}", "PJSIP", "trunk", "offline", ""},
		{"PJSIP/{address}", "IAX2", "101", "offline", ""},
		{"SIP/office-{address}-x", "SIP", "office-101-x", "offline", "101 unreachable"},
		{"SIP/office-{address}-x", "SIP", "office-x", "offline", ""},
		{"SIP/office-{address}-x", "SIP", "101", "offline", ""},
	} {
		p := newPhones(c.pattern)
		e, ok := p.changed(c.technology, c.name, c.state)
		got := ""
		if ok {
			got = e.Address + " " + e.State
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
		if _, again := p.changed(c.technology, c.name, c.state); again {
			t.Errorf("%+v is told twice", c)
		}
	}
}
