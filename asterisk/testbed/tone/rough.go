package tone

import "math"

// Roughness is how far sound departs, at its worst sample, from one steady
// tone of one frequency, in dB relative to the tone's amplitude: about -20 for a
// tone that went through µ-law, and above -6 where 20 ms are missing, repeated
// or silent, where a click is, or where another voice begins. It looks at each
// sample in the light of the two before it, which foretell a sine exactly.
func Roughness(samples []int16, t Tone) float64 {
	c := 2 * math.Cos(2*math.Pi*float64(t.Low)/Rate)
	worst, power := 0.0, 0.0
	for i, s := range samples {
		power += float64(s) * float64(s)
		if i < 2 {
			continue
		}
		worst = max(worst, math.Abs(float64(s)-c*float64(samples[i-1])+float64(samples[i-2])))
	}
	if power == 0 {
		return math.Inf(1)
	}
	amplitude := math.Sqrt(2 * power / float64(len(samples)))
	return 20 * math.Log10(worst/amplitude)
}
