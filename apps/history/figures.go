package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	jalaali "github.com/jalaali/go-jalaali"

	"markaz/call"
)

// By says what figures are told apart by.
type By string

// What figures can be told apart by.
const (
	ByHour  By = "hour"  // of the day, "00" to "23"
	ByDay   By = "day"   // "2026-03-21", or "1405-01-01"
	ByMonth By = "month" // "2026-03", or "1405-01"
	ByQueue By = "queue" // a call counts in every queue that it has waited in
	ByAgent By = "agent" // calls that rang at the agent; extension where nobody is known
	ByLine  By = "line"
)

// ErrBy says that figures cannot be told apart by that.
var ErrBy = errors.New("want hour, day, month, queue, agent or line")

// FigureQuery says which figures are wanted.
type FigureQuery struct {
	By        By
	From, To  time.Time      // of the start, To not included
	Zone      *time.Location // of hours, days and months; UTC if not said
	Jalali    bool           // days and months of the Persian calendar
	InTime    time.Duration  // wait within which an answer is in time; that of the settings if not said
	Direction call.Direction
	Visible   *Visible
}

// Figure counts the calls of one hour, day, month, queue, agent or line. By
// agent, a call is answered or missed by that agent, and Wait is how long the
// phone rang; else Wait is the time until an answer or the end.
type Figure struct {
	Key      string `json:"key"`
	Calls    int64  `json:"calls"`
	Answered int64  `json:"answered"`
	Missed   int64  `json:"missed"`  // incoming calls that nobody answered and that were not a voice message, blocked or outside the hours
	Offered  int64  `json:"offered"` // incoming ones that were answered or missed
	InTime   int64  `json:"in_time"` // of Offered: answered in time
	Outbound int64  `json:"outbound"`
	WaitMS   int64  `json:"wait_ms"`     // of all
	WaitMax  int64  `json:"wait_max_ms"` //
	TalkMS   int64  `json:"talk_ms"`     // of all
	TalkMax  int64  `json:"talk_max_ms"`
}

// ServiceLevel is the part of the incoming calls that were answered in time
// among those that were answered or missed, 0 to 1; it is 1 where there were
// none.
func (f Figure) ServiceLevel() float64 {
	if f.Offered == 0 {
		return 1
	}
	return float64(f.InTime) / float64(f.Offered)
}

func (f *Figure) add(r row, inTime int64) {
	f.Calls++
	if r.answered {
		f.Answered++
	}
	if r.incoming && (r.answered || r.missed) {
		f.Offered++
		if r.answered && r.wait <= inTime {
			f.InTime++
		}
	}
	if r.missed {
		f.Missed++
	}
	if r.outbound {
		f.Outbound++
	}
	f.WaitMS += r.wait
	f.TalkMS += r.talk
	f.WaitMax = max(f.WaitMax, r.wait)
	f.TalkMax = max(f.TalkMax, r.talk)
}

// row is what one call, stay or leg adds.
type row struct {
	key                                  string
	at                                   int64
	answered, missed, outbound, incoming bool
	wait, talk                           int64
}

// figuresMost bounds the lines of a report.
const figuresMost = 10_000

// Figures counts calls. They are in the order of their keys.
func (s *Store) Figures(ctx context.Context, q FigureQuery) ([]Figure, error) {
	inTime := q.InTime.Milliseconds()
	if inTime == 0 {
		inTime = int64(s.cfg.InTime) * 1000
	}
	text, c, err := q.sql()
	if err != nil {
		return nil, err
	}
	rows, err := s.read.QueryContext(ctx, text, c.args...)
	if err != nil {
		return nil, fmt.Errorf("count calls: %w", err)
	}
	defer rows.Close()
	sums := map[string]*Figure{}
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.key, &r.at, &r.answered, &r.missed, &r.outbound, &r.incoming, &r.wait, &r.talk); err != nil {
			return nil, fmt.Errorf("count calls: %w", err)
		}
		key := q.key(r)
		f := sums[key]
		if f == nil {
			if len(sums) == figuresMost {
				return nil, fmt.Errorf("count calls: more than %d lines; ask for a shorter time", figuresMost)
			}
			f = &Figure{Key: key}
			sums[key] = f
		}
		f.add(r, inTime)
	}
	return sorted(sums), rows.Err()
}

