package crm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"markaz/call"
)

// callStore is a CRM that keeps a call with its channels, one for each party,
// and takes creations and updates of both: PayamGostar, and every CRM that
// follows the OpenCRM contract. Creations bear our ids (Source), by which the
// CRM knows a repetition.
type callStore interface {
	// createCall makes a call with its first channel. Again tells that it may
	// have been made by an earlier try whose answer was lost.
	createCall(ctx context.Context, c storeCall, again bool) (storeIDs, error)
	updateCall(ctx context.Context, id string, c storeCall) error
	createChannel(ctx context.Context, callID string, ch storeChannel) (id string, err error)
	updateChannel(ctx context.Context, id string, ch storeChannel) error
	// merge joins a call to another one of the CRM, or says errNoMerge.
	merge(ctx context.Context, id, into string) error
}

// errNoMerge says that these two calls cannot be merged by this CRM.
var errNoMerge = errors.New("calls cannot be merged")

// storeCall is a call as a call store sees it.
type storeCall struct {
	Source    string // our id
	Number    string // of the other party
	Direction call.Direction
	Answered  bool
	Start     time.Time
	End       *time.Time
	Live      bool // false: nothing may pop up
	First     storeChannel
}

// storeChannel is one party of a call.
type storeChannel struct {
	Source    string // id of our leg
	Peer      string // extension, or name of the line
	Trunk     bool   // the peer is a line
	Status    storeStatus
	Response  call.Result // Answered, Busy, Transferred, or NoAnswer
	Created   time.Time
	Connected *time.Time
	Ended     *time.Time
	File      string // of the recording
	Live      bool
	talk      int64
}

// storeStatus is where a channel stands.
type storeStatus int

const (
	storeRinging storeStatus = iota
	storeUp
	storeHungUp
)

// storeIDs are what the CRM calls a new call and its first channel, "" if that
// is not known and has to be created once more, and whom the CRM takes the
// other party to be.
type storeIDs struct {
	Call, Channel  string
	Identity, Name string
}

// storeNote is what must be remembered of a call.
type storeNote struct {
	ID       string                  `json:"id,omitempty"`
	Tried    bool                    `json:"tried,omitempty"` // to create it
	Told     string                  `json:"told,omitempty"`  // the state that the CRM has
	Merged   bool                    `json:"merged,omitempty"`
	Channels map[string]storeChanged `json:"channels,omitempty"` // by the leg's id
}

// storeChanged is a channel that the CRM has.
type storeChanged struct {
	ID   string `json:"id"`
	Told string `json:"told"`
}

// storeConn tells a call store of calls, by comparing what it should have with
// what it has been told.
type storeConn struct {
	store   callStore
	dep     Deps
	kind    string
	noFiles bool
}

// storeLate is how old an event may be to pop something up.
const storeLate = 30 * time.Second

// Deliver implements [Connector]. What is told late waits for the end of the
// call and is then told as a whole, as not live.
func (s *storeConn) Deliver(ctx context.Context, e call.Event, r call.Call) error {
	live := e.Live && s.dep.Now().Sub(e.SeenAt) < storeLate
	if e.Call == "" || !live && !r.Over() {
		return ErrSkip
	}
	key := s.key(r.ID)
	n, err := readNote[storeNote](ctx, s.dep.Notes, key)
	if err != nil {
		return err
	}
	if n.Merged {
		return ErrSkip
	}
	w := &storeWork{storeConn: s, record: r, live: live, note: &n, save: func() error {
		return writeNote(ctx, s.dep.Notes, key, n)
	}}
	err = w.tell(ctx)
	if w.sent == 0 && err == nil {
		return ErrSkip
	}
	// After a failure too: what was told must not be told twice.
	return errors.Join(w.save(), err)
}

// local is a number as such a CRM has it of its customers: as it is written in
// its country, without the release code of an extension. "" if none can be told.
func (d Deps) local(e164 string) string {
	if d.Local == nil || !strings.HasPrefix(e164, "+") {
		return ""
	}
	return d.Local(e164)
}

func (s *storeConn) key(callID string) string { return s.kind + ":" + s.dep.Sink + ":" + callID }

// storeWork is the telling of one event.
type storeWork struct {
	*storeConn
	record call.Call
	live   bool
	note   *storeNote
	save   func() error
	sent   int
}

func (w *storeWork) tell(ctx context.Context) error {
	c := w.call()
	if w.note.ID == "" {
		if err := w.create(ctx, c); err != nil {
			return err
		}
	}
	if w.record.MergedInto != "" {
		if done, err := w.merge(ctx); done || err != nil {
			return err
		}
	}
	for _, ch := range w.channels() {
		if err := w.channel(ctx, ch); err != nil {
			return err
		}
	}
	if told := fmt.Sprint(c.Number, c.Direction, c.Answered, stamp(c.End)); told != w.note.Told {
		w.sent++
		if err := w.store.updateCall(ctx, w.note.ID, c); err != nil {
			return fmt.Errorf("update call: %w", err)
		}
		w.note.Told = told
	}
	return nil
}

func (w *storeWork) create(ctx context.Context, c storeCall) error {
	again := w.note.Tried
	w.note.Tried = true
	if err := w.save(); err != nil {
		return err
	}
	w.sent++
	ids, err := w.store.createCall(ctx, c, again)
	if err != nil {
		return fmt.Errorf("create call: %w", err)
	}
	w.note.ID = ids.Call
	w.note.Told = fmt.Sprint(c.Number, c.Direction, c.Answered, stamp(nil))
	w.note.Channels = map[string]storeChanged{}
	if ids.Channel != "" {
		w.note.Channels[c.First.Source] = storeChanged{ids.Channel, storeChannel{}.told()}
	}
	if ids.Identity != "" && w.live && !w.record.Over() && w.record.Identity != ids.Identity {
		w.dep.Report(call.Event{
			Kind: call.CallIdentified, Call: w.record.ID, Source: w.record.Source, At: w.dep.Now(), Live: true,
			Identity: ids.Identity, Text: ids.Name, Data: map[string]string{"sink": w.dep.Sink},
		})
	}
	return nil
}

