package main

import (
	"os/exec"
	"testing"

	"markaz/asterisk/testbed/tone"
)

// hasVoices wants the caller's and the agent's tone in the file, whatever its
// format: sox makes µ-law of it, which the meter of the test bed reads.
func hasVoices(t *testing.T, path string, want ...tone.Tone) {
	t.Helper()
	raw, err := exec.CommandContext(t.Context(), "sox", path, "-t", "ul", "-r", "8000", "-c", "1", "-").Output()
	if err != nil {
		t.Fatalf("sox: %v", err)
	}
	const window = 160 * tone.WindowFrames
	for _, w := range want {
		heard := 0
		for i := 0; i+window <= len(raw); i += window {
			if tone.NewWindow(raw[i : i+window]).Has(w) {
				heard++
			}
		}
		if heard < 10 {
			t.Errorf("%s is in %d of %d windows of the recording", w, heard, len(raw)/window)
		}
	}
}
