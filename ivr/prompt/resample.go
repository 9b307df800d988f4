package prompt

import "math"

// A resampler of the usual kind: every output sample is the input, weighted by
// a sinc under a Kaiser window around its place. The filter lets through
// speech as far as a telephone does and has fallen by 80 dB at half the new
// rate, so that nothing folds back into what is heard.
const (
	cutoff    = 3700.0 // hertz, where the filter has fallen by half
	crossings = 32     // zero crossings of the sinc on each side
	beta      = 8.0    // of the Kaiser window: 80 dB of stop band
	steps     = 512    // of the table per zero crossing
)

// resample turns a sound into samples at our rate.
func resample(s sound) []float64 {
	if s.rate == rate {
		return s.samples
	}
	kernel := sincTable()
	var (
		ratio = float64(s.rate) / rate
		// Zero crossings per input sample.
		scale = 2 * cutoff / float64(s.rate)
		reach = crossings / scale
		out   = make([]float64, int(float64(len(s.samples))/ratio))
	)
	for i := range out {
		centre := float64(i) * ratio
		first := max(0, int(math.Ceil(centre-reach)))
		last := min(len(s.samples)-1, int(math.Floor(centre+reach)))
		var sum float64
		for j := first; j <= last; j++ {
			at := math.Abs(float64(j)-centre) * scale * steps
			k := int(at)
			weight := kernel[k] + (at-float64(k))*(kernel[k+1]-kernel[k])
			sum += weight * s.samples[j]
		}
		out[i] = sum * scale
	}
	return out
}

// sincTable is one half of the windowed sinc.
func sincTable() []float64 {
	table := make([]float64, crossings*steps+2)
	for i := range table {
		x := float64(i) / steps
		if x > crossings {
			break
		}
		sinc := 1.0
		if x > 0 {
			sinc = math.Sin(math.Pi*x) / (math.Pi * x)
		}
		edge := x / crossings
		table[i] = sinc * bessel(beta*math.Sqrt(1-edge*edge)) / bessel(beta)
	}
	return table
}

// bessel is the modified Bessel function of order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > sum*1e-12; k++ {
		term *= (x / (2 * k)) * (x / (2 * k))
		sum += term
	}
	return sum
}

// Levels of a prompt as a share of full scale: as loud as telephone speech
// usually is (-20 dB), and never so loud that it is cut off.
const (
	speechLevel = 0.1
	peakLevel   = 0.89
	silentLevel = 0.001
)

// level brings speech to the usual loudness. Ok is false for silence.
func level(samples []float64) (ok bool) {
	var sum, peak float64
	for _, s := range samples {
		sum += s * s
		peak = max(peak, math.Abs(s))
	}
	rms := math.Sqrt(sum / float64(max(1, len(samples))))
	if rms < silentLevel {
		return false
	}
	gain := min(speechLevel/rms, peakLevel/peak)
	for i := range samples {
		samples[i] *= gain
	}
	return true
}
