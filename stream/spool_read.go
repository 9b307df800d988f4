package stream

import (
	"fmt"
	"os"

	"github.com/prometheus/prometheus/tsdb/wlog"
)

// scan learns what the folder holds and cuts off what is broken at the end of
// a file. Damage before the end stays, and is read around.
func (s *spool) scan() error {
	first, last, err := wlog.Segments(s.cfg.Dir)
	if err != nil {
		return fmt.Errorf("read spool folder: %w", err)
	}
	c := &cursor{spool: s, done: map[uint64]uint64{}}
	for num := first; num >= 0 && num <= last; num++ {
		seg, err := s.scanSegment(c, num)
		if err != nil {
			return err
		}
		s.segments = append(s.segments, seg)
		if s.acks.waiting == 0 {
			s.acks.waiting = seg.firstAt
		}
	}
	return nil
}

func (s *spool) scanSegment(c *cursor, num int) (segment, error) {
	seg := segment{num: num}
	if err := c.open(num); err != nil {
		return seg, err
	}
	defer c.close()
	for {
		r, ok := c.read()
		if !ok {
			break
		}
		if seg.first == 0 {
			seg.session, seg.first, seg.firstAt = r.session, r.index, r.at
		}
		seg.last, seg.lastAt = r.index, r.at
	}
	var err error
	if seg.bytes, err = c.segment.size(); err != nil {
		return seg, err
	}
	rest, err := c.segment.rest()
	if err != nil || rest == 0 {
		return seg, err
	}
	seg.bytes = c.segment.good
	return seg, s.cut(num, c.segment.good, rest)
}

// cut makes a file end after its last good record.
func (s *spool) cut(num int, at, rest int64) error {
	name := wlog.SegmentName(s.cfg.Dir, num)
	if err := os.Truncate(name, at); err != nil {
		return fmt.Errorf("cut spool file: %w", err)
	}
	s.stats.damaged++
	s.log.Error("spool file was broken at its end, cut off after the last good event",
		"file", name, "at", at, "bytes", rest)
	return nil
}

// extent is how far the files go: the last one and the last index in it.
type extent struct {
	num  int
	last uint64
}

func (s *spool) extent() extent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.extentLocked()
}

func (s *spool) extentLocked() extent {
	seg := s.segments[len(s.segments)-1]
	return extent{seg.num, seg.last}
}

// heldAfter returns the first record in memory past an index, if there is one.
// It is false about being current when the files have grown since then, so
// that what is in memory may not be what comes next.
func (s *spool) heldAfter(index uint64, then extent) (r record, ok, current bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extentLocked() != then {
		return record{}, false, false
	}
	h, ok := s.held.after(index)
	if !ok {
		return record{}, false, true
	}
	r, err := parseRecord(h.raw)
	return r, err == nil, true
}

// damaged reports a place that cannot be read.
func (s *spool) damaged(num int, offset int64, err error) {
	s.stats.damaged++
	s.log.Error("spool file is damaged", "file", wlog.SegmentName(s.cfg.Dir, num), "at", offset, "error", err)
}

// missing reports records that should be there, once.
func (s *spool) missing(g gap) {
	if s.gaps[g] {
		return
	}
	s.gaps[g] = true
	n := g.to - g.from + 1
	s.stats.lost += n
	s.log.Error("events are lost to damage in the spool", "events", n,
		"writer", sessionName(g.session), "from", g.from, "to", g.to)
}

// sessionName is how a session is called in Redis and in the log.
func sessionName(session uint64) string { return fmt.Sprintf("%016x", session) }

// cursor reads records in order, each once, across files and, at the end, from
// memory. A cursor serves one goroutine.
type cursor struct {
	spool   *spool
	num     int
	segment *segmentReader
	session uint64            // of the record read last
	done    map[uint64]uint64 // by session: up to this index all was read or is not wanted
	seen    uint64            // the index read last in this session; 0: none
}

// cursorAfter begins with the first record that is not among those done.
func (s *spool) cursorAfter(done map[uint64]uint64) *cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &cursor{spool: s, done: done, num: s.segments[len(s.segments)-1].num}
	for _, seg := range s.segments {
		if seg.last > done[seg.session] {
			c.num = seg.num
			break
		}
	}
	return c
}

// next returns the next record, whose memory is good until the next call;
// false when all has been read for now.
func (c *cursor) next() (record, bool, error) {
	for {
		if c.segment == nil {
			if err := c.open(c.num); err != nil {
				return record{}, false, err
			}
		}
		then := c.spool.extent() // asked first: what is read below is at least that
		if r, ok := c.read(); ok {
			return r, true, nil
		}
		if c.num < then.num {
			c.close()
			c.num++
			continue
		}
		r, ok, current := c.spool.heldAfter(c.done[c.spool.session], then)
		if !current {
			continue
		}
		if ok {
			c.note(r)
		}
		return r, ok, nil
	}
}

// read returns the next new record of the open file.
func (c *cursor) read() (record, bool) {
	for {
		raw, ok := c.segment.next()
		if !ok {
			return record{}, false
		}
		r, err := parseRecord(raw)
		if err != nil {
			c.segment.damage(c.segment.good, err)
			continue
		}
		if r.index > c.done[r.session] {
			c.note(r)
			return r, true
		}
		c.session, c.seen = r.session, max(c.seen, r.index)
	}
}

// note remembers a record as read and reports what is missing before it.
func (c *cursor) note(r record) {
	if c.session == r.session && c.seen != 0 && r.index > c.seen+1 {
		c.spool.mu.Lock()
		c.spool.missing(gap{r.session, c.seen + 1, r.index - 1})
		c.spool.mu.Unlock()
	}
	c.session, c.seen = r.session, r.index
	c.done[r.session] = r.index
}

func (c *cursor) open(num int) error {
	report := func(offset int64, err error) {
		c.spool.mu.Lock()
		defer c.spool.mu.Unlock()
		c.spool.damaged(num, offset, err)
	}
	seg, err := openSegment(c.spool.cfg.Dir, num, c.spool.log, report)
	if err != nil {
		return err
	}
	c.num, c.segment = num, seg
	return nil
}

func (c *cursor) close() {
	if c.segment != nil {
		c.segment.close()
		c.segment = nil
	}
}
