package recorder

import (
	"fmt"
	"syscall"
)

// DiskState is how much room the recordings have.
type DiskState uint8

// The states of the disk.
const (
	DiskFine DiskState = iota
	DiskWarn           // somebody should look
	DiskFull           // no new recordings
)

// String returns the word for a state.
func (s DiskState) String() string {
	switch s {
	case DiskFine:
		return "fine"
	case DiskWarn:
		return "warn"
	case DiskFull:
		return "full"
	}
	return fmt.Sprintf("DiskState(%d)", s)
}

// next is the state after a measurement. From full there is no way back
// before it has fallen below the mark to resume at.
func (d DiskLimits) next(s DiskState, percent float64) DiskState {
	switch {
	case percent >= float64(d.Stop), s == DiskFull && percent >= float64(d.Resume):
		return DiskFull
	case percent >= float64(d.Warn):
		return DiskWarn
	}
	return DiskFine
}

// used measures the file system of a folder: the per cent of the space or of
// the inodes that is used, as an ordinary user sees it, whichever is more.
func used(dir string) (float64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("measure disk: %w", err)
	}
	taken := s.Blocks - s.Bfree
	return max(percent(taken, taken+s.Bavail), percent(s.Files-s.Ffree, s.Files)), nil
}

func percent(part, whole uint64) float64 {
	if whole == 0 { // a file system that does not count inodes
		return 0
	}
	return 100 * float64(part) / float64(whole)
}
