package smdr

import "markaz/call"

// Kind says what a line is.
type Kind uint8

// The kinds of lines. The first six are records; the others are what else an
// exchange sends: counted and kept for a look, never an error.
const (
	KindCall    Kind = iota + 1 // a call, or one leg of one, has ended
	KindRing                    // RC: a call has arrived
	KindAnswer                  // AN: it has been answered
	KindAgent                   // log-in, log-out, presence
	KindRoom                    // room status, timed reminder, printing message
	KindAlarm                   // MJ ALM, MN ALM
	KindHeader                  // title of a page, or the rule under it
	KindUnknown                 // a date at its place, and then something not understood
	KindBadDate                 // a date that is impossible in the order set
	KindPrompt                  // what the log-in dialogue says
	KindNoise                   // anything else
	KindBlank                   // nothing
)

// String is the word used in JSON, metrics and logs.
func (k Kind) String() string {
	names := [...]string{
		"none", "call", "ring", "answer", "agent", "room", "alarm",
		"header", "unknown", "bad_date", "prompt", "noise", "blank",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return names[0]
}

// Dated reports whether lines of this kind are records of something that
// happened.
func (k Kind) Dated() bool { return k >= KindCall && k <= KindAlarm }

// Pattern is the column layout a line was found to have.
type Pattern uint8

// The layouts.
const (
	NoPattern Pattern = iota
	PatternA          // 80 columns, no charge
	PatternB          // 80 columns with charge
	PatternC          // 120 columns
	Loose             // no columns: read by tokens
)

// Verdict is an answer that may be missing.
type Verdict uint8

// The verdicts.
const (
	NotKnown Verdict = iota
	Yes
	No
)

// NotPrinted stands for a ring time or duration that the line does not carry.
const NotPrinted = -1

// Record is one line as printed. Its byte slices point into the line, or into
// the record itself: they are good until the next Parse of either.
type Record struct {
	Kind      Kind
	Pattern   Pattern
	Missed    Verdict
	Direction call.Direction // "" where there is none

	// Printed is the printed minute, in seconds since 1970 as if the
	// exchange's wall clock were UTC; it means nothing unless HasTime.
	Printed      int64
	HasTime      bool
	StartTime    bool // the printed time is the start, not the end
	ClockChanged bool // **/**/**: the clock was set during the call, the time is lost
	Hidden       bool // digits are hidden from here on
	Transferred  bool
	Waiting      bool // <UCD waiting>: nobody has taken the call yet
	DISA         bool // <DISA incoming>

	Ring, Duration int // seconds, or NotPrinted

	Ext       []byte // as printed: 1234, *123 (verification code), D001 (doorphone), T001 (TIE), 103B, C-02
	Trunk     []byte // nil when blank or 00, which stands for any trunk over 99
	Number    []byte // without markers, blanks and pauses, up to the first hidden digit
	Name      []byte // in the exchange's character set
	DID       []byte
	Account   []byte
	Charge    []byte
	Condition []byte // as printed; an unknown code is data
	Text      []byte // what an agent, room, alarm or unknown line says; all of a line with a bad date

	scratch []byte // for a number that had to lose pauses or blanks
}

func (r *Record) reset() {
	scratch := r.scratch[:0]
	*r = Record{}
	r.Ring, r.Duration, r.scratch = NotPrinted, NotPrinted, scratch
}

// Start is when the call began by the exchange's clock, in the seconds of
// Printed: known to within the minute that was printed.
func (r *Record) Start() int64 {
	if r.StartTime {
		return r.Printed
	}
	return r.Printed - int64(max(r.Ring, 0)) - int64(max(r.Duration, 0))
}

// End is when the call, or this part of it, ended by the exchange's clock.
func (r *Record) End() int64 {
	if r.StartTime {
		return r.Printed + int64(max(r.Duration, 0))
	}
	return r.Printed
}

// judge fills in what follows from the other fields.
func (r *Record) judge() {
	if r.Kind != KindCall {
		return
	}
	code := uint16(0)
	if len(r.Condition) == 2 {
		code = uint16(r.Condition[0])<<8 | uint16(r.Condition[1])
	}
	switch {
	case code == 'R'<<8|'C' || code == 'V'<<8|'R':
		r.Kind = KindRing
	case (code == 'A'<<8|'N' || code == 'V'<<8|'A') && r.Duration <= 0:
		r.Kind, r.Missed = KindAnswer, No
	case r.Direction != call.Inbound:
		// An analogue trunk counts from some seconds after dialling: an outgoing
		// call cannot be called missed or answered (KX-NS700 feature guide p. 269).
	case code == 'N'<<8|'A':
		r.Missed = Yes
	case r.StartTime && r.Duration == NotPrinted && !r.Waiting:
		r.Kind = KindRing // [907]: the caller's number before the call is answered
	case r.Duration == 0:
		r.Missed = Yes
	case r.Duration > 0 && code != 'D'<<8|'0' && !r.Waiting && !r.voice():
		r.Missed = No
	}
	if code == 'T'<<8|'R' {
		r.Transferred = true
	}
}

// voice reports whether the built-in voice message answered (103B).
func (r *Record) voice() bool {
	n := len(r.Ext)
	return r.StartTime && n > 1 && r.Ext[n-1] == 'B' && r.Ext[0] >= '0' && r.Ext[0] <= '9'
}
