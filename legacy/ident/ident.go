// Package ident makes the ids of calls and events out of what they are about:
// the same input, read again after a crash, gets the same ids, so that what
// was told twice is recognised. It knows nothing of devices.
package ident

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"

	"markaz/call"
)

// Call is the id of the call that began at a time and is known to its source
// by key.
func Call(source, key string, at time.Time) string {
	return call.NewID(at, digest(source, key))
}

// Event is the id of the fact number seq of a call.
func Event(callID string, seq uint64, at time.Time) string {
	return call.NewID(at, digest(callID, strconv.FormatUint(seq, 10)))
}

// Key writes a fingerprint as text.
func Key(fingerprint uint64) string { return strconv.FormatUint(fingerprint, 16) }

// digest makes the part of an id that is not time.
func digest(parts ...string) (ten [10]byte) {
	var buf [128]byte
	b := buf[:0]
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	copy(ten[:], sum[:])
	return ten
}
