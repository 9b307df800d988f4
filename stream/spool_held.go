package stream

import (
	"bytes"
	"fmt"
	"sort"
)

// heldRecords are the records that the disk refused, oldest first. The pump
// sends them to Redis from here, and repair writes them to the disk when it
// works again. Until then they do not survive the death of this process.
type heldRecords struct {
	records []heldRecord
	bytes   int64
}

type heldRecord struct {
	index uint64
	at    int64
	raw   []byte
}

func (h *heldRecords) empty() bool { return len(h.records) == 0 }
func (h *heldRecords) len() int    { return len(h.records) }

func (h *heldRecords) push(r heldRecord) {
	h.records = append(h.records, r)
	h.bytes += int64(len(r.raw))
}

// drop forgets the oldest n.
func (h *heldRecords) drop(n int) {
	for i := range n {
		h.bytes -= int64(len(h.records[i].raw))
		h.records[i] = heldRecord{}
	}
	h.records = h.records[n:]
}

// after returns the first record past an index.
func (h *heldRecords) after(index uint64) (heldRecord, bool) {
	if h.empty() || h.records[len(h.records)-1].index <= index {
		return heldRecord{}, false
	}
	i := sort.Search(len(h.records), func(i int) bool { return h.records[i].index > index })
	return h.records[i], true
}

func (s *spool) refuse(err error) {
	s.stats.diskFails++
	s.refusal = err
	s.log.Error("disk refuses events, they are kept in memory", "error", err, "folder", s.cfg.Dir)
}

// hold keeps a record in memory. When there is too much of it, those that
// Redis has go first; one that nobody has is never given up for another.
func (s *spool) hold(raw []byte, index uint64, at int64) error {
	n := 0
	room := s.cfg.MemoryBytes - s.held.bytes - int64(len(raw))
	for ; room < 0 && n < s.held.len() && s.held.records[n].index <= s.acks.at[s.session]; n++ {
		room += int64(len(s.held.records[n].raw))
	}
	s.held.drop(n)
	if room < 0 {
		return fmt.Errorf("hold event in memory: %w: %w", ErrFull, s.refusal)
	}
	s.held.push(heldRecord{index: index, at: at, raw: bytes.Clone(raw)})
	return nil
}

// repair tries to bring the records in memory to the disk. It gives the lock
// away between bursts, so that nobody waits for a long backlog.
func (s *spool) repair() error {
	const burst = 128
	for first := true; ; first = false {
		done, err := s.repairSome(burst, first)
		if err != nil || done {
			return err
		}
	}
}

func (s *spool) repairSome(n int, fresh bool) (done bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held.empty() || s.disk == nil {
		return true, nil
	}
	if fresh {
		if err := s.rotate(); err != nil {
			return false, err
		}
	}
	for range min(n, s.held.len()) {
		r := s.held.records[0]
		if err := s.disk.Log(r.raw); err != nil {
			s.refusal = err
			return false, fmt.Errorf("write spool: %w", err)
		}
		s.wrote(r.index, r.at, len(r.raw))
		s.held.drop(1)
	}
	if !s.held.empty() {
		return false, nil
	}
	s.refusal = nil
	s.log.Info("disk takes events again")
	return true, nil
}
