package observe_test

import (
	"time"

	"markaz/asterisk/testbed"
	"markaz/call"
)

func transferShapes() []shape {
	return []shape{
		{name: "blind transfer by the phone", play: func(s *stage) []truth {
			return s.transferred(func(taken *testbed.Conversation, second *testbed.Phone) {
				s.ok(taken.Transfer(s.ctx, second.Name))
			})
		}},
		{name: "blind transfer by feature code", play: func(s *stage) []truth {
			return s.transferred(func(taken *testbed.Conversation, second *testbed.Phone) {
				s.ok(taken.SendDTMF(s.ctx, "#1"))
				s.pause(time.Second)                   // the voice that asks for the number
				_ = taken.SendDTMF(s.ctx, second.Name) // the last key may end the call before it is let go
			})
		}},
		{name: "attended transfer by feature code", play: func(s *stage) []truth {
			return s.transferred(func(taken *testbed.Conversation, second *testbed.Phone) {
				s.ok(taken.SendDTMF(s.ctx, "*2"))
				s.pause(time.Second) // the voice that asks for the number
				s.ok(taken.SendDTMF(s.ctx, second.Name))
				s.ok(taken.WaitHears(s.ctx, second.Voice))
				s.hangsUp(taken)
			})
		}},
		{name: "attended transfer by the phone", play: func(s *stage) []truth {
			agent, second := s.phone(0, testbed.Answer), s.phone(1, speak)
			caller := s.calls(1)
			taken := s.gets(agent)
			s.talk(caller, taken)
			s.ok(taken.Hold(s.ctx))
			asks := s.dials(agent, s.ext(1))
			other := s.gets(second)
			s.talk(asks, other)
			s.ok(taken.TransferTo(s.ctx, asks))
			s.ok(other.WaitHears(s.ctx, caller.Phone().Voice))
			s.talk(caller, other)
			s.hangsUp(caller)
			return []truth{
				{
					direction: call.Inbound, from: s.number(), to: s.did(1), result: call.CallAnsweredD, reached: s.ext(0), by: call.ByCaller,
					people: results(s.ext(0), call.Transferred, s.ext(1), call.Answered),
				},
				{direction: call.Internal, from: s.ext(0), to: s.ext(1), merged: true},
			}
		}},
		{name: "pickup", play: func(s *stage) []truth {
			rung, other := s.phone(0, testbed.Ignore), s.phone(1, testbed.Answer)
			caller := s.calls(1)
			s.rings(rung)
			taken := s.dials(other, "**"+s.ext(0))
			s.ok(taken.WaitAnswer(s.ctx))
			s.talk(caller, taken)
			s.hangsUp(caller)
			return []truth{
				{
					direction: call.Inbound, from: s.number(), to: s.did(1), result: call.CallAnsweredD, reached: s.ext(1), by: call.ByCaller,
					people: results(s.ext(0), call.AnsweredElsewhere, s.ext(1), call.Answered),
				},
				{direction: call.Internal, from: s.ext(1), to: "**" + s.ext(0), merged: true},
			}
		}},
		{name: "parking", play: func(s *stage) []truth {
			agent, second := s.phone(0, testbed.Answer), s.phone(1, testbed.Answer)
			caller := s.calls(1)
			taken := s.gets(agent)
			s.talk(caller, taken)
			s.ok(taken.Transfer(s.ctx, "700"))
			back := s.dials(second, s.parked(""))
			s.ok(back.WaitAnswer(s.ctx))
			s.talk(caller, back)
			s.hangsUp(caller)
			s.ends(back)
			return []truth{
				{
					direction: call.Inbound, from: s.number(), to: s.did(1), result: call.CallAnsweredD, reached: s.ext(0), by: call.ByCaller,
					people: results(s.ext(0), call.Transferred, s.ext(1), call.Answered),
				},
				{direction: call.Internal, from: s.ext(1), merged: true},
			}
		}},
	}
}

// speak answers and talks, so that who waits for this voice knows that he is
// connected.
func speak(c *testbed.Conversation) {
	_ = c.Answer()
	c.Speak()
}

// transferred connects a caller to one phone, which passes him on to another.
func (s *stage) transferred(pass func(*testbed.Conversation, *testbed.Phone)) []truth {
	agent, second := s.phone(0, testbed.Answer), s.phone(1, speak)
	caller := s.calls(1)
	taken := s.gets(agent)
	s.talk(caller, taken)
	pass(taken, second)
	other := s.gets(second)
	s.talk(caller, other)
	s.ends(taken)
	s.hangsUp(caller)
	s.ends(other)
	return []truth{{
		direction: call.Inbound, from: s.number(), to: s.did(1), result: call.CallAnsweredD, reached: s.ext(0), by: call.ByCaller,
		people: results(s.ext(0), call.Transferred, s.ext(1), call.Answered),
	}}
}
