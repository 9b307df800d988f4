package dashboard

import (
	"strconv"
	"time"

	"markaz/call"
)

func itoa(n int) string { return strconv.Itoa(n) }

// chart is the time line of a call: one lane for each party, with bars for
// ringing and talking, on one scale of time.
type chart struct {
	Width, Height int
	Lanes         []lane
	Marks         []mark // on the scale
}

type lane struct {
	Y     int
	Label string
	Bars  []bar
	Fail  bool
	Text  string // how it ended
	TextX int
}

type bar struct {
	X, W int
	Kind string // ring, talk, wait
	Tip  string
}

type mark struct {
	X    int
	Text string
}

const (
	chartWidth  = 760
	chartLabel  = 150 // room for names
	chartLane   = 30
	chartHead   = 22
	chartTail   = 120 // room for results
	chartMostIn = 40  // lanes
)

// chart draws what is known of the parties. A call that goes on ends now.
func (w *Web) chart(p *page, c *call.Call) chart {
	end := w.dep.Now()
	if c.Ended != nil {
		end = *c.Ended
	}
	total := max(end.Sub(c.Started), time.Second)
	x := func(t time.Time) int {
		part := float64(t.Sub(c.Started)) / float64(total)
		return chartLabel + int(min(1, max(0, part))*float64(chartWidth-chartLabel-chartTail))
	}
	span := func(from, to time.Time, kind, word string) bar {
		return bar{X: x(from), W: max(2, x(to)-x(from)), Kind: kind, Tip: word + " " + p.Sec(to.Sub(from))}
	}
	ch := chart{Width: chartWidth}
	for _, q := range c.Queues {
		to := q.Joined.Add(time.Duration(q.WaitMS) * time.Millisecond)
		if q.Left == "" {
			to = end
		}
		ch.Lanes = append(ch.Lanes, lane{Label: p.T("role.queue") + " " + q.Queue, Bars: []bar{span(q.Joined, to, "ring", p.T("web.call.waited"))}})
	}
	for _, l := range parties(c) {
		if len(ch.Lanes) == chartMostIn {
			break
		}
		ch.Lanes = append(ch.Lanes, w.lane(p, &l, end, span, x))
	}
	for i := range ch.Lanes {
		ch.Lanes[i].Y = chartHead + i*chartLane
	}
	ch.Height = chartHead + len(ch.Lanes)*chartLane + 6
	step := niceStep(total)
	for at := time.Duration(0); at <= total; at += step {
		ch.Marks = append(ch.Marks, mark{x(c.Started.Add(at)), p.Dur(at.Milliseconds())})
	}
	return ch
}

func (w *Web) lane(p *page, l *call.Leg, end time.Time, span func(from, to time.Time, kind, word string) bar, x func(time.Time) int) lane {
	label := p.N(orElse(l.Address, p.T("role."+string(l.Role))))
	if l.Agent != "" {
		label += " " + l.Agent
	}
	out := lane{Label: cutText(label, 22)}
	over := end
	if l.Ended != nil {
		over = *l.Ended
	}
	until := over
	if l.Answered != nil {
		until = *l.Answered
	}
	out.Bars = append(out.Bars, span(l.Started, until, "ring", p.T("state.ringing")))
	if l.Answered != nil {
		out.Bars = append(out.Bars, span(*l.Answered, over, "talk", p.T("state.talking")))
	}
	if l.Ended != nil && l.Result != "" && l.Result != call.Answered {
		out.Text, out.TextX = p.T("result."+string(l.Result)), min(x(over)+6, chartWidth-chartTail)
		out.Fail = l.Result == call.Failed || l.Result == call.Rejected || l.Result == call.Lost || l.Result == call.Busy
	}
	return out
}

// niceStep parts a length into four to ten parts of a round length.
func niceStep(total time.Duration) time.Duration {
	for _, s := range []time.Duration{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400} {
		if total/(s*time.Second) <= 8 {
			return s * time.Second
		}
	}
	return total / 4
}
