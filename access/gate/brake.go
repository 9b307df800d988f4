package gate

import (
	"net/netip"
	"strings"
	"sync"
	"time"
)

// brake slows down who tries passwords. Each account and each address has a
// number of failures for free; then each further try must wait, twice as long
// as the one before.
type brake struct {
	cfg LoginConfig
	now func() time.Time

	mu    sync.Mutex
	wheel map[string]*tries
}

type tries struct {
	failed int
	until  time.Time // no try before
	last   time.Time
}

const (
	firstDelay   = 2 * time.Second
	longestDelay = 15 * time.Minute
	forgetAfter  = time.Hour
	maxTries     = 20_000 // remembered
)

func newBrake(cfg LoginConfig, now func() time.Time) *brake {
	return &brake{cfg: cfg, now: now, wheel: map[string]*tries{}}
}

// keys are what a try counts for. IPv6 clients own whole networks.
func (b *brake) keys(account, address string) map[string]int {
	if a, err := netip.ParseAddr(address); err == nil && a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			address = p.String()
		}
	}
	return map[string]int{"n:" + strings.ToLower(bound(account, 100)): b.cfg.PerAccount, "a:" + address: b.cfg.PerAddress}
}

// take counts a try as failed ahead, so that many at once cannot slip through,
// or tells how long it must wait.
func (b *brake) take(account, address string) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	keys := b.keys(account, address)
	for key := range keys {
		if t := b.wheel[key]; t != nil && now.Before(t.until) {
			wait = max(wait, t.until.Sub(now))
		}
	}
	if wait > 0 {
		return wait
	}
	for key, free := range keys {
		t := b.wheel[key]
		if t == nil || now.Sub(t.last) > forgetAfter {
			b.makeRoom(now)
			t = &tries{}
			b.wheel[key] = t
		}
		t.failed, t.last = t.failed+1, now
		if over := t.failed - free; over >= 0 {
			t.until = now.Add(min(firstDelay<<min(over, 20), longestDelay))
		}
	}
	return 0
}

// right takes back what take counted: the password was right. The account
// starts anew; the address only gets its one try back, or else whoever has an
// account of his own could try those of others for ever.
func (b *brake) right(account, address string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key := range b.keys(account, address) {
		t := b.wheel[key]
		switch {
		case t == nil:
		case strings.HasPrefix(key, "n:"):
			delete(b.wheel, key)
		default:
			if t.failed--; t.failed < b.cfg.PerAddress {
				t.until = time.Time{}
			}
		}
	}
}

func (b *brake) makeRoom(now time.Time) {
	if len(b.wheel) < maxTries {
		return
	}
	oldest, at := "", now
	for key, t := range b.wheel {
		if now.Sub(t.last) > forgetAfter {
			delete(b.wheel, key)
			continue
		}
		if t.last.Before(at) && now.After(t.until) {
			oldest, at = key, t.last
		}
	}
	if len(b.wheel) >= maxTries {
		delete(b.wheel, oldest)
	}
}
