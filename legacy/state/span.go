package state

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"
)

// Span is when a call was on a line, so that a recording can be found its
// call.
type Span struct {
	Call       string    `json:"c"`
	Line       string    `json:"l"`
	Start, End time.Time `json:"-"`
	S          int64     `json:"s"` // start and end in Unix ms
	E          int64     `json:"e"`
}

type span struct {
	source string
	Span
}

// spanKeep is how long a call may wait for its recording.
const spanKeep = 14 * 24 * time.Hour

// AddSpan notes a call of a source, or what became of it since.
func (s *Store) AddSpan(source string, v Span) {
	v.S, v.E = v.Start.UnixMilli(), v.End.UnixMilli()
	s.spans = append(s.spans, span{source, v})
}

// Overlapping lists the calls of a line that lasted at some moment between two
// times, eldest first.
func (s *Store) Overlapping(source, line string, from, to time.Time) ([]Span, error) {
	const longest = 24 * time.Hour
	found := map[string]Span{}
	var order []string
	add := func(v Span) {
		v.Start, v.End = time.UnixMilli(v.S).UTC(), time.UnixMilli(v.E).UTC()
		if _, known := found[v.Call]; !known {
			order = append(order, v.Call)
		}
		found[v.Call] = v
	}
	err := s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketSpans).Bucket([]byte(source))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, v := c.Seek(spanKey(line, from.Add(-longest), "")); k != nil; k, v = c.Next() {
			l, start, ok := splitSpanKey(k)
			if !ok || l != line || start.After(to) {
				break
			}
			var sp Span
			if err := json.Unmarshal(v, &sp); err != nil {
				return fmt.Errorf("call %s: %w", k, err)
			}
			add(sp)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find calls of line %s: %w", line, err)
	}
	for _, v := range s.spans {
		if v.source == source && v.Line == line {
			add(v.Span)
		}
	}
	var out []Span
	for _, id := range order {
		if v := found[id]; v.Start.Before(to) && v.End.After(from) {
			out = append(out, v)
		}
	}
	return out, nil
}

// spanKey orders spans by line, then start.
func spanKey(line string, start time.Time, id string) []byte {
	k := append([]byte{byte(len(line))}, line...)
	k = binary.BigEndian.AppendUint64(k, uint64(start.UnixMilli()))
	return append(k, id...)
}

func splitSpanKey(k []byte) (line string, start time.Time, ok bool) {
	if len(k) < 1 || len(k) < 9+int(k[0]) {
		return "", time.Time{}, false
	}
	n := int(k[0])
	return string(k[1 : 1+n]), time.UnixMilli(int64(binary.BigEndian.Uint64(k[1+n:]))), true
}

func putSpans(tx *bolt.Tx, spans []span) error {
	for _, v := range spans {
		b, err := tx.Bucket(bucketSpans).CreateBucketIfNotExists([]byte(v.source))
		if err != nil {
			return err
		}
		raw, err := json.Marshal(v.Span)
		if err != nil {
			return err
		}
		if err := b.Put(spanKey(v.Line, v.Start, v.Call), raw); err != nil {
			return err
		}
		if err := dropOld(b, v.Line, v.Start.Add(-spanKeep)); err != nil {
			return err
		}
	}
	return nil
}

// dropOld removes a line's calls from before a time.
func dropOld(b *bolt.Bucket, line string, before time.Time) error {
	c := b.Cursor()
	from := spanKey(line, time.UnixMilli(0), "")
	for k, _ := c.Seek(from); k != nil; k, _ = c.Seek(from) {
		l, start, ok := splitSpanKey(k)
		if !ok || l != line || !start.Before(before) {
			return nil
		}
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}
