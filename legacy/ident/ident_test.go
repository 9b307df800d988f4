package ident

import (
	"testing"
	"time"

	"markaz/call"
)

func TestIdsSayWhatTheyAreAbout(t *testing.T) {
	at := time.Date(2026, 10, 23, 6, 0, 0, 0, time.UTC)
	c := Call("old", "k1", at)
	if c != Call("old", "k1", at) || c == Call("old", "k2", at) || c == Call("ol", "dk1", at) {
		t.Error("a call's id does not follow its source and key")
	}
	if e := Event(c, 1, at); e != Event(c, 1, at) || e == Event(c, 2, at) {
		t.Error("an event's id does not follow its number")
	}
	if got, ok := call.TimeOf(c); !ok || !got.Equal(at) {
		t.Errorf("the id's time is %v", got)
	}
}
