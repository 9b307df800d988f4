package history

import (
	"strings"
	"time"

	"markaz/call"
	"markaz/call/cause"
	"markaz/lang"
)

// Key is a value in a sentence that is itself a key of the catalogue.
type Key string

// Sentence is a sentence of the catalogue: its key and the pairs of
// placeholder name and value to fill in.
type Sentence struct {
	Key  string `json:"key"`
	Args []any  `json:"-"`
	Text string `json:"text,omitempty"` // in the language that was asked for
}

// In gives the sentence in a language.
func (s Sentence) In(w lang.Words) string {
	args := make([]any, len(s.Args))
	for i, a := range s.Args {
		if k, ok := a.(Key); ok {
			a = w.T(string(k))
		}
		if inner, ok := a.(Sentence); ok {
			a = inner.In(w)
		}
		args[i] = a
	}
	return w.T(s.Key, args...)
}

// In fills the texts of an explanation in.
func (x Explanation) In(w lang.Words) Explanation {
	why := make([]Sentence, len(x.Why))
	for i, s := range x.Why {
		s.Text = s.In(w)
		why[i] = s
	}
	x.Why = why
	return x
}

// Meaning says what codes mean, who has to act, and how, in one sentence.
func Meaning(t *cause.Table, sip, q850 int, phrase string) Sentence {
	m := t.Of(sip, q850, phrase)
	s := Sentence{Key: m.Key, Args: []any{"code", m.Code}}
	if m.Advice == "" {
		return s
	}
	return Sentence{Key: "cause.line", Args: []any{"meaning", s, "actor", Key(m.ActorKey()), "advice", Key(m.Advice)}}
}

// story is what is told of a call beyond its record.
type story struct {
	call      *call.Call
	why       []Sentence
	stated    call.Event // the end
	amended   int
	corrected call.Event // the last correction
	parts     []string   // calls that were merged into this one
}

func (s *story) hear(e call.Event) {
	switch {
	case e.Kind == call.CallMerged && e.Call != s.call.ID:
		s.parts = append(s.parts, e.Call)
	case e.Call != s.call.ID:
	case e.Kind == call.CallEnded && s.stated.Kind == "":
		s.stated = e
	case e.Kind == call.CallAmended:
		s.amended++
		s.corrected = e
	}
}

func (s *story) say(key string, args ...any) {
	s.why = append(s.why, Sentence{Key: "history.why." + key, Args: args})
}

// tell gives the sentences in the order in which one would ask.
func (s *story) tell() []Sentence {
	c := s.call
	if c.Direction == "" {
		s.say("middle")
		return s.why
	}
	s.say("direction."+string(c.Direction), "from", orUnknown(c.From), "to", orUnknown(c.To), "line", orUnknown(line(c)))
	if c.Over() {
		s.result()
	} else {
		s.say("live", "state", Key("state."+string(c.State)))
	}
	s.stays()
	for i := range c.Legs {
		s.leg(&c.Legs[i])
	}
	if c.Over() {
		s.end()
	}
	s.corrections()
	return s.why
}

func orUnknown(v string) any {
	if v == "" {
		return Key("history.unknown")
	}
	return v
}

// who names a leg as people would.
func who(l *call.Leg) any {
	switch {
	case l.Agent != "" && l.Address != "":
		return l.Agent + " (" + l.Address + ")"
	case l.Agent != "":
		return l.Agent
	case l.Address != "":
		return l.Address
	}
	return Key("role." + string(l.Role))
}

func secs(ms int64) int64 { return (ms + 500) / 1000 }

// result says what became of the call, and on what ground.
func (s *story) result() {
	c := s.call
	var rang []*call.Leg
	for i := range c.Legs {
		if c.Legs[i].Role.Person() {
			rang = append(rang, &c.Legs[i])
		}
	}
	switch d := c.Disposition; d {
	case call.CallAnsweredD:
		s.answered()
	case call.AbandonedQueue:
		q := c.Queues[max(0, len(c.Queues)-1):]
		if len(q) == 0 {
			s.say("result.other", "result", Key("disposition."+string(d)))
			break
		}
		s.say("result.abandoned_queue", "queue", q[0].Queue, "n", secs(q[0].WaitMS))
	case call.Missed:
		if len(rang) == 0 {
			s.say("result.missed_nobody")
			break
		}
		s.say("result.missed", "n", len(rang))
	case call.AbandonedRinging, call.AbandonedIVR, call.AfterHours, call.Voicemail, call.CallbackScheduled, call.CallLost:
		s.say("result." + string(d))
	default:
		if len(rang) == 0 {
			s.say("result.other", "result", Key("disposition."+string(d)))
			break
		}
		s.say("result.called", "result", Key("disposition."+string(d)), "who", who(rang[len(rang)-1]))
	}
	if s.stated.Kind != "" && s.stated.Data[call.Decided] == "" && s.stated.Disposition != "" {
		s.say("stated", "source", s.stated.Source)
	}
}

