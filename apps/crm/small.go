package crm

import (
	"fmt"
	"slices"
	"strings"
	"time"

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

// zone is the time zone of that name, this machine's if there is none.
func zone(name string) (*time.Location, error) {
	if name == "" {
		return time.Local, nil
	}
	return time.LoadLocation(name)
}

// pgTime is a date of PayamGostar, with or without an offset.
type pgTime time.Time

// UnmarshalJSON implements json.Unmarshaler.
func (t *pgTime) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if v, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			*t = pgTime(v)
			return nil
		}
	}
	return fmt.Errorf("date %q", text)
}
