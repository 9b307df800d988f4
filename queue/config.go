package queue

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Config is the queues and agents of a contact centre, as written in YAML.
type Config struct {
	Queues []QueueConfig `yaml:"queues"`
	Agents []AgentConfig `yaml:"agents"`

	// MaxNoAnswers is how many times in a row an agent may leave his phone
	// ringing before he is paused with the reason "no_answer". 0 means 3, a
	// negative number never.
	MaxNoAnswers int `yaml:"max_no_answers"`
}

// AgentConfig is one person who takes calls.
type AgentConfig struct {
	ID        string `yaml:"id"`
	Name      string `yaml:"name"`
	Extension string `yaml:"extension"`
	AutoLogin bool   `yaml:"auto_login"` // available from the start, unless he was last seen otherwise
}

// Strategy says whose phone is rung.
type Strategy string

// The strategies.
const (
	LongestIdle Strategy = "longest_idle" // the one who has been free the longest
	RingAll     Strategy = "ring_all"     // all who are free; the first to answer gets the caller
)

// QueueConfig is one queue. Destinations are words of the house, such as
// "queue:x", "extension:101", "menu:main", "message:closed", "hangup"; a queue
// hands them back unread.
type QueueConfig struct {
	Name     string   `yaml:"name"`
	Strategy Strategy `yaml:"strategy"` // longest_idle if not said
	Agents   []string `yaml:"agents"`   // ids or extensions

	RingTimeout time.Duration `yaml:"ring_timeout"` // how long a phone rings; 20 s if not said
	Retry       time.Duration `yaml:"retry"`        // rest of a phone that did not take a call; 5 s if not said
	Wrapup      time.Duration `yaml:"wrapup"`       // after a call of this queue; none if not said

	Music    string         `yaml:"music"`    // class of music on hold
	Language string         `yaml:"language"` // of what the waiting are told
	Record   bool           `yaml:"record"`
	Announce AnnounceConfig `yaml:"announce"`

	MaxWait    MaxWait   `yaml:"max_wait"`
	MaxLength  MaxLength `yaml:"max_length"`
	NoAgents   NoAgents  `yaml:"no_agents"`
	Exit       Exit      `yaml:"exit"`
	RequestKey string    `yaml:"request_key"` // by which a caller asks for his place

	ServiceLevel time.Duration `yaml:"service_level"` // answered within this is in time; 20 s if not said
	ShortAbandon time.Duration `yaml:"short_abandon"` // abandoned within this blames nobody; 5 s if not said
}

// AnnounceConfig says what the waiting are told, and when.
type AnnounceConfig struct {
	AtJoin   bool          `yaml:"at_join"`
	Every    time.Duration `yaml:"every"` // looks whether there is good news this often; never if not said
	Position bool          `yaml:"position"`
	Wait     bool          `yaml:"wait"`
	// MinImprovement is by how many places a caller must have come forward
	// to be told so; 1 if not said. Place 1 is always told.
	MinImprovement int `yaml:"min_improvement"`
}

// MaxWait sends a caller elsewhere who has waited so long. A phone that rings
// for him at that moment rings out first.
type MaxWait struct {
	After time.Duration `yaml:"after"`
	To    string        `yaml:"to"`
}

// MaxLength sends a caller elsewhere who finds so many waiting.
type MaxLength struct {
	Callers int    `yaml:"callers"`
	To      string `yaml:"to"`
}

// NoAgents sends a caller elsewhere when no agent of the queue is logged in.
// Waiting sends those too who wait when the last agent logs out.
type NoAgents struct {
	To      string `yaml:"to"`
	Waiting bool   `yaml:"waiting"`
}

// Exit is the key by which a caller leaves the queue, and where to.
type Exit struct {
	Key string `yaml:"key"`
	To  string `yaml:"to"`
}

const (
	defaultNoAnswers = 3
	defaultRing      = 20 * time.Second
	defaultRetry     = 5 * time.Second
	defaultService   = 20 * time.Second
	defaultShort     = 5 * time.Second
	shortestEvery    = 5 * time.Second
)

func (c *QueueConfig) setDefaults() {
	orElse(&c.Strategy, LongestIdle)
	orElse(&c.RingTimeout, defaultRing)
	orElse(&c.Retry, defaultRetry)
	orElse(&c.ServiceLevel, defaultService)
	orElse(&c.ShortAbandon, defaultShort)
	orElse(&c.Announce.MinImprovement, 1)
}

func orElse[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}

// Validate returns every fault of the configuration, joined; each reads
// "path: what is wrong", with a path such as queues[0].max_wait.to.
func (c Config) Validate() error {
	v := &validator{}
	agents := c.validateAgents(v)
	names := map[string]int{}
	for i, q := range c.Queues {
		at := fmt.Sprintf("queues[%d]", i)
		if first, ok := names[q.Name]; ok {
			v.fault(at+".name", "queues[%d] has the name %q too", first, q.Name)
		} else {
			names[q.Name] = i
		}
		q.validate(v, at, agents)
	}
	for i, q := range c.Queues {
		q.validateDestinations(v, fmt.Sprintf("queues[%d]", i), names)
	}
	c.validateLoops(v, names)
	return errors.Join(v.faults...)
}

type validator struct{ faults []error }

func (v *validator) fault(path, format string, args ...any) {
	v.faults = append(v.faults, fmt.Errorf(path+": "+format, args...))
}