// merge joins the call to the one it has become part of. If the CRM has not
// got that one by now, the call is ended like any other.
func (w *storeWork) merge(ctx context.Context) (done bool, err error) {
	into, err := readNote[storeNote](ctx, w.dep.Notes, w.key(w.record.MergedInto))
	if err != nil {
		return false, err
	}
	if into.ID == "" {
		if w.live {
			return false, RetryAfter(errors.New("the call to merge into is not there yet"), firstProbe)
		}
		return false, nil
	}
	err = w.store.merge(ctx, w.note.ID, into.ID)
	if errors.Is(err, errNoMerge) {
		return false, nil
	}
	w.sent++
	if err != nil {
		return false, fmt.Errorf("merge calls: %w", err)
	}
	w.note.Merged = true
	return true, nil
}

func (w *storeWork) channel(ctx context.Context, ch storeChannel) error {
	have, known := w.note.Channels[ch.Source]
	if !known {
		w.sent++
		id, err := w.store.createChannel(ctx, w.note.ID, ch)
		if err != nil {
			return fmt.Errorf("create channel: %w", err)
		}
		have = storeChanged{ID: id, Told: storeChannel{}.told()}
		w.note.Channels[ch.Source] = have
	}
	if told := ch.told(); told != have.Told {
		w.sent++
		if err := w.store.updateChannel(ctx, have.ID, ch); err != nil {
			return fmt.Errorf("update channel: %w", err)
		}
		w.note.Channels[ch.Source] = storeChanged{ID: have.ID, Told: told}
	}
	return nil
}

// told sums up what an update of the channel would tell; that of a channel
// that rings is what its creation has told.
func (ch storeChannel) told() string {
	if ch.Status == storeRinging {
		return "ringing"
	}
	return fmt.Sprint(ch.Status, ch.Response, stamp(ch.Connected), stamp(ch.Ended), ch.File)
}

func stamp(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func (w *storeWork) call() storeCall {
	r := w.record
	number, e164 := outside(&r)
	if r.Direction == call.Internal {
		number, e164 = r.To, r.ToE164
	}
	number = cmp.Or(w.dep.local(e164), number)
	if number == "" {
		number = "unknown" // the field must not be empty
	}
	return storeCall{
		Source: r.ID, Number: number, Direction: r.Direction, Answered: r.Answered != nil,
		Start: r.Started, End: r.Ended, Live: w.live, First: w.first(),
	}
}

// first is the channel of whoever calls: the line of an incoming call, else
// the caller's extension.
func (w *storeWork) first() storeChannel {
	r := w.record
	ch := storeChannel{
		Source: r.ID + "-caller", Created: r.Started, Live: w.live, Trunk: r.Direction != call.Outbound && r.Direction != call.Internal,
		Peer: r.From, Connected: r.Answered, Ended: r.Ended, Response: call.NoAnswer,
	}
	for i := range r.Legs {
		if l := &r.Legs[i]; l.Role == call.RoleCaller {
			ch.Source, ch.talk = l.ID, l.TalkMS
			if l.Ended != nil {
				ch.Ended = l.Ended
			}
			break
		}
	}
	if ch.Trunk {
		ch.Peer = line(r, "")
	}
	if r.Answered != nil {
		ch.Status, ch.Response = storeUp, call.Answered
	}
	if ch.Ended != nil {
		ch.Status = storeHungUp
	}
	return ch
}

// channels are all parties, the caller first. Menus, queues and groups are
// none. The recording belongs to the extension that talked longest.
func (w *storeWork) channels() []storeChannel {
	out := []storeChannel{w.first()}
	for i := range w.record.Legs {
		if l := &w.record.Legs[i]; l.Role.Person() {
			out = append(out, w.party(l))
		}
	}
	rec := longest(w.record.Recordings)
	if rec == nil || w.noFiles {
		return out
	}
	best := -1
	for i, ch := range out {
		if !ch.Trunk && ch.Connected != nil && (best < 0 || ch.talk > out[best].talk) {
			best = i
		}
	}
	if best >= 0 {
		out[best].File = rec.File
	}
	return out
}

func (w *storeWork) party(l *call.Leg) storeChannel {
	ch := storeChannel{
		Source: l.ID, Peer: l.Address, Created: l.Started, Live: w.live, Connected: l.Answered, Ended: l.Ended,
		Response: call.NoAnswer, talk: l.TalkMS,
	}
	if l.Role == call.RoleExternal {
		ch.Trunk, ch.Peer = true, line(w.record, l.Trunk)
	}
	if l.Answered != nil || l.TalkMS > 0 {
		ch.Status, ch.Response = storeUp, call.Answered
	}
	if l.Ended != nil {
		ch.Status = storeHungUp
	}
	switch l.Result {
	case call.Busy, call.Rejected:
		ch.Response = call.Busy
	case call.Transferred:
		ch.Response = call.Transferred
	}
	return ch
}

// line names the line of a party.
func line(r call.Call, trunk string) string {
	for _, name := range []string{trunk, r.Line.Trunk, r.Line.DID} {
		if name != "" {
			return name
		}
	}
	return "line"
}
