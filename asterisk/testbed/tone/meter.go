package tone

import (
	"math"

	"github.com/zaf/g711"
)

// WindowFrames is how many frames of 20 ms the meter looks at together. With
// 80 ms and a Hann window, what is 25 Hz away or more hardly counts.
const WindowFrames = 4

const (
	floor    = 0.02 // least amplitude of a frequency that counts, of full scale 1
	quiet    = 0.004
	offset   = 20  // Hz to both sides, where a real tone has little power
	contrast = 2.0 // least ratio of amplitudes between a tone and its sides
)

// Window is a stretch of sound ready to be measured.
type Window struct {
	samples []float64 // with the Hann window applied
	silent  bool
}

// NewWindow decodes µ-law.
func NewWindow(ulaw []byte) Window {
	w := Window{samples: make([]float64, len(ulaw)), silent: Silent(ulaw)}
	if w.silent {
		return w
	}
	for i, b := range ulaw {
		w.samples[i] = value(b) * (0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(ulaw))))
	}
	return w
}

// Silent tells whether there is next to no sound (below -48 dB of full scale).
func Silent(ulaw []byte) bool {
	var power float64
	for _, b := range ulaw {
		power += value(b) * value(b)
	}
	return power <= quiet*quiet*float64(len(ulaw))
}

func value(ulaw byte) float64 { return float64(g711.DecodeUlawFrame(ulaw)) / math.MaxInt16 }

// Has tells whether every frequency of t is there, and not merely something
// near it. Every window has silence only if there is no sound.
func (w Window) Has(t Tone) bool {
	if t.Silent() || w.silent {
		return t.Silent() && w.silent
	}
	for _, f := range t.freqs() {
		a := w.amplitude(float64(f))
		if a < floor || a < contrast*w.amplitude(float64(f-offset)) || a < contrast*w.amplitude(float64(f+offset)) {
			return false
		}
	}
	return true
}

// amplitude measures one frequency with Goertzel's filter; the result is that
// of a steady sine, of full scale 1.
func (w Window) amplitude(freq float64) float64 {
	coeff := 2 * math.Cos(2*math.Pi*freq/Rate)
	var s1, s2 float64
	for _, x := range w.samples {
		s1, s2 = x+coeff*s1-s2, s1
	}
	power := s1*s1 + s2*s2 - coeff*s1*s2
	// A Hann window halves the sum, and a sine puts half of itself at +freq.
	return 4 * math.Sqrt(max(power, 0)) / float64(len(w.samples))
}
