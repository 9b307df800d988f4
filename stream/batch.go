package stream

import (
	"bytes"
)

// batch is what goes in one exchange: records of one session.
type batch struct {
	records []record
	arena   []byte
	bytes   int
}

// filler makes batches of what a cursor reads.
type filler struct {
	cursor *cursor
	over   []byte // a record that was read and begins the next batch
}

// fill reads a batch, which is empty when there is nothing to send.
func (f *filler) fill(b *batch) error {
	b.records, b.arena, b.bytes = b.records[:0], b.arena[:0], 0
	if f.over != nil {
		b.keep(f.over)
		f.over = nil
	}
	for len(b.records) < batchEvents && b.bytes < batchBytes {
		r, ok, err := f.cursor.next()
		if err != nil || !ok {
			return err
		}
		if len(b.records) > 0 && b.records[0].session != r.session {
			f.over = bytes.Clone(r.raw)
			return nil
		}
		b.keep(r.raw)
	}
	return nil
}

// keep copies a record, whose memory is the reader's.
func (b *batch) keep(raw []byte) {
	b.bytes += len(raw)
	if cap(b.arena)-len(b.arena) < len(raw) {
		b.arena = make([]byte, 0, max(batchBytes/4, len(raw))) // what lies in the old one stays good
	}
	start := len(b.arena)
	b.arena = append(b.arena, raw...)
	r, err := parseRecord(b.arena[start:])
	if err != nil {
		return // the cursor has parsed it before
	}
	b.records = append(b.records, r)
}
