package spy

import (
	"encoding/json"
	"flag"
	"strings"
	"testing"

	"markaz/apps"
	"markaz/apps/apptest"
	"markaz/call"
	"markaz/lang"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

func TestTranscripts(t *testing.T) {
	apptest.Transcripts(t, *update, nil, func(t *testing.T, config string) []apps.Machine {
		var cfg Config
		if err := json.Unmarshal([]byte(config), &cfg); err != nil {
			t.Fatal(err)
		}
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		return []apps.Machine{New(cfg, func(address string) bool { return strings.HasPrefix(address, "10") })}
	})
}

// Every refusal has a sentence.
func TestRefusalsAreInTheCatalogue(t *testing.T) {
	words := lang.New()
	for _, why := range []string{
		"request", "off", "none", "mode", "no_call", "cannot", "takeover_observed", "takeover", "no_leg", "not_agent", "extension",
		"reason", "own_call", "already", "many", "failed", string(call.Busy), string(call.Rejected), string(call.NoAnswer), "unreachable",
	} {
		if !words.Has("spy.refused." + why) {
			t.Errorf("spy.refused.%s has no text", why)
		}
	}
}
