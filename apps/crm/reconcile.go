package crm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"markaz/call"
)

// Auditor is a Connector whose CRM can be asked what it has.
type Auditor interface {
	// Rows lists what the CRM has of our calls that began from one time until
	// before another.
	Rows(ctx context.Context, from, to time.Time) ([]Row, error)
	// Wanted is the row that the CRM should have of a call that is over; ok is
	// false if it should have none.
	Wanted(ctx context.Context, r call.Call) (row Row, ok bool, err error)
	// Forget lets the call be told anew.
	Forget(ctx context.Context, callID string) error
}

// Row is a call as a CRM has it.
type Row struct {
	Call      string    `json:"call"` // our id; "" if the CRM does not tell
	ID        string    `json:"id,omitempty"`
	Start     time.Time `json:"start"`
	Seconds   int       `json:"seconds"`          // of talk; -1 if the CRM does not tell
	Result    string    `json:"result,omitempty"` // in the CRM's words; "" if it does not tell
	Recording bool      `json:"recording"`
}

// Difference is what is not as it should be.
type Difference struct {
	Kind   DifferenceKind `json:"kind"`
	Call   string         `json:"call,omitempty"`
	Ours   *Row           `json:"ours,omitempty"`
	Theirs []Row          `json:"theirs,omitempty"`
	Filled bool           `json:"filled,omitempty"`
	Error  string         `json:"error,omitempty"` // why it could not be filled
}

// DifferenceKind names a difference.
type DifferenceKind string

// The differences there are.
const (
	Missing     DifferenceKind = "missing"      // we have the call, the CRM has not
	Twice       DifferenceKind = "twice"        // the CRM has it more than once
	Unlike      DifferenceKind = "different"    // result or duration differ
	NoRecording DifferenceKind = "no_recording" // the CRM lacks the recording
	Strange     DifferenceKind = "strange"      // the CRM has a call of ours that we do not know
)

// Audit is the outcome of a reconciliation.
type Audit struct {
	Calls       int          `json:"calls"` // of ours that the CRM should have
	Rows        int          `json:"rows"`  // that it has
	Differences []Difference `json:"differences"`
}

// ErrNoAudit says that this kind of CRM cannot be asked what it has.
var ErrNoAudit = errors.New("this CRM cannot be asked which calls it has")

// Past is a call that is over, with its events in the order of the log.
type Past struct {
	Record call.Call
	Events []call.Event
}

// Reconcile holds the CRM's rows of a period against our calls. With fill,
// those that are missing or lack their recording are told again, as late.
func (s *Sink) Reconcile(ctx context.Context, from, to time.Time, ours []Past, fill bool) (Audit, error) {
	auditor, ok := s.conn.(Auditor)
	if !ok {
		return Audit{}, ErrNoAudit
	}
	// Clocks and time zones of CRMs differ by little; what is just outside is
	// fetched, too, and not counted as strange.
	rows, err := auditor.Rows(ctx, from.Add(-time.Minute), to.Add(time.Minute))
	if err != nil {
		return Audit{}, fmt.Errorf("list rows: %w", err)
	}
	a := Audit{Rows: len(rows)}
	byCall, byID := map[string][]Row{}, map[string][]Row{}
	for _, r := range rows {
		byCall[r.Call] = append(byCall[r.Call], r)
		byID[r.ID] = append(byID[r.ID], r)
	}
	known := map[string]bool{}
	for _, p := range ours {
		known[p.Record.ID] = true
		want, ok, err := s.wanted(ctx, auditor, p)
		if err != nil {
			return a, err
		}
		if !ok {
			continue
		}
		a.Calls++
		theirs := byCall[want.Call]
		if len(theirs) == 0 && want.ID != "" {
			theirs = byID[want.ID]
		}
		kind := compare(want, theirs)
		if kind == "" {
			continue
		}
		d := Difference{Kind: kind, Call: want.Call, Ours: &want, Theirs: theirs}
		if fill && (kind == Missing || kind == NoRecording) {
			if err := s.tellAgain(ctx, auditor, p); err != nil {
				d.Error = err.Error()
			} else {
				d.Filled = true
			}
		}
		a.Differences = append(a.Differences, d)
	}
	for _, r := range rows {
		if r.Call != "" && !known[r.Call] && !r.Start.Before(from) && r.Start.Before(to) {
			a.Differences = append(a.Differences, Difference{Kind: Strange, Call: r.Call, Theirs: []Row{r}})
		}
	}
	slices.SortStableFunc(a.Differences, func(x, y Difference) int { return cmp.Compare(x.Call, y.Call) })
	return a, nil
}

// wanted is the row that a call should have after our own routes.
func (s *Sink) wanted(ctx context.Context, auditor Auditor, p Past) (Row, bool, error) {
	last := p.Events[len(p.Events)-1]
	last.Kind = call.CallEnded
	ok, recordings := s.cfg.Match(last, p.Record)
	if !ok || !p.Record.Over() {
		return Row{}, false, nil
	}
	record := p.Record
	if !recordings {
		record.Recordings = nil
	}
	return auditor.Wanted(ctx, record)
}

// compare names what is wrong with the rows of one call, "" if nothing is.
func compare(want Row, theirs []Row) DifferenceKind {
	switch {
	case len(theirs) == 0:
		return Missing
	case len(theirs) > 1:
		return Twice
	}
	have := theirs[0]
	off := want.Seconds - have.Seconds
	switch {
	case have.Result != "" && want.Result != have.Result, have.Seconds >= 0 && (off > 2 || off < -2):
		return Unlike
	case want.Recording && !have.Recording:
		return NoRecording
	}
	return ""
}

// fillTries and fillWait bound how long one call may hold a fill up.
const (
	fillTries = 5
	fillWait  = time.Minute
)

// tellAgain delivers the last event of a call, marked as late.
func (s *Sink) tellAgain(ctx context.Context, auditor Auditor, p Past) error {
	if err := auditor.Forget(ctx, p.Record.ID); err != nil {
		return err
	}
	last := p.Events[len(p.Events)-1]
	last.Live = false
	var err error
	for range fillTries {
		var v Verdict
		v, err = s.Deliver(ctx, last, 1)
		if v.Act == Done {
			return nil
		}
		if v.Act != Retry || v.After > fillWait {
			return err
		}
		select {
		case <-time.After(v.After):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}
