package testbed

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"markaz/call"
)

// Office is a made-up office on one exchange.
type Office struct {
	Trunks     int
	Extensions int // from 201
	Pattern    byte
	Rings      bool // received calls are printed
	Answers    bool // answered calls are printed
	PerMinute  float64
	Start      time.Time // of the first call; its location is that of the exchange's clock
	Chance     *rand.Rand
}

// DISA is the extension of the office's DISA line, Group that of its ring
// group.
const (
	DISA  = "9204"
	Group = "601"
)

// Leg is one party's part in a call, as it truly was.
type Leg struct {
	Ext      string
	Role     call.Role
	Talk     time.Duration
	Answered bool
}

// Truth is a call as it truly was.
type Truth struct {
	Direction   call.Direction
	Number      string // of the other party
	Ext         string // outgoing and internal: who called
	Trunk       int    // 0 for an internal call
	Start, End  time.Time
	Disposition call.Disposition
	Legs        []Leg // without the caller
}

// Talk is how long persons talked, all together.
func (t Truth) Talk() time.Duration {
	var d time.Duration
	for _, l := range t.Legs {
		if l.Role.Person() && l.Answered {
			d += l.Talk
		}
	}
	return d
}

// Line is what the exchange prints, and when.
type Line struct {
	At   time.Time
	Text string
}

// day is a day being made up.
type day struct {
	*Office
	free  []time.Time // by trunk: when it is free again
	calls []Truth
	lines []Line
	last  map[int]string // by trunk: the last caller
}

// Calls makes up n calls and what the exchange prints of them, in order.
func (o *Office) Calls(n int) ([]Truth, []Line) {
	d := &day{Office: o, free: make([]time.Time, o.Trunks+1), last: map[int]string{}}
	at := o.Start
	for len(d.calls) < n {
		at = at.Add(time.Duration(o.Chance.ExpFloat64() * float64(time.Minute) / o.PerMinute))
		d.call(at)
	}
	slices.SortStableFunc(d.lines, func(a, b Line) int { return a.At.Compare(b.At) })
	return d.calls, d.lines
}

// call makes up one call, of a shape that occurs as often as it does in an
// office with a DISA line.
func (d *day) call(at time.Time) {
	trunk := d.trunk(at)
	if trunk == 0 {
		return // all lines are busy
	}
	switch p := d.Chance.IntN(100); {
	case p < 40:
		d.byDISA(at, trunk)
	case p < 55:
		d.direct(at, trunk)
	case p < 62:
		d.unanswered(at, trunk)
	case p < 90:
		d.outgoing(at, trunk)
	case p < 92:
		d.twins(at, trunk)
	default:
		d.internal(at)
	}
}

func (d *day) trunk(at time.Time) int {
	first := 1 + d.Chance.IntN(d.Trunks)
	for i := range d.Trunks {
		if t := 1 + (first+i-1)%d.Trunks; d.free[t].Before(at) {
			return t
		}
	}
	return 0
}

// busy notes until when a trunk is in use.
func (d *day) busy(trunk int, until time.Time) {
	d.free[trunk] = until.Add(time.Duration(1+d.Chance.IntN(20)) * time.Second)
}

func (d *day) seconds(least, most int) time.Duration {
	return time.Duration(least+d.Chance.IntN(most-least+1)) * time.Second
}

func (d *day) ext() string { return fmt.Sprint(201 + d.Chance.IntN(d.Extensions)) }

// caller is a number that did not call on this trunk just now.
func (d *day) caller(trunk int) string {
	for {
		n := fmt.Sprintf("0912%07d", 1_000_000+d.Chance.IntN(3000))
		if d.last[trunk] != n {
			d.last[trunk] = n
			return n
		}
	}
}

// byDISA: AN D0, then perhaps persons: TR TR TR. Half the callers reach nobody.
func (d *day) byDISA(at time.Time, trunk int) {
	number := d.caller(trunk)
	ring, listen := d.seconds(1, 3), d.seconds(5, 40)
	t := Truth{Direction: call.Inbound, Number: number, Trunk: trunk, Start: at, Disposition: call.Missed}
	t.Legs = append(t.Legs, Leg{Ext: DISA, Role: call.RoleIVR, Talk: listen, Answered: true})
	now := at.Add(ring)
	if d.Answers {
		d.print(now, record{ext: DISA, trunk: trunk, dial: "<I>" + number, ring: ring, code: "AN"})
	}
	now = now.Add(listen)
	d.print(now, record{ext: DISA, trunk: trunk, dial: "<I>" + number, ring: ring, talk: listen, talked: true, code: "D0"})
	for range []int{0, 0, 0, 0, 0, 1, 1, 1, 2, 3}[d.Chance.IntN(10)] {
		ext := d.ext()
		if n := len(t.Legs); ext == t.Legs[n-1].Ext {
			continue
		}
		ring, talk := d.seconds(2, 25), d.seconds(5, 900)
		now = now.Add(ring + talk)
		d.print(now, record{ext: ext, trunk: trunk, dial: "<I>" + number, ring: ring, talk: talk, talked: true, code: "TR"})
		t.Legs = append(t.Legs, Leg{Ext: ext, Role: call.RoleAgent, Talk: talk, Answered: true})
		t.Disposition = call.CallAnsweredD
	}
	t.End = now
	d.done(t)
}

