package journal

import (
	"encoding/binary"
	"errors"
	"time"
)

// Kind says what an entry is.
type Kind uint8

// The kinds of entries.
const (
	Data  Kind = iota + 1 // bytes of the device
	Edge                  // the end of a datagram: no frame goes on behind it
	Up                    // the connection was made; Bytes say with what
	Down                  // it was lost; Bytes say why
	Tick                  // time has passed
	Sound                 // a recorder's file: JSON
)

// Entry is one thing that happened at a source.
type Entry struct {
	Index  uint64 // from 1, without gaps but for damage
	At     time.Time
	Source string
	Kind   Kind
	Bytes  []byte
}

// On disk an entry is the version, the kind, the index and the time in Unix
// nanoseconds (big endian), the source after its length, and the bytes. The
// library around it frames and checks.
const (
	version = 1
	header  = 2 + 8 + 8 + 1
)

var errEntry = errors.New("entry is not one of ours")

func appendEntry(b []byte, e Entry) []byte {
	b = append(b, version, byte(e.Kind))
	b = binary.BigEndian.AppendUint64(b, e.Index)
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixNano()))
	b = append(b, byte(len(e.Source)))
	b = append(b, e.Source...)
	return append(b, e.Bytes...)
}

// parseEntry reads an entry; its Bytes share the memory of b.
func parseEntry(b []byte) (Entry, error) {
	if len(b) < header || b[0] != version || len(b) < header+int(b[18]) {
		return Entry{}, errEntry
	}
	n := int(b[18])
	return Entry{
		Kind:   Kind(b[1]),
		Index:  binary.BigEndian.Uint64(b[2:]),
		At:     time.Unix(0, int64(binary.BigEndian.Uint64(b[10:]))).UTC(),
		Source: string(b[header : header+n]),
		Bytes:  b[header+n:],
	}, nil
}
