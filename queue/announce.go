package queue

import (
	"time"

	"markaz/call"
)

// requestGap is how soon a caller can ask for his place again: a key that is
// hammered must not keep him from the music.
const requestGap = 5 * time.Second

// announce tells a caller where he stands if that is better than what he
// heard before. It never tells a worse position or a longer wait: if somebody
// more urgent came in before him, he hears nothing.
func (f *Floor) announce(o *Out, at time.Time, c *caller, onRequest bool) {
	cfg := c.queue.Announce
	position := c.position()
	say := Announce{Call: c.Call, Leg: c.Leg, Queue: c.Queue, OnRequest: onRequest}
	if (cfg.Position || onRequest) && (c.Told == 0 || position <= c.Told) {
		say.Position = position
	}
	if wait := c.estimate(at, position); cfg.Wait && !wait.longer(c.ToldWait) {
		say.Wait = wait
	}
	if !onRequest && !c.news(say) {
		return
	}
	o.decide(say)
	if say.Position == 0 && say.Wait == (Wait{}) {
		return
	}
	orElse(&say.Position, c.Told)
	c.Told = say.Position
	if say.Wait != (Wait{}) {
		c.ToldWait = say.Wait
	}
	e := c.event(call.QueueAnnounced)
	e.Position, e.WaitMS = say.Position, say.Wait.longest().Milliseconds()
	o.fact(e)
}

// greet tells a newcomer his place. It waits for the floor to open: before,
// nobody knows who else is in line.
func (f *Floor) greet(o *Out, at time.Time, c *caller) {
	if c.greet {
		c.greet = false
		f.announce(o, at, c, false)
	}
}

// news reports whether what could be said is worth saying.
func (c *caller) news(say Announce) bool {
	p := say.Position
	nearer := p != 0 && (c.Told == 0 || p <= c.Told-c.queue.Announce.MinImprovement || p == 1 && c.Told > 1)
	sooner := say.Wait != (Wait{}) && (c.ToldWait == (Wait{}) || say.Wait.Min < c.ToldWait.Min)
	return nearer || sooner
}

// request answers a caller who asks for his place.
func (f *Floor) request(o *Out, at time.Time, c *caller) {
	if !c.asked.IsZero() && at.Sub(c.asked) < requestGap {
		return
	}
	c.asked = at
	f.announce(o, at, c, true)
}
