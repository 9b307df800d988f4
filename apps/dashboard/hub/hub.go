package hub

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"markaz/apps/dashboard/board"
	"markaz/call"
)

// Log is the log of all events.
type Log interface {
	// Snapshot hands over what was logged since a time and returns from where
	// Tail goes on without a gap.
	Snapshot(ctx context.Context, since time.Time, fn func(call.Event)) (last string, err error)
	// Tail hands over what is logged after that, until ctx ends or it cannot
	// vouch that nothing is missing.
	Tail(ctx context.Context, after string, fn func(call.Event)) error
}

// Deps are what the hub is joined to.
type Deps struct {
	Log    Log
	Live   func(ctx context.Context, fn func(*call.Call)) error // visits the calls that this process holds; may be nil
	Now    func() time.Time
	Logger *slog.Logger
	Epoch  string // differs from that of every other run
}

// Config are the hub's settings; the zero value of each means its default.
type Config struct {
	Every     time.Duration // at most one message to each page in this time; default 30 ms
	Heartbeat time.Duration // a page that hears nothing for longer knows that what it has is old; default 3 s
	Patience  time.Duration // how long a write to a page may take; default 10 s
	Readers   int           // open streams; default 2000
}

func (c *Config) complete() {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.Every, 30*time.Millisecond)
	def(&c.Heartbeat, 3*time.Second)
	def(&c.Patience, 10*time.Second)
	if c.Readers <= 0 {
		c.Readers = 2000
	}
}

// kept is how many messages a page may have missed and still get them one by
// one; backlog is how many bytes a slow page may be behind before it gets a
// snapshot: each page has them for itself, and there may be thousands.
const (
	kept    = 512
	backlog = 32 << 10
)

// inbox is how many events of this process may wait to be shown.
const inbox = 8192

// Hub is the middle between events and pages.
type Hub struct {
	cfg   Config
	dep   Deps
	view  board.Config
	notes chan call.Event
	lost  atomic.Bool // notes had to be left out
	tail  chan []call.Event
	swap  chan *board.Board

	readers atomic.Int64
	ended   chan struct{} // closed when Run is over: nothing comes any more

	mu       sync.Mutex
	loading  bool
	rev      uint64
	items    map[string]*item
	last     *frame   // the end of the chain
	frames   []*frame // the latest, oldest first
	snapshot map[string][]byte
}

// New makes a hub that shows a board of that configuration.
func New(cfg Config, view board.Config, dep Deps) *Hub {
	cfg.complete()
	return &Hub{
		cfg: cfg, dep: dep, view: view, loading: true,
		notes: make(chan call.Event, inbox), tail: make(chan []call.Event, 64), swap: make(chan *board.Board), ended: make(chan struct{}),
		items: map[string]*item{}, last: newFrame(0), snapshot: map[string][]byte{},
	}
}

// Note tells an event of this process, which the log will tell too, later. It
// never blocks.
func (h *Hub) Note(e call.Event) {
	if e.Kind.Transient() {
		return
	}
	select {
	case h.notes <- e:
	default:
		h.lost.Store(true) // made good by asking for the calls as they stand
	}
}

// Run folds events until ctx ends, which ends all streams too.
func (h *Hub) Run(ctx context.Context) error {
	defer close(h.ended)
	done := make(chan struct{})
	go func() { defer close(done); h.follow(ctx) }()
	defer func() { <-done }()
	b := board.New(h.view)
	second := time.NewTicker(time.Second)
	defer second.Stop()
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	armed, last := false, time.Time{}
	for {
		if b.Changed() && !armed && !h.isLoading() {
			due.Reset(max(0, h.cfg.Every-time.Since(last)))
			armed = true
		}
		select {
		case <-ctx.Done():
			return nil
		case b = <-h.swap:
			h.adopt(ctx, b)
			h.replace(b)
		case e := <-h.notes:
			b.Apply(e)
			if len(h.notes) == 0 && h.lost.Swap(false) {
				h.adopt(ctx, b)
			}
		case batch := <-h.tail:
			for _, e := range batch {
				b.Apply(e)
			}
		case <-second.C:
			b.Tick(h.dep.Now())
		case <-due.C:
			armed, last = false, time.Now()
			h.publish(b.Take())
		}
	}
}

func (h *Hub) isLoading() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.loading
}

// adopt brings the board to where this process's calls stand.
func (h *Hub) adopt(ctx context.Context, b *board.Board) {
	if h.dep.Live == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := h.dep.Live(ctx, b.Adopt); err != nil && ctx.Err() == nil {
		h.dep.Logger.Warn("living calls not shown until their next event", "err", err)
	}
}

// replay is how far back a board begins at least: calls that began on the day
// before may still go on.
const replay = 12 * time.Hour

// follow reads the log into a new board, hands it over, and then what comes.
func (h *Hub) follow(ctx context.Context) {
	shown := false
	for ctx.Err() == nil {
		b := board.New(h.view)
		now := h.dep.Now()
		last, err := h.dep.Log.Snapshot(ctx, since(now, h.view.Zone), b.Apply)
		b.Tick(now)
		if err == nil || !shown { // without the log, what this process knows is shown
			shown = true
			select {
			case h.swap <- b:
			case <-ctx.Done():
				return
			}
		}
		if err == nil {
			err = h.dep.Log.Tail(ctx, last, func(e call.Event) {
				select {
				case h.tail <- []call.Event{e}:
				case <-ctx.Done():
				}
			})
		}
		if ctx.Err() == nil && err != nil {
			h.dep.Logger.Warn("dashboard reads the log anew", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// since is the midnight that begins the day, or earlier.
func since(now time.Time, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := now.In(zone).Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, zone)
	if early := now.Add(-replay); early.Before(midnight) {
		return early
	}
	return midnight
}

// id is what a page gives back to go on after a message.
func (h *Hub) id(rev uint64) string { return h.dep.Epoch + "." + strconv.FormatUint(rev, 36) }

var errForeign = errors.New("id of another run")

func (h *Hub) parse(id string) (uint64, error) {
	n := len(h.dep.Epoch)
	if len(id) < n+2 || id[:n] != h.dep.Epoch || id[n] != '.' {
		return 0, errForeign
	}
	return strconv.ParseUint(id[n+1:], 36, 64)
}
