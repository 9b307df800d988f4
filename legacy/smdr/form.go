package smdr

import (
	"time"

	"markaz/call"
)

// Form is a record as text, for people and programs that want what was
// printed and nothing more. Absent strings and numbers are null.
type Form struct {
	Kind        string  `json:"kind"`
	Direction   string  `json:"direction"` // in, out, internal, none
	Ext         *string `json:"ext"`
	Trunk       *string `json:"trunk"`
	Number      *string `json:"number"`
	Hidden      bool    `json:"hidden"`
	Start       *string `json:"start"` // local time without zone, known to within a minute
	Ring        *int    `json:"ring_s"`
	Duration    *int    `json:"duration_s"`
	Missed      *bool   `json:"missed"`
	Transferred bool    `json:"transferred"`
	Account     *string `json:"account"`
	Condition   *string `json:"condition"`
	Name        *string `json:"name,omitempty"`
	DID         *string `json:"did,omitempty"`
	Charge      *string `json:"charge,omitempty"`
	Text        *string `json:"text,omitempty"`

	ClockChanged bool `json:"clock_changed,omitempty"`
}

// FormOf copies a record; text decodes the exchange's character set.
func FormOf(r *Record, text func([]byte) string) Form {
	str := func(b []byte) *string {
		if len(b) == 0 {
			return nil
		}
		s := text(b)
		return &s
	}
	num := func(n int) *int {
		if n == NotPrinted {
			return nil
		}
		return &n
	}
	f := Form{
		Kind: r.Kind.String(), Direction: Way(r.Direction),
		Ext: str(r.Ext), Trunk: str(r.Trunk), Number: str(r.Number), Hidden: r.Hidden,
		Ring: num(r.Ring), Duration: num(r.Duration), Transferred: r.Transferred,
		Account: str(r.Account), Condition: str(r.Condition),
		Name: str(r.Name), DID: str(r.DID), Charge: str(r.Charge), Text: str(r.Text),
		ClockChanged: r.ClockChanged,
	}
	if r.HasTime {
		s := time.Unix(r.Start(), 0).UTC().Format("2006-01-02T15:04:05")
		f.Start = &s
	}
	if r.Missed != NotKnown {
		missed := r.Missed == Yes
		f.Missed = &missed
	}
	return f
}

// Way is the short word for a direction.
func Way(d call.Direction) string {
	switch d {
	case call.Inbound:
		return "in"
	case call.Outbound:
		return "out"
	case call.Internal:
		return "internal"
	}
	return "none"
}
