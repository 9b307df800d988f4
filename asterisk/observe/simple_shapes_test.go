package observe_test

import (
	"strings"
	"time"

	"markaz/asterisk/testbed"
	"markaz/call"
)

func simpleShapes() []shape {
	return []shape{
		{name: "inbound answered", play: func(s *stage) []truth {
			agent := s.phone(0, testbed.Answer)
			caller := s.calls(1)
			taken := s.gets(agent)
			s.talk(caller, taken)
			s.hangsUp(caller)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(1), result: call.CallAnsweredD, reached: s.ext(0),
				people: results(s.ext(0), call.Answered), by: call.ByCaller,
				talk: map[string]time.Duration{s.ext(0): s.lasted(taken)},
			}}
		}},
		{name: "inbound busy", play: func(s *stage) []truth {
			s.phone(0, testbed.RejectBusy)
			s.ends(s.calls(1))
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(1), result: call.Missed,
				people: results(s.ext(0), call.Busy),
			}}
		}},
		{name: "inbound given up", play: func(s *stage) []truth {
			agent := s.phone(0, testbed.Ignore)
			caller := s.calls(1)
			s.rings(agent)
			s.hangsUp(caller)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(1), result: call.AbandonedRinging,
				people: results(s.ext(0), call.Cancelled), by: call.ByCaller,
			}}
		}},
		{name: "internal", play: func(s *stage) []truth {
			agent, other := s.phone(0, testbed.Answer), s.phone(1, testbed.Answer)
			first := s.dials(agent, s.ext(1))
			taken := s.gets(other)
			s.talk(first, taken)
			s.hangsUp(taken)
			return []truth{{
				direction: call.Internal, from: s.ext(0), to: s.ext(1), result: call.CallAnsweredD, reached: s.ext(1),
				people: results(s.ext(1), call.Answered), by: call.ByAgent,
			}}
		}},
		{name: "outbound", play: func(s *stage) []truth {
			number := "0911" + s.ext(0)
			s.out.on(number, testbed.Answer)
			first := s.dials(s.phone(0, testbed.Answer), number)
			s.ok(first.WaitAnswer(s.ctx))
			s.talk(first, s.out.taken(s, number))
			s.hangsUp(first)
			return []truth{{
				direction: call.Outbound, from: s.ext(0), to: number, result: call.CallAnsweredD, reached: number,
				people: results(number, call.Answered), by: call.ByCaller,
				talk: map[string]time.Duration{number: s.lasted(first)},
			}}
		}},
		{name: "outbound busy", play: func(s *stage) []truth {
			number := "0911" + s.ext(0)
			s.out.on(number, testbed.RejectBusy)
			s.ends(s.dials(s.phone(0, testbed.Answer), number))
			return []truth{{
				direction: call.Outbound, from: s.ext(0), to: number, result: call.CallBusy,
				people: results(number, call.Busy),
			}}
		}},
		{name: "menu given up", play: func(s *stage) []truth {
			caller := s.calls(5)
			s.ok(caller.WaitAnswer(s.ctx))
			s.ok(caller.WaitSilence(s.ctx, 300*time.Millisecond))
			s.hangsUp(caller)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(5), result: call.AbandonedIVR, menu: "ivr-1", by: call.ByCaller,
			}}
		}},
		{name: "menu to an extension", play: func(s *stage) []truth {
			agent := s.phone(0, testbed.Answer)
			caller := s.calls(8)
			s.ok(caller.WaitAnswer(s.ctx))
			s.ok(caller.SendDTMF(s.ctx, "1"))
			taken := s.gets(agent)
			s.talk(caller, taken)
			s.hangsUp(caller)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(8), result: call.CallAnsweredD, reached: s.ext(0), menu: "ivr-2 1",
				people: results(s.ext(0), call.Answered), by: call.ByCaller,
				talk: map[string]time.Duration{s.ext(0): s.lasted(taken)},
			}}
		}},
		{name: "hold", play: func(s *stage) []truth {
			agent := s.phone(0, testbed.Answer)
			caller := s.calls(1)
			taken := s.gets(agent)
			s.talk(caller, taken)
			s.ok(taken.Hold(s.ctx))
			s.pause(300 * time.Millisecond)
			s.ok(taken.Unhold(s.ctx))
			s.talk(caller, taken)
			s.hangsUp(taken)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(1), result: call.CallAnsweredD, reached: s.ext(0),
				people: results(s.ext(0), call.Answered), by: call.ByAgent,
			}}
		}},
		{name: "recorded", play: func(s *stage) []truth {
			agent := s.phone(0, testbed.Answer)
			caller := s.calls(9)
			taken := s.gets(agent)
			s.talk(caller, taken)
			s.hangsUp(caller)
			s.ends(taken)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(9), result: call.CallAnsweredD, reached: s.ext(0),
				people: results(s.ext(0), call.Answered), recording: true, by: call.ByCaller,
			}}
		}},
		{name: "two phones on one extension", play: func(s *stage) []truth {
			s.phone(0, testbed.Ignore)
			second := s.phone(0, testbed.Answer)
			caller := s.calls(1)
			taken := s.gets(second)
			s.talk(caller, taken)
			s.hangsUp(caller)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(1), result: call.CallAnsweredD, reached: s.ext(0),
				people: results(s.ext(0), call.Answered, s.ext(0)+" 2", call.AnsweredElsewhere), by: call.ByCaller,
			}}
		}},
		{name: "call made by a program", play: func(s *stage) []truth {
			number := "0911" + s.ext(0)
			s.out.on(number, testbed.Answer)
			agent := s.phone(0, testbed.Answer)
			out, err := s.bed.CLI(s.ctx, "channel originate PJSIP/"+s.ext(0)+" extension "+number+"@from-internal")
			s.ok(err)
			if strings.Contains(out, "rror") {
				s.t.Fatal(out)
			}
			first := s.gets(agent)
			s.talk(first, s.out.taken(s, number))
			s.hangsUp(first)
			return []truth{{
				direction: call.Outbound, from: s.ext(0), to: number, result: call.CallAnsweredD, reached: number,
				people: results(number, call.Answered), by: call.ByCaller,
			}}
		}},
	}
}
