package stream

import (
	"encoding/binary"
	"errors"

	"markaz/call"
)

// record is one event as it lies in the spool. The spool library frames and
// checks it; inside there are the version (one byte), the session, the index
// and the time of Append in Unix nanoseconds (eight bytes each, big endian),
// then id, kind and order key, each after its length (uvarint), then the JSON.
// The three are repeated so that the pump need not decode the JSON.
type record struct {
	session uint64 // of the process run that wrote it
	index   uint64 // from 1 within the session
	at      int64
	id      []byte
	kind    []byte
	key     []byte
	json    []byte
	raw     []byte
}

const (
	recordVersion = 1
	recordHeader  = 1 + 8 + 8 + 8
	// maxEvent keeps a mistake from filling the spool; real events are below 2 kB.
	maxEvent = 1 << 20
)

var errRecord = errors.New("record is not one of ours")

// appendRecord appends the record of an event; stampRecord completes it.
func appendRecord(b []byte, e *call.Event) ([]byte, error) {
	b = append(b, recordVersion)
	b = append(b, make([]byte, recordHeader-1)...)
	for _, s := range [...]string{e.ID, string(e.Kind), orderKey(e)} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return appendJSON(b, e)
}

func stampRecord(b []byte, session, index uint64, at int64) {
	binary.BigEndian.PutUint64(b[1:], session)
	binary.BigEndian.PutUint64(b[9:], index)
	binary.BigEndian.PutUint64(b[17:], uint64(at))
}

// parseRecord reads a record; its fields share the memory of b.
func parseRecord(b []byte) (record, error) {
	if len(b) < recordHeader || b[0] != recordVersion {
		return record{}, errRecord
	}
	r := record{
		session: binary.BigEndian.Uint64(b[1:]),
		index:   binary.BigEndian.Uint64(b[9:]),
		at:      int64(binary.BigEndian.Uint64(b[17:])),
		raw:     b,
	}
	rest := b[recordHeader:]
	for _, field := range [...]*[]byte{&r.id, &r.kind, &r.key} {
		n, w := binary.Uvarint(rest)
		if w <= 0 || n > uint64(len(rest)-w) {
			return record{}, errRecord
		}
		*field, rest = rest[w:w+int(n)], rest[w+int(n):]
	}
	r.json = rest
	return r, nil
}

// orderKey names what an event must stay in order with: its call; without a
// call the agent, the extension or nothing but itself.
func orderKey(e *call.Event) string {
	switch {
	case e.Call != "":
		return e.Call
	case e.Agent != "":
		return "agent:" + e.Agent
	case e.Address != "":
		return "address:" + e.Address
	}
	return "event:" + e.ID
}
