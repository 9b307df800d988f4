package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/prometheus/tsdb/wlog"
	"github.com/prometheus/prometheus/util/compression"
)

// Config is how the journal is kept.
type Config struct {
	Dir  string        `yaml:"dir"`
	Sync time.Duration `yaml:"sync"` // the disk confirms at least this often; at most 200 ms
	Keep time.Duration `yaml:"keep"` // how long entries stay after they were worked off
	// MaxBytes bounds what stays after it was worked off. What was not is never
	// removed.
	MaxBytes int64 `yaml:"max_bytes"`
}

// DefaultConfig keeps thirty days, or 1 GiB.
func DefaultConfig() Config {
	return Config{Sync: 200 * time.Millisecond, Keep: 30 * 24 * time.Hour, MaxBytes: 1 << 30}
}

// Validate reports every fault, each named by its key.
func (c Config) Validate() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("dir: want a folder"))
	}
	if c.Sync <= 0 || c.Sync > 200*time.Millisecond {
		faults = append(faults, fmt.Errorf("sync: %v is not between 0 and 200ms", c.Sync))
	}
	if c.Keep < 0 {
		faults = append(faults, fmt.Errorf("keep: %v is negative", c.Keep))
	}
	if c.MaxBytes < 16<<20 {
		faults = append(faults, fmt.Errorf("max_bytes: %d is less than 16 MiB", c.MaxBytes))
	}
	return errors.Join(faults...)
}

// segmentBytes is the size of a file; a day of a busy office.
const segmentBytes = 4 << 20

// Journal is the journal of one process. Write may be called by several
// goroutines.
type Journal struct {
	cfg Config
	log *slog.Logger
	now func() time.Time

	mu       sync.Mutex
	wal      *wlog.WL
	segments []segment
	next     uint64
	last     time.Time
	buf      []byte
	worked   uint64 // up to here all is worked off
	written  chan struct{}

	synced  uint64        // guarded by mu: the disk has confirmed up to here
	changed chan struct{} // closed and replaced when synced grows
}

// segment is one file.
type segment struct {
	num   int
	first uint64 // index of its first entry; 0: none yet
	at    time.Time
	size  int64
}

// Open opens the journal in a folder of its own. now is the clock.
func Open(cfg Config, log *slog.Logger, now func() time.Time) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j := &Journal{cfg: cfg, log: log, now: now, next: 1, written: make(chan struct{}, 1), changed: make(chan struct{})}
	if err := j.scan(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	// The library begins a new file, so that a broken end of the last one stays
	// apart.
	wal, err := wlog.NewSize(log, nil, cfg.Dir, segmentBytes, compression.None)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.wal = wal
	num, _, err := wal.LastSegmentAndOffset()
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", errors.Join(err, wal.Close()))
	}
	j.segments = append(j.segments, segment{num: num})
	j.synced = j.next - 1
	return j, nil
}

// scan learns which files there are and what the last index is.
func (j *Journal) scan() error {
	first, last, err := wlog.Segments(j.cfg.Dir)
	if err != nil || last < 0 {
		return err
	}
	for num := first; num <= last; num++ {
		seg := segment{num: num}
		f, err := openFile(j.cfg.Dir, num, j.log)
		if err != nil {
			return err
		}
		for {
			e, ok := f.next()
			if !ok {
				break
			}
			if seg.first == 0 {
				seg.first, seg.at = e.Index, e.At
			}
			j.next, j.last = max(j.next, e.Index+1), e.At
		}
		seg.size = f.size()
		f.close()
		j.segments = append(j.segments, seg)
	}
	return nil
}

