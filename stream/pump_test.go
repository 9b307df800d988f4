package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/prometheus/tsdb/wlog"
	"pgregory.net/rapid"
)

// fakeRedis does what append.lua does, and fails as Redis does: refuses,
// swallows answers, goes back to an earlier state, comes back empty.
type fakeRedis struct {
	chance  func() int // 0 to 99
	events  []string
	writers map[uint64]uint64
	past    []fakeState // states it may go back to
	trouble bool
}

type fakeState struct {
	events  []string
	writers map[uint64]uint64
}

var errAway = errors.New("connection reset")

func (f *fakeRedis) fate() int {
	if !f.trouble {
		return 99
	}
	return f.chance()
}

func (f *fakeRedis) have(ctx context.Context, sessions []uint64) (map[uint64]uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.fate() < 10 {
		return nil, errAway
	}
	has := map[uint64]uint64{}
	for _, s := range sessions {
		has[s] = f.writers[s]
	}
	return has, nil
}

func (f *fakeRedis) add(ctx context.Context, believed [2]mark, records []record) (after uint64, err error) {
	fate := f.fate()
	if fate < 10 || ctx.Err() != nil {
		return 0, errAway // never arrived
	}
	switch {
	case fate < 13:
		f.goBack(1) // between what the pump was told and now
	case fate < 15:
		f.wipe()
	}
	session := records[0].session
	before := f.writers[session]
	for _, m := range believed {
		if f.writers[m.session] < m.index {
			return 0, errRewound
		}
	}
	f.past = append(f.past, fakeState{slices.Clone(f.events), maps.Clone(f.writers)})
	after = before
	for _, r := range records {
		if fate < 20 && len(records) > 1 && after > before {
			err = errAway // full in the middle, as append.lua would say
			break
		}
		if r.index > after {
			f.events = append(f.events, string(r.id))
			after = r.index
		}
	}
	f.writers[session] = after
	if fate < 35 {
		return 0, errAway // the answer is lost
	}
	return after, err
}

func (f *fakeRedis) forget(_ context.Context, sessions []uint64) error {
	for _, s := range sessions {
		delete(f.writers, s)
	}
	return nil
}

// goBack is a failover to a replica that has not the latest.
func (f *fakeRedis) goBack(n int) {
	if len(f.past) == 0 {
		return
	}
	was := f.past[max(0, len(f.past)-1-n)]
	f.events, f.writers = slices.Clone(was.events), maps.Clone(was.writers)
}

func (f *fakeRedis) wipe() { f.events, f.writers = nil, map[uint64]uint64{} }

// machine is a writer that is killed and started again, over a fake Redis.
type machine struct {
	cfg   SpoolConfig
	spool *spool
	pump  *pump
	redis *fakeRedis
	want  []string // promised by append, in order
	next  int
}

