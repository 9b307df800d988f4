package crm

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// book is one CRM in which numbers are looked up. One that keeps failing is
// left alone for a while, so that it costs the others no time.
type book struct {
	name string
	find Finder
	log  *slog.Logger
	now  func() time.Time
	busy chan struct{} // holds a token for each request

	mu    sync.Mutex
	fails int
	until time.Time
}

const (
	bookFails = 3                // in a row, after which a CRM is left alone
	bookRest  = 10 * time.Second // for so long
)

var errResting = errors.New("left alone since it has failed several times")

type reply struct {
	person
	err error
}

func (b *book) ask(ctx context.Context, number string) (r reply) {
	if err := b.admit(); err != nil {
		return reply{err: err}
	}
	defer func() { <-b.busy }()
	defer func() {
		if p := recover(); p != nil {
			b.log.Error("look-up panicked", "panic", p, "stack", string(debug.Stack()))
			r = reply{err: fmt.Errorf("look-up panicked: %v", p)}
		}
		if !errors.Is(ctx.Err(), context.Canceled) { // another one has answered already
			b.learn(r.err)
		}
	}()
	id, name, err := b.find.Find(ctx, number)
	return reply{person{id, name, b.name}, err}
}

// admit refuses while the CRM rests or has all it can take.
func (b *book) admit() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.now().Before(b.until) {
		return errResting
	}
	select {
	case b.busy <- struct{}{}:
		return nil
	default:
		return errors.New("too many look-ups are open")
	}
}

func (b *book) learn(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		b.fails = 0
		return
	}
	if b.fails++; b.fails >= bookFails {
		b.fails = bookFails - 1 // one more failure is enough after the rest
		b.until = b.now().Add(bookRest)
		b.log.Warn("look-ups rest", "for", bookRest, "error", err)
	}
}

// numberCache remembers whom numbers belong to, the most recently used ones.
type numberCache struct {
	most  int
	items map[string]*list.Element // of *numberEntry
	used  *list.List               // most recently used first
}

type numberEntry struct {
	number string
	person person
	until  time.Time
}

func newNumberCache(most int) *numberCache {
	return &numberCache{most: most, items: map[string]*list.Element{}, used: list.New()}
}

func (c *numberCache) get(number string, now time.Time) (person, bool) {
	item := c.items[number]
	if item == nil {
		return person{}, false
	}
	e := item.Value.(*numberEntry)
	if !now.Before(e.until) {
		c.used.Remove(item)
		delete(c.items, number)
		return person{}, false
	}
	c.used.MoveToFront(item)
	return e.person, true
}

func (c *numberCache) put(number string, p person, until time.Time) {
	if item := c.items[number]; item != nil {
		c.used.Remove(item)
	}
	c.items[number] = c.used.PushFront(&numberEntry{number, p, until})
	for len(c.items) > c.most {
		delete(c.items, c.used.Remove(c.used.Back()).(*numberEntry).number)
	}
}

type lookupStats struct {
	results *prometheus.CounterVec
	seconds prometheus.Histogram
}

func newLookupStats() *lookupStats {
	return &lookupStats{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "markaz_lookups_total", Help: "Numbers looked up: known, unknown, cached, failed, dropped.",
		}, []string{"result"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "markaz_lookup_seconds", Help: "Time until a number was known or given up.",
			Buckets: []float64{.005, .01, .025, .05, .1, .2, .4, .8, 1.6},
		}),
	}
}

// Describe implements [prometheus.Collector].
func (p *Phonebook) Describe(ch chan<- *prometheus.Desc) {
	p.stats.results.Describe(ch)
	p.stats.seconds.Describe(ch)
}

// Collect implements [prometheus.Collector].
func (p *Phonebook) Collect(ch chan<- prometheus.Metric) {
	p.stats.results.Collect(ch)
	p.stats.seconds.Collect(ch)
}
