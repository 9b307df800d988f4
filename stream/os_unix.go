//go:build unix

package stream

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks a file for as long as it is open, and fails with [ErrInUse]
// at once when another process has it locked.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrInUse
	}
	return err
}

// freeBytes is the room on the disk of a folder for an ordinary user.
func freeBytes(dir string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil
}
