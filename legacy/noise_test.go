package legacy

import (
	"math/bits"
	"strings"
	"testing"
)

// A line that is read with the wrong settings is recognized by what it gives.
func TestWrongSettingsAreRecognized(t *testing.T) {
	text := strings.Repeat("23/10/26 09:41AM   204 03 <I>02188776655            0'09 00:03'20\r\n", 3)
	with := func(bit func(c byte) bool) []byte {
		out := []byte(text)
		for i, c := range out {
			if bit(c) {
				out[i] |= 0x80
			}
		}
		return out
	}
	odd := func(c byte) bool { return bits.OnesCount8(c)%2 == 1 }
	fast := make([]byte, 300) // the bits of another speed
	for i := range fast {
		fast[i] = byte(i*73) ^ 0xa5
	}
	for _, c := range []struct {
		bytes []byte
		want  string
	}{
		{[]byte(text), ""},
		{with(odd), "parity: even"},
		{with(func(c byte) bool { return !odd(c) }), "parity: odd"},
		{with(func(byte) bool { return true }), "parity: mark"},
		{fast, "speed is wrong"},
		{fast[:20], ""}, // too little to tell
	} {
		var n noise
		n.add(c.bytes)
		if got := n.judge(); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q gives %q, want %q", c.bytes[:20], got, c.want)
		}
	}
}
