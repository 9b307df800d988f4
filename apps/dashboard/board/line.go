package board

import (
	"cmp"

	"markaz/call"
)

type line struct {
	source, name  string
	in, out       int
	inDay, outDay int
	alarm         string
	since         int64
}

func (b *Board) line(source, name string) (*line, string) {
	key := source + "/" + name
	l := b.lines[key]
	if l == nil && len(b.lines) < maxNames {
		l = &line{source: source, name: name}
		b.lines[key] = l
	}
	if l != nil {
		b.touch("l:" + key)
	}
	return l, key
}

// relateLine counts a call on its line while it goes on.
func (b *Board) relateLine(c *liveCall) {
	now := ""
	if c.Line.Trunk != "" && !c.Over() {
		if _, key := b.line(c.Source, c.Line.Trunk); b.lines[key] != nil {
			now = key
		}
	}
	if now == c.line {
		return
	}
	add := func(key string, n int) {
		l := b.lines[key]
		if l == nil {
			return
		}
		if c.Direction == call.Outbound {
			l.out += n
		} else {
			l.in += n
		}
		b.touch("l:" + key)
	}
	add(c.line, -1)
	add(now, 1)
	c.line = now
}

func (b *Board) countLine(c *liveCall) {
	if c.Line.Trunk == "" {
		return
	}
	l, _ := b.line(c.Source, c.Line.Trunk)
	if l == nil {
		return
	}
	if c.Direction == call.Outbound {
		l.outDay++
	} else {
		l.inDay++
	}
}

// alarm notes what is wrong with a line; "up" and "ok" say that nothing is.
func (b *Board) alarm(e call.Event) {
	l, _ := b.line(e.Source, cmp.Or(e.Trunk, e.Address))
	if l == nil {
		return
	}
	if e.State == "up" || e.State == "ok" || e.State == "cleared" {
		l.alarm, l.since = "", 0
		return
	}
	l.alarm, l.since = cmp.Or(e.Reason, e.Text, e.State), milli(e.At)
}

func (l *line) body() Line {
	return Line{
		Kind: "l", Source: l.source, Name: l.name, In: l.in, Out: l.out,
		InDay: l.inDay, OutDay: l.outDay, Alarm: l.alarm, Since: l.since,
	}
}