// direct: RC at a group or a phone, AN, and the end; perhaps passed on once.
func (d *day) direct(at time.Time, trunk int) {
	number, ext := d.caller(trunk), d.ext()
	ring, talk := d.seconds(2, 40), d.seconds(5, 900)
	t := Truth{Direction: call.Inbound, Number: number, Trunk: trunk, Start: at, Disposition: call.CallAnsweredD}
	if d.Rings {
		first := ext
		if d.Chance.IntN(2) == 0 {
			first = Group
			t.Legs = append(t.Legs, Leg{Ext: Group, Role: call.RoleGroup})
		}
		d.print(at, record{ext: first, trunk: trunk, dial: "<I>" + number, code: "RC"})
	}
	t.Legs = append(t.Legs, Leg{Ext: ext, Role: call.RoleAgent, Talk: talk, Answered: true})
	now := at.Add(ring)
	if d.Answers {
		d.print(now, record{ext: ext, trunk: trunk, dial: "<I>" + number, ring: ring, code: "AN"})
	}
	now = now.Add(talk)
	d.print(now, record{ext: ext, trunk: trunk, dial: "<I>" + number, ring: ring, talk: talk, talked: true})
	if other := d.ext(); other != ext && d.Chance.IntN(4) == 0 {
		ring, talk := d.seconds(2, 20), d.seconds(5, 600)
		now = now.Add(ring + talk)
		d.print(now, record{ext: other, trunk: trunk, dial: "<I>" + number, ring: ring, talk: talk, talked: true, code: "TR"})
		t.Legs = append(t.Legs, Leg{Ext: other, Role: call.RoleAgent, Talk: talk, Answered: true})
	}
	t.End = now
	d.done(t)
}

// unanswered: NA where answers are printed, else zero duration.
func (d *day) unanswered(at time.Time, trunk int) {
	number, ext := d.caller(trunk), d.ext()
	ring := d.seconds(3, 59)
	if d.Rings {
		d.print(at, record{ext: ext, trunk: trunk, dial: "<I>" + number, code: "RC"})
	}
	r := record{ext: ext, trunk: trunk, dial: "<I>" + number, ring: ring, talked: true}
	if d.Answers {
		r.code, r.talked = "NA", false
	}
	d.print(at.Add(ring), r)
	d.done(Truth{
		Direction: call.Inbound, Number: number, Trunk: trunk, Start: at, End: at.Add(ring), Disposition: call.Missed,
		Legs: []Leg{{Ext: ext, Role: call.RoleAgent}},
	})
}

// outgoing, with the release code 9.
func (d *day) outgoing(at time.Time, trunk int) {
	d.dial(at, trunk, d.ext(), fmt.Sprintf("0935%07d", 1_000_000+d.Chance.IntN(9_000_000)), []time.Duration{0, d.seconds(1, 900)}[min(1, d.Chance.IntN(6))])
}

func (d *day) dial(at time.Time, trunk int, ext, number string, talk time.Duration) {
	t := Truth{
		Direction: call.Outbound, Number: number, Ext: ext, Trunk: trunk, Start: at, End: at.Add(talk), Disposition: call.CallAnsweredD,
		Legs: []Leg{{Ext: number, Role: call.RoleExternal, Talk: talk, Answered: talk > 0}},
	}
	if talk == 0 {
		t.Disposition = call.CallCancelled
	}
	d.print(t.End, record{ext: ext, trunk: trunk, dial: "9" + number, talk: talk, talked: true})
	d.done(t)
}

// twins are two calls of a minute whose records are equal to the letter.
func (d *day) twins(at time.Time, trunk int) {
	at = at.Truncate(time.Minute).Add(time.Minute + 2*time.Second)
	if !d.free[trunk].Before(at) {
		return
	}
	ext, number, talk := d.ext(), fmt.Sprintf("0935%07d", 1_000_000+d.Chance.IntN(9_000_000)), d.seconds(1, 15)
	d.dial(at, trunk, ext, number, talk)
	d.dial(at.Add(25*time.Second), trunk, ext, number, talk)
}

func (d *day) internal(at time.Time) {
	ext, other, talk := d.ext(), d.ext(), d.seconds(3, 300)
	if ext == other {
		return
	}
	d.print(at.Add(talk), record{ext: ext, dial: "EXT" + other, talk: talk, talked: true})
	d.calls = append(d.calls, Truth{
		Direction: call.Internal, Number: other, Ext: ext, Start: at, End: at.Add(talk), Disposition: call.CallAnsweredD,
		Legs: []Leg{{Ext: other, Role: call.RoleAgent, Talk: talk, Answered: true}},
	})
}

func (d *day) done(t Truth) {
	d.busy(t.Trunk, t.End)
	d.calls = append(d.calls, t)
}

func (d *day) print(at time.Time, r record) {
	d.lines = append(d.lines, Line{At: at, Text: r.text(at, d.Pattern)})
}
