package recorder

import (
	"hash/fnv"
	"path"
	"strings"

	"markaz/call"
)

// Policy says which calls are recorded: none of the numbers of Never, and
// otherwise as the first rule says that fits. Without a rule that fits nothing
// is recorded.
type Policy struct {
	Never []string `yaml:"never"` // numbers of either party, * and ? stand for any digits
	Rules []Rule   `yaml:"rules"`
}

// Rule fits a call if all that it names is so; a rule that names nothing fits
// every call.
type Rule struct {
	Queue     string         `yaml:"queue"`     // the last queue the caller waited in
	Direction call.Direction `yaml:"direction"` // inbound, outbound, internal
	Agent     string         `yaml:"agent"`     // who talks: id of an agent
	Extension string         `yaml:"extension"` // who talks, or who calls, on a phone of ours
	Number    string         `yaml:"number"`    // of the outside party, * and ? stand for any digits

	Percent *int `yaml:"percent"` // of the calls that fit; all if not said
	Skip    bool `yaml:"skip"`    // such calls are not recorded
}

// Plan is what a policy says of one call.
type Plan struct {
	Record bool
	Reason string // why, or why not, for the log
}

// Plan reports whether a call is recorded, and why or why not. It is asked
// when a person has answered.
func (p Policy) Plan(c call.Call) (bool, string) {
	plan := p.Decide(c)
	return plan.Record, plan.Reason
}

// Decide says all that the policy has to say of a call. The same call gets the
// same answer at any time and on any machine.
func (p Policy) Decide(c call.Call) Plan {
	for _, n := range []string{c.From, c.FromE164, c.To, c.ToE164, c.Reached} {
		if fits(n, p.Never...) {
			return Plan{Reason: "number never recorded"}
		}
	}
	for _, r := range p.Rules {
		switch {
		case !r.fits(c):
		case r.Skip:
			return Plan{Reason: "rule says no"}
		case !sampled(c.ID, r.Percent):
			return Plan{Reason: "not in the sample"}
		default:
			return Plan{Record: true, Reason: "rule"}
		}
	}
	return Plan{Reason: "no rule"}
}

func (r Rule) fits(c call.Call) bool {
	switch {
	case r.Queue != "" && r.Queue != lastQueue(c),
		r.Direction != "" && r.Direction != c.Direction,
		r.Agent != "" && r.Agent != c.Agent,
		r.Extension != "" && r.Extension != c.Reached && (c.Direction == call.Inbound || r.Extension != c.From),
		r.Number != "" && !outside(c, r.Number):
		return false
	}
	return true
}

func lastQueue(c call.Call) string {
	if n := len(c.Queues); n > 0 {
		return c.Queues[n-1].Queue
	}
	return ""
}

// outside reports whether the party outside the office has such a number; of
// an internal call, either.
func outside(c call.Call, pattern string) bool {
	caller := fits(c.From, pattern) || fits(c.FromE164, pattern)
	called := fits(c.To, pattern) || fits(c.ToE164, pattern)
	switch c.Direction {
	case call.Inbound:
		return caller
	case call.Outbound:
		return called
	}
	return caller || called
}

// fits compares a number with patterns, whatever signs stand between its
// digits.
func fits(number string, patterns ...string) bool {
	n := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, number)
	if n == "" {
		return false
	}
	for _, p := range patterns {
		if ok, err := path.Match(p, n); ok && err == nil {
			return true
		}
	}
	return false
}

func isPattern(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return digits != "" && strings.Trim(digits, "0123456789*?") == ""
}

// sampled takes the same part of all calls each time it is asked.
func sampled(id string, percent *int) bool {
	if percent == nil {
		return true
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(id)) // never fails, see hash.Hash
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd // finaliser of MurmurHash3: ids of one second differ in few places
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return (x^x>>33)%100 < uint64(*percent)
}
