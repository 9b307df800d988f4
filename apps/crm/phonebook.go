package crm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"markaz/call"
)

// IdentifyConfig says how callers are looked up in the CRMs that can.
type IdentifyConfig struct {
	Timeout     time.Duration `yaml:"timeout"`      // for all CRMs together; default 800 ms
	Keep        time.Duration `yaml:"keep"`         // how long an answer is believed; default 10 min
	KeepUnknown time.Duration `yaml:"keep_unknown"` // and that nobody knows a number; default 1 min
	Most        int           `yaml:"most"`         // numbers that are remembered; default 10,000
}

// Validate fills the defaults in and refuses what cannot work.
func (c *IdentifyConfig) Validate() error {
	var out []error
	for _, f := range []struct {
		key string
		d   *time.Duration
		def time.Duration
		max time.Duration
	}{
		{"timeout", &c.Timeout, 800 * time.Millisecond, 10 * time.Second},
		{"keep", &c.Keep, 10 * time.Minute, 24 * time.Hour},
		{"keep_unknown", &c.KeepUnknown, time.Minute, 24 * time.Hour},
	} {
		if *f.d == 0 {
			*f.d = f.def
		}
		if *f.d < 0 || *f.d > f.max {
			out = append(out, fmt.Errorf("%s: want more than 0 and at most %v, have %v", f.key, f.max, *f.d))
		}
	}
	if c.Most == 0 {
		c.Most = 10_000
	}
	if c.Most < 1 || c.Most > 10_000_000 {
		out = append(out, fmt.Errorf("most: want 1 to 10,000,000, have %d", c.Most))
	}
	return errors.Join(out...)
}

// Phonebook looks callers up in all CRMs that know people by number. The first
// in the order of the configuration that knows a number is right. Its methods
// may be called by several goroutines.
type Phonebook struct {
	cfg    IdentifyConfig
	books  []*book
	report func(call.Event)
	now    func() time.Time
	stats  *lookupStats
	queue  chan string // numbers to be asked for

	mu      sync.Mutex
	cache   *numberCache
	flights map[string][]call.Lookup // that wait for the answer, by number
}

// lookupWorkers is how many numbers are asked for at the same time, and
// lookupQueue how many may wait: more than a minute of the busiest office.
const (
	lookupWorkers = 32
	lookupQueue   = 1024
)

// NewPhonebook joins the sinks that can look numbers up and are not told not
// to. Report gets what was found; nothing else in it may call back.
func NewPhonebook(cfg IdentifyConfig, sinks []*Sink, dep Deps) *Phonebook {
	p := &Phonebook{
		cfg: cfg, report: dep.Report, now: dep.Now, stats: newLookupStats(), queue: make(chan string, lookupQueue),
		cache: newNumberCache(cfg.Most), flights: map[string][]call.Lookup{},
	}
	for _, s := range sinks {
		f, ok := s.conn.(Finder)
		if ok && (s.cfg.LookUp == nil || *s.cfg.LookUp) {
			p.books = append(p.books, &book{name: s.cfg.Name, find: f, log: s.log, now: dep.Now, busy: make(chan struct{}, lookupWorkers)})
		}
	}
	return p
}

// Lookup asks for a number; the answer is reported. It never waits.
func (p *Phonebook) Lookup(a call.Lookup) {
	number := a.E164
	if number == "" {
		number = a.Number
	}
	if number == "" || len(p.books) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting, flying := p.flights[number]
	if !flying {
		select {
		case p.queue <- number:
		default:
			p.stats.results.WithLabelValues("dropped").Inc()
			return
		}
	}
	p.flights[number] = append(waiting, a)
}

// Run asks until ctx ends.
func (p *Phonebook) Run(ctx context.Context) error {
	var work errgroup.Group
	for range lookupWorkers {
		work.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case number := <-p.queue:
					p.serve(ctx, number)
				}
			}
		})
	}
	return work.Wait()
}

// serve answers everybody who waits for a number.
func (p *Phonebook) serve(ctx context.Context, number string) {
	begin := p.now()
	p.mu.Lock()
	found, ok := p.cache.get(number, begin)
	p.mu.Unlock()
	result := "cached"
	if !ok {
		found, ok = p.ask(ctx, number)
		result = found.result(ok)
		p.stats.seconds.Observe(p.now().Sub(begin).Seconds())
	}
	p.stats.results.WithLabelValues(result).Inc()
	p.mu.Lock()
	waiting := p.flights[number]
	delete(p.flights, number)
	if ok && result != "cached" {
		keep := p.cfg.Keep
		if found.unknown() {
			keep = p.cfg.KeepUnknown
		}
		p.cache.put(number, found, p.now().Add(keep))
	}
	p.mu.Unlock()
	if !ok {
		return
	}
	for _, a := range waiting {
		p.report(found.event(a))
	}
}

// ask asks all CRMs at once, and no longer than the time-out. Ok is false if
// nobody knows the number and not everybody could say so.
func (p *Phonebook) ask(ctx context.Context, number string) (best person, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	answers := make([]chan reply, len(p.books))
	for i, b := range p.books {
		answers[i] = make(chan reply, 1)
		go func() { answers[i] <- b.ask(ctx, number) }()
	}
	ok = true
	for i := range p.books {
		// The wait is for the one who counts most; what others have said
		// until the time is over is there already.
		select {
		case r := <-answers[i]:
			ok = ok && r.err == nil
			if r.err == nil && !r.unknown() {
				return r.person, true
			}
		case <-ctx.Done():
			select {
			case r := <-answers[i]:
				if r.err == nil && !r.unknown() {
					return r.person, true
				}
				ok = ok && r.err == nil
			default:
				ok = false
			}
		}
	}
	return person{}, ok
}

// person is whom a CRM knows; the zero value is nobody.
type person struct {
	id, name, sink string
}

func (p person) unknown() bool { return p.id == "" && p.name == "" }

func (p person) result(ok bool) string {
	switch {
	case !ok:
		return "failed"
	case p.unknown():
		return "unknown"
	}
	return "known"
}

// event tells of a person. What a CRM says is not to be trusted.
func (p person) event(a call.Lookup) call.Event {
	e := call.Event{
		Kind: call.CallIdentified, Call: a.Call, Observed: a.Observed, State: "known",
		Identity: call.Clean(p.id, 120), Text: call.Clean(p.name, 120), Data: map[string]string{"sink": p.sink},
	}
	if p.unknown() {
		e.State, e.Data = call.Unidentified, nil
	}
	return e
}
