package stream

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/prometheus/tsdb/wlog"
)

// page is the unit in which the spool library lays out its files
// (prometheus/tsdb/docs/format/wal.md): no damage reaches past the page it is
// in but for the one record that runs across the border.
const page = 32 << 10

// segmentReader reads the records of one spool file, which may still grow. It
// goes on after a damaged place, which the library's own readers do not.
type segmentReader struct {
	file    *os.File
	log     *slog.Logger
	metrics *wlog.LiveReaderMetrics
	reader  *wlog.LiveReader
	base    int64 // where in the file reader began
	good    int64 // end of the last good record
	damage  func(offset int64, err error)
	broken  bool // the damage being skipped was reported
}

// openSegment opens a file for reading. Each damaged place is told once.
func openSegment(dir string, num int, log *slog.Logger, damage func(offset int64, err error)) (*segmentReader, error) {
	f, err := os.Open(wlog.SegmentName(dir, num))
	if err != nil {
		return nil, fmt.Errorf("open spool file: %w", err)
	}
	r := &segmentReader{file: f, log: log, metrics: wlog.NewLiveReaderMetrics(nil), damage: damage}
	r.reader = wlog.NewLiveReader(log, r.metrics, f)
	return r, nil
}

// next returns the next good record, whose memory is good until the next call.
// False means that there is no more for now.
func (r *segmentReader) next() ([]byte, bool) {
	for {
		before := r.reader.Offset()
		if r.reader.Next() {
			r.good, r.broken = r.base+r.reader.Offset(), false
			return r.reader.Record(), true
		}
		err := r.reader.Err()
		if err == nil || errors.Is(err, io.EOF) {
			return nil, false
		}
		if !r.broken {
			r.broken = true
			r.damage(r.base+r.reader.Offset(), err)
		}
		// The library has stepped over a part of a record whose beginning is
		// lost, or it stands still before bytes that are none.
		if r.reader.Offset() == before && !r.skipPage() {
			return nil, false
		}
	}
}

// skipPage goes on at the beginning of the next page.
func (r *segmentReader) skipPage() bool {
	next := (r.base+r.reader.Offset())/page*page + page
	if size, err := r.size(); err != nil || next > size {
		return false
	}
	if _, err := r.file.Seek(next, io.SeekStart); err != nil {
		return false
	}
	r.base = next
	r.reader = wlog.NewLiveReader(r.log, r.metrics, r.file)
	return true
}

func (r *segmentReader) size() (int64, error) {
	st, err := r.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("read spool file: %w", err)
	}
	return st.Size(), nil
}

// rest counts the bytes after the last good record, without the zeros with
// which the library fills a page.
func (r *segmentReader) rest() (int64, error) {
	size, err := r.size()
	if err != nil {
		return 0, err
	}
	buf := make([]byte, size-r.good)
	if _, err := r.file.ReadAt(buf, r.good); err != nil {
		return 0, fmt.Errorf("read spool file: %w", err)
	}
	for n := len(buf); n > 0; n-- {
		if buf[n-1] != 0 {
			return int64(n), nil
		}
	}
	return 0, nil
}

func (r *segmentReader) close() { r.file.Close() }
