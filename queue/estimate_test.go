package queue

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"markaz/call"
)

func TestBands(t *testing.T) {
	m := time.Minute
	for _, tt := range []struct {
		d    time.Duration
		want Wait
	}{
		{0, Wait{0, m}},
		{m, Wait{0, m}},
		{m + 1, Wait{m, 2 * m}},
		{3 * m, Wait{2 * m, 3 * m}},
		{4 * m, Wait{3 * m, 5 * m}},
		{29 * m, Wait{20 * m, 30 * m}},
		{time.Hour, Wait{45 * m, time.Hour}},
		{time.Hour + 1, Wait{time.Hour, 0}},
		{1000 * 24 * time.Hour, Wait{time.Hour, 0}},
	} {
		if got := band(tt.d); got != tt.want {
			t.Errorf("%s is told as %v, want %v", tt.d, got, tt.want)
		}
	}
}

// TestPace checks what counts as a sample and what does not.
func TestPace(t *testing.T) {
	at := simStart
	var p pace
	expect := func(agents int, want time.Duration, known bool) {
		t.Helper()
		if got, ok := p.interval(at, agents); got != want || ok != known {
			t.Errorf("interval with %d agents is %s, %v, want %s, %v", agents, got, ok, want, known)
		}
	}
	step := func(d time.Duration, agents int, moreWait bool) {
		at = at.Add(d)
		if p.handedOver(at, agents); !moreWait {
			p.lineGone()
		}
	}
	step(time.Hour, 1, false) // nobody had to wait: no sample
	p.lineFormed(at)
	for i := range minSamples {
		expect(1, 0, false)
		step(time.Minute, 2, i < minSamples-1)
	}
	expect(2, time.Minute, true)
	expect(1, 2*time.Minute, true)
	expect(0, 0, false)

	step(20*time.Minute, 2, false) // the line was gone: idle time is no sample
	expect(2, time.Minute, true)
	p.lineFormed(at)
	at = at.Add(10 * time.Second)
	p.lineGone() // all hung up
	step(20*time.Minute, 2, false)
	expect(2, time.Minute, true)

	p.lineFormed(at)
	at = at.Add(7 * time.Minute) // longer than the mean: counts although it is not over
	expect(2, 2*time.Minute, true)

	at = at.Add(2 * recentSample)
	expect(2, 0, false)

	p.lineGone()
	for range keepSamples + 1 { // only the last samples count
		step(time.Second, 1, true)
	}
	expect(1, time.Second, true)
}

// TestNothingToldWhilePhoneRings: whoever is about to be answered hears his
// place, but no wait.
func TestNothingToldWhilePhoneRings(t *testing.T) {
	f, at := crowd(t, 3)
	q := f.queues[0]
	for i := range minSamples + 1 {
		q.pace.handedOver(at.Add(time.Duration(i)*time.Second), 1)
	}
	if _, err := f.Ask(at, "a", WishAvailable, ""); err != nil {
		t.Fatal(err)
	}
	first, second := q.waiting.first(), f.callers["old1"]
	if first.estimate(at, 1) != (Wait{}) {
		t.Errorf("the first is told %v while a phone rings for him", first.estimate(at, 1))
	}
	if second.estimate(at, 2) == (Wait{}) {
		t.Error("the others are told nothing")
	}
}

// TestEstimateIsHonest runs a day of a busy queue, with calls that come and
// last at random, and compares what callers were told with how long they then
// waited.
func TestEstimateIsHonest(t *testing.T) {
	d := &day{sim: newSim(busyQueue(4), t.Fatalf), chance: rand.New(rand.NewPCG(2026, 3)), told: map[string]Wait{}, ends: map[string]time.Time{}}
	d.hear(d.floor.Open(d.now))
	nextCall := d.now
	for i := 0; d.now.Sub(simStart) < 10*time.Hour; {
		d.advance(time.Second, nil)
		d.talk()
		for !d.now.Before(nextCall) {
			i++
			o, err := d.floor.Join(d.now, Caller{Call: fmt.Sprint("c", i), Queue: "q"})
			if err != nil {
				t.Fatal(err)
			}
			d.hear(o)
			nextCall = nextCall.Add(d.random(50 * time.Second))
		}
	}
	ratio := float64(d.sumWaited) / float64(d.sumTold)
	t.Logf("%d were told a wait; waited ÷ told %.2f in the mean; %.0f %% within half and double", d.n, ratio, 100*float64(d.within)/float64(d.n))
	if d.n < 100 || ratio < 0.75 || ratio > 1.33 || d.within*100 < 70*d.n {
		t.Error("the estimates do not hold")
	}
}

func busyQueue(agents int) (cfg Config) {
	q := QueueConfig{Name: "q", Announce: AnnounceConfig{AtJoin: true, Position: true, Wait: true}, Wrapup: 10 * time.Second}
	for i := range agents {
		id := fmt.Sprint("a", i)
		cfg.Agents = append(cfg.Agents, AgentConfig{ID: id, Extension: fmt.Sprint(i), AutoLogin: true})
		q.Agents = append(q.Agents, id)
	}
	cfg.Queues = []QueueConfig{q}
	return cfg
}

// day notes what callers were told and how long they waited.
type day struct {
	*sim
	chance             *rand.Rand
	told               map[string]Wait
	ends               map[string]time.Time // agent → end of his talk
	n, within          int
	sumTold, sumWaited time.Duration
}

func (d *day) random(mean time.Duration) time.Duration {
	return time.Duration(-math.Log(1-d.chance.Float64()) * float64(mean))
}

func (d *day) hear(o Out) {
	d.apply(o)
	for _, dec := range o.Decisions {
		if say, ok := dec.(Announce); ok && say.Wait.Max > 0 {
			d.told[say.Call] = say.Wait
		}
	}
}

// talk lets agents pick up, and hang up when their time has come.
func (d *day) talk() {
	for _, a := range slices.Sorted(maps.Keys(d.legs)) {
		end, talks := d.ends[a]
		if !talks {
			id := d.legs[a]
			d.note(d.told[id], d.now.Sub(d.waits[id].Joined))
			d.hear(d.floor.Answered(d.now, a, id))
			d.ends[a] = d.now.Add(d.random(3 * time.Minute))
		} else if !d.now.Before(end) {
			delete(d.ends, a)
			d.ended(a, call.Answered)
		}
	}
}

func (d *day) note(told Wait, waited time.Duration) {
	if told == (Wait{}) {
		return
	}
	d.n++
	d.sumTold += (told.Min + told.Max) / 2
	d.sumWaited += waited
	if waited >= told.Min/2 && waited <= 2*told.Max {
		d.within++
	}
}