func (s *story) answered() {
	c := s.call
	var first any = orUnknown(strings.TrimSpace(c.Agent + " " + c.Reached))
	for i := range c.Legs {
		if l := &c.Legs[i]; l.Role.Person() && l.Address == c.Reached && l.Agent == c.Agent {
			first = who(l)
		}
	}
	after := int64(0)
	if c.Answered != nil {
		after = c.Answered.Sub(c.Started).Milliseconds()
	}
	s.say("result.answered", "who", first, "n", secs(after))
	if c.Reached != "" && c.To != "" && c.Reached != c.To {
		s.say("reached", "to", c.To, "reached", c.Reached)
	}
}

func (s *story) stays() {
	for _, m := range s.call.Menus {
		if len(m.Input) == 0 {
			s.say("menu_silent", "menu", m.Menu)
			continue
		}
		s.say("menu", "menu", m.Menu, "keys", strings.Join(m.Input, " "))
	}
	for _, q := range s.call.Queues {
		switch q.Left {
		case "":
			s.say("queue_waits", "queue", q.Queue)
		case "answered", "abandoned", "exit", "overflow", "timeout":
			s.say("queue", "queue", q.Queue, "n", secs(q.WaitMS), "left", Key("history.left."+q.Left))
		default:
			s.say("queue", "queue", q.Queue, "n", secs(q.WaitMS), "left", q.Left)
		}
	}
}

func (s *story) leg(l *call.Leg) {
	switch {
	case l.Role == call.RoleCaller || l.Role == call.RoleSupervisor:
	case !l.Role.Person():
		if l.Answered != nil || l.Result == call.Answered {
			s.say("no_person", "who", who(l), "role", Key("role."+string(l.Role)))
		}
	case l.Ended == nil:
		s.say("leg_lives", "who", who(l))
	case l.Answered != nil || l.TalkMS > 0:
		s.say("leg_talked", "who", who(l), "ring", secs(l.RingMS), "n", secs(l.TalkMS))
	case l.Result == call.Failed:
		s.say("leg_refused", "who", who(l), "result", Key("result."+string(l.Result)), "meaning", Meaning(cause.New(), l.SIP, l.Cause, l.Phrase))
	default:
		s.say("leg_rang", "who", who(l), "n", secs(l.RingMS), "result", Key("result."+string(l.Result)))
	}
}

// end says who ended the call, and what the codes mean.
func (s *story) end() {
	c := s.call
	if c.By != "" {
		s.say("ended", "party", Key("party."+string(c.By)))
	}
	if c.SIP == 0 && c.Cause == 0 && c.Phrase == "" {
		return
	}
	s.say("code", "meaning", Meaning(cause.New(), c.SIP, c.Cause, c.Phrase), "codes", codes(c))
}

// codes writes the codes as an expert wants them.
func codes(c *call.Call) string {
	var out []string
	if c.SIP != 0 {
		out = append(out, strings.TrimSpace("SIP "+number(int64(c.SIP))+" "+c.Phrase))
	}
	if c.Cause != 0 {
		out = append(out, "Q.850 "+number(int64(c.Cause)))
	}
	return strings.Join(out, ", ")
}

func (s *story) corrections() {
	c := s.call
	if c.Observed {
		s.say("observed")
	}
	if !c.Live {
		s.say("late", "source", c.Source)
	}
	if len(s.parts) > 0 {
		s.say("merged", "calls", strings.Join(s.parts, ", "))
	}
	if s.amended > 0 {
		s.say("amended", "n", s.amended, "time", s.corrected.At.UTC().Format(time.RFC3339), "source", orUnknown(s.corrected.Source))
	}
}
