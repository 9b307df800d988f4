package tone

import (
	"slices"
	"testing"

	"github.com/zaf/g711"
)

func TestRoughness(t *testing.T) {
	for i := range 15 {
		v := Voice(i)
		var clean []int16
		for n := range 100 {
			for _, b := range v.Frame(n * FrameLen) {
				clean = append(clean, g711.DecodeUlawFrame(b))
			}
		}
		if r := Roughness(clean, v); r > -15 {
			t.Errorf("%v: clean sound has %.1f dB", v, r)
		}
		part := 50 * FrameLen
		for name, broken := range map[string][]int16{
			"missing":  slices.Concat(clean[:part], clean[part+FrameLen:]),
			"repeated": slices.Concat(clean[:part], clean[part-FrameLen:]),
			"silent":   slices.Concat(clean[:part], make([]int16, FrameLen), clean[part+FrameLen:]),
			"click":    slices.Concat(clean[:part], []int16{20000}, clean[part+1:]),
		} {
			if r := Roughness(broken, v); r < -9 && v.Low%50 != 0 {
				t.Errorf("%v, %s: %.1f dB", v, name, r)
			}
		}
	}
	if Roughness(make([]int16, 800), Voice(0)) < 100 {
		t.Error("silence is taken for a tone")
	}
}
