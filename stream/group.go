package stream

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"markaz/call"
)

//go:embed lua/entries.lua
var entriesLua string

//go:embed lua/take.lua
var takeLua string

//go:embed lua/finish.lua
var finishLua string

//go:embed lua/renew.lua
var renewLua string

// Delivery is one event handed to a group's handler.
type Delivery struct {
	ID      string // of the entry in the stream; "d" and the id of a dead letter that is replayed
	Event   call.Event
	Attempt int // from 1; tries cut short by the death of a process count
}

// GroupConfig describes work that must be done once for every event.
type GroupConfig struct {
	Name     string // the same in every process that shares the work
	Consumer string // names this process in claims; default a random name

	// Handle does the work. Nil acknowledges the event; an error that wraps
	// [ErrPermanent] makes it a dead letter, [ErrStop] ends Run; one made by
	// [RetryAfter] or [RetryFree] says when to try again; any other leaves
	// that to Backoff. Events of one call come in order and one at a time, in
	// whichever process. Its context ends when the claim on the call is lost,
	// and Grace after Run was told to end.
	Handle func(ctx context.Context, d Delivery) error
	// HandleAll, if there is one, does what waits of one call at once, in its
	// order. Nil acknowledges it all; after any error, and when tried again,
	// the events go to Handle, one at a time.
	HandleAll func(ctx context.Context, list []Delivery) error
	// Gather is how long an event may wait for others, where nothing is urgent:
	// that many fewer times the group wakes up.
	Gather time.Duration

	Kinds []call.Kind // that are wanted; none: all
	// Since is where a group that does not exist yet begins, by the time at
	// which Redis got the events. The zero time: with the oldest event there is.
	Since time.Time

	Parallel    int                             // calls handled at the same time; default 16
	MaxAttempts int                             // tries before an event becomes a dead letter; default 10; negative: without limit
	Backoff     func(attempt int) time.Duration // wait after that try; default doubles from 1 s to 10 min, half of it by chance
	Claim       time.Duration                   // how long a process that died keeps its calls from the others; default 15 s
	Grace       time.Duration                   // for handlers at work when Run is to end; default 5 s

	// Remember is for how long, and RememberMost how many, ids of events are
	// remembered to drop repeats. Defaults 24 h and 50,000.
	Remember     time.Duration
	RememberMost int
	// MaxOpen bounds the events that were dealt to their calls and are not done
	// with; the rest waits in the stream. Default 100,000.
	MaxOpen int
}

// Group does its work while Run runs. Several processes may run a group of the
// same name.
type Group struct {
	cfg    GroupConfig
	client *Client
	log    *slog.Logger
	begin  string // id to begin at
	lua    groupScripts
	recent *recent
	serial atomic.Uint64

	mu     sync.Mutex
	claims map[string]*claim // by call, those this process holds
	counts groupCounts
}

type groupScripts struct{ take, finish, renew *redis.Script }

type groupCounts struct {
	handled, retried, dead, repeats, reclaimed, lost atomic.Uint64
}

// NewGroup prepares a group; Run does the work.
func NewGroup(c *Client, cfg GroupConfig) (*Group, error) {
	if cfg.Name == "" || cfg.Handle == nil {
		return nil, errors.New("make group: want a name and a handler")
	}
	def(&cfg.Consumer, sessionName(newSession()))
	def(&cfg.Parallel, 16)
	def(&cfg.MaxAttempts, 10)
	def(&cfg.Claim, 15*time.Second)
	def(&cfg.Grace, 5*time.Second)
	def(&cfg.Remember, 24*time.Hour)
	def(&cfg.RememberMost, 50_000)
	def(&cfg.MaxOpen, 100_000)
	if cfg.Backoff == nil {
		cfg.Backoff = defaultBackoff
	}
	begin := "0"
	if !cfg.Since.IsZero() {
		begin = beforeTime(cfg.Since)
	}
	return &Group{
		cfg: cfg, client: c, log: c.log.With("group", cfg.Name), begin: begin,
		lua:    groupScripts{redis.NewScript(entriesLua + takeLua), redis.NewScript(entriesLua + finishLua), redis.NewScript(renewLua)},
		recent: newRecent(8192), claims: map[string]*claim{},
	}, nil
}

// defaultBackoff doubles from 1 s to 10 min; half of the wait is by chance.
func defaultBackoff(attempt int) time.Duration {
	span := 10 * time.Minute
	if attempt < 11 {
		span = min(span, time.Second<<(attempt-1))
	}
	return span/2 + chance(span/2)
}

func (g *Group) key(part string) string { return g.client.keys.group(g.cfg.Name, part) }

