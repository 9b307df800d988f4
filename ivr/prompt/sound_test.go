package prompt

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// sine is a second of one frequency at half of full scale.
func sine(hertz float64, perSecond int) []float64 {
	out := make([]float64, perSecond)
	for i := range out {
		out[i] = 0.5 * math.Sin(2*math.Pi*hertz*float64(i)/float64(perSecond))
	}
	return out
}

// Ensure that the resampler keeps what a telephone carries, within half a
// decibel, and that what it does not carry is gone instead of folding back.
func TestResample(t *testing.T) {
	for _, from := range []int{11025, 16000, 22050, 48000} {
		for _, hertz := range []float64{200, 1000, 3300} {
			out := resample(sound{samples: sine(hertz, from), rate: from})
			if len(out) != rate {
				t.Fatalf("%d Hz: a second becomes %d samples", from, len(out))
			}
			middle := out[1000:7000]
			loss := 20 * math.Log10(goertzel(middle, hertz, rate)/0.5)
			if math.Abs(loss) > 0.5 {
				t.Errorf("%d Hz: a tone of %v Hz changes by %.2f dB", from, hertz, loss)
			}
			if noise := math.Sqrt(math.Max(0, rms(middle)*rms(middle)-math.Pow(goertzel(middle, hertz, rate), 2)/2)); noise > 0.0005 {
				t.Errorf("%d Hz: a tone of %v Hz comes with noise of %.5f", from, hertz, noise)
			}
		}
		for _, hertz := range []float64{4100, 5400} {
			if hertz*2 >= float64(from) {
				continue
			}
			out := resample(sound{samples: sine(hertz, from), rate: from})
			if left := 20 * math.Log10(rms(out[1000:7000])/(0.5/math.Sqrt2)); left > -60 {
				t.Errorf("%d Hz: of a tone of %v Hz %.1f dB are left", from, hertz, left)
			}
		}
	}
}

func TestLevel(t *testing.T) {
	quiet := sine(300, rate)
	for i := range quiet {
		quiet[i] /= 50
	}
	if !level(quiet) || math.Abs(rms(quiet)-speechLevel) > 0.001 {
		t.Errorf("level %.3f", rms(quiet))
	}
	spiky := make([]float64, rate)
	for i := 0; i < rate; i += 100 {
		spiky[i] = 0.5
	}
	level(spiky)
	for _, s := range spiky {
		if s > peakLevel {
			t.Fatalf("cut off at %v", s)
		}
	}
	if level(make([]float64, 100)) || level(nil) {
		t.Error("silence is taken for speech")
	}
}

// Ensure that a tone that is made is a tone that is heard.
func TestTones(t *testing.T) {
	s := fastStore(t, nil)
	if path, ok := s.Tone("425"); ok {
		t.Errorf("a tone is there before it is made: %s", path)
	}
	path, err := s.RenderTone("425+1200/500ms, 0/250ms, 800/1s")
	if err != nil {
		t.Fatal(err)
	}
	all := heard(t, path)
	if len(all) != rate*7/4 {
		t.Fatalf("%d samples", len(all))
	}
	for i, part := range []struct {
		from, to time.Duration
		tones    []float64
		each     float64
	}{
		{0, 500 * time.Millisecond, []float64{425, 1200}, toneLevel / 2},
		{500 * time.Millisecond, 750 * time.Millisecond, nil, 0},
		{750 * time.Millisecond, 1750 * time.Millisecond, []float64{800}, toneLevel},
	} {
		samples := all[count(part.from):count(part.to)]
		var power float64
		for _, f := range part.tones {
			got := goertzel(samples, f, rate)
			power += got * got / 2
			if math.Abs(got-part.each) > 0.02 {
				t.Errorf("part %d: %v Hz at %.3f, want %.3f", i, f, got, part.each)
			}
		}
		if rest := rms(samples)*rms(samples) - power; rest > 0.001 {
			t.Errorf("part %d: %.4f of something else", i, rest)
		}
	}
}

