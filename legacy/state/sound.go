package state

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// sound is a recorder's file that was taken note of.
type sound struct{ source, file string }

// AddSound notes that a recorder's file was taken.
func (s *Store) AddSound(source, file string) {
	s.sounds = append(s.sounds, sound{source, file})
}

// HasSound reports whether a recorder's file was taken. It may be called by
// any goroutine; what is not committed yet it does not know.
func (s *Store) HasSound(source, file string) (bool, error) {
	known := false
	err := s.db.View(func(tx *bolt.Tx) error {
		known = tx.Bucket(bucketSounds).Get(soundKey(source, file)) != nil
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("look for recording: %w", err)
	}
	return known, nil
}

func soundKey(source, file string) []byte { return []byte(source + "\x00" + file) }

func putSounds(tx *bolt.Tx, sounds []sound) error {
	b := tx.Bucket(bucketSounds)
	for _, v := range sounds {
		if err := b.Put(soundKey(v.source, v.file), []byte{1}); err != nil {
			return err
		}
	}
	return nil
}