// parts are the keys of a group that are not queues.
func groupParts() []string {
	return []string{"calls", "open", "seen", "claims", "tries", "kept", "state", "why"}
}

// claim is one call that this process works on.
type claim struct {
	call, token string
	entries     []claimed // the first of those that wait
	attempt     int
	abandoned   bool // another process had it and did not finish
	lost        atomic.Bool
	timer       *time.Timer   // ends the claim when it was not renewed in time
	over        chan struct{} // closed when its worker is gone
}

// claimed is one entry of a claimed call.
type claimed struct {
	id   string
	json string // "" if it has left the stream
}

// taken is the answer to take.
type taken struct {
	dealt  int
	last   string // id dealt last, by any process
	full   bool   // no room to deal more
	due    time.Duration
	claims []*claim
}

// dealMost is how many entries are dealt in one exchange, and handMost how many
// of one call are handed out.
const (
	dealMost = 512
	handMost = 64
)

// atOnce is how many entries of a call this group wants at once.
func (g *Group) atOnce() int {
	if g.cfg.HandleAll == nil {
		return 1
	}
	return handMost
}

// takeSome deals new entries and claims up to n calls.
func (g *Group) takeSome(ctx context.Context, n int) (taken, error) {
	c := g.cfg
	token := c.Consumer + ":" + strconv.FormatUint(g.serial.Add(1), 10)
	args := []any{
		c.Name, g.begin, dealMost, c.MaxOpen, n, c.Claim.Milliseconds(), token,
		c.Remember.Milliseconds(), c.RememberMost, g.key("queue:"), g.atOnce(),
	}
	for _, k := range c.Kinds {
		args = append(args, string(k))
	}
	keys := []string{
		g.client.keys.events(), g.key("calls"), g.key("open"), g.key("seen"),
		g.key("claims"), g.key("tries"), g.key("kept"), g.key("state"),
	}
	reply, err := g.client.run(ctx, g.lua.take, keys, args...).Slice()
	if err != nil {
		return taken{}, fmt.Errorf("take events: %w", err)
	}
	return g.readTaken(reply)
}

func (g *Group) readTaken(reply []any) (taken, error) {
	if len(reply) < 4 {
		return taken{}, fmt.Errorf("take events: answer %v", reply)
	}
	due, _ := reply[3].(int64)
	dealt, _ := reply[0].(int64)
	t := taken{dealt: int(dealt), full: reply[2] == int64(1), due: time.Duration(due) * time.Millisecond}
	t.last, _ = reply[1].(string)
	for _, v := range reply[4:] {
		f, ok := v.([]any)
		if !ok || len(f) < 6 {
			return taken{}, fmt.Errorf("take events: answer %v", v)
		}
		cl := &claim{abandoned: f[3] == int64(1)}
		cl.call, _ = f[0].(string)
		cl.token, _ = f[1].(string)
		cl.setEntries(f[2], f[4:])
		t.claims = append(t.claims, cl)
	}
	return t, nil
}

// setEntries reads ids and JSON, which take turns.
func (c *claim) setEntries(attempt any, list []any) {
	n, _ := attempt.(int64)
	c.attempt, c.entries = int(n), nil
	for pair := range slices.Chunk(list, 2) {
		var e claimed
		e.id, _ = pair[0].(string)
		e.json, _ = pair[len(pair)-1].(string)
		c.entries = append(c.entries, e)
	}
}

// conclude tells Redis what became of the claimed entries. It returns false
// when the call is not ours any more: done with, parked, or lost.
func (g *Group) conclude(ctx context.Context, c *claim, o outcome, goOn bool) (bool, error) {
	next := 0
	if goOn {
		next = g.atOnce()
	}
	keys := []string{
		g.client.keys.events(), g.key("calls"), g.key("open"), g.key("claims"),
		g.key("tries"), g.key("kept"), g.key("why"), g.client.keys.dead(g.cfg.Name),
	}
	args := []any{c.call, c.token, o.what, o.after.Milliseconds(), o.reason, g.cfg.Claim.Milliseconds(), next, g.key("queue:")}
	for _, e := range c.entries {
		args = append(args, e.id)
	}
	reply, err := g.client.run(ctx, g.lua.finish, keys, args...).Slice()
	if err != nil {
		return false, fmt.Errorf("finish event: %w", err)
	}
	switch {
	case len(reply) >= 4:
		c.setEntries(reply[1], reply[2:])
		return true, nil
	case len(reply) == 1 && reply[0] == int64(0):
		g.counts.lost.Add(1)
		g.log.Warn("claim on a call was lost", "call", c.call, "entry", c.entries[0].id)
	}
	return false, nil
}
