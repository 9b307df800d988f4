package history

import (
	"strconv"
	"strings"
	"time"

	"markaz/call"
)

// Explanation tells why the record of a call is what it is.
type Explanation struct {
	Call   call.Call  `json:"call"`
	Why    []Sentence `json:"why"`
	Fields []Field    `json:"fields"`
}

// Field is one value of the record and the event that set it.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	By    Origin `json:"set_by"`
}

// Origin is an event, as far as it must be named.
type Origin struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Kind   call.Kind `json:"kind"`
	Source string    `json:"source"`
	Seq    uint64    `json:"seq,omitempty"`
}

// Explain tells how the events of a call made its record. Those of calls that
// were merged into it may be among them. It reads nothing else.
func Explain(id string, events []call.Event) Explanation {
	c := &call.Call{ID: id}
	var x Explanation
	at := map[string]int{} // index in x.Fields by name
	story := story{call: c}
	for _, e := range events {
		story.hear(e)
		if e.Call != id || !c.Apply(e) {
			continue
		}
		by := Origin{ID: e.ID, At: e.At, Kind: e.Kind, Source: e.Source, Seq: e.Seq}
		for _, f := range flatten(c) {
			i, known := at[f.Name]
			switch {
			case known && x.Fields[i].Value != f.Value:
				x.Fields[i].Value, x.Fields[i].By = f.Value, by
			case !known && f.Value != "":
				at[f.Name] = len(x.Fields)
				f.By = by
				x.Fields = append(x.Fields, f)
			}
		}
	}
	x.Call = *c
	x.Why = story.tell()
	return x
}

// flatten names every value of a record that is worth explaining. Values are
// as in the record's JSON; "" is none.
func flatten(c *call.Call) []Field {
	out := []Field{
		{Name: "direction", Value: string(c.Direction)},
		{Name: "origin", Value: string(c.Origin)},
		{Name: "from", Value: c.From},
		{Name: "from_name", Value: c.FromName},
		{Name: "from_e164", Value: c.FromE164},
		{Name: "to", Value: c.To},
		{Name: "to_e164", Value: c.ToE164},
		{Name: "line", Value: line(c)},
		{Name: "identity", Value: c.Identity},
		{Name: "known_as", Value: c.Known},
		{Name: "started", Value: stamp(&c.Started)},
		{Name: "answered", Value: stamp(c.Answered)},
		{Name: "reached", Value: c.Reached},
		{Name: "agent", Value: c.Agent},
		{Name: "ended", Value: stamp(c.Ended)},
		{Name: "disposition", Value: string(c.Disposition)},
		{Name: "ended_by", Value: string(c.By)},
		{Name: "cause", Value: number(int64(c.Cause))},
		{Name: "sip", Value: number(int64(c.SIP))},
		{Name: "phrase", Value: c.Phrase},
		{Name: "reason", Value: c.Reason},
		{Name: "talk_ms", Value: number(c.TalkMS)},
		{Name: "revision", Value: number(int64(c.Revision))},
		{Name: "merged_into", Value: c.MergedInto},
	}
	for i := range c.Legs {
		l := &c.Legs[i]
		name := "leg " + legName(l, i) + " "
		out = append(out,
			Field{Name: name + "role", Value: string(l.Role)},
			Field{Name: name + "answered", Value: stamp(l.Answered)},
			Field{Name: name + "result", Value: string(l.Result)},
			Field{Name: name + "ended_by", Value: string(l.By)},
			Field{Name: name + "talk_ms", Value: number(l.TalkMS)})
	}
	for i := range c.Queues {
		q := &c.Queues[i]
		name := "queue " + strconv.Itoa(i+1) + " " + q.Queue + " "
		out = append(out, Field{Name: name + "wait_ms", Value: number(q.WaitMS)}, Field{Name: name + "left", Value: q.Left})
	}
	for i := range c.Recordings {
		out = append(out, Field{Name: "recording " + strconv.Itoa(i+1), Value: strings.TrimSpace(c.Recordings[i].State + " " + c.Recordings[i].File)})
	}
	return out
}

func legName(l *call.Leg, i int) string {
	if l.Address != "" {
		return strconv.Itoa(i+1) + " " + l.Address
	}
	return strconv.Itoa(i + 1)
}

func stamp(t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func number(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
