package prompt

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Bounds and defaults of tones.
const (
	lowest      = 20.0   // hertz
	highest     = 3400.0 // hertz; a telephone carries no more
	mostTones   = 4      // at once
	defaultTone = time.Second
	maxTone     = time.Minute // all parts together

	toneLevel = 0.4                  // of full scale, all frequencies together
	toneEdge  = 5 * time.Millisecond // rise and fall, against clicks
)

// Tone is a sequence of parts.
type Tone []TonePart

// TonePart is some frequencies at once, in hertz, for a while. No frequency is
// silence.
type TonePart struct {
	Frequencies []float64
	Length      time.Duration
}

// ParseTone reads a tone: parts with commas between them, each of them
// frequencies with plus signs between them and, behind a slash, a length; a
// second when left out. 0 is silence. "425", "425+480/500ms" and
// "425/500ms,0/500ms" are tones.
func ParseTone(spec string) (Tone, error) {
	var tone Tone
	var total time.Duration
	for text := range strings.SplitSeq(strings.ReplaceAll(spec, " ", ""), ",") {
		part, err := parsePart(text)
		if err != nil {
			return nil, fmt.Errorf("part %q: %w", text, err)
		}
		tone = append(tone, part)
		if total += part.Length; total > maxTone {
			return nil, fmt.Errorf("longer than %v", maxTone)
		}
	}
	return tone, nil
}

func parsePart(text string) (TonePart, error) {
	part := TonePart{Length: defaultTone}
	frequencies, length, ok := strings.Cut(text, "/")
	if ok {
		var err error
		if part.Length, err = time.ParseDuration(length); err != nil || part.Length < 10*time.Millisecond {
			return part, errors.New("no length of at least 10ms, such as 500ms")
		}
	}
	if frequencies == "0" {
		return part, nil
	}
	for f := range strings.SplitSeq(frequencies, "+") {
		hertz, err := strconv.ParseFloat(f, 64)
		if err != nil || !(hertz >= lowest && hertz <= highest) {
			return part, fmt.Errorf("%q is no frequency from %v to %v", f, lowest, highest)
		}
		part.Frequencies = append(part.Frequencies, hertz)
	}
	if len(part.Frequencies) > mostTones {
		return part, fmt.Errorf("more than %d frequencies at once", mostTones)
	}
	return part, nil
}

// CheckTone tells what is wrong with a tone, or nil.
func CheckTone(spec string) error {
	_, err := ParseTone(spec)
	return err
}

// samples makes the sound of a tone.
func (t Tone) samples() []float64 {
	var out []float64
	for _, part := range t {
		out = append(out, part.samples()...)
	}
	return out
}

func (p TonePart) samples() []float64 {
	out := make([]float64, count(p.Length))
	edge := float64(min(count(toneEdge), len(out)/2))
	for i := range out {
		for _, f := range p.Frequencies {
			out[i] += math.Sin(2 * math.Pi * f * float64(i) / rate)
		}
		fade := min(1, float64(i+1)/edge, float64(len(out)-i)/edge)
		out[i] *= fade * toneLevel / float64(max(1, len(p.Frequencies)))
	}
	return out
}

// count is how many samples a time has.
func count(d time.Duration) int { return int(d * rate / time.Second) }
