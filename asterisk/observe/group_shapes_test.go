package observe_test

import (
	"time"

	"markaz/asterisk/testbed"
	"markaz/call"
)

func groupShapes() []shape {
	return []shape{
		{name: "ring group by Local channels", play: func(s *stage) []truth { return s.ringGroup(2) }},
		{name: "ring group of phones", play: func(s *stage) []truth { return s.ringGroup(3) }},
		{name: "ring group that nobody answers", play: func(s *stage) []truth {
			people := map[string]call.Result{}
			for i := range 5 {
				s.phone(i, testbed.Ignore)
				people[s.ext(i)] = call.NoAnswer
			}
			s.ends(s.calls(2))
			return []truth{{direction: call.Inbound, from: s.number(), to: s.did(2), result: call.Missed, people: people}}
		}},
		{name: "queue", play: func(s *stage) []truth { return s.queueOfFive(4) }},
		{name: "queue of Local channels", play: func(s *stage) []truth { return s.queueOfFive(0) }},
		{name: "queue given up", play: func(s *stage) []truth {
			agent := s.phone(0, testbed.Ignore)
			caller := s.calls(4)
			s.rings(agent)
			s.pause(300 * time.Millisecond)
			s.hangsUp(caller)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(4), result: call.AbandonedQueue,
				people: results(s.ext(0), call.Cancelled), queue: "4" + s.ext(0) + " abandoned", by: call.ByCaller,
			}}
		}},
		{name: "queue without anybody", play: func(s *stage) []truth {
			caller := s.calls(4)
			s.ends(caller)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(4), result: call.Missed, queue: "4" + s.ext(0) + " timeout",
			}}
		}},
		{name: "follow-me", play: func(s *stage) []truth {
			number := "0912" + s.ext(0)
			s.out.on(number, testbed.Answer)
			s.phone(0, testbed.Ignore)
			caller := s.calls(6)
			s.ok(caller.WaitAnswer(s.ctx))
			s.talk(caller, s.out.taken(s, number))
			s.hangsUp(caller)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(6), result: call.CallAnsweredD, reached: number,
				people: results(s.ext(0), call.NoAnswer, number, call.Answered), by: call.ByCaller,
			}}
		}},
		{name: "voicemail", only: "22", play: func(s *stage) []truth {
			s.phone(0, testbed.Ignore)
			caller := s.calls(7)
			s.ok(caller.WaitAnswer(s.ctx))
			caller.Speak()
			s.pause(3 * time.Second) // the beep, and a message that is long enough to be kept
			s.hangsUp(caller)
			return []truth{{
				direction: call.Inbound, from: s.number(), to: s.did(7), result: call.Voicemail,
				people: results(s.ext(0), call.NoAnswer), by: call.ByCaller,
			}}
		}},
	}
}

// ringGroup rings five phones, of which the third answers.
func (s *stage) ringGroup(way int) []truth {
	people := map[string]call.Result{}
	var agent *testbed.Phone
	for i := range 5 {
		people[s.ext(i)] = call.AnsweredElsewhere
		if i == 2 {
			agent = s.phone(i, testbed.AnswerAfter(500*time.Millisecond))
			people[s.ext(i)] = call.Answered
			continue
		}
		s.phone(i, testbed.Ignore)
	}
	caller := s.calls(way)
	taken := s.gets(agent)
	s.talk(caller, taken)
	s.hangsUp(caller)
	return []truth{{
		direction: call.Inbound, from: s.number(), to: s.did(way), result: call.CallAnsweredD, reached: s.ext(2), people: people,
		talk: map[string]time.Duration{s.ext(2): s.lasted(taken)}, by: call.ByCaller,
	}}
}

// queueOfFive is a queue that rings five phones at once, of which one answers.
func (s *stage) queueOfFive(way int) []truth {
	people := map[string]call.Result{}
	var agent *testbed.Phone
	for i := range 5 {
		people[s.ext(i)] = call.AnsweredElsewhere
		if i == 3 {
			agent = s.phone(i, testbed.AnswerAfter(500*time.Millisecond))
			people[s.ext(i)] = call.Answered
			continue
		}
		s.phone(i, testbed.Ignore)
	}
	caller := s.calls(way)
	taken := s.gets(agent)
	s.talk(caller, taken)
	s.hangsUp(taken)
	queue := map[int]string{4: "4", 0: "3"}[way] + s.ext(0)
	return []truth{{
		direction: call.Inbound, from: s.number(), to: s.did(way), result: call.CallAnsweredD, reached: s.ext(3),
		people: people, queue: queue + " answered", by: call.ByAgent,
		talk: map[string]time.Duration{s.ext(3): s.lasted(taken)},
	}}
}
