// Package state keeps, in one file, how far the journal was worked off and all
// that is needed to go on from there: a snapshot of every source, and which
// records were ever taken. Both are written in one transaction, so that a
// crash leaves them in step.
//
// It knows nothing of what the snapshots mean.
package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// ErrInUse says that another process has the file.
var ErrInUse = errors.New("state is in use by another process")

var (
	bucketMeta      = []byte("meta")
	bucketSnapshots = []byte("snapshots")
	bucketSeen      = []byte("seen")
	bucketSpans     = []byte("spans")
	bucketSounds    = []byte("sounds")

	keyPosition = []byte("position")
	keyTime     = []byte("time")
)

// Store is the file.
type Store struct {
	db      *bolt.DB
	pending map[string]*Seen
	spans   []span
	sounds  []sound

	mu       sync.Mutex
	latest   [256]sound // the latest that were added, committed or not
	latestAt int
}

// Open opens or makes the file, and fails with [ErrInUse] at once when another
// process has it.
func Open(path string) (*Store, error) {
	db, err := bolt.Open(path, 0o640, &bolt.Options{Timeout: 100 * time.Millisecond, FreelistType: bolt.FreelistMapType, NoFreelistSync: true})
	if errors.Is(err, bolterrors.ErrTimeout) {
		err = ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketSnapshots, bucketSeen, bucketSpans, bucketSounds} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("open state %s: %w", path, errors.Join(err, db.Close()))
	}
	return &Store{db: db, pending: map[string]*Seen{}}, nil
}

// Close lets go of the file. What was not committed is forgotten.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close state: %w", err)
	}
	return nil
}

// Position tells up to which entry the journal was worked off, and when that
// entry came.
func (s *Store) Position() (index uint64, at time.Time, err error) {
	err = s.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketMeta)
		if v := b.Get(keyPosition); len(v) == 8 {
			index = binary.BigEndian.Uint64(v)
		}
		if v := b.Get(keyTime); len(v) == 8 {
			at = time.Unix(0, int64(binary.BigEndian.Uint64(v))).UTC()
		}
		return nil
	})
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("read position: %w", err)
	}
	return index, at, nil
}

// Snapshot returns what was saved under a name; nil if nothing was.
func (s *Store) Snapshot(name string) ([]byte, error) {
	var out []byte
	err := s.db.View(func(tx *bolt.Tx) error {
		out = append(out, tx.Bucket(bucketSnapshots).Get([]byte(name))...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read snapshot %s: %w", name, err)
	}
	return out, nil
}

// Snapshots returns what was saved under names that begin so.
func (s *Store) Snapshots(prefix string) (map[string][]byte, error) {
	out := map[string][]byte{}
	err := s.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket(bucketSnapshots).Cursor()
		for k, v := c.Seek([]byte(prefix)); strings.HasPrefix(string(k), prefix); k, v = c.Next() {
			out[string(k)] = append([]byte(nil), v...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read snapshots: %w", err)
	}
	return out, nil
}

// Save writes one snapshot by itself.
func (s *Store) Save(name string, v []byte) error {
	if err := s.db.Update(func(tx *bolt.Tx) error { return putSnapshots(tx, map[string][]byte{name: v}) }); err != nil {
		return fmt.Errorf("save snapshot %s: %w", name, err)
	}
	return nil
}

// Checkpoint is what goes to disk together.
type Checkpoint struct {
	Index     uint64
	At        time.Time
	Snapshots map[string][]byte // an empty one removes the name
	seen      map[string]map[int64][]uint64
	spans     []span
	sounds    []sound
}

// Take moves what has been noted since the last one into a checkpoint.
func (s *Store) Take(index uint64, at time.Time, snapshots map[string][]byte) Checkpoint {
	c := Checkpoint{Index: index, At: at, Snapshots: snapshots, seen: map[string]map[int64][]uint64{}, spans: s.spans, sounds: s.sounds}
	for source, seen := range s.pending {
		if len(seen.fresh) > 0 {
			c.seen[source] = seen.fresh
			seen.taken, seen.fresh = append(seen.taken, seen.fresh), map[int64][]uint64{}
		}
	}
	s.spans, s.sounds = nil, nil
	return c
}

// Commit writes a checkpoint. It returns when the disk has it.
func (s *Store) Commit(c Checkpoint) error {
	err := s.db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		return errors.Join(
			meta.Put(keyPosition, binary.BigEndian.AppendUint64(nil, c.Index)),
			meta.Put(keyTime, binary.BigEndian.AppendUint64(nil, uint64(c.At.UnixNano()))),
			putSnapshots(tx, c.Snapshots), putSeen(tx, c.seen), putSpans(tx, c.spans), putSounds(tx, c.sounds))
	})
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	for source := range c.seen {
		s.pending[source].taken, s.pending[source].loaded = nil, false
	}
	return nil
}

func putSnapshots(tx *bolt.Tx, snapshots map[string][]byte) error {
	b := tx.Bucket(bucketSnapshots)
	for name, v := range snapshots {
		var err error
		if len(v) == 0 {
			err = b.Delete([]byte(name))
		} else {
			err = b.Put([]byte(name), v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
