package crm

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestScheduleOfTheStandard(t *testing.T) {
	s := StandardSchedule()
	if len(s) != 10 || s.Span() != 75*time.Hour+35*time.Minute+5*time.Second {
		t.Errorf("%d tries in %v", len(s), s.Span())
	}
	for n, want := range []time.Duration{5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour} {
		if got, ok := s.Wait(n+1, 0.5); !ok || got != want {
			t.Errorf("after try %d: %v %v, want %v", n+1, got, ok, want)
		}
	}
}

// Ensure each wait is that of the table, a fifth more or less, that chance
// moves it one way, and that the tries come to an end.
func TestScheduleProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Schedule{0}
		for range rapid.IntRange(0, 12).Draw(t, "tries") {
			s = append(s, time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "gap")))
		}
		attempt := rapid.IntRange(-1, 15).Draw(t, "attempt")
		chance := rapid.Float64Range(0, 0.999999).Draw(t, "chance")
		got, ok := s.Wait(attempt, chance)
		if ok != (attempt >= 1 && attempt < len(s)) {
			t.Fatalf("%d tries, after %d: %v", len(s), attempt, ok)
		}
		if !ok {
			return
		}
		low, high := float64(s[attempt])*0.8, float64(s[attempt])*1.2
		if float64(got) < low-1 || float64(got) > high+1 {
			t.Fatalf("%v strays from %v", got, s[attempt])
		}
		if more, _ := s.Wait(attempt, chance+(1-chance)/2); more < got {
			t.Fatalf("more chance, less wait: %v after %v", more, got)
		}
		v := s.Decide(errors.New("no"), attempt, chance)
		if v.Act != Retry || v.After != got || v.Free {
			t.Fatalf("%+v", v)
		}
	})
}

func TestDecide(t *testing.T) {
	s := StandardSchedule()
	no := errors.New("no")
	for name, tc := range map[string]struct {
		err     error
		attempt int
		want    Verdict
	}{
		"taken":             {nil, 1, Verdict{Act: Done}},
		"nothing to tell":   {ErrSkip, 1, Verdict{Act: Done}},
		"refused":           {no, 1, Verdict{Act: Retry, After: 5 * time.Second}},
		"last try":          {no, 10, Verdict{Act: Dead}},
		"permanent":         {fmt.Errorf("%w: %w", ErrPermanent, no), 1, Verdict{Act: Dead}},
		"gone":              {fmt.Errorf("%w: %w", ErrGone, no), 3, Verdict{Act: Disable}},
		"asked to wait":     {RetryAfter(no, time.Minute), 3, Verdict{Act: Retry, After: 66 * time.Second, Free: true}},
		"after the last":    {RetryAfter(no, time.Minute), 99, Verdict{Act: Retry, After: 66 * time.Second, Free: true}},
		"wait without time": {RetryAfter(no, 0), 2, Verdict{Act: Retry, After: 5 * time.Minute}},
		"away, way open":    {fmt.Errorf("%w: %w", ErrAway, no), 1, Verdict{Act: Retry, After: 5 * time.Second}},
	} {
		if got := s.Decide(tc.err, tc.attempt, 0.5); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}
