package stream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A call whose last event has just been concluded may be claimed again before
// its worker is gone: the claim waits for that instead of being given up, which
// would leave the call alone until the claim has expired.
func TestAClaimWaitsForTheWorkerBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Group{cfg: GroupConfig{Claim: 15 * time.Second}, claims: map[string]*claim{}}
		lose := func() {}
		first, second, third := &claim{call: "c"}, &claim{call: "c"}, &claim{call: "c"}
		if !g.hold(t.Context(), first, lose) {
			t.Fatal("the first claim was refused")
		}
		time.AfterFunc(time.Second, func() { g.release(first) })
		if begun := time.Now(); !g.hold(t.Context(), second, lose) || time.Since(begun) != time.Second {
			t.Errorf("the second claim was not held when the first was over, but after %v", time.Since(begun))
		}
		time.Sleep(14*time.Second - time.Millisecond)
		if second.lost.Load() {
			t.Error("the second claim ended before its time in Redis")
		}
		if begun := time.Now(); g.hold(t.Context(), third, lose) || time.Since(begun) != 5*time.Second {
			t.Errorf("a claim on a call that is worked on was not given up in time, but after %v", time.Since(begun))
		}
		if !second.lost.Load() {
			t.Error("the second claim outlived its time in Redis")
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if g.hold(ended, third, lose) {
			t.Error("a claim was held after the end")
		}
		g.release(second)
	})
}