func TestParseTone(t *testing.T) {
	for _, good := range []string{"425", "20/10ms", "3400", "350+440/1.5s", "425/500ms,0/500ms", "0/1m", "697+1209+1633+941"} {
		if err := CheckTone(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "19", "3401", "a", "425/", "425/5", "425/9ms", "425/-1s", "425,,", "0+425", "425+", "NaN", "Inf", "425/1m,425/1s", "1e3/1h", "1+2", "300+301+302+303+304"} {
		if CheckTone(bad) == nil {
			t.Errorf("%q is taken for a tone", bad)
		}
	}
}

// Ensure that what is written is read back, within the grain of 16 bits.
func TestEncodeDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		samples := rapid.SliceOfN(rapid.Float64Range(-1.5, 1.5), 1, 100).Draw(t, "samples")
		s, err := decode(encode(samples))
		if err != nil || s.rate != rate || len(s.samples) != len(samples) {
			t.Fatalf("%+v, %v", s, err)
		}
		for i, want := range samples {
			if math.Abs(s.samples[i]-max(-1, min(1, want))) > 1.0/16384 {
				t.Fatalf("sample %d: %v, want %v", i, s.samples[i], want)
			}
		}
	})
}

// Ensure that stereo is mixed, 8 bits are read, and sizes that a program could
// not know are not believed.
func TestDecodeOtherForms(t *testing.T) {
	wav := func(channels, bits uint16, hertz uint32, size uint32, data []byte) []byte {
		h := header(size)
		h.Channels, h.Bits, h.Rate = channels, bits, hertz
		var b bytes.Buffer
		if err := binary.Write(&b, binary.LittleEndian, h); err != nil {
			t.Fatal(err)
		}
		return append(b.Bytes(), data...)
	}
	s, err := decode(wav(2, 16, 16000, 0x7FFFF000, []byte{0, 0x40, 0, 0xC0, 0, 0x40, 0, 0x40, 1}))
	if err != nil || s.rate != 16000 || len(s.samples) != 2 || s.samples[0] != 0 || s.samples[1] != 0.5 {
		t.Errorf("stereo: %+v, %v", s, err)
	}
	s, err = decode(wav(1, 8, 8000, 3, []byte{128, 0, 192}))
	if err != nil || len(s.samples) != 3 || s.samples[0] != 0 || s.samples[1] != -1 || s.samples[2] != 0.5 {
		t.Errorf("8 bits: %+v, %v", s, err)
	}
	for name, raw := range map[string][]byte{
		"nothing": nil, "24 bits": wav(1, 24, 8000, 3, []byte{1, 2, 3}), "no channels": wav(0, 16, 8000, 2, []byte{1, 2}),
		"too slow": wav(1, 16, 4000, 2, []byte{1, 2}), "no data": wav(1, 16, 8000, 0, nil)[:36],
	} {
		if _, err := decode(raw); err == nil {
			t.Errorf("%s is taken for a sound", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode([]float64{0, 0.5, -0.5}))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEdata\xff\xff\xff\xff"))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := decode(raw)
		if err == nil && (s.rate < rate || len(s.samples) > len(raw)) {
			t.Fatalf("%d samples at %d", len(s.samples), s.rate)
		}
	})
}

func FuzzParseTone(f *testing.F) {
	f.Add("425+480/500ms,0/1s")
	f.Fuzz(func(t *testing.T, spec string) {
		tone, err := ParseTone(spec)
		if err != nil {
			return
		}
		for _, s := range tone.samples() {
			if math.Abs(s) > toneLevel+1e-9 {
				t.Fatalf("%q is as loud as %v", spec, s)
			}
		}
	})
}

// BenchmarkResample is the cost of a second of speech from espeak-ng.
func BenchmarkResample(b *testing.B) {
	in := sound{samples: sine(1000, 22050), rate: 22050}
	for b.Loop() {
		resample(in)
	}
}
