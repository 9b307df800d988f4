package testbed

import (
	"context"
	"time"
)

// Incoming is what an exchange prints of a call from outside that one
// extension answers: it rings, it is answered, it ends.
func Incoming(at time.Time, ext string, trunk int, number string, ring, talk time.Duration) []Line {
	r := record{ext: ext, trunk: trunk, dial: "<I>" + number}
	rang, answered, ended := r, r, r
	rang.code = "RC"
	answered.ring, answered.code = ring, "AN"
	ended.ring, ended.talk, ended.talked = ring, talk, true
	return []Line{
		{at, rang.text(at, 'A')},
		{at.Add(ring), answered.text(at.Add(ring), 'A')},
		{at.Add(ring + talk), ended.text(at.Add(ring+talk), 'A')},
	}
}

// Unanswered is what it prints of a call that nobody takes.
func Unanswered(at time.Time, ext string, trunk int, number string, ring time.Duration) []Line {
	r := record{ext: ext, trunk: trunk, dial: "<I>" + number}
	rang, ended := r, r
	rang.code, ended.ring, ended.code = "RC", ring, "NA"
	return []Line{{at, rang.text(at, 'A')}, {at.Add(ring), ended.text(at.Add(ring), 'A')}}
}

// Outgoing is what it prints of a call to outside, at its end.
func Outgoing(at time.Time, ext string, trunk int, dialled string, talk time.Duration) []Line {
	r := record{ext: ext, trunk: trunk, dial: dialled, talk: talk, talked: true}
	return []Line{{at.Add(talk), r.text(at.Add(talk), 'A')}}
}

// Happen prints lines when their time has come, until ctx ends.
func (p *PBX) Happen(ctx context.Context, lines []Line) {
	for _, l := range lines {
		select {
		case <-time.After(time.Until(l.At)):
			p.Print(l.Text)
		case <-ctx.Done():
			return
		}
	}
}
