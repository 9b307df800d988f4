// Package tone makes and recognises the sounds of tests: steady tones of one
// or two frequencies at 8 kHz, written as WAV files or as µ-law frames, and
// found again in what a phone hears. It knows nothing of telephones.
package tone

import (
	"fmt"
	"math"
	"slices"

	"github.com/zaf/g711"
)

// Rate is the number of samples per second, and FrameLen the samples of 20 ms.
const (
	Rate     = 8000
	FrameLen = 160
)

// amplitude of each frequency, of full scale 1. Four voices and a prompt fit
// on top of each other without clipping.
const amplitude = 0.15

// Tone is a steady sound of one frequency or two, in Hz. High is 0 in a tone of
// one; the zero Tone is silence.
type Tone struct{ Low, High int }

// Hz is the tone of one frequency or of two.
func Hz(freqs ...int) Tone {
	switch slices.Sort(freqs); len(freqs) {
	case 0:
		return Tone{}
	case 1:
		return Tone{Low: freqs[0]}
	default:
		return Tone{Low: freqs[0], High: freqs[len(freqs)-1]}
	}
}

// Sounds that are not prompts: music on hold of the bed, and what Asterisk
// itself generates for its zone "us".
func Music() Tone { return Tone{Low: 540} }

// Ringback is the ringing tone.
func Ringback() Tone { return Tone{440, 480} }

// Frequencies of one group are 60 Hz apart or more, so that neighbours cannot
// be taken for each other; no group overlaps another, Music or Ringback.
const (
	step    = 60
	lows    = 11 // 680 … 1280 Hz
	highs   = 11 // 1400 … 2000 Hz
	voices  = 15 // 2160 … 3280 Hz
	Prompts = lows * highs
)

// Prompt is the i-th tone pair for sound files, from 0 to Prompts-1.
func Prompt(i int) Tone {
	i %= Prompts
	// Walk along diagonals, so that prompts made one after another differ in both.
	return Tone{Low: 680 + step*(i%lows), High: 1400 + step*((i+i/lows)%highs)}
}

// Voice is the i-th tone for a person to speak, from 0 to 14.
func Voice(i int) Tone { return Tone{Low: 2160 + 80*(i%voices)} }

// Silent tells whether this is the zero Tone.
func (t Tone) Silent() bool { return t == Tone{} }

// String is for instance "740+1460 Hz".
func (t Tone) String() string {
	switch {
	case t.Silent():
		return "silence"
	case t.High == 0:
		return fmt.Sprintf("%d Hz", t.Low)
	default:
		return fmt.Sprintf("%d+%d Hz", t.Low, t.High)
	}
}

// freqs are the frequencies that are in it.
func (t Tone) freqs() []int {
	switch {
	case t.Silent():
		return nil
	case t.High == 0:
		return []int{t.Low}
	default:
		return []int{t.Low, t.High}
	}
}

// Sample is the n-th sample, from -32768 to 32767.
func (t Tone) Sample(n int) int16 {
	var sum float64
	for _, f := range t.freqs() {
		// The remainder keeps the phase exact however long the tone lasts.
		phase := float64((f*(n%Rate))%Rate) / Rate
		sum += math.Sin(2 * math.Pi * phase)
	}
	return int16(math.MaxInt16 * amplitude * sum)
}

// Frame is 20 ms of µ-law from sample n on.
func (t Tone) Frame(n int) []byte { return Mix(n, t) }

// Mix is 20 ms of several tones on top of each other, in µ-law.
func Mix(n int, tones ...Tone) []byte {
	frame := make([]byte, FrameLen)
	for i := range frame {
		var sum int16
		for _, t := range tones {
			sum += t.Sample(n + i)
		}
		frame[i] = g711.EncodeUlawFrame(sum)
	}
	return frame
}
