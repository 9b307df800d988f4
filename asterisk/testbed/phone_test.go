package testbed

import (
	"context"
	"testing"
	"time"

	"markaz/asterisk/testbed/tone"
)

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// on runs a test on both versions.
func on(t *testing.T, test func(t *testing.T, version string)) {
	for _, version := range []string{"22", "16"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			test(t, version)
		})
	}
}

func TestTwoPhonesHearEachOtherAndNothingElse(t *testing.T) {
	on(t, func(t *testing.T, version string) {
		bed := StartT(t, Options{Version: version})
		a, b := NewPhone(t, bed, "101"), NewPhone(t, bed, "102")
		ctx := within(t, 20*time.Second)
		check(t, a.Register(ctx))
		check(t, b.Register(ctx))
		begin := time.Now()
		out, err := a.Call(ctx, "102")
		check(t, err)
		t.Logf("answered after %v", time.Since(begin))
		in, err := b.NextCall(ctx)
		check(t, err)
		out.Speak()
		in.Speak()
		check(t, out.WaitHearsOnly(ctx, b.Voice))
		check(t, in.WaitHearsOnly(ctx, a.Voice))
		t.Logf("both heard after %v", time.Since(begin))
		out.Mute()
		check(t, in.WaitSilence(ctx, 300*time.Millisecond))
		if !out.Hears(b.Voice) {
			t.Error("muting one side silenced the other")
		}
		check(t, in.Hold(ctx))
		check(t, out.WaitHearsOnly(ctx, tone.Music()))
		check(t, in.Unhold(ctx))
		check(t, out.WaitHearsOnly(ctx, b.Voice))
		check(t, out.Hangup(ctx))
		end, err := in.WaitEnd(ctx)
		check(t, err)
		if end.ByUs || end.Q850 != 16 {
			t.Errorf("end of the called side: %+v", end)
		}
		t.Log(out.Timeline())
		bed.NothingLeft(t)
	})
}

func TestRegisterSaysWhatIsWrong(t *testing.T) {
	bed := StartT(t, Options{Extensions: 1})
	p := NewPhone(t, bed, "101")
	check(t, p.Register(within(t, 5*time.Second)))
	check(t, p.Unregister(within(t, 5*time.Second)))
	if err := NewPhone(t, bed, "102").Register(within(t, 5*time.Second)); err == nil {
		t.Error("an extension that does not exist could register")
	}
	bed.Kill()
	if err := p.Register(within(t, 300*time.Millisecond)); err == nil {
		t.Error("registered at a dead Asterisk")
	}
}
