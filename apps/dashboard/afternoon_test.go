package dashboard

import (
	"fmt"
	"time"

	"markaz/access"
	"markaz/apps/dashboard/board"
	"markaz/call"
)

var names = []string{"Sara Ahmadi", "Reza Moradi", "Olga Ivanova", "Li Wei", "Maryam Rad", "Daniel Fox", "Neda Salimi", "Hamid Azari", "Tom Berg", "Zahra Nouri", "Ivan Petrov", "Chen Jie"}

func people() []access.Person {
	var out []access.Person
	for i, name := range names {
		p := access.Person{ID: fmt.Sprint("agent", i), Name: name, Extension: fmt.Sprint(101 + i), Queues: []string{[]string{"sales", "support", "billing"}[i%3]}}
		if i == 0 {
			p.ID = "sara"
		}
		out = append(out, p)
	}
	return out
}

func office() board.Config {
	c := board.Config{Queues: []board.QueueTarget{{Name: "sales"}, {Name: "support"}, {Name: "billing"}}}
	for _, p := range people() {
		c.People = append(c.People, board.Person{Agent: p.ID, Name: p.Name, Number: p.Extension, Queues: p.Queues})
	}
	c.People = append(c.People, board.Person{Name: "Mina Karimi", Number: "100"}, board.Person{Name: "Reception", Number: "120"})
	return c
}

// ring begins a call of a queue, ago; answer lets an agent take it, end ends it.
func (s *stage) ring(id, from, name, queue string, ago time.Duration) {
	s.log.tell(ago, call.Event{Kind: call.CallStarted, Call: id, Leg: id + "c", Direction: call.Inbound, From: from, FromName: name, To: "02112345678", Trunk: "trunk-1", DID: "02112345678"},
		call.Event{Kind: call.LegAnswered, Call: id, Leg: id + "c"}, call.Event{Kind: call.IVREntered, Call: id, Leg: id + "c", Menu: "main"})
	s.log.tell(ago-4*time.Second, call.Event{Kind: call.IVRInput, Call: id, Leg: id + "c", Menu: "main", Digits: "1", Reason: "ok"}, call.Event{Kind: call.IVRLeft, Call: id, Leg: id + "c", Menu: "main"},
		call.Event{Kind: call.QueueJoined, Call: id, Leg: id + "c", Queue: queue, Position: 1})
}

func (s *stage) offer(id, queue, agent, ext string, ago time.Duration) {
	s.log.tell(ago, call.Event{Kind: call.LegRinging, Call: id, Leg: id + "a" + ext, Role: call.RoleAgent, Address: ext, Agent: agent, Queue: queue})
}

func (s *stage) answer(id, queue, agent, ext string, ago time.Duration) {
	s.offer(id, queue, agent, ext, ago+5*time.Second)
	s.log.tell(ago, call.Event{Kind: call.LegAnswered, Call: id, Leg: id + "a" + ext},
		call.Event{Kind: call.QueueLeft, Call: id, Leg: id + "c", Queue: queue, Reason: "answered", WaitMS: 9000},
		call.Event{Kind: call.CallAnswered, Call: id, Leg: id + "a" + ext, Address: ext, Agent: agent},
		call.Event{Kind: call.LegJoined, Call: id, Leg: id + "a" + ext},
		call.Event{Kind: call.RecordingStarted, Call: id, Recording: "r" + id})
}

func (s *stage) end(id, ext string, ago time.Duration) {
	s.log.tell(ago, call.Event{Kind: call.RecordingStopped, Call: id, Recording: "r" + id},
		call.Event{Kind: call.LegEnded, Call: id, Leg: id + "a" + ext, Result: call.Answered, By: call.ByCaller, Cause: 16},
		call.Event{Kind: call.LegEnded, Call: id, Leg: id + "c", By: call.ByCaller, Cause: 16},
		call.Event{Kind: call.CallEnded, Call: id, Disposition: call.CallAnsweredD, By: call.ByCaller, Cause: 16},
		call.Event{Kind: call.CallAmended, Call: id, Revision: 1, Recording: "r" + id, File: "2026/03/21/x.wav", DurationMS: 8000, State: "done"})
}

