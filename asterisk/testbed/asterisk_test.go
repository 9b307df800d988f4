package testbed

import (
	"strings"
	"testing"
	"time"
)

func TestStartIsFastAndClean(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run(version, func(t *testing.T) {
			begin := time.Now()
			bed := StartT(t, Options{Version: version, CDR: true, Manager: true, Queues: map[string][]string{"desk": {"PJSIP/101"}}})
			t.Logf("booted in %v", time.Since(begin))
			for _, line := range bed.Complaints() {
				t.Error(line)
			}
			text, err := bed.CLI(t.Context(), "core show version")
			if err != nil || !strings.HasPrefix(text, "Asterisk "+version+".") {
				t.Errorf("version: %q, %v", text, err)
			}
			if text, err = bed.CLI(t.Context(), "module show"); err != nil || strings.Contains(text, "Not Running") {
				t.Errorf("modules: %s, %v", text, err)
			}
			bed.NothingLeft(t)
		})
	}
}
