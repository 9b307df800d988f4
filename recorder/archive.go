package recorder

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Archive is the folder of the recordings. Paths within it have slashes and
// are those that [Name] makes; no other is ever opened, and no link is
// followed out of it.
type Archive struct {
	root *os.Root
	zone *time.Location
}

// OpenArchive opens the folder, and makes it if it is not there.
func OpenArchive(dir string, zone *time.Location) (*Archive, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make folder of recordings: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder of recordings: %w", err)
	}
	return &Archive{root: root, zone: zone}, nil
}

// Close closes the folder.
func (a *Archive) Close() error { return a.root.Close() }

// Open opens a recording for reading. The error wraps fs.ErrNotExist for
// everything that is not one, whatever the path.
func (a *Archive) Open(name string) (*os.File, error) {
	if _, ok := parse(name, a.zone); !ok {
		return nil, fmt.Errorf("open recording: %w", fs.ErrNotExist)
	}
	info, err := a.root.Lstat(filepath.FromSlash(name))
	if err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open recording: %w", fs.ErrNotExist)
	}
	f, err := a.root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, fmt.Errorf("open recording: %w", err)
	}
	return f, nil
}

// stored is what became of a sound.
type stored struct {
	wav    wav
	size   int64 // bytes
	sha256 string
}

// put stores a sound that fill delivers. It is verified and mended, and only
// then seen under its name. After an error nothing is left.
func (a *Archive) put(name string, fill func(io.Writer) error) (stored, error) {
	name = filepath.FromSlash(name)
	dir := filepath.Dir(name)
	if err := a.root.MkdirAll(dir, 0o750); err != nil {
		return stored{}, fmt.Errorf("make folder of the day: %w", err)
	}
	part := filepath.Join(dir, "."+filepath.Base(name)+partMark)
	s, err := a.write(part, fill)
	if err == nil {
		err = a.root.Rename(part, name)
	}
	if err != nil {
		_ = a.root.Remove(part) // the first error is the one that tells
		return s, fmt.Errorf("store recording: %w", err)
	}
	return s, a.sync(dir)
}

func (a *Archive) write(part string, fill func(io.Writer) error) (s stored, err error) {
	f, err := a.root.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if err := fill(io.MultiWriter(f, sum)); err != nil {
		return s, fmt.Errorf("fetch: %w", err)
	}
	if s, err = verify(f, sum); err != nil {
		return s, err
	}
	return s, f.Sync()
}

// verify reads the file's header, mends it if need be, and takes its sum.
func verify(f *os.File, sum hash.Hash) (stored, error) {
	var s stored
	info, err := f.Stat()
	if err != nil {
		return s, err
	}
	if s.wav, err = readWAV(f, info.Size()); err != nil {
		return s, fmt.Errorf("verify: %w", err)
	}
	s.size = info.Size()
	if s.wav.wrong {
		if err := s.wav.mend(f); err != nil {
			return s, err
		}
		s.size = s.wav.end
		sum.Reset()
		if _, err := io.Copy(sum, io.NewSectionReader(f, 0, s.size)); err != nil {
			return s, fmt.Errorf("sum: %w", err)
		}
	}
	s.sha256 = hex.EncodeToString(sum.Sum(nil))
	return s, nil
}

// sync makes a new name survive a loss of power, and the folders above it that
// may be new too.
func (a *Archive) sync(dir string) error {
	for {
		d, err := a.root.Open(dir)
		if err != nil {
			return fmt.Errorf("sync folder: %w", err)
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return fmt.Errorf("sync folder: %w", err)
		}
		if dir == "." {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

// has reports whether a recording of that id is there, on the day its call was
// made or the one after.
func (a *Archive) has(id string, begun time.Time) bool {
	for _, day := range []time.Time{begun, begun.AddDate(0, 0, 1)} {
		names, err := a.list(day.In(a.zone).Format("2006/01/02"))
		if err != nil {
			continue // no such day
		}
		for _, n := range names {
			if t, ok := parse(n, a.zone); ok && t.id == id {
				return true
			}
		}
	}
	return false
}

// list names what is in a folder, as paths within the archive.
func (a *Archive) list(dir string) ([]string, error) {
	d, err := a.root.Open(filepath.FromSlash(dir))
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	defer func() { _ = d.Close() }() // was only read
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	slices.Sort(names)
	for i := range names {
		names[i] = path.Join(dir, names[i])
	}
	return names, nil
}

// days yields the folders of days that are there, YYYY/MM/DD.
func (a *Archive) days(yield func(dir string, day time.Time) bool) error {
	level := []string{"."}
	for range 3 {
		var next []string
		for _, dir := range level {
			names, err := a.list(dir)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for _, n := range names {
				if strings.Trim(path.Base(n), "0123456789") == "" {
					next = append(next, n)
				}
			}
		}
		level = next
	}
	for _, dir := range level {
		if day, err := time.ParseInLocation("2006/01/02", dir, a.zone); err == nil && !yield(dir, day) {
			break
		}
	}
	return nil
}

// doom takes a recording out of sight; erase removes it for good.
func (a *Archive) doom(name string) error {
	if err := a.root.Rename(filepath.FromSlash(name), filepath.FromSlash(name+doomedMark)); err != nil {
		return fmt.Errorf("delete recording: %w", err)
	}
	return nil
}

func (a *Archive) erase(name string) error {
	if err := a.root.Remove(filepath.FromSlash(name + doomedMark)); err != nil {
		return fmt.Errorf("delete recording: %w", err)
	}
	return nil
}

// prune removes the folders of a day that are empty.
func (a *Archive) prune(dir string) {
	for ; dir != "."; dir = path.Dir(dir) {
		if a.root.Remove(filepath.FromSlash(dir)) != nil {
			return // not empty
		}
	}
}
