package state

import (
	"encoding/binary"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// Seen knows the records of one source that were taken. On disk a minute holds
// the keys of its records, eight bytes each.
type Seen struct {
	db     *bolt.DB
	source string
	fresh  map[int64][]uint64   // not in a checkpoint yet
	taken  []map[int64][]uint64 // in checkpoints that are not committed yet

	minute int64 // the last one read from disk
	keys   []uint64
	loaded bool
}

// Seen returns the records of a source. It is for the goroutine that calls
// Take and Commit.
func (s *Store) Seen(source string) *Seen {
	if s.pending[source] == nil {
		s.pending[source] = &Seen{db: s.db, source: source, fresh: map[int64][]uint64{}}
	}
	return s.pending[source]
}

// Has reports whether a record was taken before.
func (s *Seen) Has(minute int64, key uint64) bool {
	if slices.Contains(s.fresh[minute], key) {
		return true
	}
	for _, t := range s.taken {
		if slices.Contains(t[minute], key) {
			return true
		}
	}
	return slices.Contains(s.stored(minute), key)
}

// Add notes a record as taken.
func (s *Seen) Add(minute int64, key uint64) {
	s.fresh[minute] = append(s.fresh[minute], key)
}

// stored reads a minute from disk; the last one read is remembered, for
// records come minute by minute.
func (s *Seen) stored(minute int64) []uint64 {
	if s.loaded && s.minute == minute && len(s.taken) == 0 {
		return s.keys
	}
	s.keys = s.keys[:0]
	_ = s.db.View(func(tx *bolt.Tx) error { // only fails on a closed file
		if b := tx.Bucket(bucketSeen).Bucket([]byte(s.source)); b != nil {
			s.keys = decodeKeys(s.keys, b.Get(minuteKey(minute)))
		}
		return nil
	})
	s.minute, s.loaded = minute, len(s.taken) == 0
	return s.keys
}

func minuteKey(minute int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(minute)) }

func decodeKeys(into []uint64, v []byte) []uint64 {
	for ; len(v) >= 8; v = v[8:] {
		into = append(into, binary.LittleEndian.Uint64(v))
	}
	return into
}

func putSeen(tx *bolt.Tx, seen map[string]map[int64][]uint64) error {
	for source, minutes := range seen {
		b, err := tx.Bucket(bucketSeen).CreateBucketIfNotExists([]byte(source))
		if err != nil {
			return err
		}
		b.FillPercent = 0.9 // minutes come in order
		for _, minute := range sortedMinutes(minutes) {
			v := slices.Clone(b.Get(minuteKey(minute)))
			for _, key := range minutes[minute] {
				v = binary.LittleEndian.AppendUint64(v, key)
			}
			if err := b.Put(minuteKey(minute), v); err != nil {
				return err
			}
		}
	}
	return nil
}

func sortedMinutes(m map[int64][]uint64) []int64 {
	out := make([]int64, 0, len(m))
	for minute := range m {
		out = append(out, minute)
	}
	slices.Sort(out)
	return out
}
