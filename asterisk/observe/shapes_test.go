package observe_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"markaz/asterisk/testbed"
	"markaz/call"
)

// shape is one way a call can go: what phones do, and what its records must say.
type shape struct {
	name string
	play func(*stage) []truth
	only string // the version of Asterisk that can do it; "" for all
}

// truth is what the phones know of one call.
type truth struct {
	direction call.Direction
	from, to  string
	result    call.Disposition
	reached   string
	people    map[string]call.Result // by address, of everybody who was rung
	talk      map[string]time.Duration
	queue     string // and why it was left: "4101 answered"
	menu      string // and the keys pressed: "ivr-2 1"
	recording bool
	by        call.Party
	merged    bool // into another
}

// stage is where a shape is played: a block of five extensions on a bed.
type stage struct {
	t     *testing.T
	ctx   context.Context
	bed   *testbed.Asterisk
	out   *provider
	first int
}

func (s *stage) ext(i int) string { return fmt.Sprint(s.first + i) }

// did is what a caller dials from outside for a way of the dialplan.
func (s *stage) did(way int) string { return fmt.Sprintf("021%d%d", way, s.first) }

// number is a caller's own number, unlike all others.
func (s *stage) number() string { return fmt.Sprintf("0935%d", s.first) }

func (s *stage) phone(i int, r testbed.Reaction) *testbed.Phone {
	s.t.Helper()
	p := testbed.NewPhone(s.t, s.bed, s.ext(i))
	p.OnCall(r)
	s.ok(p.Register(s.ctx))
	return p
}

func (s *stage) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// calls begins a call from outside.
func (s *stage) calls(way int) *testbed.Conversation {
	s.t.Helper()
	talk, err := testbed.NewCaller(s.t, s.bed).Dial(s.ctx, s.did(way), testbed.From("Caller", s.number()))
	s.ok(err)
	return talk
}

func (s *stage) dials(p *testbed.Phone, number string) *testbed.Conversation {
	s.t.Helper()
	talk, err := p.Dial(s.ctx, number)
	s.ok(err)
	return talk
}

// gets waits for a phone's next call and for its answer.
func (s *stage) gets(p *testbed.Phone) *testbed.Conversation {
	s.t.Helper()
	c := s.rings(p)
	s.ok(c.WaitAnswer(s.ctx))
	return c
}

func (s *stage) rings(p *testbed.Phone) *testbed.Conversation {
	s.t.Helper()
	c, err := p.NextCall(s.ctx)
	s.ok(err)
	return c
}

// talk lets two hear each other for a moment.
func (s *stage) talk(a, b *testbed.Conversation) {
	s.t.Helper()
	a.Speak()
	b.Speak()
	s.ok(a.WaitHears(s.ctx, b.Phone().Voice))
	s.ok(b.WaitHears(s.ctx, a.Phone().Voice))
	s.pause(300 * time.Millisecond) // talk has a length, and the records must agree with it
}

func (s *stage) ends(list ...*testbed.Conversation) {
	s.t.Helper()
	for _, c := range list {
		_, err := c.WaitEnd(s.ctx)
		s.ok(err)
	}
}

func (s *stage) hangsUp(c *testbed.Conversation) { s.t.Helper(); s.ok(c.Hangup(s.ctx)) }

// length is how long a phone was in its conversation.
func length(c *testbed.Conversation, end testbed.Ending) time.Duration {
	return end.At.Sub(c.AnsweredAt())
}

func (s *stage) lasted(c *testbed.Conversation) time.Duration {
	s.t.Helper()
	end, err := c.WaitEnd(s.ctx)
	s.ok(err)
	return length(c, end)
}

// parked waits until a caller's call is in a parking space and tells which.
func (s *stage) parked(channel string) string {
	s.t.Helper()
	for {
		out, err := s.bed.CLI(s.ctx, "parking show default")
		s.ok(err)
		space := ""
		for line := range strings.Lines(out) {
			f := strings.Fields(line)
			if len(f) == 3 && f[0] == "Space" {
				space = f[2]
			}
			if strings.Contains(line, "Channel") && strings.Contains(line, channel) {
				return strings.TrimSuffix(space, ":")
			}
		}
		select {
		case <-s.ctx.Done():
			s.t.Fatalf("nobody is parked: %s", out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func results(pairs ...any) map[string]call.Result {
	m := map[string]call.Result{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1].(call.Result)
	}
	return m
}

// pause passes time where its length is what is played: talk, a message, a
// voice that asks for a number.
func (s *stage) pause(d time.Duration) {
	s.t.Helper()
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
		s.t.Fatal(s.ctx.Err())
	}
}
