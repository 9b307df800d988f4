package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"markaz/call"
	"markaz/legacy/testbed"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// day is how a busy day is gone through: MARKAZ_LEGACY_DAY=10m takes longer,
// MARKAZ_LEGACY_SEED=7 repeats what an earlier one met.
func day(t *testing.T) (length time.Duration, seed uint64) {
	t.Helper()
	length, seed = 15*time.Second, uint64(time.Now().UnixNano())
	if text := os.Getenv("MARKAZ_LEGACY_DAY"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	if text := os.Getenv("MARKAZ_LEGACY_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	return length, seed
}

// A busy day of an office, in a hurry, while the link is cut, the sidecar is
// killed and Redis is killed at random moments: the stream holds every event
// once, and the calls are those that were.
func TestBusyDay(t *testing.T) {
	t.Parallel() // it waits a good part of its time
	length, seed := day(t)
	zone, err := time.LoadLocation("Asia/Tehran")
	if err != nil {
		t.Fatal(err)
	}
	office := &testbed.Office{
		Trunks: 60, Extensions: 60, Pattern: "ABC"[seed%3], Rings: seed%2 == 0, Answers: seed/2%2 == 0, PerMinute: 8,
		Start: time.Date(2026, 3, 23, 8, 0, 0, 0, zone), Chance: rand.New(rand.NewPCG(seed, 0)),
	}
	truth, printed := office.Calls(5000)
	last := printed[len(printed)-1].At.Add(time.Hour) // settles what is still open
	pbx, address := exchange(t, testbed.Options{
		User: "SMDR", Password: "PCCSMDR", End: []string{"\r", "\n", "\r\n"}[seed%3], Page: 40, Repeat: 2000,
		Split: rand.New(rand.NewPCG(seed, 1)),
	})
	s := newStage(t, "", source(
		"key: old", "model: KX-NS1000", "date: DD/MM/YY", "zone: Asia/Tehran", `numbers: {country: IR, city: "21", release: "9"}`,
		fmt.Sprintf("disa: [%q]", testbed.DISA), fmt.Sprintf("groups: [%q]", testbed.Group),
		fmt.Sprintf("connection: {type: tcp, address: %q, login: {user: SMDR, password: PCCSMDR}}", address),
	))
	s.start()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { defer cancel(); happen(pbx, printed, length) })
	met := s.trouble(ctx, pbx, rand.New(rand.NewPCG(seed, 2)))
	wg.Wait()
	pbx.Print(last.Format("02/01/06 03:04PM") + "   299    LOG OUT")
	s.until("the last record", func(e call.Event) bool { return e.Kind == call.AgentChanged && e.Address == "299" })
	s.stop()
	t.Logf("%d calls, %d lines; %s; %.1f MB of events, %.1f MB of journal", len(truth), len(printed), met, s.size(), s.onDisk("journal"))
	for _, fault := range testbed.Compare(truth, s.calls()) {
		t.Error(fault)
	}
}

// happen prints the day's lines, evenly spread over a length.
func happen(pbx *testbed.PBX, lines []testbed.Line, length time.Duration) {
	const every = 20 * time.Millisecond
	steps := int(length / every)
	begun := time.Now()
	for i, at := 0, 0; i < steps; i++ {
		for ; at < len(lines)*(i+1)/steps; at++ {
			pbx.Print(lines[at].Text)
		}
		time.Sleep(time.Until(begun.Add(time.Duration(i+1) * every)))
	}
}

// met counts the troubles of a day.
type met struct{ cut, killed, redis int }

func (m met) String() string {
	return fmt.Sprintf("link cut %d times, sidecar killed %d times, Redis killed %d times", m.cut, m.killed, m.redis)
}

// trouble makes trouble until ctx ends, and mends what it broke.
func (s *stage) trouble(ctx context.Context, pbx *testbed.PBX, chance *rand.Rand) (m met) {
	pause := func(least, most int) {
		select {
		case <-time.After(time.Duration(least+chance.IntN(most-least)) * time.Millisecond):
		case <-ctx.Done():
		}
	}
	var redis sync.WaitGroup
	defer redis.Wait()
	for i := chance.IntN(3); ctx.Err() == nil; i++ {
		pause(300, 1500)
		switch i % 3 {
		case 0:
			pbx.Cut()
			m.cut++
		case 1:
			s.process.Kill()
			m.killed++
			pause(1, 300)
			s.start()
		case 2:
			redis.Wait()
			s.redis.Kill()
			m.redis++
			away := time.Duration(chance.IntN(2500)) * time.Millisecond
			redis.Go(func() { // meanwhile, the next trouble
				time.Sleep(away)
				if err := s.redis.Resume(context.WithoutCancel(ctx)); err != nil {
					s.t.Error(err)
				}
			})
		}
	}
	return m
}

// size is how much the stream's events take as JSON, in MB.
func (s *stage) size() float64 {
	n := 0
	for _, e := range s.events() {
		b, err := json.Marshal(e)
		if err != nil {
			s.t.Fatal(err)
		}
		n += len(b)
	}
	return float64(n) / 1e6
}

// onDisk is how much a folder of the sidecar's takes, in MB.
func (s *stage) onDisk(name string) float64 {
	files, err := filepath.Glob(filepath.Join(s.dir, name, "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	n := int64(0)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			n += info.Size()
		}
	}
	return float64(n) / 1e6
}