// validateAgents returns who is known by which id or extension.
func (c Config) validateAgents(v *validator) map[string]int {
	known := map[string]int{}
	for i, a := range c.Agents {
		at := fmt.Sprintf("agents[%d]", i)
		for _, f := range []struct{ path, value string }{{at + ".id", a.ID}, {at + ".extension", a.Extension}} {
			if f.value == "" {
				v.fault(f.path, "is missing")
				continue
			}
			if other, ok := known[f.value]; ok && other != i {
				v.fault(f.path, "%q is agents[%d] already", f.value, other)
				continue
			}
			known[f.value] = i
		}
	}
	return known
}

func (c QueueConfig) validate(v *validator, at string, agents map[string]int) {
	if c.Name == "" {
		v.fault(at+".name", "is missing")
	}
	switch c.Strategy {
	case "", LongestIdle, RingAll:
	default:
		v.fault(at+".strategy", "%q is not %s or %s", c.Strategy, LongestIdle, RingAll)
	}
	if len(c.Agents) == 0 {
		v.fault(at+".agents", "is empty: nobody could ever answer")
	}
	seen := map[int]bool{}
	for j, name := range c.Agents {
		i, ok := agents[name]
		switch path := fmt.Sprintf("%s.agents[%d]", at, j); {
		case !ok:
			v.fault(path, "no agent has the id or extension %q", name)
		case seen[i]:
			v.fault(path, "%q is in this queue already", name)
		default:
			seen[i] = true
		}
	}
	c.validateTimes(v, at)
	c.validateKeys(v, at)
}

func (c QueueConfig) validateTimes(v *validator, at string) {
	for _, d := range []struct {
		path  string
		value time.Duration
		least time.Duration
	}{
		{".ring_timeout", c.RingTimeout, time.Second},
		{".retry", c.Retry, time.Second},
		{".wrapup", c.Wrapup, 0},
		{".announce.every", c.Announce.Every, shortestEvery},
		{".max_wait.after", c.MaxWait.After, time.Second},
		{".service_level", c.ServiceLevel, time.Second},
		{".short_abandon", c.ShortAbandon, 0},
	} {
		if d.value != 0 && d.value < d.least {
			v.fault(at+d.path, "%s is shorter than %s", d.value, d.least)
		}
	}
	if c.Announce.MinImprovement < 0 {
		v.fault(at+".announce.min_improvement", "%d is negative", c.Announce.MinImprovement)
	}
	if c.MaxLength.Callers < 0 {
		v.fault(at+".max_length.callers", "%d is negative", c.MaxLength.Callers)
	}
	told := c.Announce.Position || c.Announce.Wait
	if !told && (c.Announce.AtJoin || c.Announce.Every != 0) {
		v.fault(at+".announce", "neither position nor wait is on, so nothing would be told")
	}
}

func (c QueueConfig) validateKeys(v *validator, at string) {
	for _, k := range []struct{ path, value string }{{".exit.key", c.Exit.Key}, {".request_key", c.RequestKey}} {
		if k.value != "" && (len(k.value) != 1 || !strings.Contains("0123456789*#", k.value)) {
			v.fault(at+k.path, "%q is not one key of a phone", k.value)
		}
	}
	if c.Exit.Key != "" && c.Exit.Key == c.RequestKey {
		v.fault(at+".request_key", "%q leaves the queue already", c.RequestKey)
	}
}

func (c QueueConfig) validateDestinations(v *validator, at string, names map[string]int) {
	for _, d := range []struct {
		path, when, to string
		on             bool
	}{
		{".max_wait", "after", c.MaxWait.To, c.MaxWait.After != 0},
		{".max_length", "callers", c.MaxLength.To, c.MaxLength.Callers != 0},
		{".exit", "key", c.Exit.To, c.Exit.Key != ""},
		{".no_agents", "to", c.NoAgents.To, c.NoAgents.To != "" || c.NoAgents.Waiting},
	} {
		switch {
		case d.on && d.to == "":
			v.fault(at+d.path+".to", "is missing: where to?")
		case !d.on && d.to != "":
			v.fault(at+d.path+"."+d.when, "is missing: when?")
		}
		if next, ok := strings.CutPrefix(d.to, "queue:"); ok {
			if _, known := names[next]; !known {
				v.fault(at+d.path+".to", "there is no queue %q", next)
			}
		}
	}
}

// validateLoops finds queues that would pass a caller round at once and for
// ever, all being full or unstaffed.
func (c Config) validateLoops(v *validator, names map[string]int) {
	next := func(i int, to string) (int, bool) {
		name, ok := strings.CutPrefix(to, "queue:")
		j, known := names[name]
		return j, ok && known
	}
	var reach func(from, to int, seen map[int]bool) bool
	reach = func(from, to int, seen map[int]bool) bool {
		for _, d := range []string{c.Queues[from].MaxLength.To, c.Queues[from].NoAgents.To} {
			j, ok := next(from, d)
			if !ok || seen[j] {
				continue
			}
			if seen[j] = true; j == to || reach(j, to, seen) {
				return true
			}
		}
		return false
	}
	for i := range c.Queues {
		if reach(i, i, map[int]bool{}) {
			v.fault(fmt.Sprintf("queues[%d]", i), "max_length and no_agents lead back to this queue: a caller would go round for ever")
		}
	}
}
