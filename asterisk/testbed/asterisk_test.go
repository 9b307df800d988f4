package testbed

import (
	"testing"
	"time"
)

func TestStartIsFastAndClean(t *testing.T) {
	for _, version := range []string{"22", "16"} {
		t.Run(version, func(t *testing.T) {
			begin := time.Now()
			bed := StartT(t, Options{Version: version})
			t.Logf("booted in %v", time.Since(begin))
			for _, line := range bed.Complaints() {
				t.Error(line)
			}
			text, err := bed.CLI(t.Context(), "core show version")
			t.Log(text, err)
			text, err = bed.CLI(t.Context(), "module show")
			t.Log(text, err)
			bed.NothingLeft(t)
		})
	}
}
