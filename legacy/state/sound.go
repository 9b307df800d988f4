package state

import (
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// sound is a recorder's file that was taken note of.
type sound struct{ source, file, id string }

// AddSound notes that a recorder's file was taken, and what it is called in
// events.
func (s *Store) AddSound(source, file, id string) {
	v := sound{source, file, id}
	s.sounds = append(s.sounds, v)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latest[s.latestAt%len(s.latest)] = v
	s.latestAt++
}

// SoundFile tells which file an id stands for; "" if none. It may be called by
// any goroutine.
func (s *Store) SoundFile(source, id string) (string, error) {
	if file := s.latestFile(source, id); file != "" {
		return file, nil
	}
	var file string
	err := s.db.View(func(tx *bolt.Tx) error {
		file = string(tx.Bucket(bucketSounds).Get(soundID(source, id)))
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("look for recording: %w", err)
	}
	return file, nil
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

// latestFile looks among the sounds that may not be committed yet.
func (s *Store) latestFile(source, id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.latest {
		if v.source == source && v.id == id {
			return v.file
		}
	}
	return ""
}

func soundKey(source, file string) []byte { return []byte(source + "\x00" + file) }

// soundID is no soundKey: no path begins with NUL.
func soundID(source, id string) []byte { return []byte(source + "\x00\x00" + id) }

func putSounds(tx *bolt.Tx, sounds []sound) error {
	b := tx.Bucket(bucketSounds)
	for _, v := range sounds {
		if err := b.Put(soundKey(v.source, v.file), []byte{1}); err != nil {
			return err
		}
		if err := b.Put(soundID(v.source, v.id), []byte(v.file)); err != nil {
			return err
		}
	}
	return nil
}
