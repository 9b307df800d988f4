package testbed

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"markaz/asterisk/testbed/tone"
)

// promptSeconds is how long a prompt lasts if nothing else is asked for.
const promptSeconds = 1.0

// prompts are the tones that have a name on a bed.
type prompts struct {
	mu     sync.Mutex
	made   int // prompts so far
	voices int
	names  map[tone.Tone]string
}

// Names are the tones that have a meaning on this bed: prompts, voices, music,
// ringing.
func (a *Asterisk) Names() map[tone.Tone]string {
	a.prompts.mu.Lock()
	defer a.prompts.mu.Unlock()
	names := map[tone.Tone]string{tone.Music(): "music on hold", tone.Ringback(): "ringing tone"}
	maps.Copy(names, a.prompts.names)
	return names
}

// Name gives a tone a name for Timeline, HearsOnly and error texts.
func (a *Asterisk) Name(t tone.Tone, name string) {
	a.prompts.mu.Lock()
	defer a.prompts.mu.Unlock()
	if a.prompts.names == nil {
		a.prompts.names = map[tone.Tone]string{}
	}
	a.prompts.names[t] = name
}

// Prompt writes a sound file whose tone is unlike all others of this bed, so
// that a phone can tell that it heard just this prompt. The name may have
// folders in it, as in "markaz/welcome"; Asterisk plays it by that name.
func (a *Asterisk) Prompt(name string, seconds float64) (tone.Tone, error) {
	a.prompts.mu.Lock()
	t := tone.Prompt(a.prompts.made)
	a.prompts.made++
	full := a.prompts.made > tone.Prompts
	a.prompts.mu.Unlock()
	if full {
		return t, fmt.Errorf("make prompt %s: only %d tones can be told apart", name, tone.Prompts)
	}
	path := filepath.Join(a.SoundsDir(), name+".wav")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return t, fmt.Errorf("make prompt: %w", err)
	}
	a.Name(t, name)
	return t, tone.WriteWAV(path, t, seconds)
}

// Tone is Prompt of one second for tests.
func (a *Asterisk) Tone(t testing.TB, name string) tone.Tone {
	t.Helper()
	made, err := a.Prompt(name, promptSeconds)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