// Write adds an entry and returns its time, which never goes back. The entry
// is then in the hands of the kernel; readers see it when the disk has it too.
func (j *Journal) Write(source string, kind Kind, bytes []byte) (time.Time, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.wal == nil {
		return time.Time{}, os.ErrClosed
	}
	at := j.now().UTC()
	if at.Before(j.last) {
		at = j.last
	}
	e := Entry{Index: j.next, At: at, Source: source, Kind: kind, Bytes: bytes}
	j.buf = appendEntry(j.buf[:0], e)
	if err := j.put(j.buf); err != nil {
		return time.Time{}, fmt.Errorf("write journal: %w", err)
	}
	seg := &j.segments[len(j.segments)-1]
	if seg.first == 0 {
		seg.first, seg.at = e.Index, at
	}
	j.next++
	j.last = at
	select {
	case j.written <- struct{}{}:
	default:
	}
	return at, nil
}

// put writes a record. A failed write leaves the library's page in doubt, and
// a new file heals it.
func (j *Journal) put(rec []byte) error {
	if err := j.wal.Log(rec); err != nil {
		if _, again := j.wal.NextSegment(); again != nil {
			return errors.Join(err, again)
		}
		if err := j.wal.Log(rec); err != nil {
			return err
		}
	}
	num, offset, err := j.wal.LastSegmentAndOffset()
	if err != nil {
		return err
	}
	if seg := &j.segments[len(j.segments)-1]; seg.num != num {
		j.segments = append(j.segments, segment{num: num})
	} else {
		seg.size = int64(offset)
	}
	return nil
}

// Run makes the disk confirm what is written, and tidies up, until ctx ends.
func (j *Journal) Run(ctx context.Context) error {
	tidy := time.NewTicker(time.Minute)
	defer tidy.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return j.sync()
		case <-tidy.C:
			if err := j.tidy(); err != nil {
				j.log.Error("journal cannot be tidied", "error", err)
			}
			continue
		case <-j.written:
		}
		if err := j.sync(); err != nil {
			if !failing {
				j.log.Error("disk did not confirm what devices sent", "error", err)
			}
			failing = true
			j.wake()
		} else {
			failing = false
		}
		select { // entries that come meanwhile share the next confirmation
		case <-ctx.Done():
		case <-time.After(j.cfg.Sync):
		}
	}
}

func (j *Journal) wake() {
	select {
	case j.written <- struct{}{}:
	default:
	}
}

// sync makes the disk confirm, and lets readers see what it has.
func (j *Journal) sync() error {
	j.mu.Lock()
	wal, upto := j.wal, j.next-1
	if wal == nil || upto == j.synced {
		j.mu.Unlock()
		return nil
	}
	j.mu.Unlock()
	if err := wal.Sync(); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.synced = upto
	close(j.changed)
	j.changed = make(chan struct{})
	return nil
}

// Last is the index of the latest entry; 0 if there is none.
func (j *Journal) Last() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next - 1
}

// Backlog is how many entries have not been worked off.
func (j *Journal) Backlog() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.next - 1 - min(j.worked, j.next-1)
}

// Bytes is how much the journal takes on disk.
func (j *Journal) Bytes() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	var n int64
	for _, s := range j.segments {
		n += s.size
	}
	return n
}

// Worked tells that everything up to an index is worked off for good.
func (j *Journal) Worked(index uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.worked = max(j.worked, index)
}

// tidy removes the eldest files that are worked off and too old or too many.
func (j *Journal) tidy() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.wal == nil {
		return nil
	}
	var total int64
	for _, s := range j.segments {
		total += s.size
	}
	n := 0
	for ; n+1 < len(j.segments); n++ {
		s, following := j.segments[n], j.segments[n+1]
		done := s.first == 0 || following.first != 0 && following.first <= j.worked+1 || following.first == 0 && j.next-1 <= j.worked
		old := j.now().Sub(following.at) > j.cfg.Keep && !following.at.IsZero()
		if !done || s.first != 0 && !old && total <= j.cfg.MaxBytes {
			break
		}
		total -= s.size
	}
	if n == 0 {
		return nil
	}
	if err := j.wal.Truncate(j.segments[n].num); err != nil {
		return fmt.Errorf("remove old files: %w", err)
	}
	j.segments = j.segments[n:]
	return nil
}

// Close ends the journal after Run has returned.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.wal == nil {
		return nil
	}
	err := j.wal.Close()
	j.wal = nil
	if err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
