package crm

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"time"

	"markaz/call"
	"markaz/lang"
)

// Connector speaks to one CRM. Its methods may be called by several
// goroutines, but never twice at once for the same call.
type Connector interface {
	// Caps says what this CRM can be used for.
	Caps() []Cap

	// Test asks the CRM whether the settings work, without leaving a trace in
	// it if that is possible. The error is for the operator: the CRM's own
	// reason in plain words.
	Test(ctx context.Context) error

	// Deliver tells the CRM about one event. Record is the call as it stood
	// right after the event (zero for an event of no call), and is the
	// connector's to keep. Events of a call come in their order; after a
	// failure the same event comes again, so telling it twice must be
	// harmless.
	//
	// Nil means that the CRM has it for good, [ErrSkip] that there was nothing to
	// tell. Any other error is tried again on the schedule, unless it wraps
	// [ErrPermanent] (never again), [ErrAway] (the whole CRM fails, not this
	// event), [ErrGone] (it wants no more), or comes from [RetryAfter].
	Deliver(ctx context.Context, e call.Event, record call.Call) error
}

// Asker is a Connector whose CRM asks for calls by requests to us
// (click-to-call).
type Asker interface {
	// Asks serves the CRM's requests. Each one that proves to come from the
	// CRM is handed to ask, whose error goes back to the CRM as a refusal.
	Asks(ask func(context.Context, Ask) error) http.Handler
}

// Ask is a CRM's wish that one of its users talk to a number. The call that
// comes of it bears the Ask's Data in its [call.CallStarted], so that the sink
// and the connector know it again.
type Ask struct {
	ID        string            // that the CRM gave the wish
	Extension string            // of the user, whose phone rings first
	Number    string            // to be dialled
	Line      string            // line to dial it on; "" for the usual one
	Data      map[string]string // to be put on the call's first event
}

// Event is the input that makes the call, or the reason why it cannot be asked
// for: what a CRM sends is not to be trusted with a dial string.
func (a Ask) Event(sink string) (call.Event, error) {
	if !dialable(a.Number) {
		return call.Event{}, fmt.Errorf("%q is no number that can be dialled", call.Clean(a.Number, 40))
	}
	if !dialable(a.Extension) {
		return call.Event{}, fmt.Errorf("%q is no extension", call.Clean(a.Extension, 40))
	}
	data := maps.Clone(a.Data)
	if data == nil {
		data = map[string]string{}
	}
	data[AskedBy] = sink
	return call.Event{
		Kind: call.DialAsked, Ref: "crm:" + sink + ":" + a.ID, Address: a.Extension,
		To: undecorated(a.Number), Trunk: call.Clean(a.Line, 40), Data: data,
	}, nil
}

// dialable reports a number that a person could have written down.
func dialable(number string) bool {
	n := strings.TrimPrefix(undecorated(number), "+")
	return n != "" && len(n) <= 24 && strings.Trim(n, "0123456789*#") == ""
}

// undecorated takes out what people write into numbers.
func undecorated(number string) string {
	return strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "\u00a0", "").Replace(number)
}

// AskedBy is the key in an Ask's Data under which the sink's name stands.
const AskedBy = "crm_sink"

// Finder is a Connector whose CRM knows people by number.
type Finder interface {
	// Find returns the CRM's id of whoever has the number, and the name to
	// show; both "" if nobody has it.
	Find(ctx context.Context, number string) (id, name string, err error)
}

// Cap is something that a CRM can be used for.
type Cap string

// What CRMs can be used for.
const (
	PopUp       Cap = "pop-up"        // shows the caller's profile while the phone rings
	Live        Cap = "live"          // shows calls that are going on
	Recordings  Cap = "recording"     // holds or plays the recording
	ClickToCall Cap = "click_to_call" // asks for calls
	LookUp      Cap = "look_up"       // knows callers by number
	UserList    Cap = "users"         // knows who sits at which extension
	Reconcile   Cap = "reconcile"     // can be asked which calls it has
)

// settings are the section of a [SinkConfig] that chooses the kind of CRM.
type settings interface {
	// faults are what is wrong with the settings, each beginning with its key.
	faults() []error
	// connect makes the connector. It reads secrets but sends nothing.
	connect(Deps) (Connector, error)
}

// Notes are what connectors must remember of a call beyond a restart, above
// all the ids that a CRM gave it.
type Notes interface {
	// Note returns what was put under the key, "" if nothing was.
	Note(ctx context.Context, key string) (string, error)
	// PutNote keeps a value for at least thirty days.
	PutNote(ctx context.Context, key, value string) error
}

// Files gives connectors the recordings of calls.
type Files interface {
	// Link makes a web address under which the recording can be fetched until
	// it expires; "" if there is none that a CRM could reach.
	Link(r call.Recording, valid time.Duration) string
	// Open opens the recording's sound file.
	Open(r call.Recording) (io.ReadCloser, error)
}

// History returns the events of a call in the order of the log.
type History func(ctx context.Context, callID string) ([]call.Event, error)

// Deps are what sinks are joined to. Report gets facts to be recorded, which
// lack id, sequence and times. Notes and Files may be nil as long as no
// connector that needs them is configured.
type Deps struct {
	History History
	Report  func(call.Event)
	Notes   Notes
	Files   Files
	Now     func() time.Time
	Chance  func() float64 // from [0, 1), evenly
	// Local writes an international number as people here do, "" if it cannot.
	// Nil: it never can.
	Local  func(e164 string) string
	Logger *slog.Logger
	// Catalogue has the sentences that are written into CRMs; nil means that
	// Open reads it.
	Catalogue *lang.Catalogue

	// Set by Open for the sink that a connector is made for:
	Sink                        string     // its name
	Words                       lang.Words // in the language of what is written into the CRM
	LearnExtensions, LearnLines bool       // the CRM is to be taught those that it does not know
}