func (m *machine) start(t *rapid.T) {
	s, err := openSpool(m.cfg, quiet(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	m.spool = s
	m.pump = &pump{spool: s, redis: m.redis, log: quiet(), woken: make(chan struct{}, 1)}
}

// kill ends the process: nothing is flushed that was not written.
func (m *machine) kill() {
	_ = m.spool.close()
}

func (m *machine) append(t *rapid.T, n int) {
	for range n {
		e := event(m.next)
		m.next++
		raw, err := appendRecord(nil, &e)
		if err == nil {
			err = m.spool.append(raw)
		}
		if err != nil {
			t.Fatal(err)
		}
		m.want = append(m.want, e.ID)
	}
}

// tear leaves half a record at the end, as a kill in the middle of a write.
func (m *machine) tear(t *rapid.T, n int) {
	name := wlog.SegmentName(m.cfg.Dir, m.spool.segments[len(m.spool.segments)-1].num)
	m.kill()
	e := event(m.next)
	m.next++
	raw, _ := appendRecord(nil, &e)
	stampRecord(raw, m.spool.session, m.spool.next, 1)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(append([]byte{1, 0, 200, 9, 9, 9, 9}, raw[:min(n, len(raw))]...)); err != nil {
		t.Fatal(err)
	}
}

func TestEveryPromisedEventArrivesOnceWhateverHappens(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		sub, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(sub)
		m := &machine{
			cfg:   Config{Spool: SpoolConfig{Dir: sub, SegmentBytes: minSegment}}.withDefaults().Spool,
			redis: &fakeRedis{writers: map[uint64]uint64{}, trouble: true},
		}
		m.redis.chance = func() int { return rapid.IntRange(0, 99).Draw(t, "fate") }
		m.start(t)
		defer func() { m.kill() }()
		carry := func() error { return m.pump.carry(t.Context(), false) }
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"append", "append", "carry", "carry", "carry", "kill", "tear", "back", "empty"}).Draw(t, "step") {
			case "append":
				m.append(t, rapid.IntRange(1, 300).Draw(t, "n"))
			case "carry":
				_ = carry()
			case "kill":
				m.kill()
				m.start(t)
			case "tear":
				m.tear(t, rapid.IntRange(0, 300).Draw(t, "bytes"))
				m.start(t)
			case "back":
				m.redis.goBack(rapid.IntRange(0, 5).Draw(t, "n"))
			case "empty":
				m.redis.wipe()
			}
		}
		m.redis.trouble = false
		for range 3 { // as long as Redis is found to have lost something
			if err := carry(); err == nil {
				break
			} else if !errors.Is(err, errRewound) {
				t.Fatal(err)
			}
		}
		if !slices.Equal(m.redis.events, m.want) {
			t.Fatalf("got %d events %v, want %d %v", len(m.redis.events), short(m.redis.events), len(m.want), short(m.want))
		}
		if m.spool.unsent() != 0 {
			t.Fatalf("%d are said to be unsent", m.spool.unsent())
		}
	})
}

// A spool whose tail was cut after Redis had it must not reuse its numbers:
// what comes next would be taken for a repeat.
func TestNumbersAreNotReusedAfterACut(t *testing.T) {
	cfg := spoolConfig(t)
	f := &fakeRedis{writers: map[uint64]uint64{}}
	s := openTestSpool(t, cfg, &heard{})
	appendSome(t, s, 0, 10)
	p := &pump{spool: s, redis: f, log: quiet()}
	if err := p.carry(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	name := wlog.SegmentName(cfg.Dir, s.segments[len(s.segments)-1].num)
	data, _ := os.ReadFile(name)
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	// The machine lost power before the last five were on the disk.
	if err := os.WriteFile(name, data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	s = openTestSpool(t, cfg, &heard{})
	appendSome(t, s, 10, 20)
	p = &pump{spool: s, redis: f, log: quiet()}
	if err := p.carry(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, f.events, eventIDs(0, 20))
}

func TestBatchesAreBounded(t *testing.T) {
	s := openTestSpool(t, spoolConfig(t), &heard{})
	for n := range 300 {
		e := event(n)
		e.Text = fmt.Sprintf("%050000d", n)
		raw, _ := appendRecord(nil, &e)
		if err := s.append(raw); err != nil {
			t.Fatal(err)
		}
		if n == 40 {
			break
		}
	}
	appendSome(t, s, 41, 400)
	c := s.cursorAfter(map[uint64]uint64{})
	defer c.close()
	f, b := filler{cursor: c}, new(batch)
	var got []string
	for {
		if err := f.fill(b); err != nil {
			t.Fatal(err)
		}
		if len(b.records) == 0 {
			break
		}
		size := 0
		for _, r := range b.records {
			size += len(r.raw)
			got = append(got, string(r.id))
		}
		if len(b.records) > batchEvents || size > batchBytes+maxEvent {
			t.Fatalf("%d events, %d bytes", len(b.records), size)
		}
	}
	wantIDs(t, got, eventIDs(0, 400))
}

// A machine that was put back to an earlier state must not go on numbering
// from there: Redis would take its events for repeats.
func TestRestoredMachineStops(t *testing.T) {
	s := openTestSpool(t, spoolConfig(t), &heard{})
	appendSome(t, s, 0, 10)
	p := &pump{spool: s, redis: &fakeRedis{writers: map[uint64]uint64{s.session: 50}}, log: quiet(), woken: make(chan struct{}, 1)}
	if err := p.run(t.Context()); !errors.Is(err, ErrRestored) {
		t.Fatal(err)
	}
}
