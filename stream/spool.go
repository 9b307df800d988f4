package stream

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

var (
	// ErrInUse says that another process has the spool folder.
	ErrInUse = errors.New("spool is in use by another process")
	// ErrFull says that the spool holds as many events as it may and Redis has
	// taken none of the oldest.
	ErrFull = errors.New("spool is full")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("log is closed")
)

// disk is what the spool needs of the write-ahead log library.
type disk interface {
	Log(records ...[]byte) error
	NextSegment() (int, error)
	Truncate(before int) error
	Close() error
}

// spool is the log on this machine's disk: files of records (segments), each
// of one session, the last one growing. A write reaches the kernel before
// append returns, so the death of this process loses nothing.
type spool struct {
	cfg     SpoolConfig
	log     *slog.Logger
	now     func() time.Time
	lock    *os.File
	session uint64 // of this process run; a new one at every open, so that an index is never given twice

	syncing sync.Mutex // held while the disk confirms

	mu       sync.Mutex
	disk     disk          // nil when closed
	segments []segment     // oldest first; the last is written to
	file     *os.File      // the last one, to be synced
	unsynced bool          // something was written since the last sync
	newName  bool          // a file was made since the last sync
	next     uint64        // index of the next record
	held     heldRecords   // records that the disk refused, in order
	refusal  error         // why
	acks     acks          // what Redis has
	live     time.Time     // start of the oldest live call; zero: none
	gone     []uint64      // sessions that left with their files
	gaps     map[gap]bool  // missing records that were reported
	stats    spoolCounters // guarded by mu
}

// segment is one file of records.
type segment struct {
	num             int
	session         uint64
	first, last     uint64 // index of its records; 0: none
	firstAt, lastAt int64
	bytes           int64
}

// gap is a run of records that should be there.
type gap struct{ session, from, to uint64 }

type spoolCounters struct {
	appended  uint64
	refused   uint64 // Append returned an error
	diskFails uint64
	syncFails uint64
	damaged   uint64 // places in the spool that could not be read
	lost      uint64 // records known to be missing
	shortened uint64 // segments removed before their time, for want of room
}

// openSpool locks the folder, reads what is there, cuts off what is broken at
// the end of a file, and starts a new file.
func openSpool(cfg SpoolConfig, log *slog.Logger, now func() time.Time) (*spool, error) {
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("make spool folder: %w", err)
	}
	lock, err := lockFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &spool{
		cfg: cfg, log: log, now: now, lock: lock, next: 1, session: newSession(),
		acks: acks{at: map[uint64]uint64{}}, gaps: map[gap]bool{},
	}
	if err := s.start(); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *spool) start() error {
	if err := s.scan(); err != nil {
		return err
	}
	d, err := wlog.New(s.log, nil, s.cfg.Dir, compression.None)
	if err != nil {
		return fmt.Errorf("open spool: %w", err)
	}
	_, last, err := wlog.Segments(s.cfg.Dir)
	if err == nil {
		err = s.enter(last)
	}
	if err != nil {
		return fmt.Errorf("open spool: %w", errors.Join(err, d.Close()))
	}
	s.disk = d
	return nil
}

// lockFolder keeps a second process out for as long as this one lives.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock spool folder: %w", err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock spool folder %s: %w", dir, err)
	}
	return f, nil
}

func newSession() uint64 {
	var b [8]byte
	for {
		_, _ = rand.Read(b[:]) // never fails since Go 1.24
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return n
		}
	}
}

// append numbers a record and writes it. The caller has encoded it.
func (s *spool) append(raw []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk == nil {
		return ErrClosed
	}
	if err := s.room(int64(len(raw))); err != nil {
		s.stats.refused++
		return err
	}
	at, index := s.now().UnixNano(), s.next
	// Even if this one fails the number is used up: part of it may be on disk.
	s.next++
	stampRecord(raw, s.session, index, at)
	if s.held.empty() {
		err := s.disk.Log(raw)
		if err == nil {
			s.wrote(index, at, len(raw))
			s.noteAppended(at)
			return nil
		}
		s.refuse(err)
	}
	if err := s.hold(raw, index, at); err != nil {
		s.stats.refused++
		return err
	}
	s.noteAppended(at)
	return nil
}

func (s *spool) wrote(index uint64, at int64, n int) {
	s.unsynced = true
	seg := &s.segments[len(s.segments)-1]
	if seg.first == 0 {
		seg.session, seg.first, seg.firstAt = s.session, index, at
	}
	seg.last, seg.lastAt = index, at
	seg.bytes += int64(n) + frame
	if seg.bytes >= s.cfg.SegmentBytes {
		if err := s.rotate(); err != nil {
			s.log.Error("new spool file could not be made", "error", err)
		}
	}
}

func (s *spool) noteAppended(at int64) {
	s.stats.appended++
	if s.acks.waiting == 0 {
		s.acks.waiting = at
	}
}

// frame is what the library puts around a record that fits its page.
const frame = 7

// rotate begins a new file. After a failed write this is also what heals: the
// library closes the page that may hold half a record.
func (s *spool) rotate() error {
	num, err := s.disk.NextSegment()
	if err != nil {
		return fmt.Errorf("begin spool file: %w", err)
	}
	return s.enter(num)
}

// enter makes a new, empty file the one that is written to.
func (s *spool) enter(num int) error {
	f, err := os.Open(wlog.SegmentName(s.cfg.Dir, num))
	if err != nil {
		return fmt.Errorf("begin spool file: %w", err)
	}
	if s.file != nil {
		s.file.Close()
	}
	s.file = f
	s.segments = append(s.segments, segment{num: num})
	s.newName = true
	return nil
}

// syncFolder makes a new name in a folder survive the death of the machine,
// where the file system can.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// sync returns when all that was written before is on the disk for good.
func (s *spool) sync() error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	s.mu.Lock()
	f, dirty, newName := s.file, s.unsynced, s.newName
	s.unsynced, s.newName = false, false
	s.mu.Unlock()
	if newName {
		syncFolder(s.cfg.Dir)
	}
	if !dirty {
		return nil
	}
	// A file that was left meanwhile is synced by the library.
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.mu.Lock()
		s.stats.syncFails++
		s.mu.Unlock()
		return fmt.Errorf("sync spool: %w", err)
	}
	return nil
}

// close writes the last page, syncs and lets go of the folder.
func (s *spool) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk == nil {
		return nil
	}
	err := s.disk.Close()
	if n := s.held.len(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d events were in memory only: %w", n, s.refusal))
	}
	s.disk = nil
	s.file.Close()
	s.lock.Close()
	if err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}