// unanswered are the results of an incoming call that count as missed.
const unanswered = `('missed', 'abandoned_ivr', 'abandoned_queue', 'abandoned_ringing', 'busy', 'rejected', 'failed', 'lost', 'callback_scheduled')`

// sql is the question: key, time, answered, missed, outbound, incoming, wait, talk.
func (q FigureQuery) sql() (string, *condition, error) {
	c, err := Query{From: q.From, To: q.To, Direction: q.Direction, Visible: q.Visible}.condition()
	if err != nil {
		return "", nil, err
	}
	c.and("c.live = 0")
	const (
		missed   = `(c.direction = 'inbound' AND c.disposition IN ` + unanswered + `)`
		outbound = `(c.direction = 'outbound')`
	)
	switch q.By {
	case ByHour, ByDay, ByMonth, ByLine:
		return `SELECT c.line, c.started, c.answered IS NOT NULL, ` + missed + `, ` + outbound +
			`, (c.direction = 'inbound'), (coalesce(c.answered, c.ended) - c.started) / 1000, c.talk_ms FROM calls c WHERE ` + c.where(), c, nil
	case ByQueue:
		return `SELECT s.queue, s.joined, s.left_by = 'answered', s.left_by IN ('abandoned', 'timeout', 'overflow'), 0, 1,
			s.wait_ms, CASE s.left_by WHEN 'answered' THEN c.talk_ms ELSE 0 END
			FROM calls c JOIN stays s ON s.root = c.id WHERE ` + c.where(), c, nil
	case ByAgent:
		c.and(`p.role IN ('agent', 'caller') AND (p.agent <> '' OR p.address <> '' AND (p.role = 'agent' OR c.direction <> 'inbound'))`)
		return `SELECT CASE p.agent WHEN '' THEN p.address ELSE p.agent END, p.started,
			p.role = 'agent' AND (p.answered IS NOT NULL OR p.talk_ms > 0),
			p.role = 'agent' AND p.result IN ('no_answer', 'busy', 'rejected', 'failed'),
			p.role = 'caller', p.role = 'agent', p.ring_ms, p.talk_ms FROM calls c JOIN parties p ON p.root = c.id WHERE ` + c.where(), c, nil
	}
	return "", nil, fmt.Errorf("%w, not %.20q", ErrBy, q.By)
}

// key is the line of the report that a row belongs to.
func (q FigureQuery) key(r row) string {
	if q.By == ByQueue || q.By == ByAgent || q.By == ByLine {
		return r.key
	}
	zone := q.Zone
	if zone == nil {
		zone = time.UTC
	}
	at := time.UnixMicro(r.at).In(zone)
	if q.By == ByHour {
		return at.Format("15")
	}
	y, m, d := at.Year(), int(at.Month()), at.Day()
	if q.Jalali {
		if jy, jm, jd, err := jalaali.ToJalaali(y, at.Month(), d); err == nil {
			y, m, d = jy, int(jm), jd
		}
	}
	if q.By == ByMonth {
		return fmt.Sprintf("%04d-%02d", y, m)
	}
	return fmt.Sprintf("%04d-%02d-%02d", y, m, d)
}

func sorted(sums map[string]*Figure) []Figure {
	out := make([]Figure, 0, len(sums))
	for _, f := range slices.SortedFunc(maps.Values(sums), func(a, b *Figure) int { return cmp.Compare(a.Key, b.Key) }) {
		out = append(out, *f)
	}
	return out
}
