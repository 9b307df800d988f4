package history

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"markaz/call"
)

// replayed, as a key of Event.Data, marks a correction that a replay has made
// and names the fields that it corrects. The next replay decides anew and does
// not take an earlier one's word.
const replayed = "replay"

// Change is one value of a record that is another when its events are folded
// again.
type Change struct {
	Field string `json:"field"`
	Was   string `json:"was"`
	Is    string `json:"is"`
}

// Refold makes the record of a call anew by the rules of this version: what
// was decided when the call ended is decided again. What a source has stated
// itself stays.
func Refold(id string, events []call.Event) *call.Call {
	c := &call.Call{ID: id}
	for _, e := range events {
		switch {
		case e.Call != id:
			continue
		case e.Kind == call.CallEnded && !c.Over() && e.Data[call.Decided] != "" && e.Reason == "":
			fresh := c.Conclude()
			e.Disposition, e.By, e.Cause, e.SIP, e.Text = fresh.Disposition, fresh.By, fresh.Cause, fresh.SIP, fresh.Text
		case e.Kind == call.CallAmended && e.Data[replayed] != "":
			e = call.Event{Kind: e.Kind, Call: e.Call, Seq: e.Seq, Revision: e.Revision}
		}
		c.Apply(e)
	}
	return c
}

// Compare lists what is different in a record that was folded again.
func Compare(stored, fresh *call.Call) []Change {
	was := map[string]string{}
	for _, f := range flatten(stored) {
		was[f.Name] = f.Value
	}
	var out []Change
	for _, f := range flatten(fresh) {
		if old := was[f.Name]; old != f.Value && f.Name != "revision" {
			out = append(out, Change{Field: f.Name, Was: old, Is: f.Value})
		}
		delete(was, f.Name)
	}
	for _, f := range flatten(stored) {
		if old := was[f.Name]; old != "" {
			out = append(out, Change{Field: f.Name, Was: old})
		}
	}
	return out
}

// Amendment is the correction of a record, to be appended to the stream. It is
// the same event, with the same id, however often it is made from the same
// record. A value cannot be corrected to nothing.
func Amendment(stored, fresh *call.Call, changes []Change, at time.Time) call.Event {
	e := call.Event{
		V: call.Schema, Kind: call.CallAmended, Source: stored.Source, Call: stored.ID, Seq: stored.Seq + 1, Revision: stored.Revision + 1,
		At: at, SeenAt: at, Data: map[string]string{},
	}
	var names []string
	for _, ch := range changes {
		names = append(names, ch.Field)
		switch ch.Field {
		case "direction":
			e.Direction = fresh.Direction
		case "from":
			e.From = fresh.From
		case "to":
			e.To = fresh.To
		case "disposition":
			e.Disposition = fresh.Disposition
		case "ended_by":
			e.By = fresh.By
		case "cause":
			e.Cause = fresh.Cause
		case "sip":
			e.SIP = fresh.SIP
		case "phrase":
			e.Text = fresh.Phrase
		case "reason":
			e.Reason = fresh.Reason
		case "talk_ms":
			e.TalkMS = fresh.TalkMS
		case "identity":
			e.Identity = fresh.Identity
		case "reached":
			e.Address = fresh.Reached
		case "agent":
			e.Agent = fresh.Agent
		}
	}
	e.Data[replayed] = strings.Join(names, " ")
	raw, _ := json.Marshal(changes) // strings can always be encoded
	sum := sha256.Sum256(raw)
	e.ID = fmt.Sprintf("%s-replay-%d-%s", stored.ID, e.Revision, hex.EncodeToString(sum[:6]))
	return e
}

// Stored is a record as the store has it, with the events that it came from.
type Stored struct {
	Call   call.Call
	Events []call.Event
}

// Each hands over the calls that began in a time, the oldest first, merged and
// live ones too, until fn fails.
func (s *Store) Each(ctx context.Context, from, to time.Time, fn func(Stored) error) error {
	lastAt, lastID := from.UnixMicro(), ""
	for {
		page, err := s.some(ctx, lastAt, lastID, to.UnixMicro())
		if err != nil {
			return fmt.Errorf("read calls: %w", err)
		}
		for _, c := range page {
			lastAt, lastID = c.Started.UnixMicro(), c.ID
			rows, err := s.read.QueryContext(ctx, `SELECT body FROM events WHERE call = ? ORDER BY n LIMIT ?`, c.ID, eventsMost)
			if err != nil {
				return fmt.Errorf("read events of call: %w", err)
			}
			events, err := bodies(rows)
			if err != nil {
				return fmt.Errorf("read events of call: %w", err)
			}
			if err := fn(Stored{c, events}); err != nil {
				return err
			}
		}
		if len(page) == 0 {
			return nil
		}
	}
}

func (s *Store) some(ctx context.Context, at int64, id string, to int64) (out []call.Call, err error) {
	rows, err := s.read.QueryContext(ctx, `SELECT record FROM calls WHERE (started, id) > (?, ?) AND started < ? ORDER BY started, id LIMIT 100`, at, id, to)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var raw []byte
		var c call.Call
		if err := rows.Scan(&raw); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &c); err != nil {
			return nil, fmt.Errorf("decode call: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
