package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/prometheus/tsdb/wlog"
)

// Reader reads entries in order as the disk confirms them. It is for one
// goroutine.
type Reader struct {
	j     *Journal
	after uint64
	file  *file
	seen  uint64 // how far the disk has confirmed, as last asked
}

// Reader reads what comes after an index.
func (j *Journal) Reader(after uint64) *Reader { return &Reader{j: j, after: after} }

// Next returns the next entry, waiting for it until ctx ends. Its bytes are
// good until the next call.
func (r *Reader) Next(ctx context.Context) (Entry, error) {
	for {
		changed := r.j.Changed()
		if e, ok, err := r.Try(); ok || err != nil {
			return e, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Entry{}, ctx.Err()
		}
	}
}

// Changed is closed when the disk has confirmed more. Ask for it before Try,
// wait for it after.
func (j *Journal) Changed() <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.changed
}

// Try returns the next entry if the disk has confirmed one.
func (r *Reader) Try() (Entry, bool, error) {
	if r.after >= r.seen {
		r.j.mu.Lock()
		r.seen = r.j.synced
		r.j.mu.Unlock()
	}
	for r.after < r.seen {
		if r.file == nil {
			if err := r.open(); err != nil {
				return Entry{}, false, err
			}
		}
		e, ok := r.file.next()
		if !ok {
			if !r.last() {
				r.file.close()
				r.file = nil
				if !r.skip() {
					return Entry{}, false, nil
				}
				continue
			}
			return Entry{}, false, nil
		}
		if e.Index > r.after {
			r.after = e.Index
			return e, true, nil
		}
	}
	return Entry{}, false, nil
}

// open opens the file that holds what comes next.
func (r *Reader) open() error {
	r.j.mu.Lock()
	num := r.j.segments[0].num
	for _, s := range r.j.segments {
		if s.first != 0 && s.first <= r.after+1 {
			num = s.num
		}
	}
	r.j.mu.Unlock()
	f, err := openFile(r.j.cfg.Dir, num, r.j.log)
	if err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	r.file = f
	return nil
}

// last reports whether the open file is the one being written.
func (r *Reader) last() bool {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	return r.file.num == r.j.segments[len(r.j.segments)-1].num
}

// skip moves to the first entry of a later file when the rest of this one
// cannot be read; what is missing was reported when it was met.
func (r *Reader) skip() bool {
	r.j.mu.Lock()
	defer r.j.mu.Unlock()
	for _, s := range r.j.segments {
		if s.first > r.after {
			if s.first > r.after+1 {
				r.j.log.Error("journal lacks entries", "from", r.after+1, "to", s.first-1)
			}
			r.after = s.first - 1
			return true
		}
	}
	return false
}

// Close lets go of the open file.
func (r *Reader) Close() {
	if r.file != nil {
		r.file.close()
		r.file = nil
	}
}

// page is the unit in which the library lays out its files: damage does not
// reach past it (prometheus/tsdb/docs/format/wal.md).
const page = 32 << 10

// file reads the entries of one file, which may still grow.
type file struct {
	num    int
	f      *os.File
	log    *slog.Logger
	m      *wlog.LiveReaderMetrics
	r      *wlog.LiveReader
	base   int64
	broken bool
}

func openFile(dir string, num int, log *slog.Logger) (*file, error) {
	f, err := os.Open(wlog.SegmentName(dir, num))
	if err != nil {
		return nil, err
	}
	m := wlog.NewLiveReaderMetrics(nil)
	return &file{num: num, f: f, log: log, m: m, r: wlog.NewLiveReader(log, m, f)}, nil
}

// next returns the next good entry; false means there is none for now.
func (f *file) next() (Entry, bool) {
	for {
		before := f.r.Offset()
		if f.r.Next() {
			f.broken = false
			e, err := parseEntry(f.r.Record())
			if err != nil {
				f.damage(err)
				continue
			}
			return e, true
		}
		err := f.r.Err()
		if err == nil || errors.Is(err, io.EOF) {
			return Entry{}, false
		}
		f.damage(err)
		if f.r.Offset() == before && !f.skipPage() {
			return Entry{}, false
		}
	}
}

func (f *file) damage(err error) {
	if !f.broken {
		f.broken = true
		f.log.Error("journal is damaged here", "file", f.f.Name(), "offset", f.base+f.r.Offset(), "error", err)
	}
}

// skipPage goes on at the next page.
func (f *file) skipPage() bool {
	next := (f.base+f.r.Offset())/page*page + page
	if next > f.size() {
		return false
	}
	if _, err := f.f.Seek(next, io.SeekStart); err != nil {
		return false
	}
	f.base = next
	f.r = wlog.NewLiveReader(f.log, f.m, f.f)
	return true
}

func (f *file) size() int64 {
	st, err := f.f.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}

func (f *file) close() { f.f.Close() }
