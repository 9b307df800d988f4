package main

import (
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed/office"
)

// The doctor finds a running office healthy, and says what is wrong and how to
// mend it when Markaz, the rights or Redis are not there.
func TestDoctorInARealOffice(t *testing.T) {
	t.Parallel()
	h := newHouse(t, office.Options{})
	ctx := h.within(90 * time.Second)
	out, err := h.Command(ctx, "doctor")
	if err != nil || strings.Contains(out, "✗") {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"✓ ARI ", "✓ ARI rights", "✓ HTTP sessions", "✓ sounds en", "✓ test call", "✓ redis ", "✓ disk"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if out, err := h.Command(ctx, "doctor", "--quick"); err != nil {
		t.Error(out, err)
	}
	h.Markaz().Stop(20 * time.Second)
	h.sick(t, "✗ test call", "exit status 3")
	if out, err := h.Command(ctx, "doctor", "--quick"); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Error(out, err)
	}
	h.must(h.Bed.WriteConfig("extensions.conf", "[markaz-inbound]\n"))
	_, err = h.Bed.CLI(ctx, "dialplan reload")
	h.must(err)
	h.sick(t, "✗ dialplan", "exit status 1")
	h.Redis.Stop()
	h.sick(t, "✗ redis", "exit status 3")
	h.Bed.Kill()
	h.sick(t, "✗ ARI", "exit status 3")
}

func (h *house) sick(t *testing.T, what, code string) {
	t.Helper()
	out, err := h.Command(h.within(30*time.Second), "doctor")
	if err == nil || !strings.Contains(err.Error(), code) || !strings.Contains(out, what) || !strings.Contains(out, "→") {
		t.Errorf("want %q and %s, got %v\n%s", what, code, err, out)
	}
}
