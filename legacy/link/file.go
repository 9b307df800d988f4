package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"time"
)

// Place is where in a file a session began, and by what the file is known
// again: the first bytes it had then.
type Place struct {
	Offset int64  `json:"offset"`
	Head   int64  `json:"head"` // how many first bytes the sum is of
	Sum    uint64 `json:"sum"`
}

// headBytes is how much of a file's beginning it is known by.
const headBytes = 512

// filePause is how often a file is looked at for more.
const filePause = 500 * time.Millisecond

// follow reads a file and what is added to it. A file that became shorter, or
// that another one took the place of, is read from its beginning.
func (l *Link) follow(ctx context.Context) error {
	f, err := os.Open(l.cfg.Path)
	if err != nil {
		return fmt.Errorf("open file: %w", err)
	}
	defer f.Close()
	at, err := placeIn(f, l.resume)
	l.resume = nil
	if err != nil {
		return err
	}
	detail, err := json.Marshal(at)
	if err != nil {
		return fmt.Errorf("note place in file: %w", err)
	}
	l.up(detail)
	err = l.readFile(ctx, f, at.Offset)
	l.down(err)
	return err
}

func (l *Link) readFile(ctx context.Context, f *os.File, offset int64) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := f.ReadAt(buf, offset)
		if n > 0 {
			l.data(buf[:n])
			offset += int64(n)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read file: %w", err)
		}
		if err := l.same(f, offset); err != nil {
			return err
		}
		select {
		case <-time.After(filePause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// same reports an error when the name stands for another file now, or when the
// file was cut.
func (l *Link) same(f *os.File, offset int64) error {
	ours, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read file: %w", err)
	}
	theirs, err := os.Stat(l.cfg.Path)
	switch {
	case err != nil:
		return fmt.Errorf("read file: %w", err)
	case !os.SameFile(ours, theirs):
		return errors.New("read file: another took its place")
	case ours.Size() < offset:
		return errors.New("read file: it was cut")
	}
	return nil
}

// placeIn finds where to go on in a file: where the last session came to, if
// this is still the file, else its beginning.
func placeIn(f *os.File, resume []byte) (Place, error) {
	var last Place
	if len(resume) > 0 && json.Unmarshal(resume, &last) == nil {
		sum, n, err := head(f, last.Head)
		if err != nil {
			return Place{}, err
		}
		if st, err := f.Stat(); err == nil && n == last.Head && sum == last.Sum && st.Size() >= last.Offset {
			return last, nil
		}
	}
	sum, n, err := head(f, headBytes)
	return Place{Head: n, Sum: sum}, err
}

func head(f *os.File, most int64) (sum uint64, n int64, err error) {
	h := fnv.New64a()
	n, err = io.Copy(h, io.NewSectionReader(f, 0, most))
	if err != nil {
		return 0, 0, fmt.Errorf("read file: %w", err)
	}
	return h.Sum64(), n, nil
}
