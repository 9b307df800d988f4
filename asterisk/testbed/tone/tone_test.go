package tone

import "testing"

// mix is 80 ms of several tones on top of each other, from sample n on.
func mix(n int, tones ...Tone) Window {
	var ulaw []byte
	for i := range WindowFrames {
		ulaw = append(ulaw, Mix(n+i*FrameLen, tones...)...)
	}
	return NewWindow(ulaw)
}

func all() []Tone {
	tones := []Tone{Music(), Ringback()}
	for i := range Prompts {
		tones = append(tones, Prompt(i))
	}
	for i := range voices {
		tones = append(tones, Voice(i))
	}
	return tones
}

func TestEachToneIsTakenForItselfOnly(t *testing.T) {
	tones := all()
	for _, sent := range tones {
		w := mix(12345, sent)
		for _, asked := range tones {
			if got := w.Has(asked); got != (asked == sent) {
				t.Errorf("%v sent: has %v = %v", sent, asked, got)
			}
		}
		if w.Has(Tone{}) {
			t.Errorf("%v sent: taken for silence", sent)
		}
	}
}

func TestMixedTonesAreAllHeard(t *testing.T) {
	sent := []Tone{Prompt(3), Voice(0), Voice(1), Voice(14)}
	w := mix(777, sent...)
	for _, asked := range all() {
		want := asked == sent[0] || asked == sent[1] || asked == sent[2] || asked == sent[3]
		if got := w.Has(asked); got != want {
			t.Errorf("has %v = %v", asked, got)
		}
	}
}

func TestSilence(t *testing.T) {
	w := mix(0)
	if !w.Has(Tone{}) {
		t.Error("silence is not silent")
	}
	for _, asked := range all() {
		if w.Has(asked) {
			t.Errorf("silence has %v", asked)
		}
	}
}

func TestPromptsDiffer(t *testing.T) {
	seen := map[Tone]bool{}
	for i := range Prompts {
		if p := Prompt(i); seen[p] {
			t.Errorf("prompt %d is double: %v", i, p)
		} else {
			seen[p] = true
		}
	}
}