// afternoon fills the office.
func (s *stage) afternoon() {
	state := func(agent, ext, state, reason string, ago time.Duration) {
		s.log.tell(ago, call.Event{Kind: call.AgentChanged, Agent: agent, Address: ext, State: state, Reason: reason})
	}
	for i, p := range people() {
		state(p.ID, p.Extension, "available", "", 3*time.Hour-time.Duration(i)*time.Minute)
	}
	callers := []struct{ from, name string }{{"09121110001", "Ali Rezaei"}, {"09353334455", "Parisa"}, {"+79161234567", "Сергей"}, {"02188776655", ""}, {"09127654321", "شرکت آریا"}, {"+8613800000004", "王伟"}, {"09199998877", "<script>alert(1)</script>"}}
	queues := []string{"sales", "support", "billing"}
	for i := range 14 {
		c, q := callers[i%len(callers)], i%3
		id, ago := fmt.Sprintf("old%02d", i), time.Duration(60-4*i)*time.Minute
		s.ring(id, c.from, c.name, queues[q], ago)
		if i%5 == 4 {
			s.log.tell(ago-40*time.Second, call.Event{Kind: call.QueueAbandoned, Call: id, Leg: id + "c", Queue: queues[q], WaitMS: 36000},
				call.Event{Kind: call.LegEnded, Call: id, Leg: id + "c", By: call.ByCaller, Cause: 16}, call.Event{Kind: call.CallEnded, Call: id, Disposition: call.AbandonedQueue, By: call.ByCaller})
			continue
		}
		p := people()[q+3*(i%4)]
		s.answer(id, queues[q], p.ID, p.Extension, ago-13*time.Second)
		s.end(id, p.Extension, ago-3*time.Minute)
	}
	for i, at := range []time.Duration{190, 75, 412, 33} {
		p := people()[i]
		id := fmt.Sprint("talk", i)
		s.ring(id, callers[i].from, callers[i].name, p.Queues[0], (at+15)*time.Second)
		s.answer(id, p.Queues[0], p.ID, p.Extension, at*time.Second)
	}
	s.log.tell(5*time.Second, call.Event{Kind: call.CallHeld, Call: "talk3", Leg: "talk3a104"})
	s.log.tell(20*time.Second, call.Event{Kind: call.MonitorStarted, Call: "talk2", Ref: "m", Leg: "talk2a103", Agent: "boss", Address: "100", Mode: "spy"})
	s.ring("ring1", "09120001122", "Kaveh", "support", 20*time.Second)
	s.offer("ring1", "support", "agent4", "105", 6*time.Second)
	s.ring("wait1", "09131112233", "", "billing", 95*time.Second)
	s.ring("wait2", "+905321112233", "Emre", "billing", 41*time.Second)
	s.ring("wait3", callers[6].from, callers[6].name, "sales", 12*time.Second)
	s.log.tell(50*time.Second, call.Event{Kind: call.CallStarted, Call: "out1", Leg: "out1c", Direction: call.Outbound, From: "108", To: "09125556677", Trunk: "trunk-1"},
		call.Event{Kind: call.LegRinging, Call: "out1", Leg: "out1x", Role: call.RoleExternal, Address: "09125556677"})
	s.log.tell(70*time.Second, call.Event{Kind: call.CallStarted, Call: "leg1", Leg: "l", Source: "branch", Direction: call.Inbound, From: "09124443322", Trunk: "line 2", Caps: []call.Cap{call.CapRing}},
		call.Event{Kind: call.LegRinging, Call: "leg1", Leg: "la", Source: "branch", Role: call.RoleAgent, Address: "210"})
	state("agent6", "107", "paused", "lunch", 14*time.Minute)
	state("agent8", "109", "wrapup", "", 8*time.Second)
	state("agent9", "110", "offline", "", time.Hour)
	s.log.tell(10*time.Minute, call.Event{Kind: call.ExtensionChanged, Address: "112", State: "unreachable"},
		call.Event{Kind: call.TrunkAlarm, Trunk: "trunk-2", State: "major", Reason: "403 No money left"})
}
