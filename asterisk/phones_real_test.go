package asterisk_test

import (
	"testing"
	"time"

	"markaz/asterisk"
	"markaz/asterisk/testbed"
	"markaz/call"
)

// A phone that registers and unregisters is told of, each change once.
func TestPhonesThatCannotBeReached(t *testing.T) {
	r := newRig(t, func(cfg *asterisk.Config, _ *testbed.Asterisk) { cfg.Phones = 200 * time.Millisecond })
	of101 := func(state string) func(call.Event) bool {
		return func(e call.Event) bool { return e.Address == "101" && e.State == state }
	}
	r.await(call.ExtensionChanged, of101("unreachable"))
	p := testbed.NewPhone(t, r.bed, "101")
	for range 2 {
		check(t, p.Register(r.ctx))
		r.await(call.ExtensionChanged, of101("reachable"))
		check(t, p.Unregister(r.ctx))
		r.await(call.ExtensionChanged, of101("unreachable"))
	}
	told := 0
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == call.ExtensionChanged && e.Address == "101" {
			told++
		}
	}
	same(t, "told", told, 5)
}
