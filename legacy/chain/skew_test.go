package chain

import (
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// arrivals plays records that end at random and are printed at once by a clock
// that is behind ours by off, and tells how many were taken for live.
func arrivals(chance *rand.Rand, s *Skew, from time.Time, n int, off time.Duration) (live int, last time.Time) {
	at := from
	for range n {
		at = at.Add(time.Duration(20_000+chance.IntN(380_000)) * time.Millisecond)
		if s.judge(at, at.Add(-off).Truncate(time.Minute)) {
			live++
		}
	}
	return live, at
}

func TestSkewIsMeasured(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Skew
		chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		off := time.Duration(rapid.IntRange(-3*3600, 3*3600).Draw(t, "off")) * time.Second
		from := time.Date(2026, 10, 23, 6, 0, 0, 0, time.UTC)
		live, last := arrivals(chance, &s, from, 80, off)
		got, known := s.Measured()
		if !known || (got-off).Abs() > 15*time.Second {
			t.Fatalf("measured %v (%v), is %v", got, known, off)
		}
		if live < 60 { // those before the clock was known are late
			t.Fatalf("%d of 80 live", live)
		}
		// A buffer of old records does not disturb it, and is late.
		for i := range 100 {
			old := last.Add(-off - time.Hour + time.Duration(i)*20*time.Second).Truncate(time.Minute)
			if s.judge(last.Add(time.Duration(i)*time.Millisecond), old) {
				t.Fatalf("an old record was taken for live")
			}
		}
		// Summer time begins on the exchange: a jump of an hour.
		arrivals(chance, &s, last, 80, off-time.Hour)
		if got, _ := s.Measured(); (got - off + time.Hour).Abs() > 15*time.Second {
			t.Fatalf("after the jump measured %v, is %v", got, off-time.Hour)
		}
	})
}

func TestRepeatedHour(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	local := time.Date(2026, 10, 25, 2, 30, 0, 0, time.UTC).Unix()
	for _, near := range []time.Time{
		time.Date(2026, 10, 25, 0, 31, 0, 0, time.UTC),
		time.Date(2026, 10, 25, 1, 31, 0, 0, time.UTC),
	} {
		if got := utc(local, zone, near); near.Sub(got) != time.Minute {
			t.Errorf("02:30 near %v is %v", near, got)
		}
	}
	if got := utc(time.Date(2026, 10, 23, 12, 0, 0, 0, time.UTC).Unix(), tehran(t), time.Time{}); !got.Equal(time.Date(2026, 10, 23, 8, 30, 0, 0, time.UTC)) {
		t.Errorf("12:00 in Tehran is %v", got)
	}
}
