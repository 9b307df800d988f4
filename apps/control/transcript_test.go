package control

import (
	"flag"
	"strings"
	"testing"
	"time"

	"markaz/apps"
	"markaz/apps/apptest"
	"markaz/lang"
)

var update = flag.Bool("update", false, "rewrite the transcripts")

type places struct{}

func (places) Dial(_, number string, _ time.Time) (dial, shown string, inside bool, why string) {
	switch {
	case strings.HasPrefix(number, "00"):
		return "", "", false, "forbidden"
	case len(number) == 3:
		return number, number, true, ""
	}
	return "9" + number, number, false, ""
}

func (places) Queue(name string) bool { return name == "sales" }

func TestTranscripts(t *testing.T) {
	apptest.Transcripts(t, *update, nil, func(*testing.T, string) []apps.Machine { return []apps.Machine{New(places{})} })
}

// Every refusal has a sentence.
func TestRefusalsAreInTheCatalogue(t *testing.T) {
	words := lang.New()
	for _, why := range []string{
		"request", "no_call", "no_leg", "observed", "transfer", "queue_outbound", "no_queue", "same", "recording", "no_talk",
		"not_recording", "hold", "unhold",
	} {
		if !words.Has("control.refused." + why) {
			t.Errorf("control.refused.%s has no text", why)
		}
	}
}
