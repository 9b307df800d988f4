package crm

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Ensure a receiver that is away is probed by one event at a time, ever less
// often up to once a minute, and that a success opens the way.
func TestHealthProbes(t *testing.T) {
	h, now := &health{}, t0
	if began := h.failed(now, 0, false); began || h.wait(now) != 0 {
		t.Fatal("one failure closes the way")
	}
	if began := h.failed(now, 0, false); !began {
		t.Fatal("two failures in a row are no outage")
	}
	for i, want := range []time.Duration{5, 10, 20, 40, 60, 60, 60} {
		if got := h.wait(now); got != want*time.Second {
			t.Fatalf("probe %d after %v, want %ds", i, got, want)
		}
		if _, wait := h.admit(now); wait == 0 {
			t.Fatal("an event went at once")
		}
		now = now.Add(want * time.Second)
		probe, wait := h.admit(now)
		if !probe || wait != 0 {
			t.Fatalf("no probe when due: %v", wait)
		}
		if p, wait := h.admit(now); p || wait == 0 {
			t.Fatal("a second event went beside the probe")
		}
		if h.failed(now, 0, true) {
			t.Fatal("the outage began twice")
		}
	}
	now = now.Add(time.Minute)
	probe, _ := h.admit(now)
	outage, ended := h.succeeded(now, probe)
	if !ended || outage != now.Sub(t0) {
		t.Errorf("outage of %v, ended %v", outage, ended)
	}
	if _, wait := h.admit(now); wait != 0 {
		t.Error("the way is not open")
	}
}

// Ensure the pause that a receiver asks for is kept, also when requests that
// went before it still succeed or fail.
func TestHealthKeepsThePause(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, now := &health{}, t0
		asked := time.Duration(rapid.IntRange(1, 3600).Draw(t, "asked")) * time.Second
		h.throttled(now, asked, false)
		for range rapid.IntRange(0, 10).Draw(t, "late answers") {
			switch rapid.IntRange(0, 2).Draw(t, "answer") {
			case 0:
				h.succeeded(now, false)
			case 1:
				h.failed(now, 0, false)
			case 2:
				h.throttled(now, 0, false)
			}
		}
		if _, wait := h.admit(now.Add(asked - time.Millisecond)); wait == 0 {
			t.Fatal("an event went too early")
		}
		if probe, wait := h.admit(now.Add(asked)); !probe || wait != 0 {
			t.Fatalf("no probe after the pause: %v", wait)
		}
	})
}

// Ensure many requests that fail together count as one step, not as many.
func TestHealthOfManyAtOnce(t *testing.T) {
	h := &health{}
	for range 50 {
		h.failed(t0, 0, false)
	}
	if got := h.wait(t0); got != firstProbe {
		t.Errorf("first probe after %v", got)
	}
}
