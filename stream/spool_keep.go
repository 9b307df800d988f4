package stream

import (
	"fmt"
	"time"
)

// acks is what Redis is known to have of each session.
type acks struct {
	at      map[uint64]uint64 // by session: the last index
	waiting int64             // since when an event waits to be sent; 0: none does
}

// acknowledged notes that Redis has a session up to an index. It may go down,
// when Redis has lost something. At is when the record was appended.
func (s *spool) acknowledged(session, index uint64, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acks.at[session] = index
	if s.unsent() == 0 {
		s.acks.waiting = 0
	} else if at != 0 {
		s.acks.waiting = at
	}
}

// sessions lists the sessions that the spool has records of, oldest first.
func (s *spool) sessions() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []uint64
	for _, seg := range s.segments {
		if seg.first != 0 && (len(out) == 0 || out[len(out)-1] != seg.session) {
			out = append(out, seg.session)
		}
	}
	if len(out) == 0 || out[len(out)-1] != s.session {
		out = append(out, s.session)
	}
	return out
}

// lastIndex is the index of the latest record of this session.
func (s *spool) lastIndex() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.next - 1
}

// unsent counts the records that Redis is not known to have.
func (s *spool) unsent() uint64 {
	n := s.next - 1 - min(s.next-1, s.acks.at[s.session])
	counted := s.session
	for i := len(s.segments) - 1; i >= 0; i-- {
		seg := s.segments[i]
		if seg.first == 0 || seg.session == counted {
			continue
		}
		counted = seg.session
		n += seg.last - min(seg.last, s.acks.at[counted])
	}
	return n
}

// sent reports whether Redis has all of a file.
func (s *spool) sent(seg segment) bool {
	return seg.first == 0 || s.acks.at[seg.session] >= seg.last
}

// keepSince asks that everything from a time on stays; the zero time lifts it.
func (s *spool) keepSince(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live = t
}

// tidy removes the files that are not needed any more, and makes the current
// one end when it spans more time than is to be kept.
func (s *spool) tidy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.disk == nil {
		return nil
	}
	horizon := s.now().Add(-s.cfg.Keep)
	if seg := s.segments[len(s.segments)-1]; seg.first != 0 && seg.firstAt < horizon.UnixNano() && s.held.empty() {
		if err := s.rotate(); err != nil {
			return err
		}
	}
	if !s.live.IsZero() && s.live.Before(horizon) {
		horizon = s.live
	}
	n := 0
	for n < len(s.segments)-1 && s.sent(s.segments[n]) && s.segments[n].lastAt < horizon.UnixNano() {
		n++
	}
	return s.remove(n)
}

// remove deletes the oldest n files.
func (s *spool) remove(n int) error {
	if n == 0 {
		return nil
	}
	if err := s.disk.Truncate(s.segments[n].num); err != nil {
		return fmt.Errorf("remove spool files: %w", err)
	}
	left := map[uint64]bool{0: true, s.session: true}
	for _, seg := range s.segments[n:] {
		left[seg.session] = true
	}
	for _, seg := range s.segments[:n] {
		if !left[seg.session] {
			left[seg.session] = true
			s.gone = append(s.gone, seg.session)
			delete(s.acks.at, seg.session)
		}
	}
	s.segments = s.segments[n:]
	return nil
}

// takeGone hands over the sessions that have left the spool.
func (s *spool) takeGone() []uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.gone
	s.gone = nil
	return gone
}

// room makes room for n more bytes by removing the oldest files that Redis
// has, if need be before their time.
func (s *spool) room(n int64) error {
	total := s.bytes() + n
	if total <= s.cfg.MaxBytes {
		return nil
	}
	files := 0
	for files < len(s.segments)-1 && s.sent(s.segments[files]) && total > s.cfg.MaxBytes {
		total -= s.segments[files].bytes
		files++
	}
	if err := s.remove(files); err != nil {
		s.log.Error("spool is full and cannot be tidied", "error", err)
	}
	if files > 0 {
		s.stats.shortened += uint64(files)
		s.log.Warn("spool has no room, events that Redis has were removed before their time", "files", files)
	}
	if total > s.cfg.MaxBytes {
		return fmt.Errorf("append event: %w: %d bytes", ErrFull, s.cfg.MaxBytes)
	}
	return nil
}

func (s *spool) bytes() int64 {
	var n int64
	for i := range s.segments {
		n += s.segments[i].bytes
	}
	return n
}
