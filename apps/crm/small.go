package crm

import (
	"slices"

	"markaz/call"
)

// longest is the longest recording that is complete, nil if there is none.
func longest(recordings []call.Recording) *call.Recording {
	var best *call.Recording
	for i := range recordings {
		r := &recordings[i]
		if (r.State == "done" || r.State == "incomplete") && r.File != "" && (best == nil || r.DurationMS > best.DurationMS) {
			best = r
		}
	}
	return best
}

// digits counts the decimal digits in a text.
func digits(text string) int {
	n := 0
	for _, r := range text {
		if r >= '0' && r <= '9' {
			n++
		}
	}
	return n
}

// without returns what is in a and not in b.
func without[T comparable](a, b []T) []T {
	var out []T
	for _, v := range a {
		if !slices.Contains(b, v) {
			out = append(out, v)
		}
	}
	return out
}
